"""Long sequences cut into overlapping windows, so that no word goes unread."""

import numpy as np


def window_starts(pieces_per_word: np.ndarray, size: int, overlap: int) -> list[tuple[int, int]]:
    """Cuts a sentence into windows at word boundaries.

    Args:
      pieces_per_word: [W] pieces of each word.
      size: pieces that a window holds; a word with more than that fills a window of its own.
      overlap: pieces that a window should share with the one before it.

    Returns:
      Word ranges [first, last) that cover all words; one range where all fits.
    """
    ends = np.cumsum(pieces_per_word)
    count = len(pieces_per_word)
    ranges = []
    first = 0
    while True:
        before = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, before + size, side="right"))
        last = max(last, first + 1)
        if last >= count:
            ranges.append((first, count))
            return ranges
        ranges.append((first, last))
        # The next window begins with the last words of this one that fit into the overlap, or with
        # fewer where the word that it is for would not fit behind them.
        before = max(ends[last - 1] - overlap, ends[last] - size)
        begin = int(np.searchsorted(ends, before, side="left")) + 1
        first = min(max(begin, first + 1), last)


def owners(ranges: list[tuple[int, int]], count: int) -> np.ndarray:
    """For each of `count` words, the window in which it has the most context on its poorer side."""
    context = np.full((len(ranges), count), -1)
    for w, (first, last) in enumerate(ranges):
        words = np.arange(first, last)
        left = words - first if first else np.full(len(words), count)
        right = last - 1 - words if last < count else np.full(len(words), count)
        context[w, first:last] = np.minimum(left, right)
    return context.argmax(axis=0)
