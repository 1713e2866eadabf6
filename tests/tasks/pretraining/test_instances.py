"""Instances against the rules of create_pretraining_data.py, and their statistics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.tasks.pretraining.instances import (
    IS_NEXT,
    IS_RANDOM,
    InstanceOptions,
    Pieces,
    instances,
    mask,
    sentence_pairs,
    truncate_pair,
)

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY += [f"w{i}" for i in range(500)] + [f"##p{i}" for i in range(495)]
PIECES = Pieces.of(VOCABULARY)
CLS, SEP, MASK = 2, 3, 4


def document(rng, sentences=None):
    """Sentences of consecutive ids of its own, so that a segment's place can be read off."""
    lengths = rng.integers(3, 40, sentences or rng.integers(1, 15))
    return [rng.integers(5, 1000, n).astype(np.int32) for n in lengths]


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(0)
    corpus = [document(rng) for _ in range(6000)]
    options = InstanceOptions(max_length=128, max_predictions=20)
    out = []
    for doc in corpus:
        other = lambda: corpus[int(rng.integers(len(corpus)))]
        out.extend(instances(doc, other, options, PIECES, rng))
    return out


def test_a_million_positions_are_masked_as_the_paper_says(many):
    positions = sum(len(i["input_ids"]) for i in many)
    assert positions > 1_000_000
    masked = sum(len(i["masked_lm_ids"]) for i in many)
    # round(0.15 n) of each, 20 at most: instances are shorter than 128 / 0.15.
    expected = sum(min(20, max(1, round(0.15 * len(i["input_ids"])))) for i in many)
    assert masked == expected
    assert abs(masked / positions - 0.15) < 0.005

    became_mask = stayed = other = 0
    for i in many:
        now = i["input_ids"][i["masked_lm_positions"]]
        became_mask += (now == MASK).sum()
        stayed += ((now == i["masked_lm_ids"]) & (now != MASK)).sum()
        other += ((now != i["masked_lm_ids"]) & (now != MASK)).sum()
    assert abs(became_mask / masked - 0.8) < 0.005
    assert abs(stayed / masked - 0.1) < 0.005
    assert abs(other / masked - 0.1) < 0.005


def test_special_pieces_are_never_masked(many):
    for i in many:
        ids = i["input_ids"].copy()
        ids[i["masked_lm_positions"]] = i["masked_lm_ids"]
        assert ids[0] == CLS
        separators = np.flatnonzero(ids == SEP)
        assert len(separators) == 2
        assert separators[1] == len(ids) - 1
        assert not np.isin(i["masked_lm_positions"], [0, *separators]).any()
        np.testing.assert_array_equal(i["token_type_ids"], np.arange(len(ids)) > separators[0])
        assert len(ids) <= 128


def test_half_of_the_pairs_that_can_be_next_are():
    rng = np.random.default_rng(1)
    # Two sentences fill a chunk: every chunk but a document's last single sentence has a choice.
    doc = [np.full(30, 100 + n, np.int32) for n in range(40)]
    foreign = [np.full(30, 7, np.int32)]
    options = InstanceOptions(max_length=63, short_probability=0.0)
    labels = []
    for _ in range(200):
        for a, _b, label in sentence_pairs(doc, lambda: foreign, options, rng):
            if a[0] != 139:
                labels.append(label)
    assert len(labels) > 4000
    assert abs(np.mean(np.array(labels) == IS_NEXT) - 0.5) < 0.025
    for *_, label in sentence_pairs(doc[:1], lambda: foreign, options, rng):
        assert label == IS_RANDOM


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(8, 200))
def test_no_sentence_of_a_document_is_lost(seed, max_length):
    """What a random B displaced comes again; only truncation may cut."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 12))
    marked = [np.full(int(rng.integers(1, 9)), 100 + n, np.int32) for n in range(count)]
    foreign = [np.full(5, 7, np.int32)]
    options = InstanceOptions(max_length=max_length)
    seen = set()
    for a, b, label in sentence_pairs(marked, lambda: foreign, options, rng):
        assert len(a) + len(b) <= max_length - 3
        assert (label == IS_RANDOM) == (bool(len(b)) and b[0] == 7) or not len(b)
        # A chunk overshoots its target by less than its last sentence: all but that is kept whole.
        seen |= set(a.tolist()) | set(b.tolist())
    if max_length > 100:
        assert seen - {7} == set(range(100, 100 + count))


def drop_one_at_a_time(a, b, room, rng):
    """The original's loop."""
    a, b = list(a), list(b)
    while len(a) + len(b) > room:
        longer = a if len(a) > len(b) else b
        if rng.random() < 0.5:
            del longer[0]
        else:
            longer.pop()
    return a, b


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 100), st.integers(0, 1000))
def test_truncation_keeps_the_lengths_of_the_original_loop(la, lb, room, seed):
    a, b = np.arange(la), np.arange(lb)
    found = truncate_pair(a, b, room, np.random.default_rng(seed))
    expected = drop_one_at_a_time(a, b, room, np.random.default_rng(seed))
    assert [len(x) for x in found] == [len(x) for x in expected]
    for kept in found:  # a stretch without gaps
        assert (np.diff(kept) == 1).all()


def test_truncation_is_as_often_at_the_front_as_at_the_back():
    rng = np.random.default_rng(0)
    cuts = [truncate_pair(np.arange(100), np.arange(10), 60, rng)[0][0] for _ in range(4000)]
    loop = [drop_one_at_a_time(range(100), range(10), 60, rng)[0][0] for _ in range(4000)]
    assert abs(np.mean(cuts) - np.mean(loop)) < 0.25
    assert abs(np.var(cuts) - np.var(loop)) < 1.2


def test_whole_words_are_masked_whole():
    rng = np.random.default_rng(0)
    options = InstanceOptions(max_length=128, max_predictions=20, whole_words=True)
    total = 0
    for _ in range(300):
        segment = rng.integers(5, 1000, 100).astype(np.int32)
        made = mask([segment], -1, options, PIECES, rng)
        chosen = set(made["masked_lm_positions"].tolist())
        assert 1 <= len(chosen) <= round(0.15 * 102)
        total += len(chosen)
        for position in chosen:
            left, right = position, position
            while left > 1 and PIECES.continues_word[segment[left - 1]]:
                left -= 1
            while right < 100 and PIECES.continues_word[segment[right]]:
                right += 1
            word = set(range(left, right + 1))
            assert word <= chosen or len(word) > 15
    assert total > 0.9 * 300 * 15


def test_without_next_sentence_there_is_one_segment_and_no_label():
    rng = np.random.default_rng(0)
    options = InstanceOptions(max_length=64, next_sentence=False)
    for made in instances(document(rng, 30), list, options, PIECES, rng):
        assert (made["token_type_ids"] == 0).all()
        assert made["next_sentence_label"] == -1
        assert len(made["input_ids"]) <= 64
