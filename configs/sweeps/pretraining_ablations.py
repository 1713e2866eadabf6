"""One choice of pre-training changed at a time; each encoder is fine-tuned on the same sets.

    python -m experiments.sweep --config=configs/sweeps/pretraining_ablations.py \
        --workdir=sweeps/pretraining --config.init=INIT --config.data=DATA \
        "--config.corpora=(('corpora/pubmed', 1.0),)" \
        "--config.own_vocabulary=(('corpora/pubmed_own_vocabulary', 1.0),)"
    biobert results sweeps/pretraining

| encoder | differs from `standard` in |
|---|---|
| padded | one pair of segments per row, the rest padding, as the original |
| static | ten fixed versions of each document (the dupe factor), not new ones every epoch |
| scratch | random weights instead of BERT's |
| own_vocabulary | random weights, and shards of the same text built with its own vocabulary |
"""

from biobert_jax.sweeps.defaults import settings
from biobert_jax.sweeps.recipes import fine_tunings, pretraining


def get_config(variant: str = ""):
    config = settings(variant)
    config.own_vocabulary = ()  # (folder, weight) of shards; none: that encoder is left out
    return config


def get_runs(config):
    encoders = {
        "standard": (config.corpora, config.init, {}),
        "padded": (config.corpora, config.init, {"batch.packed": False}),
        "static": (config.corpora, config.init, {"instances.static_copies": 10}),
        "scratch": (config.corpora, "random", {}),
    }
    if config.own_vocabulary:
        encoders["own_vocabulary"] = (config.own_vocabulary, "random", {})
    for name, (corpora, init, changed) in encoders.items():
        given = dict(config.pretraining) | changed
        yield pretraining(f"{name}/pretraining", config.pretrain, corpora, init, given)
        encoder = f"{{{name}/pretraining}}"
        yield from fine_tunings(
            name, encoder, config.sets, config.data, config.seeds, dict(config.finetuning)
        )
