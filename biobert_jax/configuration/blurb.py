"""The 13 sets of BLURB (Gu et al., 2021): which task each is, its settings, and what is searched.

Their article says: Adam, a schedule that rises in a tenth of the steps and falls in the rest,
dropout 0.1, learning rates 1e-5, 3e-5 and 5e-5, batches of 16 and 32, 2 to 60 epochs chosen on the
dev set; five seeds, ten for the three smallest sets. What was chosen is not published. So a config
here has the middle of it, and the search is in configs/sweeps/blurb.py.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import ml_collections

from biobert_jax.configuration.classification import classification
from biobert_jax.configuration.ner import ner
from biobert_jax.configuration.relation import relation
from biobert_jax.configuration.similarity import similarity

RATES = (1e-5, 3e-5, 5e-5)
SEQUENCES = (16, 32)
SEEDS = (1, 2, 3, 4, 5)
SEEDS_OF_SMALL = tuple(range(1, 11))


@dataclasses.dataclass(frozen=True)
class BlurbSet:
    """A set of BLURB.

    Attributes:
      config: makes the settings of its task, from a variant.
      dataset: its `dataset.name`, which is in results.json.
      folder: where it is below a folder of all data; configs/sweeps/blurb.py can change it.
      measure: the score that BLURB reports, in results.json.
      epochs: those that are tried.
      small: whether it has ten seeds.
      settings: what differs from the task's own settings, by dotted name.
      debug: the same for the variant `debug`.
    """

    config: Callable[[str], ml_collections.ConfigDict]
    dataset: str
    folder: str
    measure: str
    epochs: tuple[int, ...] = (5, 10, 20)
    small: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    debug: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _ner(dataset: str, folder: str) -> BlurbSet:
    settings = {"dataset.train_on": "train"}
    return BlurbSet(lambda variant: ner(dataset, variant), dataset, folder, "f1", settings=settings)


def _relation(dataset: str, folder: str, length: int) -> BlurbSet:
    settings = {"windows.max_length": length, "batch.row_length": length}
    return BlurbSet(
        lambda variant: relation(dataset, variant), dataset, folder, "f1", settings=settings
    )


_SMALL_EPOCHS = (20, 40, 60)
_IO = {"dataset.scheme": "IO"}

SETS = {
    "bc5_chem": _ner("bc5cdr_chem", "NER/BC5CDR-chem"),
    "bc5_disease": _ner("bc5cdr_disease", "NER/BC5CDR-disease"),
    "ncbi_disease": _ner("ncbi_disease", "NER/NCBI-disease"),
    "bc2gm": _ner("bc2gm", "NER/BC2GM"),
    "jnlpba": _ner("jnlpba_blurb", "NER/JNLPBA_blurb"),
    "ebm_pico": dataclasses.replace(
        _ner("ebm_pico", "NER/EBM-NLP/blurb"),
        measure="macro_f1",
        epochs=(2, 5, 10),
        settings={"dataset.train_on": "train", **_IO},
        debug=_IO,
    ),
    "chemprot": _relation("chemprot", "RE/CHEMPROT", 256),
    "ddi": _relation("ddi", "RE/DDI", 256),
    "gad": _relation("gad_blurb", "RE/GAD_blurb", 128),
    "biosses": BlurbSet(
        lambda variant: similarity("biosses", variant),
        *("biosses", "STS/BIOSSES/blurb", "pearson"),
        epochs=_SMALL_EPOCHS,
        small=True,
    ),
    "hoc": BlurbSet(lambda variant: classification("hoc", variant), "hoc", "CLS/HoC/blurb", "f1"),
    "pubmedqa": BlurbSet(
        lambda variant: classification("pubmedqa", variant),
        *("pubmedqa", "QA/PubMedQA", "accuracy"),
        small=True,
    ),
    "bioasq": BlurbSet(
        lambda variant: classification("bioasq_yesno", variant),
        *("bioasq_yesno", "QA/BioASQ/blurb-yesno", "accuracy"),
        small=True,
    ),
}
"""The sets in the order of BLURB's table."""


def blurb(name: str, variant: str = "") -> ml_collections.ConfigDict:
    """The settings of a set.

    Args:
      name: one of `SETS`.
      variant: "" or `debug`.

    Raises:
      ValueError: another variant.
    """
    if variant not in ("", "debug"):
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    chosen = SETS[name]
    config = chosen.config(variant)
    if variant == "debug":
        config.update_from_flattened_dict(chosen.debug)
        return config
    config.optimizer.name = "adamw"
    config.optimizer.weight_decay = 0.0
    config.optimizer.learning_rate = RATES[1]
    config.batch.sequences = SEQUENCES[0]
    config.train.epochs = chosen.epochs[1]
    config.checkpoint.keep_best = 0
    config.search_space = (
        ("batch.sequences", SEQUENCES),
        ("optimizer.learning_rate", RATES),
        ("train.epochs", chosen.epochs),
    )
    config.update_from_flattened_dict(chosen.settings)
    return config
