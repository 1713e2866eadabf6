"""Settings of similarity."""

from typing import Any

import ml_collections

from biobert_jax.configuration.schema import Schema, number, one_of, several
from biobert_jax.configuration.settings import own_data_has_a_path, windows_fit
from biobert_jax.configuration.texts import SETTINGS, debug, texts


def scale_ascends(config: Any) -> str | None:
    scale = config.dataset.scale
    if scale and (len(scale) != 2 or scale[0] >= scale[1]):
        return (
            f"config.dataset.scale is {tuple(scale)!r}; expected (the lowest, the highest) score, "
            "or () for those of the training pairs"
        )
    return None


SCHEMA = Schema(
    SETTINGS
    | {
        "task": one_of("similarity"),
        "dataset.scale": several(number(), "the lowest and the highest score; (): of training"),
    },
    rules=(own_data_has_a_path, windows_fit, scale_ascends),
)


def similarity(dataset: str, variant: str) -> ml_collections.ConfigDict:
    """BLURB's settings for a set: the middle of what it searches; what it chose is not published.

    Args:
      dataset: a name of `datasets.similarity.DATASETS`, or `own`.
      variant: "" or `debug`.
    """
    config = texts("similarity", dataset, 256)
    config.dataset.scale = (0.0, 4.0) if dataset == "biosses" else ()
    config.batch.sequences = 16
    config.optimizer.learning_rate = 3e-5
    config.train.epochs = 40
    if variant == "debug":
        debug(config, "synthetic")
        config.dataset.scale = (0.0, 4.0)
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config
