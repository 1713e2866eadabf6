"""Settings of named entity recognition."""

from typing import Any

import ml_collections

from biobert_jax.configuration.card_defaults import NER_WINDOWS
from biobert_jax.configuration.defaults import defaults, shrink
from biobert_jax.configuration.schema import Schema, one_of, switch, text, whole
from biobert_jax.configuration.settings import own_data_has_a_path, windows_fit
from biobert_jax.text.tokenizer import SPECIALS


def windows_overlap(config: Any) -> str | None:
    room = config.windows.max_length - SPECIALS
    if config.windows.overlap >= room:
        return (
            f"config.windows.overlap is {config.windows.overlap}; expected less than "
            f"windows.max_length - {SPECIALS} = {room}, or windows would not advance"
        )
    return None


def selection_is_unseen(config: Any) -> str | None:
    if config.train.select == "best" and config.dataset.train_on == "train+devel":
        return (
            "config.train.select is 'best' and config.dataset.train_on 'train+devel': a state "
            "would be selected by sentences that it was trained on. Set train_on=train, or "
            "select=last"
        )
    return None


SCHEMA = Schema(
    {
        "task": one_of("ner"),
        "dataset.name": text("of the data set", empty=False),
        "dataset.path": text("a folder"),
        "dataset.train_on": one_of("train", "train+devel"),
        "dataset.scheme": one_of("BIO", "BIOES", "IO"),
        "dataset.limit": whole(0, note="sentences per split; 0: all"),
        "dataset.train_limit": whole(0, note="of the training split alone; 0: all"),
        "windows.max_length": whole(SPECIALS + 1, note="pieces"),
        "windows.overlap": whole(0, note="pieces"),
        "windows.truncate": switch(),
    },
    rules=(own_data_has_a_path, windows_fit, windows_overlap, selection_is_unseen),
)


def ner(dataset: str, variant: str) -> ml_collections.ConfigDict:
    """The paper's fine-tuning settings for a dataset.

    Section 4.1 of the paper searches batch sizes 16, 32, 64 and epochs 5, 10, 20 on the validation
    set; its README trains on train + devel with the values found. These are run_ner.py's defaults
    (batch 32, 10 epochs, 5e-5); see docs/architecture.md for what differs on purpose.

    Args:
      dataset: a name of `datasets.ner.DATASETS`.
      variant: "" (train + devel, test the last state), `search` (train on train alone and select on
        devel) or `debug`.
    """
    config = defaults()
    config.task = "ner"
    config.dataset = ml_collections.ConfigDict()
    config.dataset.name = dataset
    config.dataset.path = ""  # a folder with train.tsv, devel.tsv, test.tsv; else TFDS downloads
    config.dataset.train_on = "train+devel"  # or train
    config.dataset.scheme = "BIO"  # or BIOES, the paper's ablation; IO: words, as PICO
    config.dataset.limit = 0  # sentences per split; 0: all
    config.dataset.train_limit = 0  # of the training split alone, drawn at random; 0: all

    # As long as the longest window: attention costs least, and 98% of the positions are real.
    config.batch.row_length = 128
    config.batch.max_sequences = 16

    config.windows = ml_collections.ConfigDict(NER_WINDOWS)

    # The grid that the paper searches.
    config.search_space = (
        ("batch.sequences", (16, 32, 64)),
        ("optimizer.learning_rate", (5e-5, 3e-5, 1e-5)),
        ("train.epochs", (5, 10, 20)),
    )
    if variant == "search":
        config.dataset.train_on = "train"
        config.train.select = "best"
        config.train.evaluate_every = 200
    elif variant == "debug":
        shrink(config)
        config.dataset.name = "synthetic"
        config.dataset.limit = 400
        config.train.epochs = 5  # enough to see the score rise from 0
        config.train.evaluate_every = 40
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none, 'search' or 'debug'")
    return config
