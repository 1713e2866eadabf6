"""Settings of classification."""

import ml_collections

from biobert_jax.configuration.schema import Schema, one_of, whole
from biobert_jax.configuration.settings import own_data_has_a_path, windows_fit
from biobert_jax.configuration.texts import SETTINGS, debug, texts

SCHEMA = Schema(
    SETTINGS
    | {
        "task": one_of("classification"),
        "dataset.fold": whole(0, 9, note="of PubMedQA's ten, which one is validation"),
    },
    rules=(own_data_has_a_path, windows_fit),
)

_GENERATED = {"hoc": "synthetic_labels", "pubmedqa": "synthetic_pairs"} | {
    "bioasq_yesno": "synthetic_pairs"
}
_LENGTHS = {"pubmedqa": 512, "bioasq_yesno": 512}


def classification(dataset: str, variant: str) -> ml_collections.ConfigDict:
    """BLURB's settings for a set: the middle of what it searches; what it chose is not published.

    Args:
      dataset: a name of `datasets.classification.DATASETS`, or `own`.
      variant: "" or `debug`.
    """
    config = texts("classification", dataset, _LENGTHS.get(dataset, 128))
    config.dataset.fold = 0
    config.batch.sequences = 16
    config.optimizer.learning_rate = 3e-5
    config.train.epochs = 10
    if variant == "debug":
        debug(config, _GENERATED.get(dataset, "synthetic"))
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config
