"""BIO against BIOES on an NER set, an ablation of the paper's choice of labels.

    python -m experiments.sweep --config=configs/sweeps/ner_scheme.py --workdir=sweeps/scheme \
        --config.init=INIT --config.path=NER/NCBI-disease [--config.experiment=ner/ncbi_disease]
    biobert compare sweeps/scheme/BIO sweeps/scheme/BIOES
"""

import ml_collections

from biobert_jax.sweeps.recipes import over_seeds


def get_config(variant: str = ""):
    config = ml_collections.ConfigDict()
    config.experiment = "ner/ncbi_disease" + (f":{variant}" if variant else "")
    config.init = "random"
    config.path = ""
    config.seeds = (1, 2, 3)
    config.train_on = "train"
    config.epochs = 3
    config.optimizer = "bert"
    config.learning_rate = 5e-5
    config.finetuning = ()  # settings of all runs, as pairs: (("dataset.train_limit", 500),)
    return config


def get_runs(config):
    settings = {
        "init": config.init,
        "dataset__train_on": config.train_on,
        "train__epochs": config.epochs,
        "optimizer__name": config.optimizer,
        "optimizer__learning_rate": config.learning_rate,
    }
    if config.path:
        settings["dataset__path"] = config.path
    for scheme in ("BIO", "BIOES"):
        yield from over_seeds(
            scheme,
            config.experiment,
            config.seeds,
            dataset__scheme=scheme,
            **settings,
            **dict(config.finetuning),
        )
