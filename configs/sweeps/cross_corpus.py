"""Models of one entity type on each other's test sets: users' text is never the test set.

    python -m experiments.sweep --config=configs/sweeps/cross_corpus.py --workdir=sweeps/cross \
        --config.init=INIT --config.data=DATA
    biobert results sweeps/cross

Diseases: NCBI-disease, BC5CDR-disease; chemicals: BC5CDR-chem, BC4CHEMD (`--config.chemicals` names
others). A model's row on its own test set is the run itself. With `--config.models` the models are
runs that exist, as pairs such as ("disease/ncbi", "runs/ncbi/seed-{seed}"); nothing is trained, and
sets without a model are scored on only.
"""

import ml_collections

from biobert_jax.sweeps.plan import EVALUATE, SweepError, SweepRun


def get_config(variant: str = ""):
    config = ml_collections.ConfigDict()
    config.init = "random"
    config.data = ""
    # (set, config below configs/, folder below `data`)
    config.diseases = (
        ("ncbi", "ner/ncbi_disease", "NER/NCBI-disease"),
        ("bc5cdr", "ner/bc5cdr_disease", "NER/BC5CDR-disease"),
    )
    config.chemicals = (
        ("bc5cdr", "ner/bc5cdr_chem", "NER/BC5CDR-chem"),
        ("bc4chemd", "ner/bc4chemd", "NER/BC4CHEMD"),
    )
    config.models = ()
    config.seeds = (1, 2, 3)
    config.finetuning = ()
    if variant == "debug":
        config.seeds = (1,)
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config


def get_runs(config):
    if not config.data:
        raise SweepError(
            "config.data is missing; expected the folder with "
            + ", ".join(folder for *_, folder in (*config.diseases, *config.chemicals))
        )
    models = dict(config.models)
    for kind, sets in (("disease", config.diseases), ("chemical", config.chemicals)):
        for name, experiment, folder in sets:
            for seed in config.seeds:
                run = f"{kind}/{name}/on-{name}/seed-{seed}"
                trained = models.get(f"{kind}/{name}", "").format(seed=seed)
                if models and not trained:
                    continue  # a set to score on only
                if not trained:
                    given = {"init": config.init, "dataset.path": f"{config.data}/{folder}"}
                    given |= dict(config.finetuning) | {"seed": seed}
                    yield SweepRun(run, experiment, given)
                    trained = f"{{{run}}}"
                for other, _, data in sets:
                    if other != name or f"{kind}/{name}" in models:
                        options = {"model": trained, "data": f"{config.data}/{data}"}
                        scored = f"{kind}/{name}/on-{other}/seed-{seed}"
                        yield SweepRun(scored, EVALUATE, options)
