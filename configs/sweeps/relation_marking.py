"""Entities anonymised (@GENE$) against wrapped in marks, an ablation of the paper's choice.

    python -m experiments.sweep --config=configs/sweeps/relation_marking.py \
        --workdir=sweeps/marking --config.init=INIT --config.path=ChemProt_Corpus.zip
    biobert compare sweeps/marking/anonymise sweeps/marking/wrap

Needs a set with offsets, such as the official ChemProt: in GAD the names are masked already.
"""

import ml_collections

from biobert_jax.sweeps.recipes import over_seeds


def get_config(variant: str = ""):
    config = ml_collections.ConfigDict()
    config.experiment = "relation/chemprot" + (f":{variant}" if variant else "")
    config.init = "random"
    config.path = ""
    config.seeds = (1, 2, 3)
    config.limit = 0  # sentences per split; 0: all
    config.epochs = 3
    config.optimizer = "bert"
    config.learning_rate = 2e-5
    config.finetuning = ()  # settings of all runs, as pairs: (("dataset.train_limit", 500),)
    return config


def get_runs(config):
    settings = {
        "init": config.init,
        "train__epochs": config.epochs,
        "optimizer__name": config.optimizer,
        "optimizer__learning_rate": config.learning_rate,
    }
    if config.path:
        settings |= {"dataset__path": config.path, "dataset__limit": config.limit}
    for marking in ("anonymise", "wrap"):
        yield from over_seeds(
            marking,
            config.experiment,
            config.seeds,
            dataset__marking=marking,
            **settings,
            **dict(config.finetuning),
        )
