"""Settings of question answering."""

from typing import Any

import ml_collections

from biobert_jax.configuration.card_defaults import QA_DECODING, QA_WINDOWS
from biobert_jax.configuration.defaults import defaults, shrink
from biobert_jax.configuration.schema import Schema, number, one_of, text, whole
from biobert_jax.configuration.settings import own_data_has_a_path, windows_fit
from biobert_jax.text.tokenizer import PAIR_SPECIALS


def windows_meet(config: Any) -> str | None:
    windows = config.windows
    room = windows.max_length - windows.max_question - PAIR_SPECIALS
    if windows.stride > room:
        return (
            f"config.windows.stride is {windows.stride}; expected 1 to max_length - max_question "
            f"- {PAIR_SPECIALS} = {room}, or pieces between two windows would go unread"
        )
    return None


SCHEMA = Schema(
    {
        "task": one_of("qa"),
        "dataset.name": text("of the data set", empty=False),
        "dataset.path": text("a folder"),
        "dataset.kind": one_of("span", "factoid", "list", "yesno"),
        "dataset.train": text("a file"),
        "dataset.test_passages": one_of("abstracts", "snippets"),
        "dataset.validation_share": number(0, below=1, note="of the training questions"),
        "dataset.split_seed": whole(),
        "dataset.limit": whole(0, note="pairs of question and passage per split; 0: all"),
        "windows.max_length": whole(PAIR_SPECIALS + 2, note="pieces"),
        "windows.stride": whole(1, note="pieces"),
        "windows.max_question": whole(1, note="pieces"),
        "decoding.n_best": whole(1),
        "decoding.max_answer": whole(1, note="pieces"),
        "decoding.top": whole(1, note="answers"),
        "decoding.threshold": number(0, 1, note="a share of probability"),
    },
    rules=(own_data_has_a_path, windows_fit, windows_meet),
)


def qa(dataset: str, kind: str, variant: str) -> ml_collections.ConfigDict:
    """The settings of run_qa.py as BioBERT's README calls it.

    Args:
      dataset: `squad` or a name of `datasets.qa.BIOASQ`.
      kind: `span`, `factoid`, `list` or `yesno`.
      variant: "" or `debug`.
    """
    config = defaults()
    config.task = "qa"
    config.dataset = ml_collections.ConfigDict()
    config.dataset.name = dataset
    config.dataset.path = ""  # a folder; see datasets.qa.load_splits
    config.dataset.kind = kind
    config.dataset.train = ""  # BioASQ: another file to train on, official or SQuAD-like
    config.dataset.test_passages = "abstracts"  # or snippets, those of the golden files
    config.dataset.validation_share = 0.0  # held out of train, where no file is for validation
    config.dataset.split_seed = 0
    config.dataset.limit = 0  # pairs of question and passage per split; 0: all

    config.windows = ml_collections.ConfigDict(QA_WINDOWS)

    config.decoding = ml_collections.ConfigDict(QA_DECODING)

    config.batch.row_length = 384
    config.batch.max_sequences = 12
    config.batch.sequences = 12
    config.train.epochs = 5
    config.optimizer.learning_rate = 5e-6
    config.checkpoint.keep_best = 0

    config.search_space = (
        ("optimizer.learning_rate", (5e-6, 1e-5, 3e-5)),
        ("train.epochs", (3, 5)),
    )
    if variant == "debug":
        shrink(config)
        config.dataset.name = "synthetic"
        config.dataset.limit = 200
        config.windows.max_length = 128
        config.windows.stride = 48
        config.windows.max_question = 32
        config.train.epochs = 3
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config
