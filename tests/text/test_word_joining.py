"""Words of running text are those of the training sentences where a corpus keeps punctuation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.datasets.conll import read_conll
from biobert_jax.text.basic import basic_words
from biobert_jax.text.word_joining import join_words, joining_characters
from biobert_jax.text.wordpiece import WordPieceTokenizer

LETTERS = list("abcdefghijklmnopqrstuvwxyzKRB0123456789.,()-/+")
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
TOKENIZER = WordPieceTokenizer(PIECES, lowercase=False)


def words_of(text, joining):
    encoding = join_words(TOKENIZER.encode(text), text, joining)
    words = [encoding.offsets[encoding.word_ids == w] for w in np.unique(encoding.word_ids)]
    return [text[offsets[:, 0].min() : offsets[:, 1].max()] for offsets in words]


def test_what_stands_inside_more_often_than_alone_joins():
    kept = [["the", "KRB-2", "gene", "(", "0.5", "mg", ")", ",", "a", "-", "b", "KRB-3/4", "."]]
    assert joining_characters(kept) == "-./"
    assert joining_characters([["KRB", "-", "2", "1,5", ",", "so", "."]]) == ""
    assert joining_characters([]) == ""


@pytest.mark.parametrize(
    ("text", "joining", "words"),
    [
        ("anti-KRB-2, so", "-", ["anti-KRB-2", ",", "so"]),
        ("anti-KRB-2, so", "", ["anti", "-", "KRB", "-", "2", ",", "so"]),
        ("a - b -c d-", "-", ["a", "-", "b", "-", "c", "d", "-"]),  # a blank on either side
        ("a--b (c-d)", "-", ["a", "-", "-", "b", "(", "c-d", ")"]),
        ("-", "-", ["-"]),
        ("a/b-c", "-", ["a", "/", "b-c"]),
    ],
)
def test_words_are_joined_letter_to_letter(text, joining, words):
    assert words_of(text, joining) == words


@settings(deadline=None)
@given(st.text(st.sampled_from("ab-/. (\u200b\u4e00\u0301"), max_size=20))
def test_pieces_stay_and_words_are_numbered_without_gaps(text):
    before = TOKENIZER.encode(text)
    after = join_words(before, text, "-/.")
    np.testing.assert_array_equal(before.ids, after.ids)
    np.testing.assert_array_equal(before.offsets, after.offsets)
    if len(after.ids):
        assert after.word_ids[0] == 0
        assert set(np.diff(after.word_ids)) <= {0, 1}
        # Nothing is torn apart that was one word.
        same = before.word_ids[1:] == before.word_ids[:-1]
        assert (np.diff(after.word_ids)[same] == 0).all()


def agreement(sentences, joining):
    """The share of words that come back whole from the sentence written with blanks between."""
    found = total = 0
    for sentence in sentences:
        text = " ".join(sentence.words)
        words = (
            set(words_of(text, joining))
            if joining
            else {
                text[word.starts[0] : word.ends[-1]] for word in basic_words(text, lowercase=False)
            }
        )
        found += sum(word in words for word in sentence.words)
        total += len(sentence.words)
    return found / total


@pytest.mark.parametrize(
    ("corpus", "kept"),
    [("NER_MTL/JNLPBA/devel.tsv.gz", True), ("NER/NCBI-disease/devel.tsv", False)],
)
def test_real_corpora_get_their_own_words_back(shared_data, corpus, kept):
    sentences = read_conll(shared_data / corpus).sentences[:400]
    joining = joining_characters(s.words for s in sentences)
    assert ("-" in joining) == kept
    before, after = agreement(sentences, ""), agreement(sentences, joining)
    assert after > before + 0.04 if kept else after == before == 1
