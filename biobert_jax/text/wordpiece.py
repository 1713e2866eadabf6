"""The WordPiece tokenizer: text or words to piece ids, with offsets into the source.

The basic rules (`biobert_jax.text.basic`) are Google's, character by character; the greedy
longest-match-first pieces of a word come from the `tokenizers` library. Its own BERT normaliser
and pre-tokenizer are not used: they agree with Google's on nearly all biomedical text, but keep
unassigned code points, know older punctuation and accents only, lower-case a final sigma without
looking at its neighbours, and take 256 CJK ideographs for letters. Speed comes from remembering
what each whitespace-delimited part of text became: in running text nearly all have been seen.
"""

import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
from tokenizers.models import WordPiece

from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import TEXT
from biobert_jax.files import read_text, split_lines
from biobert_jax.text.basic import basic_words, split_at_whitespace
from biobert_jax.text.tokenizer import Encoding

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_CHARS_PER_WORD = 200  # longer words become [UNK]; 100 in some other implementations

# A remembered part takes about 300 bytes. Longer ones (CJK sentences, sequences) rarely come again.
_CACHE_ENTRIES = 1 << 17
_CACHE_CHARS = 64
_COLUMNS = 4  # id, word index, start, end


def load_vocabulary(path: str | os.PathLike[str]) -> dict[str, int]:
    """Reads a vocabulary file: one token per line; the line number from 0 is the id.

    Line ends may be LF or CRLF; whitespace around a token is not part of it, as in Google's reader.

    Returns:
      Token to id, in id order.

    Raises:
      DataError: the file cannot be read, is empty or not UTF-8, a line is blank, a token is there
        twice, or one of [PAD], [UNK], [CLS], [SEP], [MASK] is missing.
    """
    text = read_text(path, TEXT, hint="name vocab.txt of the checkpoint, with one token per line")
    tokens = list(split_lines(text.removesuffix("\n"), at(path))) if text else []
    return _index([token.strip() for token in tokens], path)


def _index(tokens: Sequence[str], path: str | os.PathLike[str] | None = None) -> dict[str, int]:
    """Returns token to id, after checking what every BERT vocabulary must hold."""

    def place(line: int | None = None) -> str:
        return at("vocabulary" if path is None else path, line)

    if not tokens:
        raise DataError(f"{place()}: no tokens; expected one token per line, starting with [PAD]")
    vocabulary: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if not token:
            raise DataError(
                f"{place(index + 1)}: blank line; every line is a token and its number the id, "
                "remove the line or restore its token"
            )
        if token in vocabulary:
            raise DataError(
                f"{place(index + 1)}: {token!r} is already on line {vocabulary[token] + 1}; "
                "a token may have one id only, restore the checkpoint's own vocabulary"
            )
        vocabulary[token] = index
    missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
    if missing:
        raise DataError(
            f"{place()}: {', '.join(missing)} missing among {len(tokens)} tokens; "
            "expected the vocabulary of a BERT model, with all of " + ", ".join(SPECIAL_TOKENS)
        )
    return vocabulary


def casing_from_vocabulary(vocabulary: Iterable[str]) -> bool:
    """Whether the model behind a vocabulary is cased.

    For checkpoints without tokenizer_config.json, as Google and DMIS publish them. A model is cased
    if a piece contains an upper-case letter that lower-casing would change (Google's uncased
    vocabulary holds the double-struck R, which has no lower case); [UNK], [unused1] and the like do
    not count.
    """
    return any(
        token != token.lower()
        for token in vocabulary
        if not (token.startswith("[") and token.endswith("]"))
    )


class WordPieceTokenizer:
    """Turns text or words into `Encoding`s. It can be pickled and shared between threads.

    Attributes:
      vocabulary: the tokens in id order.
      lowercase: whether text is lower-cased and stripped of accents (an uncased model).
      pad_id, unk_id, cls_id, sep_id, mask_id: ids of the special tokens.
    """

    def __init__(self, vocabulary: Sequence[str], lowercase: bool):
        index = _index(vocabulary)
        self.vocabulary = list(vocabulary)
        self.lowercase = lowercase
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = (
            index[token] for token in SPECIAL_TOKENS
        )
        self._model = WordPiece(
            index, unk_token="[UNK]", max_input_chars_per_word=MAX_CHARS_PER_WORD
        )
        self._parts = _Cache(self._tokenize_part)

    @classmethod
    def from_vocabulary(
        cls, vocabulary: str | os.PathLike[str] | Sequence[str], lowercase: bool
    ) -> "WordPieceTokenizer":
        """Builds a tokenizer from a vocab.txt or from the list of its tokens.

        Raises:
          DataError: see `load_vocabulary`.
        """
        if isinstance(vocabulary, str | os.PathLike):
            vocabulary = list(load_vocabulary(vocabulary))
        return cls(vocabulary, lowercase)

    @property
    def vocab_size(self) -> int:
        """The number of tokens, which is the number of rows of the embedding matrix."""
        return len(self.vocabulary)

    def __reduce__(self):
        return type(self), (self.vocabulary, self.lowercase)

    def encode(self, text: str) -> Encoding:
        """Encodes one text; offsets are into `text`."""
        return self.encode_batch([text])[0]

    def encode_words(self, words: Sequence[str]) -> Encoding:
        """Encodes one list of words; offsets are into each word."""
        return self.encode_words_batch([words])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """Encodes each text; the same as `encode` on each, and faster."""
        _refuse_string(texts, "texts")
        split = [split_at_whitespace(text) for text in texts]
        parts = [part for of_text in split for part in of_text]
        parts_per_text = np.fromiter(map(len, split), np.int64, len(split))
        table, pieces, words = self._rows(parts)

        lengths = np.fromiter(map(len, parts), np.int64, len(parts)) + 1
        starts = _restarted(_exclusive_sum(lengths), parts_per_text)
        first_words = _restarted(_exclusive_sum(words), parts_per_text)
        table[1] += np.repeat(first_words, pieces)
        table[2:] += np.repeat(starts, pieces)
        return _encodings(table, pieces, parts_per_text)

    def encode_words_batch(self, batch: Sequence[Sequence[str]]) -> list[Encoding]:
        """Encodes each list of words; the same as `encode_words` on each, and faster."""
        _refuse_string(batch, "batch")
        for words in batch:
            _refuse_string(words, "words")
        flat = [word for words in batch for word in words]
        words_per_list = np.fromiter(map(len, batch), np.int64, len(batch))
        table, pieces, _ = self._rows(flat)
        table[1] = np.repeat(_restarted(np.arange(len(flat)), words_per_list), pieces)
        return _encodings(table, pieces, words_per_list)

    def _rows(self, parts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the parts' rows as columns [4, n], and each part's pieces and words [parts]."""
        found = list(map(self._parts.__getitem__, parts))
        table = np.frombuffer(b"".join([rows for rows, _ in found]), np.int32)
        row_bytes = _COLUMNS * table.itemsize
        pieces = np.fromiter([len(rows) for rows, _ in found], np.int64, len(found)) // row_bytes
        words = np.fromiter([words for _, words in found], np.int64, len(found))
        return table.reshape(-1, _COLUMNS).T.copy(), pieces, words

    def _tokenize_part(self, part: str) -> tuple[bytes, int]:
        """Returns the int32 rows (id, word, start, end) of a part, and its number of words."""
        rows = array("i")
        words = basic_words(part, self.lowercase)
        for index, word in enumerate(words):
            position = 0
            for token in self._model.tokenize(word.text):
                # Counted in characters: the library's own offsets are bytes of the normalised word.
                length = len(token.value) - (2 if position else 0)
                stop = len(word.text) if token.id == self.unk_id else position + length
                start, end = min(word.starts[position:stop]), max(word.ends[position:stop])
                rows.extend((token.id, index, start, end))
                position = stop
        return rows.tobytes(), len(words)


class _Cache(dict[str, tuple[bytes, int]]):
    """A dict that computes what it lacks and is emptied when full."""

    def __init__(self, compute: Callable[[str], tuple[bytes, int]]):
        super().__init__()
        self._compute = compute

    def __missing__(self, key: str) -> tuple[bytes, int]:
        value = self._compute(key)
        if len(key) <= _CACHE_CHARS:
            if len(self) >= _CACHE_ENTRIES:
                self.clear()
            self[key] = value
        return value


def _refuse_string(value: object, name: str) -> None:
    if isinstance(value, str):
        raise TypeError(f"{name} is a string ({value[:40]!r}), expected a sequence of them")


def _exclusive_sum(values: np.ndarray) -> np.ndarray:
    """Returns for each position the sum of the values before it."""
    return np.cumsum(values) - values


def _restarted(values: np.ndarray, group_sizes: np.ndarray) -> np.ndarray:
    """Subtracts from every value the first value of its group; groups are consecutive."""
    first = _exclusive_sum(group_sizes)
    occupied = group_sizes > 0
    return values - np.repeat(values[first[occupied]], group_sizes[occupied])


def _encodings(table: np.ndarray, pieces: np.ndarray, group_sizes: np.ndarray) -> list[Encoding]:
    """Cuts columns [4, n] into one Encoding for each group of parts."""
    piece_ends = np.concatenate([[0], np.cumsum(pieces)])
    bounds = piece_ends[np.concatenate([[0], np.cumsum(group_sizes)])].tolist()
    ids, word_ids, offsets = table[0], table[1], np.ascontiguousarray(table[2:].T)
    return [Encoding(ids[a:b], word_ids[a:b], offsets[a:b]) for a, b in pairwise(bounds)]
