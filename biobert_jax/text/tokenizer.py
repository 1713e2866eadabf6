"""What tasks, corpora and inference ask of a tokenizer; `wordpiece.WordPieceTokenizer` is one."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

SPECIALS = 2
"""Special tokens of a sequence of one text: [CLS] text [SEP]."""

PAIR_SPECIALS = 3
"""Special tokens of a sequence of two texts: [CLS] first [SEP] second [SEP]."""


class Encoding(NamedTuple):
    """Pieces of one text or of one list of words, without [CLS] and [SEP]; int32 arrays.

    Attributes:
      ids: [n] vocabulary ids.
      word_ids: [n] index of the given word; for text, of the basic-tokenizer word. Ascending. A
        given word can have no piece at all (a control character): its index does not occur then.
      offsets: [n, 2] start and end (exclusive) in characters, into the text; for words, into the
        piece's own word. Slices give back the source as it was written.
    """

    ids: np.ndarray
    word_ids: np.ndarray
    offsets: np.ndarray


class Tokenizer(Protocol):
    """Turns text or words into `Encoding`s. It can be pickled and shared between threads.

    Attributes:
      vocabulary: the tokens in id order; with `lowercase`, all that a checkpoint keeps of it.
      lowercase: whether text is lower-cased, so that capitals are lost.
      pad_id: fills the rest of a row.
      cls_id, sep_id: what a sequence begins with and what its segments end with, whatever the
        model calls them.
    """

    vocabulary: list[str]
    lowercase: bool
    pad_id: int
    cls_id: int
    sep_id: int

    @property
    def vocab_size(self) -> int:
        """The number of tokens."""
        ...

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """Encodes each text; offsets are into the text."""
        ...

    def encode_words_batch(self, batch: Sequence[Sequence[str]]) -> list[Encoding]:
        """Encodes each list of words; offsets are into each word."""
        ...
