"""Settings of relation extraction."""

import ml_collections

from biobert_jax.configuration.card_defaults import RELATION_WINDOWS
from biobert_jax.configuration.defaults import defaults, shrink
from biobert_jax.configuration.schema import Schema, Setting, one_of, several, switch, text, whole
from biobert_jax.configuration.settings import own_data_has_a_path, windows_fit
from biobert_jax.text.tokenizer import SPECIALS

SCHEMA = Schema(
    {
        "task": one_of("relation"),
        "dataset.name": text("of the data set", empty=False),
        "dataset.path": text("a folder or an archive"),
        "dataset.fold": Setting(
            lambda value: value == "all" or (isinstance(value, str) and value.isdecimal()),
            "'all' or the number of a fold as text",
        ),
        "dataset.marking": one_of("anonymise", "wrap"),
        "dataset.scored": several(text(empty=False), "classes; (): all but 0 and false"),
        "dataset.repeated": one_of("keep", "drop"),
        "dataset.limit": whole(0, note="sentences per split; 0: all"),
        "dataset.train_limit": whole(0, note="of the training split alone; 0: all"),
        "windows.max_length": whole(SPECIALS + 1, note="pieces"),
        "windows.around_marks": switch(),
    },
    rules=(
        own_data_has_a_path,
        windows_fit,
    ),
)


def relation(dataset: str, variant: str) -> ml_collections.ConfigDict:
    """The settings of the original for a dataset: run_re.py as its README calls it.

    Section 4.1 of the paper searches batch sizes, learning rates and epochs as for NER; what was
    chosen for each set is not published.

    Args:
      dataset: a name of `datasets.relation.DATASETS`.
      variant: "" or `debug`.
    """
    config = defaults()
    config.task = "relation"
    config.dataset = ml_collections.ConfigDict()
    config.dataset.name = dataset
    config.dataset.path = ""
    config.dataset.fold = "all"  # or a number; sets without folds have just their own splits
    config.dataset.marking = "anonymise"  # or wrap, the paper's other way, for text with offsets
    config.dataset.scored = ()  # classes that scores are about; (): all but 0 and false
    config.dataset.repeated = "keep"  # or drop, out of train, sentences that the test has too
    config.dataset.limit = 0  # sentences per split; 0: all
    config.dataset.train_limit = 0  # of the training split alone, drawn at random; 0: all

    config.windows = ml_collections.ConfigDict(RELATION_WINDOWS)

    config.batch.row_length = 128
    config.batch.max_sequences = 16
    config.train.epochs = 3
    config.optimizer.learning_rate = 2e-5
    config.checkpoint.keep_best = 0

    # The grid that the paper searches.
    config.search_space = (
        ("batch.sequences", (16, 32, 64)),
        ("optimizer.learning_rate", (5e-5, 3e-5, 1e-5)),
    )
    if variant == "debug":
        shrink(config)
        config.train.epochs = 3
        config.dataset.name = "synthetic" if dataset in ("chemprot", "ddi") else "synthetic_binary"
        config.dataset.limit = 200
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config
