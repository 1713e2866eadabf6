"""Rows without end, for examples that are made while they are read.

Row r of every batch comes from stream r. Stream r reads blocks r, r + R, r + 2R, ...; a block is a
list of examples that is a function of its number alone. It packs each block by itself, and gives
its rows one by one. So the batches are the same for any number of processes and workers, and a
position in the data is two integers per stream:

    stream 0   block 0: row row row | block R: row row ...
    stream 1   block 1: row row row row | block R + 1: row ...
       ...
    batch n    row n of each stream, [R, ...], and as one more feature its `place`, int64 [R, 2]:
               the block that the row is from, and how many of that block's rows are read then

So whoever makes the rows, a thread or a worker process, the position comes with them: `Batches`
takes `place` out of a batch, and it is what a checkpoint holds.

All streams begin with a block together and come to its end at about the same time. So that batches
take equally long to make, each row that is taken pays for a part of its stream's next block.
"""

import itertools
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import grain
import numpy as np
from absl import flags

from biobert_jax.input.loader import Packing, evaluation_order
from biobert_jax.input.packing import Example, Feature, lay_out

MakeBlock = Callable[[int], Iterable[Example]]

_PLACE = "place"
"""Travels with each row: the block that it is from, and how many rows of it are then read."""


class RowStreams(grain.IterDataset):
    """The rows of some streams in turn, each a dict of arrays without a batch axis."""

    def __init__(
        self,
        make_block: MakeBlock,
        packing: Packing,
        features: Mapping[str, Feature],
        streams: int,
        own: Sequence[int] | None = None,
        seed: int = 0,
    ):
        """Describes the rows; nothing is read yet.

        Args:
          make_block: gives the examples of a block by its number, made as they are asked for.
          packing: how they become rows.
          features: how each entry of an example is laid down.
          streams: rows R of a global batch.
          own: which of them this process reads; all by default.
          seed: of the order of a block's rows.
        """
        super().__init__()
        self._make_block, self._packing, self._features = make_block, packing, features
        self._streams, self._seed = streams, seed
        self._own = list(own if own is not None else range(streams))
        self._places = [(stream, 0) for stream in self._own]

    @property
    def streams(self) -> int:
        return self._streams

    @property
    def own(self) -> list[int]:
        return list(self._own)

    @property
    def places(self) -> np.ndarray:
        """int64 [own, 2]: the block where each own stream begins, and how much of it to pass."""
        return np.array(self._places, np.int64).reshape(-1, 2)

    def starting_at(self, places: np.ndarray) -> "RowStreams":
        """The same streams, each from another place on: `places` is [own, 2]."""
        moved = RowStreams(
            self._make_block, self._packing, self._features, self._streams, self._own, self._seed
        )
        moved._places = [(int(block), int(row)) for block, row in places]
        return moved

    def set_slice(self, sl: slice, sequential_slice: bool = False) -> None:
        """Keeps only some of the streams in this copy, as Grain divides work among workers."""
        del sequential_slice
        self._own, self._places = self._own[sl], self._places[sl]

    def examples_of(self, block: int) -> Iterable[Example]:
        """The examples of a block."""
        return self._make_block(block)

    def rows_of(self, block: int, examples: Sequence[Example]) -> list[dict[str, np.ndarray]]:
        """Packs the examples of a block, longest sequences first, and shuffles its rows."""
        plan = self._packing.plan(examples, evaluation_order(examples))
        order = np.random.default_rng((self._seed, block)).permutation(len(plan))
        batch = lay_out(
            examples,
            [plan.row(r) for r in order],
            self._features,
            plan.row_length,
            plan.max_sequences,
        )
        return [{name: rows[r] for name, rows in batch.items()} for r in range(len(plan))]

    def __iter__(self) -> "_RowIterator":
        return _RowIterator(self, self._places, self._streams)


class _RowIterator(grain.DatasetIterator):
    def __init__(self, dataset: RowStreams, places: Sequence[tuple[int, int]], streams: int):
        super().__init__()
        self._turn = 0
        self._readers = [_Reader(dataset, streams, *place) for place in places]

    def __next__(self) -> dict[str, np.ndarray]:
        reader = self._readers[self._turn]
        self._turn = (self._turn + 1) % len(self._readers)
        row = reader.next_row()
        return row | {_PLACE: np.array(reader.place, np.int64)}

    def get_state(self) -> dict[str, Any]:
        return {"turn": self._turn, "places": [list(reader.place) for reader in self._readers]}

    def set_state(self, state: dict[str, Any]) -> None:
        self._turn = state["turn"]
        for reader, place in zip(self._readers, state["places"], strict=True):
            reader.move(*place)


class _Reader:
    """One stream: a block's rows, and what is made of the next one."""

    def __init__(self, dataset: RowStreams, streams: int, block: int, row: int):
        self._dataset, self._streams = dataset, streams
        self._rows: list[dict[str, np.ndarray]] = []
        self._expected = 0
        self.move(block, row)

    def move(self, block: int, row: int) -> None:
        self._block, self._row = block, row
        self._moved = True

    @property
    def place(self) -> tuple[int, int]:
        return self._block, self._row

    def next_row(self) -> dict[str, np.ndarray]:
        if self._moved:
            self._moved = False
            self._made, self._coming = [], iter(self._dataset.examples_of(self._block))
            self._finish()
        while self._row >= len(self._rows):  # a block may have no row at all
            self._block, self._row = self._block + self._streams, 0
            self._finish()
        row = self._rows[self._row]
        self._row += 1
        # As many examples of the next block as make it about as far as this one.
        left = len(self._rows) - self._row
        missing = self._expected - len(self._made)
        self._made += itertools.islice(self._coming, max(0, -(-missing // (left + 1))))
        return row

    def _finish(self) -> None:
        """Packs the block that is being made, and begins with the next one."""
        examples = [*self._made, *self._coming]
        self._rows = self._dataset.rows_of(self._block, examples)
        self._expected = len(examples)
        self._made = []
        self._coming = iter(self._dataset.examples_of(self._block + self._streams))


class Batches:
    """Batches of this process's rows, made in the background, and the position in the data.

    The position is that of the streams of all processes: a run may be resumed with other numbers of
    processes and workers. It comes with the rows, whoever made them.
    """

    def __init__(self, rows: RowStreams, workers: int, prefetch: int):
        self._rows, self._workers, self._prefetch = rows, workers, prefetch
        self._places = rows.places
        self._iterator: grain.DatasetIterator | None = None

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        if self._iterator is None:
            self._iterator = self._start()
        batch = next(self._iterator)
        self._places = batch.pop(_PLACE)
        return batch

    def _start(self) -> grain.DatasetIterator:
        dataset: grain.IterDataset = self._rows.starting_at(self._places)
        if self._workers:
            # Each worker hands over its share of a batch at once: row by row took ten times as long
            # as making the rows.
            options = grain.MultiprocessingOptions(
                self._workers, per_worker_buffer_size=self._prefetch
            )
            dataset = dataset.batch(len(self._places) // self._workers, drop_remainder=True)
            dataset = dataset.mp_prefetch(options, _end_with_parent)
            dataset = dataset.batch(self._workers, drop_remainder=True).map(_in_turn)
        else:
            dataset = dataset.batch(len(self._places), drop_remainder=True)
        ahead = 2 if self._workers else self._prefetch
        return iter(
            grain.experimental.ThreadPrefetchIterDataset(dataset, prefetch_buffer_size=ahead)
        )

    def get_state(self) -> dict[str, Any]:
        """The position as JSON; where there are several processes, all must call this."""
        places = self._places
        if len(places) < self._rows.streams:
            from jax.experimental import multihost_utils

            # As int32, which is all that JAX gathers by default: 2**31 blocks are enough.
            gathered = multihost_utils.process_allgather(places.astype(np.int32), tiled=True)
            places = np.asarray(gathered)
        return {"places": places.tolist()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        places = np.array(state["places"], np.int64)
        if len(places) != self._rows.streams:
            raise ValueError(f"a position of {len(places)} streams, expected {self._rows.streams}")
        self.close()
        self._places = places[self._rows.own]

    def close(self) -> None:
        if self._iterator is not None:
            self._iterator.close()
            self._iterator = None


def _in_turn(shares: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """[W, R / W, ...] to [R, ...]: worker w has made rows w, w + W, w + 2W, ..."""
    return {
        name: values.swapaxes(0, 1).reshape(-1, *values.shape[2:])
        for name, values in shares.items()
    }


def _end_with_parent(worker: int, workers: int) -> None:
    """Ends a worker when its parent process is gone: a parent that was killed cannot end it.

    Grain's workers would wait for it permanently, with their memory and its open files.
    """
    del worker, workers
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a worker"

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def batches(rows: RowStreams, rows_per_batch: int, workers: int = 0, prefetch: int = 8) -> Batches:
    """Batches of this process's rows.

    Args:
      rows: this process's streams.
      rows_per_batch: how many streams those are.
      workers: processes that make them; 0 makes them in threads of this one. Must divide
        rows_per_batch, so that each worker keeps its streams.
      prefetch: how many shares of batches each worker makes ahead; without workers, how many
        batches a thread does.
    """
    if rows_per_batch != len(rows.own):
        raise ValueError(f"rows_per_batch is {rows_per_batch}, expected {len(rows.own)} streams")
    if workers:
        if rows_per_batch % workers:
            raise ValueError(
                f"{workers} workers do not divide {rows_per_batch} rows; choose a divisor"
            )
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # Grain's workers read flags, in notebooks and tests too
    return Batches(rows, workers, prefetch)
