"""What the settings of classification and similarity have in common."""

import ml_collections

from biobert_jax.configuration.defaults import defaults, shrink
from biobert_jax.configuration.schema import Setting, text, whole

SETTINGS: dict[str, Setting] = {
    "dataset.name": text("of the data set", empty=False),
    "dataset.path": text("a folder"),
    "dataset.limit": whole(0, note="texts per split; 0: all"),
    "dataset.train_limit": whole(0, note="of the training split alone; 0: all"),
    "windows.max_length": whole(5, note="pieces"),
}


def texts(task: str, dataset: str, max_length: int) -> ml_collections.ConfigDict:
    """Settings of a task that says something of whole texts.

    Args:
      task: `config.task`.
      dataset: name of the set.
      max_length: pieces of a sequence, [CLS] and [SEP] included.
    """
    config = defaults()
    config.task = task
    config.dataset = ml_collections.ConfigDict()
    config.dataset.name = dataset
    config.dataset.path = ""
    config.dataset.limit = 0  # texts per split; 0: all
    config.dataset.train_limit = 0  # of the training split alone, drawn at random; 0: all

    config.windows = ml_collections.ConfigDict()
    config.windows.max_length = max_length

    config.batch.row_length = max_length
    config.batch.max_sequences = 16
    config.checkpoint.keep_best = 0
    config.search_space = (
        ("batch.sequences", (16, 32)),
        ("optimizer.learning_rate", (1e-5, 3e-5, 5e-5)),
    )
    return config


def debug(config: ml_collections.ConfigDict, synthetic: str) -> None:
    """Makes the `debug` variant: a tiny encoder and generated data."""
    shrink(config)
    config.dataset.name = synthetic
    config.dataset.limit = 200
    config.windows.max_length = 128
    config.batch.row_length = 128
    config.train.epochs = 3
