"""What an uncased checkpoint does not see."""

import logging
from collections.abc import Iterable

logger = logging.getLogger(__name__)


def count_capitals(texts: Iterable[str]) -> tuple[int, int]:
    """Counts the whitespace-delimited words that lower-casing would change, and all words."""
    changed = total = 0
    for text in texts:
        words = text.split()
        total += len(words)
        changed += sum(word != word.lower() for word in words)
    return changed, total


def warn_of_capitals(texts: Iterable[str], lowercase: bool) -> None:
    """Logs one warning where text has capitals and the checkpoint lower-cases.

    Args:
      texts: what the model will read; iterated only where `lowercase` holds.
      lowercase: whether the checkpoint is uncased.
    """
    if not lowercase:
        return
    changed, total = count_capitals(texts)
    if changed:
        logger.warning(
            "%d of %d words have capitals that this uncased checkpoint does not see", changed, total
        )
