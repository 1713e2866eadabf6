"""What the sets of texts with labels and of pairs with scores have in common: their files."""

from collections.abc import Callable, Mapping

from biobert_jax.datasets.relation_files import find_splits
from biobert_jax.datasets.subsets import drawn
from biobert_jax.datasets.text_records import Record, read_records
from biobert_jax.errors import DataError, at
from biobert_jax.files import local

Records = dict[str, list[Record]]


def read_splits(name: str, path: str, target: str, known: Mapping[str, str]) -> Records:
    """Reads `train`, `validation` (perhaps none) and `test` of a folder.

    Args:
      name: of the set.
      path: the folder; empty: an error that says where the set is to be had.
      target: see `text_records.read_records`.
      known: for each set of this kind, where it is to be had.

    Raises:
      DataError: the files are not there or not in order.
    """
    if not path:
        raise DataError(
            f"dataset {name!r}: found no dataset.path; expected the folder with its train, dev and "
            f"test files: {known.get(name) or 'one of ' + ', '.join(known)}"
        )
    folder = local(path)
    if folder.is_file():
        raise DataError(
            f"{at(folder)}: found a file; expected the folder that it is in, with train, perhaps "
            "dev, and test. Set dataset.path to the folder"
        )
    splits: Records = {"train": [], "validation": [], "test": []}
    for split, file in find_splits(folder).items():
        splits[split] = read_records(file, target, may_be_empty=split == "validation")
    return splits


def limited(splits: Records, limit: int, train_limit: int) -> Records:
    """The first `limit` records of each split, and a draw of `train_limit` of train; 0: all.

    What is scored together (`Record.group`) is kept or left out together in validation and test.
    """
    out = {split: _first(records, limit) for split, records in splits.items()}
    return {**out, "train": drawn(out["train"], train_limit)}


def _first(records: list[Record], limit: int) -> list[Record]:
    if not 0 < limit < len(records):
        return list(records)
    last = records[limit - 1].group
    while last and limit < len(records) and records[limit].group == last:
        limit += 1
    return list(records[:limit])


def check_sides(splits: Records) -> None:
    """Raises DataError where one split has pairs and another single texts."""
    of: Callable[[list[Record]], bool] = lambda records: records[0].second is not None
    kinds = {split: of(records) for split, records in splits.items() if records}
    if len(set(kinds.values())) > 1:
        pairs = [split for split, paired in kinds.items() if paired]
        raise DataError(
            f"{', '.join(pairs)} has pairs of texts (`second`) and the other splits have not; "
            "expected the same columns in all of them"
        )
