"""Packing: every sequence once, nothing overlaps, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.errors import UserError
from biobert_jax.input.packing import IGNORED, Feature, lay_out, plan_rows, take_apart

FEATURES = {
    "input_ids": Feature("token"),
    "token_type_ids": Feature("token"),
    "labels": Feature("token", pad=IGNORED),
    "next_sentence_label": Feature("sequence", pad=IGNORED),
    "masked_lm_positions": Feature("position", slots=64),
    "masked_lm_ids": Feature("at_position", pad=IGNORED, slots=64),
}


def example(length: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    masked = np.sort(random.permutation(length)[: length // 4]).astype(np.int32)
    ids = random.integers(1, 1000, length, dtype=np.int32)
    return {
        "input_ids": ids,
        "token_type_ids": random.integers(0, 2, length, dtype=np.int32),
        "labels": random.integers(-1, 3, length, dtype=np.int32),
        "next_sentence_label": np.int32(seed % 2),
        "masked_lm_positions": masked,
        "masked_lm_ids": ids[masked],
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 32), min_size=1, max_size=60), st.integers(1, 6), st.integers(1, 8))
def test_rows_hold_every_sequence_once_and_come_apart_again(lengths, max_sequences, open_rows):
    examples = [example(length, seed) for seed, length in enumerate(lengths)]
    order = np.random.default_rng(0).permutation(len(lengths))
    plan = plan_rows(np.array(lengths), order, 32, max_sequences, open_rows)
    assert sorted(plan.members) == list(range(len(lengths)))
    assert plan.tokens == sum(lengths)
    rows = [plan.row(r) for r in range(len(plan))]
    assert all(1 <= len(row) <= max_sequences for row in rows)

    batch = lay_out(examples, rows, FEATURES, 32, max_sequences)
    for name in ("input_ids", "token_type_ids", "labels"):
        apart = take_apart(batch[name], batch, "token")
        for index, original in enumerate(examples):
            np.testing.assert_array_equal(apart[index], original[name])
    positions = take_apart(batch["position_ids"], batch, "token")
    for index, length in enumerate(lengths):
        np.testing.assert_array_equal(positions[index], np.arange(length))
    labels = take_apart(batch["next_sentence_label"], batch, "sequence")
    assert [labels[i] for i in range(len(lengths))] == [i % 2 for i in range(len(lengths))]
    # Masked positions point at the tokens that they pointed at before.
    real = batch["masked_lm_ids"] != IGNORED
    pointed = np.take_along_axis(batch["input_ids"], batch["masked_lm_positions"], axis=1)
    np.testing.assert_array_equal(pointed[real], batch["masked_lm_ids"][real])
    assert real.sum() == sum(length // 4 for length in lengths)


def test_padding_is_known_by_segment_and_never_by_token_id():
    zeros = dict(example(5, 0), input_ids=np.zeros(5, np.int32))
    batch = lay_out([zeros], [np.array([0])], FEATURES, 8, 2)
    np.testing.assert_array_equal(batch["segment_ids"][0], [1, 1, 1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(batch["sequence_index"][0], [0, -1])


def test_an_empty_row_is_all_padding():
    batch = lay_out([example(5, 0)], [np.zeros(0, np.int64)], FEATURES, 8, 2)
    assert not batch["segment_ids"].any()
    assert (batch["labels"] == IGNORED).all()


def test_sentences_of_usual_lengths_fill_rows_to_95_percent():
    lengths = np.clip(np.random.default_rng(0).gamma(3.0, 12.0, 5000).astype(int) + 3, 3, 128)
    plan = plan_rows(lengths, np.arange(5000), row_length=256, max_sequences=32)
    assert plan.real_share > 0.95


def test_an_order_stays_nearly_an_order():
    """The packer may hold sequences back, but not for long: shuffling survives packing."""
    lengths = np.random.default_rng(0).integers(3, 60, 4000)
    for open_rows in (8, 64):
        plan = plan_rows(lengths, np.arange(4000), 128, 16, open_rows)
        displacement = np.abs(plan.members - np.arange(4000))
        in_open_rows = open_rows * len(plan.members) / len(plan)
        assert np.median(displacement) < in_open_rows
        assert np.percentile(displacement, 99) < 4 * in_open_rows


def test_a_sequence_longer_than_a_row_is_named():
    with pytest.raises(UserError, match="sequence 1 has 40 tokens, but a row holds 32"):
        plan_rows(np.array([5, 40]), np.arange(2), 32, 4)


def test_too_few_slots_are_named():
    features = FEATURES | {"masked_lm_positions": Feature("position", slots=1)}
    with pytest.raises(UserError, match="slots for masked_lm_positions, but has 1"):
        lay_out([example(16, 0)], [np.array([0])], features, 16, 1)


OTHERS = {
    "input_ids": Feature("token"),
    "score": Feature("sequence", dtype="float32"),
    "classes": Feature("sequence", pad=IGNORED, shape=(3,)),
    "weight": Feature("token", pad=-1.5, dtype="float32"),
    "seen": Feature("token", dtype="bool"),
    "box": Feature("token", dtype="float32", shape=(2, 2)),
    "at": Feature("position", slots=20),
    "frequency": Feature("at_position", slots=20, dtype="float32", shape=(2,)),
}


def other_example(length: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "input_ids": random.integers(1, 1000, length, dtype=np.int32),
        "score": random.normal(),  # NumPy's float64, as a reader has it
        "classes": random.integers(0, 2, 3),
        "weight": random.normal(size=length).astype(np.float32),
        "seen": random.integers(0, 2, length).astype(bool),
        "box": random.normal(size=(length, 2, 2)),
        "at": np.array([0, length - 1]),
        "frequency": random.normal(size=(2, 2)),
    }


@pytest.mark.parametrize("rows", [[[0, 1, 2], [], [3, 4]], [[0], [1], [2], [3], [4]]])
def test_features_keep_their_dtype_and_shape_packed_or_not(rows):
    examples = [other_example(length, length) for length in (5, 3, 8, 2, 7)]
    members, slots = [np.array(row, int) for row in rows], max(map(len, rows))
    batch = lay_out(examples, members, OTHERS, 16, slots)
    assert {name: (batch[name].dtype.name, batch[name].shape[1:]) for name in OTHERS} == {
        "input_ids": ("int32", (16,)),
        "score": ("float32", (slots,)),
        "classes": ("int32", (slots, 3)),
        "weight": ("float32", (16,)),
        "seen": ("bool", (16,)),
        "box": ("float32", (16, 2, 2)),
        "at": ("int32", (20,)),
        "frequency": ("float32", (20, 2)),
    }
    for name, kind in (
        ("score", "sequence"),
        ("classes", "sequence"),
        ("weight", "token"),
        ("seen", "token"),
        ("box", "token"),
    ):
        apart = take_apart(batch[name], batch, kind)
        assert len(apart) == len(examples)
        for index, original in enumerate(examples):
            expected = np.asarray(original[name]).astype(OTHERS[name].dtype)
            np.testing.assert_array_equal(apart[index], expected)
    assert (batch["weight"][batch["segment_ids"] == 0] == -1.5).all()
    assert (batch["classes"][batch["sequence_index"] < 0] == IGNORED).all()
    for r, row in enumerate(rows):
        found = batch["frequency"][r, : 2 * len(row)]
        expected = [examples[i]["frequency"] for i in row]
        np.testing.assert_array_equal(found, np.float32(expected).reshape(-1, 2))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label": 0.7}, r"sequence 0: label is float64 \[\]; its feature says int32 \[\]"),
        ({"score": [0.7]}, r"sequence 0: score is float64 \[1\]; its feature says float32 \[\]"),
        ({"classes": np.ones(2, int)}, r"int64 \[2\]; its feature says int32 \[3\]"),
        ({"weight": np.ones(1)}, r"weight is float64 \[1\]; its feature says float32 \[5\]"),
        ({"at": np.ones(2)}, r"at is float64 \[2\]; its feature says int32 \['any'\]"),
    ],
)
def test_values_that_a_feature_cannot_hold_are_refused(changed, message):
    """NumPy would make 0 of 0.7, and as many numbers of one as there are tokens."""
    features = OTHERS | {"label": Feature("sequence", pad=IGNORED)}
    whole = other_example(5, 0) | {"label": 1}
    lay_out([whole], [np.array([0])], features, 8, 1)
    with pytest.raises(UserError, match=message):
        lay_out([whole | changed], [np.array([0])], features, 8, 1)


def test_a_missing_feature_is_named():
    lacking = {name: value for name, value in example(5, 0).items() if name != "labels"}
    with pytest.raises(UserError, match="sequence 0 has no labels"):
        lay_out([lacking], [np.array([0])], FEATURES, 8, 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "word"},
        {"kind": "token", "dtype": "int64"},
        {"kind": "token", "pad": 0.5},
        {"kind": "token", "pad": float("nan")},
        {"kind": "position", "slots": 4, "dtype": "float32"},
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_features_that_cannot_be_are_refused(settings):
    with pytest.raises(ValueError):
        Feature(**settings)
