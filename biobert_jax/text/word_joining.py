"""Cutting running text into words as the training sentences were cut.

The basic tokenizer makes a word of every punctuation character. Corpora often do not: one has
`IL-2` where another has `IL`, `-`, `2`. A model that labels words should be asked about words of
the kind that it was trained on; which characters those keep inside is read off the corpus itself.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from biobert_jax.text.tokenizer import Encoding


def joining_characters(sentences: Iterable[Sequence[str]]) -> str:
    """The punctuation that occurs inside words more often than alone between two.

    Args:
      sentences: the words of each.

    Returns:
      The characters, sorted; "" where words are cut as the basic tokenizer cuts them.
    """
    inside: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for words in sentences:
        alone.update(word for word in words[1:-1] if len(word) == 1)
        for word in words:
            triples = zip(word, word[1:], word[2:], strict=False)
            inside.update(c for a, c, b in triples if _joins(a, c, b))
    return "".join(sorted(c for c, count in inside.items() if count > alone[c]))


def join_words(encoding: Encoding, text: str, joining: str) -> Encoding:
    """Makes one word of two that a joining character connects, letter to letter, without a blank.

    Args:
      encoding: of `text`, as `Tokenizer.encode_batch` gives it.
      text: the text.
      joining: what `joining_characters` returned.

    Returns:
      The same pieces, with other `word_ids`, from 0 without gaps.
    """
    if not joining or not len(encoding.ids):
        return encoding
    first = np.flatnonzero(np.diff(encoding.word_ids, prepend=-1))
    starts = np.minimum.reduceat(encoding.offsets[:, 0], first)
    ends = np.maximum.reduceat(encoding.offsets[:, 1], first)
    begins = np.ones(len(first), bool)
    for w in range(1, len(first) - 1):
        touches = ends[w - 1] == starts[w] and ends[w] == starts[w + 1]
        around = text[starts[w] - 1], text[starts[w] : ends[w]], text[ends[w] : ends[w] + 1]
        if touches and around[1] in joining and _joins(*around):
            begins[w : w + 2] = False
    pieces = np.diff(first, append=len(encoding.ids))
    word_ids = np.repeat(np.cumsum(begins) - 1, pieces).astype(encoding.word_ids.dtype)
    return encoding._replace(word_ids=word_ids)


def _joins(before: str, between: str, after: str) -> bool:
    return before.isalnum() and after.isalnum() and not between.isalnum()
