"""Sets of texts, or pairs of texts, with a class or several labels each."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from biobert_jax.datasets.pubmedqa import read_pubmedqa
from biobert_jax.datasets.repeated import count_repeated
from biobert_jax.datasets.splits import Records, check_sides, limited, read_splits
from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import DataError
from biobert_jax.files import local, to_path

HALLMARKS = (
    "activating invasion and metastasis",
    "avoiding immune destruction",
    "cellular energetics",
    "enabling replicative immortality",
    "evading growth suppressors",
    "genomic instability and mutation",
    "inducing angiogenesis",
    "resisting cell death",
    "sustaining proliferative signaling",
    "tumor promoting inflammation",
)
"""The labels of HoC in the order of its columns 0 to 9 in BLURB's files."""

DATASETS = {
    "hoc": "train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them "
    "(https://microsoft.github.io/BLURB), with the header labels, sentence, index",
    "pubmedqa": "ori_pqal.json of https://github.com/pubmedqa/pubmedqa (data/), the file itself or "
    "its folder",
    "bioasq_yesno": "train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them (id, "
    "question, context, yes or no), after registration at http://bioasq.org",
}
"""The sets that are known by name, and where each is to be had."""

SYNTHETIC = ("synthetic", "synthetic_labels", "synthetic_pairs")
MANY_LABELS = 200  # fewer are let through, however few examples each has


class ClassificationSet(NamedTuple):
    """Texts, and what a result needs to say of them.

    Attributes:
      splits: the records of `train`, `validation` (perhaps none) and `test`.
      labels: the labels of the training texts, sorted; HoC's in the order of its columns.
      several: whether a text has any number of labels, not one.
      facts: counts for results.json.
    """

    splits: Records
    labels: Sequence[str]
    several: bool
    facts: dict[str, Any]


def load_classification(
    name: str, path: str = "", fold: int = 0, limit: int = 0, train_limit: int = 0
) -> ClassificationSet:
    """Loads a set as an experiment's `config.dataset` describes it.

    Args:
      name: one of `DATASETS` or `SYNTHETIC`, or any other name for a set of one's own.
      path: a folder with train, perhaps dev, and test; for PubMedQA its JSON file.
      fold: for PubMedQA, which of the ten folds of its training half is validation.
      limit: how many texts of each split to take; 0 for all.
      train_limit: how many of the training split, see `subsets.drawn`; 0 for all.

    Raises:
      DataError: the files are not there or not in order, a label does not occur in training, or
        training has nothing to tell apart.
    """
    splits = _read(name, path, fold)
    check_sides(splits)
    several = splits["train"][0].several
    for split, records in splits.items():
        if records and records[0].several != several:
            raise DataError(
                f"{records[0].where}: {split} and train differ: one has `label`, one class, the "
                "other `labels`, several; expected the same in both"
            )
    labels: list[str] = _label_set(splits["train"], path or name)
    if name == "hoc" and {label for r in splits["train"] for label in r.labels} <= set(HALLMARKS):
        labels = [*HALLMARKS]
    check_labels(labels, [r for split in ("validation", "test") for r in splits[split]])
    splits = limited(splits, limit, train_limit)
    groups = {split: len({r.group for r in rs} - {""}) for split, rs in splits.items()}
    texts = {split: [(r.text, r.second) for r in rs] for split, rs in splits.items()}
    facts: dict[str, Any] = {
        "examples": {split: len(rs) for split, rs in splits.items()},
        "repeated_texts": count_repeated(texts, "texts"),
    }
    if any(groups.values()):
        facts["groups"] = groups
    return ClassificationSet(splits, labels, several, facts)


def check_labels(labels: Sequence[str], records: Sequence[Record], where: str = "") -> None:
    """Raises DataError for the first text with a label that is not among `labels`.

    Args:
      labels: those that the model knows.
      records: of validation and test.
      where: whose labels they are; by default the training file's.
    """
    known = set(labels)
    for record in records:
        for label in record.labels:
            if label not in known:
                raise DataError(
                    f"{record.where}: the label {label!r:.60} does not occur in "
                    f"{where or 'the training file'}; expected one of {_listed(labels)}. A model "
                    "cannot learn it: rename the label, or add training texts that have it"
                )


def _read(name: str, path: str, fold: int) -> Records:
    if not path and name in SYNTHETIC:
        from biobert_jax.datasets.synthetic.texts import classification_splits

        return classification_splits(name)
    if path and (name == "pubmedqa" or to_path(path).name.startswith("ori_pqal.json")):
        return read_pubmedqa(local(path), fold)
    splits = read_splits(name, path, "label", DATASETS)
    return {s: hallmarks(records) for s, records in splits.items()} if name == "hoc" else splits


def hallmarks(records: Sequence[Record]) -> list[Record]:
    """HoC's sentences with the names of their labels, and each with its abstract as its group.

    Raises:
      DataError: a sentence's id is not that of BLURB's files.
    """
    out = []
    for record in records:
        group = record.group or record.id.rpartition("_s")[0]
        if not group:
            raise DataError(
                f"{record.where}: the sentence is called {record.id!r:.60}; expected PMID_sNUMBER, "
                f"which says of which abstract it is. Use {DATASETS['hoc']}"
            )
        names = [_hallmark(label, record.where) for label in record.labels]
        out.append(record._replace(labels=tuple(names), group=group))
    return out


def _hallmark(label: str, where: str) -> str:
    if not label.isdecimal():
        return label
    if int(label) >= len(HALLMARKS):
        raise DataError(f"{where}: found label number {label}; HoC has 0 to {len(HALLMARKS) - 1}")
    return HALLMARKS[int(label)]


def _label_set(records: Sequence[Record], where: str) -> list[str]:
    counts = Counter(label for record in records for label in record.labels)
    several = records[0].several
    if len(counts) < (1 if several else 2):
        raise DataError(
            f"{where}: every training text has {_said(counts)}; expected "
            f"{'a label' if several else 'two classes'} or more to tell apart. Add texts of the "
            "others"
        )
    if len(counts) > MANY_LABELS and 2 * len(counts) > len(records):
        odd = next(r for r in records if r.labels and counts[r.labels[0]] == 1)
        raise DataError(
            f"{odd.where}: found the label {odd.labels[0]!r:.60}, one of {len(counts):,} of "
            f"{len(records):,} texts; expected a few that come again. Check which column is the "
            "label"
        )
    return sorted(counts)


def _said(counts: Counter[str]) -> str:
    return f"the label {next(iter(counts))!r:.60}" if counts else "no label"


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
