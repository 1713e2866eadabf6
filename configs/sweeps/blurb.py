"""BLURB: all 13 sets, each with its search on dev, then retrained with several seeds and tested.

    python -m experiments.sweep --config=configs/sweeps/blurb.py --workdir=sweeps/blurb/NAME \
        --config.init=INIT --config.data=DATA [--only='biosses/*']
    biobert report --runs NAME=sweeps/blurb/NAME --output report

DATA has the folders that `config.folders` names. The search has 18 runs for each set: batch 16, 32
x learning rate 1e-5, 3e-5, 5e-5 x three numbers of epochs; then five seeds, ten for BIOSSES,
PubMedQA and BioASQ. A smaller one, without a search where one value of each is left:

    --config.rates='(3e-5,)' --config.sequences='(16,)' --config.epochs='(10,)' \
        --config.seeds='(1,)' --config.seeds_of_small='(1, 2, 3)' --config.train_limit=500 \
        --config.sets="('biosses', 'hoc')"

The variant `debug` runs all 13 on generated data with tiny encoders.
"""

import ml_collections

from biobert_jax.configuration.blurb import RATES, SEEDS, SEEDS_OF_SMALL, SEQUENCES, SETS
from biobert_jax.sweeps.plan import SweepRun
from biobert_jax.sweeps.recipes import search


def get_config(variant: str = ""):
    config = ml_collections.ConfigDict()
    config.init = "hf://dmis-lab/biobert-base-cased-v1.1"
    config.data = ""  # where the folders are; empty: configs download what they can
    config.folders = ml_collections.ConfigDict({name: one.folder for name, one in SETS.items()})
    config.sets = tuple(SETS)
    config.rates = RATES
    config.sequences = SEQUENCES
    config.epochs = ()  # (): each set's own
    config.seeds = SEEDS
    config.seeds_of_small = SEEDS_OF_SMALL
    config.train_limit = 0  # of every set; 0: all
    config.optimizer = "adamw"
    config.finetuning = ()  # settings of all runs, as pairs: (("compute.dtype", "bfloat16"),)
    config.variant = variant
    if variant == "debug":
        config.init = "random"
        config.rates, config.sequences, config.epochs = (1e-3,), (8,), (1,)
        config.seeds = config.seeds_of_small = (1,)
        config.train_limit = 100
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config


def get_runs(config):
    for name in config.sets:
        if name not in SETS:
            raise ValueError(f"sets names {name!r}; expected some of {', '.join(SETS)}")
        chosen = SETS[name]
        file = f"blurb/{name}" + (f":{config.variant}" if config.variant else "")
        settings = {
            "init": config.init,
            "dataset.train_limit": config.train_limit,
            "optimizer.name": config.optimizer,
            **dict(config.finetuning),
        }
        if config.data:
            settings["dataset.path"] = f"{config.data}/{config.folders[name]}"
        seeds = config.seeds_of_small if chosen.small else config.seeds
        grid = (
            ("batch.sequences", config.sequences),
            ("optimizer.learning_rate", config.rates),
            ("train.epochs", config.epochs or chosen.epochs),
        )
        if all(len(values) == 1 for _, values in grid):  # nothing to choose
            settings |= {setting: values[0] for setting, values in grid}
            for seed in seeds:
                yield SweepRun(f"{name}/test/seed-{seed}", file, settings | {"seed": seed})
            continue
        yield from search(
            *(name, file, grid, seeds), settings, settings, by=f"validation.{chosen.measure}"
        )
