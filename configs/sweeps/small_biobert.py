"""The paper's finding, small and with its missing control: PubMed against general text.

    python -m benchmarks.experiment_texts --data DATA --output texts    # then corpus build, twice
    python -m experiments.sweep --config=configs/sweeps/small_biobert.py --workdir=sweeps/small \
        --config.init=INIT --config.data=DATA --config.corpora=CORPORA [--config.scale=10]
    biobert compare sweeps/small/MP sweeps/small/MG

M is the encoder as it is, MG and MP the same further pre-trained on general and on biomedical text:
equal steps, batches, heads and seeds. First the heads learn alone, with the encoder frozen, so that
a model without an MLM head does not pay for a random one. CORPORA has the folders `biomedical` and
`general`; both arms hold out documents of both. `scale` multiplies the steps, for a GPU.

docs/results/small_biobert.md has what came out.
"""

import ml_collections

from biobert_jax.sweeps.plan import SweepRun
from biobert_jax.sweeps.recipes import fine_tunings

ARMS = {"MP": (1.0, 0.0), "MG": (0.0, 1.0)}
"""Weights of (biomedical, general)."""


def get_config(variant: str = ""):
    config = ml_collections.ConfigDict()
    config.init = "random"
    config.data = ""
    config.corpora = ""  # empty: the generated corpus, in both arms
    config.scale = 1
    config.head_steps = 150
    config.steps = 500
    config.pretraining_seed = 1
    config.seeds = (1, 2, 3, 4, 5)
    config.train_limit = 500  # sentences: gains are largest on small sets
    config.on_the_way = False  # fine-tunes from the kept checkpoints too, for Figure 3
    config.sets = (
        ("ner/ncbi_disease", "NER/NCBI-disease"),
        ("ner/bc5cdr_chem", "NER/BC5CDR-chem"),
        ("ner/s800", "NER/s800"),
        ("ner/bc5cdr_disease", "NER/BC5CDR-disease"),
        ("ner/bc2gm", "NER/BC2GM"),
    )
    config.folds = (1, 2, 3, 4, 5)  # of GAD, one seed each
    config.experiment = "pretrain/biobert_v1_1_pubmed"
    if variant == "debug":
        config.experiment += ":debug"
        config.head_steps, config.steps, config.seeds, config.folds = 4, 8, (1,), ()
        config.sets = (("ner/ncbi_disease:debug",),)
        config.train_limit = 50
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config


def get_runs(config):
    shared = {
        "dataset.held_out": 40,
        "batch.row_length": 128,
        "batch.max_sequences": 4,
        "batch.rows": 32,  # 4,096 positions per step
        "instances.max_predictions": 20,
        "compute.dtype": "bfloat16",
        "loader.workers": 0,
        "optimizer.name": "adamw",
        "checkpoint.every": 100,
        "checkpoint.keep_best": 0,
        "seed": config.pretraining_seed,
    }
    steps = config.scale * config.steps
    kept = (max(1, steps // 5), steps // 2)
    heads = shared | {
        "train.steps": config.scale * config.head_steps,
        "train.evaluate_every": 0,
        "optimizer.learning_rate": 3e-3,
        "optimizer.warmup_steps": 10,
        "optimizer.freeze_encoder_steps": 10**6,  # more than there are
        "checkpoint.keep_steps": (),
    }
    arm = shared | {
        "train.steps": steps,
        "train.evaluate_every": kept[0],
        "optimizer.learning_rate": 2e-4,
        "optimizer.warmup_steps": max(1, steps // 10),
        "checkpoint.keep_steps": kept,
    }
    finetuning = {
        "dataset.train_on": "train",
        "dataset.train_limit": config.train_limit,
        "train.epochs": 4,
        "optimizer.name": "adamw",
        "optimizer.learning_rate": 3e-4,
        "checkpoint.every": 0,
    }
    encoders = {"M": config.init}
    for name, weights in ARMS.items():
        corpora = {}
        if config.corpora:
            folders = [f"{config.corpora}/{kind}" for kind in ("biomedical", "general")]
            corpora = {"dataset.corpora": tuple(zip(folders, weights, strict=True))}
        first, then = f"{name}/heads", f"{name}/pretraining"
        yield SweepRun(first, config.experiment, heads | corpora | {"init": config.init})
        yield SweepRun(then, config.experiment, arm | corpora | {"init": f"{{{first}}}"})
        encoders[name] = f"{{{then}}}"
    if config.on_the_way:
        for name in ARMS:
            encoders |= {f"{name}/step-{step}": f"{{{name}/pretraining}}@{step}" for step in kept}
    for name, encoder in encoders.items():
        prefix = f"{name}/fine-tuned"
        yield from fine_tunings(prefix, encoder, config.sets, config.data, config.seeds, finetuning)
        for fold in config.folds:
            given = finetuning | {"init": encoder, "dataset.fold": str(fold), "seed": fold}
            del given["dataset.train_on"]
            if config.data:
                given["dataset.path"] = f"{config.data}/RE/GAD"
            yield SweepRun(f"{prefix}/gad/fold-{fold}", "relation/gad", given)
