"""Figure 4 of the paper: what pre-training gains, against the size of the fine-tuning set.

    python -m experiments.sweep --config=configs/sweeps/figure4_training_size.py \
        --workdir=sweeps/figure4 --config.init=INIT --config.pretrained=runs/pubmed \
        --config.data=DATA

The paper compares whole sets of different sizes. Here, too, and besides parts of each set:
--config.sizes, training sentences; smaller parts are contained in larger ones.
"""

from biobert_jax.sweeps.defaults import settings
from biobert_jax.sweeps.recipes import fine_tunings


def get_config(variant: str = ""):
    config = settings(variant)
    config.pretrained = "random"
    config.sizes = (0, 500, 1000, 2000, 4000)  # 0: the whole set
    if variant == "debug":
        config.sizes = (50, 100)
    return config


def get_runs(config):
    for name, encoder in (("before", config.init), ("after", config.pretrained)):
        for size in config.sizes:
            given = dict(config.finetuning) | {"dataset.train_limit": size}
            prefix = f"{name}/sentences-{size or 'all'}"
            yield from fine_tunings(prefix, encoder, config.sets, config.data, config.seeds, given)
