"""Rows without end: the work of making blocks is spread over the rows."""

import time

import numpy as np
import pytest

from biobert_jax.input import row_streams as streams
from biobert_jax.input.loader import Packing
from biobert_jax.input.packing import Feature

STREAMS, EXAMPLES = 3, 60


class Source:
    """Blocks of examples, and how many of these were made."""

    def __init__(self, empty=()):
        self.made, self.empty = 0, empty

    def __call__(self, block):
        rng = np.random.default_rng(block)
        for _ in range(0 if block in self.empty else int(rng.integers(EXAMPLES - 10, EXAMPLES))):
            self.made += 1
            yield {"input_ids": rng.integers(1, 9, rng.integers(3, 20)).astype(np.int32)}


def rows(source, places=None):
    features = {"input_ids": Feature("token")}
    dataset = streams.RowStreams(source, Packing(32, 4), features, STREAMS)
    return iter(dataset if places is None else dataset.starting_at(np.array(places)))


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_no_row_waits_for_a_whole_block():
    source = Source()
    iterator = rows(source)
    made = []
    for _ in range(300):
        before = source.made
        next(iterator)
        made.append(source.made - before)
    assert min(made[:STREAMS]) >= EXAMPLES - 10  # the first block of each
    later = made[STREAMS:]
    assert sum(later) > 400
    # About two examples a row; a little more where a block is longer than the one before it.
    assert max(later) <= 12


def test_rows_are_those_of_the_blocks_in_turn():
    source, iterator = Source(), rows(Source())
    features = {"input_ids": Feature("token")}
    dataset = streams.RowStreams(source, Packing(32, 4), features, STREAMS)
    found = [next(iterator) for _ in range(200)]
    for stream in range(STREAMS):
        own = found[stream::STREAMS]
        expected = []
        block = stream
        while len(expected) < len(own):
            expected += dataset.rows_of(block, list(source(block)))
            block += STREAMS
        for row, wanted in zip(own, expected, strict=False):
            place = row.pop("place")
            assert place[0] % STREAMS == stream
            same(row, wanted)


@pytest.mark.parametrize("at", [7, 100])
def test_a_position_continues_anywhere_in_a_block(at):
    whole = rows(Source())
    taken = [next(whole) for _ in range(at * STREAMS)]
    places = [row["place"] for row in taken[-STREAMS:]]
    moved, restored = rows(Source(), places), rows(Source())
    restored.set_state(whole.get_state())
    for _ in range(200):
        expected = next(whole)
        same(next(moved), expected)
        same(next(restored), expected)


def test_blocks_without_a_row_are_passed_over():
    iterator = rows(Source(empty={0, 3, 4}))
    blocks = {int(next(iterator)["place"][0]) for _ in range(90)}
    assert not blocks & {0, 3, 4}
    assert {1, 2, 6, 7, 5} <= blocks


class Scored(Source):
    """Blocks whose examples have a number and three more."""

    def __call__(self, block):
        rng = np.random.default_rng(block)
        for example in super().__call__(block):
            yield example | {"score": rng.normal(), "parts": rng.normal(size=3)}


@pytest.mark.slow
def test_numbers_and_vectors_come_through_worker_processes():
    features = {
        "input_ids": Feature("token"),
        "score": Feature("sequence", dtype="float32"),
        "parts": Feature("sequence", dtype="float32", shape=(3,)),
    }
    dataset = streams.RowStreams(Scored(), Packing(32, 4), features, 4)
    here, elsewhere = (streams.batches(dataset, 4, workers) for workers in (0, 2))
    try:
        for _ in range(3):
            batch = next(here)
            same(next(elsewhere), batch)
            assert batch["score"].shape == (4, 4)
            assert batch["parts"].shape == (4, 4, 3)
            assert batch["parts"].dtype == np.float32
    finally:
        here.close()
        elsewhere.close()


@pytest.mark.parametrize("prefetch", [1, 6])
def test_so_many_batches_are_prepared_ahead(prefetch):
    """One batch read; `prefetch` more wait, and one more is in the thread's hands."""
    source, features = Source(), {"input_ids": Feature("token")}
    expected = rows(source)
    for _ in range(STREAMS * (1 + prefetch)):
        next(expected)
    least = source.made
    for _ in range(STREAMS):
        next(expected)
    most = source.made
    counting = Source()
    dataset = streams.RowStreams(counting, Packing(32, 4), features, STREAMS)
    batches = streams.Batches(dataset, workers=0, prefetch=prefetch)
    next(batches)
    deadline = time.monotonic() + 20
    while counting.made < least and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)  # it stops there
    batches.close()
    assert least <= counting.made <= most
