"""Sets of pairs of texts with a number each: how similar they are, such as BIOSSES' 0 to 4."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from biobert_jax.datasets.repeated import count_repeated
from biobert_jax.datasets.splits import Records, limited, read_splits
from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import DataError

DATASETS = {
    "biosses": "train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them "
    "(https://microsoft.github.io/BLURB), with the header pair_id, sent1, sent2, score"
}
"""The sets that are known by name, and where each is to be had."""

SYNTHETIC = "synthetic"


class SimilaritySet(NamedTuple):
    """Pairs, and what a result needs to say of them.

    Attributes:
      splits: the records of `train`, `validation` (perhaps none) and `test`.
      scale: the lowest and the highest score that there can be.
      facts: counts for results.json.
    """

    splits: Records
    scale: tuple[float, float]
    facts: dict[str, Any]


def load_similarity(
    name: str, path: str = "", scale: Sequence[float] = (), limit: int = 0, train_limit: int = 0
) -> SimilaritySet:
    """Loads a set as an experiment's `config.dataset` describes it.

    Args:
      name: one of `DATASETS`, `SYNTHETIC`, or any other name for a set of one's own.
      path: a folder with train, perhaps dev, and test.
      scale: the lowest and the highest score; (): those of the training pairs.
      limit: how many pairs of each split to take; 0 for all.
      train_limit: how many of the training split, see `subsets.drawn`; 0 for all.

    Raises:
      DataError: the files are not there or not in order, a score is out of the scale, or all
        training pairs have the same score.
    """
    if not path and name == SYNTHETIC:
        from biobert_jax.datasets.synthetic.texts import similarity_splits

        splits = similarity_splits()
    else:
        splits = read_splits(name, path, "score", DATASETS)
    check_pairs([record for records in splits.values() for record in records], scale)
    scores = [record.score for record in splits["train"]]
    if min(scores) == max(scores):
        raise DataError(
            f"{path or name}: every training pair has the score {scores[0]:g}; expected different "
            "ones to learn from"
        )
    low, high = tuple(scale) or (min(scores), max(scores))
    splits = limited(splits, limit, train_limit)
    texts = {split: [(r.text, r.second) for r in rs] for split, rs in splits.items()}
    facts = {
        "examples": {split: len(records) for split, records in splits.items()},
        "repeated_texts": count_repeated(texts, "pairs"),
    }
    return SimilaritySet(splits, (low, high), facts)


def check_pairs(records: Sequence[Record], scale: Sequence[float] = ()) -> None:
    """Raises DataError for a text without a second one, or a score out of the scale."""
    for record in records:
        if record.second is None:
            raise DataError(
                f"{record.where}: found one text; expected a pair, in columns such as text, second "
                "and score"
            )
        if scale and not scale[0] <= record.score <= scale[1]:
            raise DataError(
                f"{record.where}: its score is {record.score:g}; expected {scale[0]:g} to "
                f"{scale[1]:g}. Correct it, or set dataset.scale to the lowest and the highest "
                "score that there can be"
            )
