"""Examples that are in training and in validation or test: their scores say less than they seem."""

import logging
from collections.abc import Hashable, Mapping, Sequence

logger = logging.getLogger(__name__)


def count_repeated(
    splits: Mapping[str, Sequence[Hashable]], what: str, mend: str = ""
) -> dict[str, int]:
    """Counts the examples of other splits that train has too, and warns where there are any.

    Args:
      splits: what makes an example the same, of each one: its words, or its question and context.
      what: examples are called, such as `sentences`.
      mend: what the warning says besides, such as the setting that leaves them out.

    Returns:
      By split, without `train`, how many there are.
    """
    seen = set(splits["train"])
    found = {
        split: sum(one in seen for one in of_split)
        for split, of_split in splits.items()
        if split != "train"
    }
    for split, count in found.items():
        if count:
            total = len(splits[split])
            logger.warning("%d of %d %s %s occur in train too%s", count, total, split, what, mend)
    return found
