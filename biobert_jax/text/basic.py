"""The first half of BERT's tokenizer: text to words, each character of them traced to its source.

These are the rules of google-research/bert as BioBERT ran them (`BasicTokenizer` of November 2018,
before control characters were narrowed to Cc and Cf):

1. U+0000, U+FFFD and every character of a category C* except tab, newline and carriage return are
   dropped (so a vertical tab or a zero-width space *joins* its neighbours).
2. Whitespace (tab, newline, carriage return, Zs, Zl, Zp) ends a word; a CJK ideograph is a word.
3. With `lowercase`: lower-casing first, then NFD, then characters of category Mn are dropped.
4. Every punctuation character is a word: ASCII 33-47, 58-64, 91-96, 123-126, and category P*.

Categories come from Python's `unicodedata`, as they did there: a code point that is newer than the
interpreter's Unicode tables counts as unassigned (Cn) and is dropped.
"""

import enum
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

# Spelled out, because asking `unicodedata` about a million code points would slow every import;
# a test compares them with the categories.
_SPACES = "\t\n\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
_SPACES += "\u2028\u2029\u202f\u205f\u3000"
_WHITESPACE = re.compile(f"[{_SPACES}]")
_TO_SPACE = str.maketrans(dict.fromkeys("\t\n\r", " "))
_ASCII_PUNCTUATION = frozenset(r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~""")
_CJK = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f"
    "\U0002b740-\U0002b81f\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f]"
)

_Char = tuple[str, int, int]  # a character of the result; the source's [start, end) it came from


class _Kind(enum.Enum):
    LETTER = enum.auto()  # whatever words are made of
    PUNCTUATION = enum.auto()
    CJK = enum.auto()
    SPACE = enum.auto()
    DROPPED = enum.auto()


@lru_cache(maxsize=1 << 14)
def _kind(char: str) -> _Kind:
    category = unicodedata.category(char)
    if _WHITESPACE.match(char):  # before the controls, which tab and line ends would be
        return _Kind.SPACE
    if char == "\ufffd" or category[0] == "C":
        return _Kind.DROPPED
    if _CJK.match(char):
        return _Kind.CJK
    if char in _ASCII_PUNCTUATION or category[0] == "P":
        return _Kind.PUNCTUATION
    return _Kind.LETTER


class BasicWord(NamedTuple):
    """A word of the basic tokenizer.

    Attributes:
      text: the normalised characters, never empty.
      starts: for each character of `text`, where its source begins.
      ends: for each character of `text`, where its source ends (exclusive). An accent that was
        stripped belongs to the character that it was on.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def split_at_whitespace(text: str) -> list[str]:
    """Cuts `text` at every single whitespace character.

    Words never cross such a cut, so the parts can be tokenized one by one. A part is empty where
    two whitespace characters meet; part i + 1 begins one character after part i ends.
    """
    if text.isascii():  # the same, in half the time
        return text.translate(_TO_SPACE).split(" ")
    return _WHITESPACE.split(text)


def basic_words(text: str, lowercase: bool) -> list[BasicWord]:
    """Splits `text` into words by the rules above.

    Args:
      text: any string; lone surrogates are dropped like other C* characters.
      lowercase: lower-case and strip accents, as uncased models expect.

    Returns:
      The words in order; none for text of whitespace, control characters or, with `lowercase`,
      bare accents only.
    """
    words = []
    for segment in _segments(text):
        for run in _split_punctuation(_lowered(segment) if lowercase else segment):
            chars, starts, ends = zip(*run, strict=True)
            words.append(BasicWord("".join(chars), starts, ends))
    return words


def _segments(text: str) -> Iterator[list[_Char]]:
    """Yields what stands between whitespace, CJK characters standing alone, without controls."""
    segment: list[_Char] = []
    for index, char in enumerate(text):
        kind = _kind(char)
        if kind is _Kind.LETTER or kind is _Kind.PUNCTUATION:
            segment.append((char, index, index + 1))
        elif kind is not _Kind.DROPPED:
            yield segment
            segment = []
            if kind is _Kind.CJK:
                yield [(char, index, index + 1)]
    yield segment


def _lowered(segment: list[_Char]) -> list[_Char]:
    """Lower-cases, decomposes (NFD) and drops Mn, keeping each character's source."""
    text = "".join(char for char, _, _ in segment)
    lowered = text.lower()
    if text.isascii():
        return [(low, start, end) for low, (_, start, end) in zip(lowered, segment, strict=True)]

    # The lower case of a capital sigma depends on its neighbours, so the segment is lower-cased as
    # a whole; how many characters a letter becomes never does.
    decomposed: list[_Char] = []
    position = 0
    for char, start, end in segment:
        width = len(char.lower())
        for low in unicodedata.normalize("NFD", lowered[position : position + width]):
            decomposed.append((low, start, end))
        position += width

    kept: list[_Char] = []
    for char, start, end in _canonical_order(decomposed):
        if unicodedata.category(char) != "Mn":
            kept.append((char, start, end))
        elif kept:
            base, base_start, base_end = kept[-1]
            kept[-1] = (base, min(base_start, start), max(base_end, end))
    return kept


def _canonical_order(chars: list[_Char]) -> Iterator[_Char]:
    """Sorts each run of combining characters by class, the step of NFD that crosses characters."""

    def combining_class(char: _Char) -> int:
        return unicodedata.combining(char[0])

    for _, run in groupby(chars, key=lambda char: combining_class(char) > 0):
        yield from sorted(run, key=combining_class)


def _split_punctuation(segment: list[_Char]) -> Iterator[list[_Char]]:
    """Yields the runs between punctuation characters, and each of those alone."""
    run: list[_Char] = []
    for char in segment:
        if _kind(char[0]) is _Kind.PUNCTUATION:
            if run:
                yield run
            yield [char]
            run = []
        else:
            run.append(char)
    if run:
        yield run
