"""Batches by number: the same ones for any number of processes and threads."""

import json

import numpy as np
import pytest

from biobert_jax.input.loader import (
    PackedBatches,
    Packing,
    evaluation_order,
    iterate,
    round_up,
    rows_for_sequences,
    shuffled_epochs,
)
from biobert_jax.input.packing import Feature

FEATURES = {"input_ids": Feature("token"), "token_type_ids": Feature("token")}
COUNT, ROWS = 61, 5


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 20, COUNT)
    return [
        {"input_ids": np.full(n, i + 1), "token_type_ids": np.zeros(n, int)}
        for i, n in enumerate(lengths)
    ]


def batches(examples, order, padded=8, process=0, processes=1, sequences=8) -> PackedBatches:
    plan = Packing(row_length=32, max_sequences=sequences, open_rows=4).plan(examples, order)
    return PackedBatches(examples, plan, FEATURES, ROWS, padded, process, processes)


def seen(batch) -> list[int]:
    return sorted(batch["sequence_index"][batch["sequence_index"] >= 0].tolist())


@pytest.mark.parametrize("sequences", [1, 8])
@pytest.mark.parametrize("padded", [5, 8, 16])
def test_an_evaluation_sees_each_example_once(examples, padded, sequences):
    source = batches(examples, evaluation_order(examples), padded, sequences=sequences)
    found = [index for batch in iterate(source) for index in seen(batch)]
    assert sorted(found) == list(range(COUNT))
    assert all(batch["input_ids"].shape == (padded, 32) for batch in iterate(source))
    assert len(source.plan) % ROWS, "the last batch should be partial in this test"


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_processes_together_lay_out_the_same_batch(examples, processes):
    order = shuffled_epochs(COUNT, 2, seed=3)
    whole = batches(examples, order)
    shares = [batches(examples, order, 8, p, processes) for p in range(processes)]
    for step in range(len(whole)):
        parts = [share[step] for share in shares]
        for name, expected in whole[step].items():
            np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), expected)


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_threads_change_nothing(examples, threads):
    source = batches(examples, shuffled_epochs(COUNT, 2, seed=3))
    for step, batch in enumerate(iterate(source, threads=threads, prefetch=3)):
        for name, expected in source[step].items():
            np.testing.assert_array_equal(batch[name], expected)
    assert step == len(source) - 1


@pytest.mark.parametrize(("threads", "later"), [(0, 0), (2, 2), (2, 0), (0, 2)])
def test_a_saved_position_continues(examples, threads, later):
    source = batches(examples, shuffled_epochs(COUNT, 2, seed=3))
    first = iterate(source, threads)
    for _ in range(4):
        next(first)
    state = first.get_state()
    state = json.loads(json.dumps(json.loads(state) if isinstance(state, bytes) else state))
    second = iterate(source, later)
    second.set_state(state)
    rest = list(second)
    assert len(rest) == len(source) - 4
    for offset, batch in enumerate(rest):
        np.testing.assert_array_equal(batch["input_ids"], source[4 + offset]["input_ids"])


def test_every_epoch_is_another_permutation():
    order = shuffled_epochs(10, 3, seed=1).reshape(3, 10)
    assert (np.sort(order) == np.arange(10)).all()
    assert len({tuple(epoch) for epoch in order}) == 3
    np.testing.assert_array_equal(shuffled_epochs(10, 2, seed=1), order[:2].ravel())
    assert (shuffled_epochs(10, 1, seed=2) != order[0]).any()
    assert shuffled_epochs(10, 0, seed=1).tolist() == []


def test_numbers_out_of_range_are_refused(examples):
    source = batches(examples, np.arange(COUNT))
    for step in (-1, len(source)):
        with pytest.raises(IndexError):
            source[step]
    with pytest.raises(ValueError, match="padded_rows"):
        batches(examples, np.arange(COUNT), padded=4)
    with pytest.raises(ValueError, match="multiple of 3"):
        batches(examples, np.arange(COUNT), padded=8, processes=3)


def test_rows_for_sequences_is_the_batch_size_on_average(examples):
    plan = batches(examples, np.arange(COUNT)).plan
    rows = rows_for_sequences(plan, 16)
    assert abs(rows * COUNT / len(plan) - 16) <= COUNT / len(plan)
    assert rows_for_sequences(plan, 0) == 1


def test_round_up():
    assert [round_up(n, 4) for n in (0, 1, 4, 5)] == [0, 4, 4, 8]
