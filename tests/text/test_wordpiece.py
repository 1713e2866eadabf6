"""The tokenizer's own promises: offsets, word indices, batches, bad vocabularies named."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobert_jax.errors import DataError
from biobert_jax.text import wordpiece
from biobert_jax.text.wordpiece import (
    SPECIAL_TOKENS,
    Encoding,
    WordPieceTokenizer,
    casing_from_vocabulary,
    load_vocabulary,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-().,é中ς"
PIECES = [*LETTERS, *("##" + letter for letter in LETTERS), "BRCA", "##CA", "kin", "##ase", "cafe"]
VOCABULARY = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES]


@pytest.fixture(scope="module")
def cased() -> WordPieceTokenizer:
    return WordPieceTokenizer.from_vocabulary(VOCABULARY, lowercase=False)


@pytest.fixture(scope="module")
def uncased() -> WordPieceTokenizer:
    return WordPieceTokenizer.from_vocabulary(VOCABULARY, lowercase=True)


def pieces(tokenizer: WordPieceTokenizer, encoding: Encoding) -> list[str]:
    return [tokenizer.vocabulary[index] for index in encoding.ids]


def slices(text: str, encoding: Encoding) -> list[str]:
    return [text[start:end] for start, end in encoding.offsets]


def test_text_gives_pieces_words_and_offsets(cased: WordPieceTokenizer):
    text = "  BRCA1\tkinase (p.c)"
    encoding = cased.encode(text)
    assert pieces(cased, encoding) == ["BRCA", "##1", "kin", "##ase", "(", "p", ".", "c", ")"]
    assert encoding.word_ids.tolist() == [0, 0, 1, 1, 2, 3, 4, 5, 6]
    assert encoding.offsets.tolist()[:4] == [[2, 6], [6, 7], [8, 11], [11, 14]]
    assert slices(text, encoding) == ["BRCA", "1", "kin", "ase", "(", "p", ".", "c", ")"]
    assert encoding.ids.dtype == encoding.word_ids.dtype == encoding.offsets.dtype == np.int32


def test_given_words_keep_their_index_and_offsets_within_the_word(cased: WordPieceTokenizer):
    encoding = cased.encode_words(["BRCA1", "\u200b", "a-b", "", "kin ase"])
    assert pieces(cased, encoding) == ["BRCA", "##1", "a", "-", "b", "kin", "a", "##s", "##e"]
    assert encoding.word_ids.tolist() == [0, 0, 2, 2, 2, 4, 4, 4, 4]
    assert encoding.offsets.tolist()[2:] == [[0, 1], [1, 2], [2, 3], [0, 3], [4, 5], [5, 6], [6, 7]]


def test_special_tokens_in_text_are_ordinary_text(cased: WordPieceTokenizer):
    assert cased.mask_id not in cased.encode("a [MASK] [PAD]").ids
    assert (cased.pad_id, cased.unk_id, cased.cls_id, cased.sep_id, cased.mask_id) == (
        0,
        2,
        3,
        4,
        5,
    )
    assert cased.vocab_size == len(VOCABULARY)


@pytest.mark.parametrize("accent", ["caf\u00e9", "cafe\u0301"])
def test_an_accent_belongs_to_its_letter(uncased: WordPieceTokenizer, accent: str):
    encoding = uncased.encode(f"a {accent.upper()}, b")
    assert pieces(uncased, encoding) == ["a", "cafe", ",", "b"]
    assert slices(f"a {accent.upper()}, b", encoding)[1] == accent.upper()


def test_lower_casing_comes_before_the_accents_and_knows_the_end_of_a_word():
    vocabulary = [*SPECIAL_TOKENS, "i", "##x", "α", "##σ", "##ς"]
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase=True)
    # U+0130 becomes two characters when lower-cased; the second is an accent.
    assert pieces(tokenizer, tokenizer.encode("İX")) == ["i", "##x"]
    assert pieces(tokenizer, tokenizer.encode("ΑΣ ΑΣΣ")) == ["α", "##ς", "α", "##σ", "##ς"]


def test_offsets_are_characters_beyond_the_basic_plane_too(cased: WordPieceTokenizer):
    text = "\U0001f9ec a\U0001f9ecb kinase 中c"
    encoding = cased.encode(text)
    assert pieces(cased, encoding) == ["[UNK]", "[UNK]", "kin", "##ase", "中", "c"]
    assert slices(text, encoding) == ["\U0001f9ec", "a\U0001f9ecb", "kin", "ase", "中", "c"]


def test_dropped_characters_join_words_and_stay_out_of_the_way(cased: WordPieceTokenizer):
    text = "ki\u00adnase\x0bb \ud800 c"
    encoding = cased.encode(text)
    assert pieces(cased, encoding) == ["kin", "##ase", "##b", "c"]
    assert slices(text, encoding) == ["ki\u00adn", "ase", "b", "c"]


@pytest.mark.parametrize(("length", "known"), [(200, True), (201, False)])
def test_words_over_200_characters_are_unknown(cased: WordPieceTokenizer, length: int, known: bool):
    encoding = cased.encode("x " + "a" * length + " y")
    assert (cased.unk_id in encoding.ids) is not known
    assert len(encoding.ids) == (length + 2 if known else 3)
    assert encoding.offsets[-2:].tolist()[0][1] == length + 2


def test_the_limit_counts_characters_not_bytes():
    tokenizer = WordPieceTokenizer.from_vocabulary([*SPECIAL_TOKENS, "α", "##α"], lowercase=False)
    assert tokenizer.unk_id not in tokenizer.encode("α" * 200).ids
    assert tokenizer.encode("α" * 201).ids.tolist() == [tokenizer.unk_id]


def test_a_word_with_one_unknown_character_is_unknown_as_a_whole(cased: WordPieceTokenizer):
    encoding = cased.encode("kin kinΨase a")
    assert pieces(cased, encoding) == ["kin", "[UNK]", "a"]
    assert encoding.offsets.tolist() == [[0, 3], [4, 11], [12, 13]]


@pytest.mark.parametrize("text", ["", " \n ", "\u200b\x00", "\u0301"])
def test_text_without_words(uncased: WordPieceTokenizer, text: str):
    for encoding in (uncased.encode(text), uncased.encode_words([text])):
        assert [array.shape for array in encoding] == [(0,), (0,), (0, 2)]


TEXTS = st.lists(st.text("abk é\tİΣ中.\u200b", max_size=12), max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_a_batch_is_its_members(uncased: WordPieceTokenizer, texts: list[str]):
    for text, encoding in zip(texts, uncased.encode_batch(texts), strict=True):
        assert_equal(encoding, uncased.encode(text))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXTS, max_size=5))
def test_a_batch_of_words_is_its_members(uncased: WordPieceTokenizer, batch: list[list[str]]):
    for words, encoding in zip(batch, uncased.encode_words_batch(batch), strict=True):
        assert_equal(encoding, uncased.encode_words(words))


def assert_equal(left: Encoding, right: Encoding) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_full_cache_changes_nothing(monkeypatch: pytest.MonkeyPatch, uncased: WordPieceTokenizer):
    monkeypatch.setattr(wordpiece, "_CACHE_ENTRIES", 3)
    monkeypatch.setattr(wordpiece, "_CACHE_CHARS", 4)
    tokenizer = WordPieceTokenizer.from_vocabulary(VOCABULARY, lowercase=True)
    text = "kinase a b c d e f kinase a b"
    assert_equal(tokenizer.encode(text), uncased.encode(text))
    assert len(tokenizer._parts) <= 3


def test_pickle_keeps_the_tokenizer(uncased: WordPieceTokenizer):
    uncased.encode("Kinase")
    copy = pickle.loads(pickle.dumps(uncased))
    assert copy.vocabulary == uncased.vocabulary
    assert copy.lowercase is True
    assert_equal(copy.encode("Kinase É"), uncased.encode("Kinase É"))


def test_a_string_is_not_a_list_of_words(cased: WordPieceTokenizer):
    with pytest.raises(TypeError, match="words is a string"):
        cased.encode_words("kinase")
    with pytest.raises(TypeError, match="texts is a string"):
        cased.encode_batch("kinase")
    with pytest.raises(TypeError, match="batch is a string"):
        cased.encode_words_batch("kinase")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "newline"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_vocabulary_files(tmp_path: Path, newline: str, last: str, mark: str):
    path = tmp_path / "vocab.txt"
    tokens = [*SPECIAL_TOKENS, "a", "##\u2028b", "é"]
    content = mark + newline.join(tokens) + (newline if last else "")
    path.write_bytes(content.encode())
    assert load_vocabulary(path) == {token: index for index, token in enumerate(tokens)}
    assert WordPieceTokenizer.from_vocabulary(path, lowercase=False).vocabulary == tokens
    assert WordPieceTokenizer.from_vocabulary(str(path), lowercase=False).vocabulary == tokens


HEAD = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"vocab\.txt: no tokens; expected one token per line"),
        (HEAD + b"a\nb\na\n", r"vocab\.txt:8: 'a' is already on line 6"),
        (HEAD + b"a\n\nb\n", r"vocab\.txt:7: blank line"),
        (HEAD + b"a\ncaf\xe9\n", r"vocab\.txt:7: byte 4 .*0xe9.* is not UTF-8"),
        (b"[PAD]\n[UNK]\n[CLS]\na\n", r"vocab\.txt: \[SEP\], \[MASK\] missing among 4 tokens"),
    ],
    ids=["empty", "twice", "blank", "latin-1", "special"],
)
def test_bad_vocabulary_files(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_vocabulary(path)


def test_a_missing_vocabulary_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"absent\.txt: cannot be read .No such file"):
        load_vocabulary(tmp_path / "absent.txt")


def test_a_bad_list_of_tokens_is_refused():
    with pytest.raises(DataError, match=r"vocabulary:6: '\[PAD\]' is already on line 1"):
        WordPieceTokenizer.from_vocabulary([*SPECIAL_TOKENS, "[PAD]"], lowercase=False)


def test_casing_from_vocabulary():
    assert not casing_from_vocabulary([*SPECIAL_TOKENS, "[unused1]", "kinase", "##é", "ℝ"])
    assert casing_from_vocabulary([*SPECIAL_TOKENS, "kinase", "##K"])
    assert casing_from_vocabulary([*SPECIAL_TOKENS, "É"])


@pytest.mark.parametrize("name", ["cased", "uncased"])
def test_casing_of_the_published_vocabularies(shared_data: Path, name: str):
    vocabulary = load_vocabulary(shared_data / "vocab" / f"bert-base-{name}-vocab.txt")
    assert casing_from_vocabulary(vocabulary) is (name == "cased")
