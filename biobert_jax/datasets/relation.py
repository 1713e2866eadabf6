"""Relation extraction sets as an experiment's `config.dataset` describes them, folds included."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.datasets.relation_chemprot import read_chemprot
from biobert_jax.datasets.relation_ddi import ARCHIVE as DDI_ARCHIVE
from biobert_jax.datasets.relation_ddi import find_ddi, read_ddi
from biobert_jax.datasets.relation_files import RelationExample, find_splits, read_relations
from biobert_jax.datasets.repeated import count_repeated
from biobert_jax.datasets.subsets import drawn
from biobert_jax.errors import DataError, at
from biobert_jax.files import local
from biobert_jax.text.entity_marking import METHODS

TEN_FOLDS = ("gad", "euadr")
SYNTHETIC = ("synthetic", "synthetic_binary")
DATASETS = (*TEN_FOLDS, "gad_blurb", "chemprot", "ddi")
NEGATIVES = ("0", "false")
MANY_LABELS = 50  # fewer are let through, however few examples each has
ARCHIVE = "ChemProt_Corpus.zip"

logger = logging.getLogger(__name__)


class RelationSet(NamedTuple):
    """Examples, and what a result needs to say of them.

    Attributes:
      splits: the examples of `train`, `validation` (perhaps none) and `test`.
      labels: the classes of the training examples, the negative one (`0`, `false`) first.
      scored: those that scores are about.
      unreached: for each split and class, gold relations that are no example's label.
      facts: counts for results.json: `examples`, `repeated_sentences` (see `count_repeated`),
        `without_marks` (of each split) and perhaps `dropped_from_training`.
    """

    splits: dict[str, list[RelationExample]]
    labels: list[str]
    scored: list[str]
    unreached: dict[str, Counter[str]]
    facts: dict[str, Any]


def fold_numbers(name: str, path: str = "", fold: str | int = "all") -> list[int]:
    """The folds that an experiment runs over; none where the set has no folds, or one is chosen.

    Args:
      name, path, fold: of `config.dataset`; see `load_relations`.

    Raises:
      DataError: a fold's folder is missing.
    """
    if str(fold) != "all":
        return []
    if not path:
        if name == "synthetic_binary":
            from biobert_jax.datasets.synthetic.relations import FOLDS

            return list(range(1, FOLDS + 1))
        return list(range(1, 11)) if name in TEN_FOLDS else []
    folder = local(path)
    inside = (
        {int(p.name) for p in folder.iterdir() if p.name.isdecimal()} if folder.is_dir() else ()
    )
    if not inside:
        return []
    expected = range(1, (10 if name in TEN_FOLDS else max(inside)) + 1)
    for number in expected:
        _fold_folder(folder, number, len(expected))
    return list(expected)


def load_relations(
    name: str,
    path: str = "",
    fold: str | int = "all",
    marking: str = "anonymise",
    scored: Sequence[str] = (),
    repeated: str = "keep",
    limit: int = 0,
    train_limit: int = 0,
) -> RelationSet:
    """Loads a set.

    Args:
      name: one of `DATASETS` or `SYNTHETIC`, or any other name for a set of one's own.
      path: a folder with train, perhaps dev, and test (see `relation_files`), one with folders of
        such folds, or the official corpus of ChemProt or DDI. Without it, GAD and EU-ADR are
        downloaded.
      fold: the number of a fold; `all` for sets without folds.
      marking: `anonymise` or `wrap`, where the set comes as text with offsets.
      scored: the classes that scores are about; by default all but `0` and `false`.
      repeated: `keep`, or `drop` training sentences that occur in validation or test too.
      limit: how many examples of each split to take; 0 for all.
      train_limit: how many of the training split, see `subsets.drawn`; 0 for all.

    Raises:
      DataError: the files are not there or not in order, or a class does not occur in training.
    """
    if marking not in METHODS:
        raise DataError(f"dataset.marking is {marking!r}; expected one of {', '.join(METHODS)}")
    if repeated not in ("keep", "drop"):
        raise DataError(f"dataset.repeated is {repeated!r}; expected 'keep' or 'drop'")
    splits, unreached = _read(name, path, fold, marking)
    _check_training(splits["train"], path or name)
    labels = label_set(splits["train"])
    check_labels(labels, [e for split in ("validation", "test") for e in splits[split]])
    if limit:
        splits = {split: examples[:limit] for split, examples in splits.items()}
    splits = {**splits, "train": drawn(splits["train"], train_limit)}
    texts = {split: [e.text for e in splits[split]] for split in ("train", "validation", "test")}
    mend = {
        "drop": " and were dropped there",
        "keep": " (dataset.repeated=drop leaves them out of it)",
    }
    facts: dict[str, Any] = {
        "repeated_sentences": count_repeated(texts, "sentences", mend[repeated])
    }
    if repeated == "drop":
        elsewhere = {e.text for split in ("validation", "test") for e in splits[split]}
        kept = [e for e in splits["train"] if e.text not in elsewhere]
        facts["dropped_from_training"] = len(splits["train"]) - len(kept)
        splits["train"] = kept
    facts["examples"] = {split: len(examples) for split, examples in splits.items()}
    facts["without_marks"] = _count_without_marks(splits, path or name)
    chosen = list(scored) or [label for label in labels if label not in NEGATIVES]
    unknown = [label for label in chosen if label not in labels]
    if unknown or not chosen:
        raise DataError(
            f"dataset.scored: {', '.join(unknown) or 'nothing'} to score among the classes "
            f"{', '.join(labels)} of {path or name}; name classes that the training file has"
        )
    return RelationSet(splits, labels, chosen, unreached, facts)


def _check_training(examples: Sequence[RelationExample], where: str) -> None:
    """Raises DataError where the labels are not ones that a classifier can learn."""
    labels = Counter(example.label for example in examples)
    if len(labels) < 2:
        raise DataError(
            f"{where}: every training example has the label {next(iter(labels), '')!r}; expected "
            "two classes or more. Add examples of the others"
        )
    if len(labels) > MANY_LABELS and 2 * len(labels) > len(examples):
        example = next(e for e in examples if labels[e.label] == 1)
        raise DataError(
            f"{example.where}: found the label {example.label[:60]!r}, one of {len(labels):,} of "
            f"{len(examples):,} examples; expected a few classes that come again. Check that the "
            "last column is the label"
        )


def _count_without_marks(
    splits: Mapping[str, Sequence[RelationExample]], where: str
) -> dict[str, int]:
    counts = {split: sum(not e.marks for e in examples) for split, examples in splits.items()}
    for split, count in counts.items():
        if count:
            logger.warning(
                "%s: %d of %d %s sentences have no mark of a known kind (such as @GENE$ or <GENE> "
                "... </GENE>), the first at %s: nothing says which pair they are about",
                where,
                count,
                len(splits[split]),
                split,
                next(e.where for e in splits[split] if not e.marks),
            )
    return counts


def label_set(examples: Sequence[RelationExample]) -> list[str]:
    """The classes of examples, sorted, `0` and `false` before all others."""
    return sorted({e.label for e in examples}, key=lambda label: (label not in NEGATIVES, label))


def check_labels(labels: Sequence[str], examples: Sequence[RelationExample]) -> None:
    """Raises DataError for the first example whose class is not among `labels`."""
    for example in examples:
        if example.label not in labels:
            raise DataError(
                f"{example.where}: the label {example.label!r} does not occur in the training "
                f"file; expected one of {', '.join(labels)}. A model cannot learn it: rename the "
                "label, or add training sentences that have it"
            )


Read = tuple[dict[str, list[RelationExample]], dict[str, Counter[str]]]


def _read(name: str, path: str, fold: str | int, marking: str) -> Read:
    if not path and name in SYNTHETIC:
        from biobert_jax.datasets.synthetic.relations import relation_splits

        binary = name == "synthetic_binary"
        return relation_splits(_number(fold) if binary else 0, binary, marking), {}
    if not path and name in TEN_FOLDS:
        # Here, because TFDS takes a second to import, and most runs read a folder.
        from biobert_jax.datasets.relation_builders import load_fold

        return {**load_fold(name, _number(fold)), "validation": []}, {}
    if not path and name == "chemprot":
        raise DataError(
            f"ChemProt: found no dataset.path; expected {ARCHIVE} of BioCreative VI track 5, which "
            "its organisers give out at https://biocreative.bioinformatics.udel.edu (resources, "
            "corpora, ChemProt) and BioBERT's authors may not pass on. Save it anywhere, and set "
            f"--config.dataset.path=FOLDER/{ARCHIVE}; a folder with the masked train.tsv, dev.tsv "
            "and test.tsv will do as well"
        )
    if not path and name == "ddi":
        raise DataError(
            f"DDI: found no dataset.path; expected {DDI_ARCHIVE} of "
            "https://github.com/isegura/DDICorpus. Save it anywhere, and set "
            f"--config.dataset.path=FOLDER/{DDI_ARCHIVE}"
        )
    if not path and name == "gad_blurb":
        raise DataError(
            "GAD in BLURB's split: found no dataset.path; expected the folder with train.tsv, "
            "dev.tsv and test.tsv that BLURB's data_generation writes "
            "(https://microsoft.github.io/BLURB)"
        )
    if not path:
        raise DataError(
            f"dataset {name!r}: found no relation extraction set of this name; expected one of "
            f"{', '.join(DATASETS)}. Name one, or set dataset.path to a folder with train.tsv and "
            "test.tsv"
        )
    folder = local(path)
    if name == "ddi" and (corpus := find_ddi(folder)) is not None:
        return read_ddi(corpus, marking), {}
    if folder.is_dir() and (folder / ARCHIVE).is_file():
        folder = folder / ARCHIVE
    if folder.is_file() and folder.suffix != ".zip":
        raise DataError(
            f"{at(folder)}: found a file; expected the folder that it is in, with train, perhaps "
            f"dev, and test, or {ARCHIVE}. Set dataset.path to the folder"
        )
    if folder.is_file() or any(folder.glob("**/chemprot_training*")):
        parts = read_chemprot(folder, marking)
        return (
            {split: part.examples for split, part in parts.items()},
            {split: part.unreached for split, part in parts.items()},
        )
    if str(fold) != "all":
        folder = _fold_folder(folder, _number(fold))
    files = find_splits(folder)
    splits: dict[str, list[RelationExample]] = {"train": [], "validation": [], "test": []}
    for split, file in files.items():
        splits[split] = read_relations(file, marking, may_be_empty=split == "validation")
    return splits, {}


def _number(fold: str | int) -> int:
    if not str(fold).isdecimal() or int(fold) < 1:
        raise DataError(
            f"dataset.fold is {fold!r}; expected 'all', or the number of a fold, from 1"
        )
    return int(fold)


def _fold_folder(folder: Path, number: int, count: int | None = None) -> Path:
    if not (folder / str(number)).is_dir():
        inside = sorted((p.name for p in folder.glob("*") if p.is_dir()), key=lambda n: (len(n), n))
        wanted = f"folders 1 to {count}" if count else "a folder for each fold"
        raise DataError(
            f"{at(folder / str(number))}: the folder of fold {number} is missing; found "
            f"{', '.join(inside[:20]) or 'no folders'}; expected {wanted}, each with train.tsv and "
            "test.tsv. Unpack the archive again, or set dataset.path and dataset.fold to what is "
            "there"
        )
    return folder / str(number)
