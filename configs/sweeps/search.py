"""The paper's search for one NER set (section 4.1): chosen on devel, retrained, tested once.

    python -m experiments.sweep --config=configs/sweeps/search.py --workdir=sweeps/search \
        --config.init=INIT --config.path=NER/NCBI-disease [--config.experiment=ner/ncbi_disease]

The grid is batch 16, 32, 64 x learning rate 5e-5, 3e-5, 1e-5 x epochs 5, 10, 20: 27 runs on train
alone, then one run per seed on train + devel. The variant `debug` has 8 tiny runs.
"""

import ml_collections

from biobert_jax.sweeps.recipes import search


def get_config(variant: str = ""):
    config = ml_collections.ConfigDict()
    config.experiment = "ner/ncbi_disease"
    config.init = "random"
    config.path = ""  # of the data set
    config.seeds = (1, 2, 3)
    config.sequences = (16, 32, 64)
    config.rates = (5e-5, 3e-5, 1e-5)
    config.epochs = (5, 10, 20)
    config.optimizer = "bert"
    config.finetuning = ()  # settings of all runs, as pairs: (("dataset.train_limit", 500),)
    if variant == "debug":
        config.experiment = "ner/ncbi_disease:debug"
        config.seeds = (1, 2)
        config.sequences = (8, 16)
        config.rates = (1e-3,)
        config.epochs = (1, 2, 3)
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config


def get_runs(config):
    settings = {"init": config.init, "optimizer.name": config.optimizer} | dict(config.finetuning)
    if config.path:
        settings["dataset.path"] = config.path
    grid = (
        ("batch.sequences", config.sequences),
        ("optimizer.learning_rate", config.rates),
        ("train.epochs", config.epochs),
    )
    return search(
        config.experiment.split("/")[1].split(":")[0],
        config.experiment,
        grid,
        config.seeds,
        searching={"dataset.train_on": "train"} | settings,
        retraining={"dataset.train_on": "train+devel"} | settings,
    )
