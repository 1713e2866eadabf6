"""The tokenizer against a plain transcription of Google's rules.

The transcription follows the description of the rules (BERT's tokenization, November 2018) one step
after another, without offsets, caches or libraries. Compared are basic words and pieces, on the
real corpora and on generated Unicode.
"""

import gzip
import html
import io
import json
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from biobert_jax.text.basic import basic_words, split_at_whitespace
from biobert_jax.text.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

# A busy machine is no failure.
GENERATED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CASES = [pytest.param(False, id="cased"), pytest.param(True, id="uncased")]


# The transcription


@cache
def cleaned(char: str) -> str:
    if char in "\t\n\r":
        return " "
    category = unicodedata.category(char)
    if char in "\0\ufffd" or category.startswith("C"):
        return ""
    return " " if category == "Zs" else char


@cache
def spaced_if_chinese(char: str) -> str:
    blocks = [
        (0x4E00, 0x9FFF),
        (0x3400, 0x4DBF),
        (0x20000, 0x2A6DF),
        (0x2A700, 0x2B73F),
        (0x2B740, 0x2B81F),
        (0x2B820, 0x2CEAF),
        (0xF900, 0xFAFF),
        (0x2F800, 0x2FA1F),
    ]
    return f" {char} " if any(low <= ord(char) <= high for low, high in blocks) else char


@cache
def spaced_if_punctuation(char: str) -> str:
    code = ord(char)
    ascii_ranges = [(33, 47), (58, 64), (91, 96), (123, 126)]
    punctuation = any(low <= code <= high for low, high in ascii_ranges)
    punctuation = punctuation or unicodedata.category(char).startswith("P")
    return f" {char} " if punctuation else char


def google_words(text: str, lowercase: bool) -> list[str]:
    text = "".join(map(cleaned, text))
    text = "".join(map(spaced_if_chinese, text))
    words = []
    for token in text.split():
        if lowercase:
            token = unicodedata.normalize("NFD", token.lower())
            token = "".join(char for char in token if unicodedata.category(char) != "Mn")
        words += "".join(map(spaced_if_punctuation, token)).split()
    return words


class GooglePieces:
    """Greedy longest match first; the pieces of a word are remembered to spare time."""

    def __init__(self, vocabulary: list[str]):
        self.vocabulary = frozenset(vocabulary)
        self.of_word = cache(self._of_word)

    def _of_word(self, word: str) -> list[str]:
        if len(word) > 200:
            return ["[UNK]"]
        pieces: list[str] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                if prefix + word[start:end] in self.vocabulary:
                    break
            else:
                return ["[UNK]"]
            pieces.append(prefix + word[start:end])
            start = end
        return pieces

    def of_text(self, text: str, lowercase: bool) -> list[str]:
        return [piece for word in google_words(text, lowercase) for piece in self.of_word(word)]


# Generated Unicode

# Characters that some step treats specially, or that steps in the wrong order get wrong.
TRICKY = (
    "abBzZ0 \t\n\r\v\f\x1c\x85\x00\ufffd\u00ad\u200b\u200d\ufeff\u2028\u2029\u00a0\u3000\u180e"
    "ΑΣσςİıßẞÅéǅﬁΩµ\u0301\u0307\u0327\u0345\u302e\u302f\U0001d165\u0903\u09cb"
    "-_$`^|~§±×\u037e\u0387\u1fef\u2019\u2260\u3001\u166d𐄀"
    "中豈가힣\u1100\u1161\U0002f800\U00020000\U0002ebf0\ue000\U000e0001\U0010fffd𝐀ⅷ⁵"
)
UNICODE = st.text(
    st.one_of(
        st.sampled_from(TRICKY),
        st.characters(exclude_categories=["Cs"]),
        st.characters(codec="ascii"),
    ),
    max_size=40,
)


@st.composite
def texts_with_vocabulary(draw) -> tuple[str, bool, list[str]]:
    """Draws a text, a casing, and a vocabulary with some of the pieces that the text needs."""
    text, lowercase = draw(UNICODE), draw(st.booleans())
    pieces = set()
    for word in google_words(text, lowercase):
        cuts = sorted(draw(st.sets(st.integers(0, len(word)))) | {0, len(word)})
        for start, end in pairwise(cuts):
            if draw(st.integers(0, 9)):
                pieces.add(("##" if start else "") + word[start:end])
    return text, lowercase, [*SPECIAL_TOKENS, *sorted(pieces)]


@pytest.mark.parametrize("lowercase", CASES)
@GENERATED
@given(text=UNICODE)
@example(text="a\u302e\U0001d165")  # the only kind of marks that NFD reorders and Mn leaves
def test_basic_words_of_generated_unicode(lowercase: bool, text: str):
    words = basic_words(text, lowercase)
    assert [word.text for word in words] == google_words(text, lowercase)
    assert all(len(word.text) == len(word.starts) == len(word.ends) for word in words)


@pytest.mark.parametrize("lowercase", CASES)
def test_basic_words_of_every_kind_of_character(lowercase: bool):
    letters = 0
    for code in range(0x110000):
        char = chr(code)
        # Ideographs, syllables, private and unassigned code points come in large uniform blocks.
        category = unicodedata.category(char)
        if category == "Cs" or (category in ("Lo", "Co", "Cn") and code % 101):
            continue
        text = f"aB{char}Cd {char}"
        got = [word.text for word in basic_words(text, lowercase)]
        assert got == google_words(text, lowercase), f"U+{code:04X}"
        letters += 1
    assert letters > 15_000


@GENERATED
@given(texts_with_vocabulary())
def test_pieces_of_generated_unicode(case: tuple[str, bool, list[str]]):
    text, lowercase, vocabulary = case
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase)
    encoding = tokenizer.encode(text)
    expected = GooglePieces(vocabulary).of_text(text, lowercase)
    assert [vocabulary[index] for index in encoding.ids] == expected

    words = google_words(text, lowercase)
    assert sorted(set(encoding.word_ids.tolist())) == list(range(len(words)))


@GENERATED
@given(texts_with_vocabulary())
@example(("a\u302e\U0001d165", True, [*SPECIAL_TOKENS, "a\U0001d165", "##\u302e"]))
@example(("a\u302e\U0001d165b", True, [*SPECIAL_TOKENS, "a", "##\U0001d165", "##\u302eb"]))
def test_offsets_slice_back_to_the_source(case: tuple[str, bool, list[str]]):
    text, lowercase, vocabulary = case
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase)
    encoding = tokenizer.encode(text)
    for index, (start, end) in zip(encoding.ids, encoding.offsets.tolist(), strict=True):
        assert 0 <= start < end <= len(text)
        if index != tokenizer.unk_id:
            assert_gives_piece(text[start:end], vocabulary[index], lowercase)


def assert_gives_piece(source: str, piece: str, lowercase: bool) -> None:
    """Asserts that normalising the source gives the piece.

    Two things that a slice cannot know are allowed for, both in uncased models only: whether a
    sigma ends its word, and which part of a character is meant where one character became several
    (a Hangul syllable its letters) or several changed places (combining marks).
    """
    piece = piece.removeprefix("##").replace("ς", "σ")
    got = "".join(google_words(source, lowercase)).replace("ς", "σ")
    apart = "".join("".join(google_words(char, lowercase)) for char in source).replace("ς", "σ")
    several = any(len("".join(google_words(char, True))) > 1 for char in source)
    if lowercase and (several or got != apart):
        assert piece in got
    else:
        assert got == piece


@pytest.mark.parametrize("lowercase", CASES)
@GENERATED
@given(words=st.lists(UNICODE, max_size=8))
def test_words_are_encoded_one_by_one(lowercase: bool, words: list[str]):
    vocabulary = [*SPECIAL_TOKENS, *sorted({piece for c in set(TRICKY) for piece in (c, "##" + c)})]
    google = GooglePieces(vocabulary)
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase)
    encoding = tokenizer.encode_words(words)
    for number, word in enumerate(words):
        of_word = encoding.word_ids == number
        assert [vocabulary[i] for i in encoding.ids[of_word]] == google.of_text(word, lowercase)
        assert encoding.offsets[of_word].tolist() == tokenizer.encode(word).offsets.tolist()


@GENERATED
@given(text=UNICODE)
def test_splitting_at_whitespace_keeps_every_character(text: str):
    parts = split_at_whitespace(text)
    assert sum(map(len, parts)) + len(parts) - 1 == len(text)
    for lowercase in (False, True):
        words = [word for part in parts for word in google_words(part, lowercase)]
        assert words == google_words(text, lowercase)


# The real corpora


def documents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yields name and content of a file, or of the members of an archive."""
    name, content = path.name, path.read_bytes()
    if name.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, archive.extractfile(member).read()
    elif name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield member, archive.read(member)
    elif name.endswith(".gz"):
        yield name.removesuffix(".gz"), gzip.decompress(content)
    else:
        yield name, content


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def texts(name: str, content: bytes) -> list[str]:
    """Returns the strings of JSON, the sentences of CoNLL-style columns, else the lines."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if name.endswith(".json"):
        return list(strings(json.loads(text)))
    if name.endswith((".xml", ".nxml")):
        text = html.unescape(text)
    return [line for line in text.split("\n") if line]


def sentences(content: bytes) -> list[list[str]]:
    """Returns the words of CoNLL-style sentences."""
    blocks = content.decode("utf-8").strip("\n").split("\n\n")
    return [[line.split("\t")[0] for line in block.split("\n")] for block in blocks]


def corpus(folder: Path, sample: bool) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yields the different texts and word lists of each document; a few of each for a sample."""

    def some(items: list) -> list:
        return items[:: len(items) // 6 + 1] if sample else items

    seen: set[int] = set()
    for path in sorted(folder.glob("*/**/*")):
        if not path.is_file() or path.parent.name == "vocab" or path.suffix == ".md5":
            continue
        for name, content in islice(documents(path), 2 if sample else None):
            words = []
            if sample and len(content) > 100_000 and not name.endswith(".json"):
                content = content[:100_000].rsplit(b"\n", 1)[0]
            if path.relative_to(folder).parts[0].startswith("NER"):
                words = [s for s in some(sentences(content)) if hash(tuple(s)) not in seen]
                seen.update(hash(tuple(s)) for s in words)
                found = [" ".join(s) for s in words]
            else:
                found = some(texts(name, content))
                if sample:  # some documents are a single line
                    found = [text[:1000] for text in found]
            new = [text for text in dict.fromkeys(found) if hash(text) not in seen]
            seen.update(map(hash, new))
            yield new, words


Documents = Iterable[tuple[list[str], list[list[str]]]]


def compare(documents: Documents, vocabulary: Path, lowercase: bool) -> int:
    """Returns the number of texts and word lists compared, after asserting that all agree."""
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase)
    google = GooglePieces(tokenizer.vocabulary)
    index = {token: number for number, token in enumerate(tokenizer.vocabulary)}
    compared, mismatches = 0, []
    for new, words in documents:
        for text, encoding in zip(new, tokenizer.encode_batch(new), strict=True):
            if encoding.ids.tolist() != [index[p] for p in google.of_text(text, lowercase)]:
                mismatches.append(text)
        for sentence, encoding in zip(words, tokenizer.encode_words_batch(words), strict=True):
            expected = [
                (index[piece], number)
                for number, word in enumerate(sentence)
                for piece in google.of_text(word, lowercase)
            ]
            got = zip(encoding.ids.tolist(), encoding.word_ids.tolist(), strict=True)
            if list(got) != expected:
                mismatches.append(sentence)
        compared += len(new) + len(words)
    assert not mismatches, f"{len(mismatches)} of {compared} differ, first {mismatches[:3]}"
    return compared


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> Documents:
    return list(corpus(shared_data, sample=True))


def published_vocabulary(folder: Path, lowercase: bool) -> Path:
    return folder / "vocab" / f"bert-base-{'uncased' if lowercase else 'cased'}-vocab.txt"


@pytest.mark.parametrize("lowercase", CASES)
def test_sample_of_real_text(shared_data: Path, sample: Documents, lowercase: bool):
    assert compare(sample, published_vocabulary(shared_data, lowercase), lowercase) > 1000


@pytest.mark.parametrize("lowercase", CASES)
def test_offsets_into_real_text(shared_data: Path, sample: Documents, lowercase: bool):
    vocabulary = published_vocabulary(shared_data, lowercase)
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase)
    checked: set[tuple[str, int]] = set()
    for lines, _ in sample:
        for text, encoding in zip(lines, tokenizer.encode_batch(lines), strict=True):
            for index, (start, end) in zip(encoding.ids, encoding.offsets.tolist(), strict=True):
                if index != tokenizer.unk_id:
                    checked.add((text[start:end], index))
    for source, index in checked:
        assert_gives_piece(source, tokenizer.vocabulary[index], lowercase)
    assert len(checked) > 5000


@pytest.mark.slow
@pytest.mark.skipif("BIOBERT_FULL" not in os.environ, reason="minutes; set BIOBERT_FULL=1")
@pytest.mark.parametrize("lowercase", CASES)
def test_all_real_text(shared_data: Path, lowercase: bool, capsys: pytest.CaptureFixture):
    documents = corpus(shared_data, sample=False)
    compared = compare(documents, published_vocabulary(shared_data, lowercase), lowercase)
    with capsys.disabled():
        print(f"\n{compared:,} texts and word lists, no mismatch")
    assert compared > 100_000
