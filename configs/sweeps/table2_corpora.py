"""Table 2 of the paper: the combinations of corpora, each fine-tuned on the same sets.

    python -m experiments.sweep --config=configs/sweeps/table2_corpora.py --workdir=sweeps/table2 \
        --config.init=INIT --config.data=DATA \
        --config.pubmed=corpora/pubmed --config.pmc=corpora/pmc

`base` is BERT as it is. Steps are the paper's: 200K for PubMed, 270K for PMC, 470K for both.
"""

from biobert_jax.sweeps.defaults import settings
from biobert_jax.sweeps.recipes import fine_tunings, pretraining


def get_config(variant: str = ""):
    config = settings(variant)
    config.pubmed = config.pmc = ""  # folders of shards; empty: the generated corpus
    config.steps = {"pubmed": 200_000, "pmc": 270_000, "pubmed_pmc": 470_000}
    if variant == "debug":
        config.steps = {"pubmed": 10, "pmc": 10, "pubmed_pmc": 20}
    return config


def get_runs(config):
    folders = {"pubmed": config.pubmed, "pmc": config.pmc}
    yield from fine_tunings(
        "base", config.init, config.sets, config.data, config.seeds, dict(config.finetuning)
    )
    for name, steps in config.steps.items():
        corpora = [(folders[part], 1.0) for part in name.split("_") if folders[part]]
        given = dict(config.pretraining) | {"train.steps": steps}
        yield pretraining(f"{name}/pretraining", config.pretrain, corpora, config.init, given)
        encoder = f"{{{name}/pretraining}}"
        yield from fine_tunings(
            name, encoder, config.sets, config.data, config.seeds, dict(config.finetuning)
        )
