"""Rows without end, for examples that are made while they are read.

Row r of every batch comes from stream r. Stream r reads blocks r, r + R, r + 2R, ...; a block is a
list of examples that is a function of its number alone. It packs each block by itself, and gives
its rows one by one. So the batches are the same for any number of processes and workers, and a
position in the data is two integers a stream.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grain
import numpy as np
from absl import flags

from biobert_jax.input.loader import Packing, evaluation_order
from biobert_jax.input.packing import Example, Feature, lay_out

MakeBlock = Callable[[int], Sequence[Example]]


class RowStreams(grain.IterDataset):
    """The rows of some streams in turn, each a dict of arrays without a batch axis."""

    def __init__(
        self,
        make_block: MakeBlock,
        packing: Packing,
        features: Mapping[str, Feature],
        streams: int,
        own: range | None = None,
        seed: int = 0,
    ):
        """Describes the rows; nothing is read yet.

        Args:
          make_block: gives the examples of a block by its number.
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

    def set_slice(self, sl: slice, sequential_slice: bool = False) -> None:
        """Leaves only some of the streams to this copy: Grain's way to share work out."""
        del sequential_slice
        self._own = self._own[sl]

    def rows_of(self, block: int) -> list[dict[str, np.ndarray]]:
        """Packs a block, longest sequences first, and shuffles its rows."""
        examples = self._make_block(block)
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
        return _RowIterator(self, list(self._own), self._streams)


class _RowIterator(grain.DatasetIterator):
    def __init__(self, dataset: RowStreams, own: list[int], streams: int):
        super().__init__()
        self._dataset, self._streams = dataset, streams
        self._turn = 0
        self._places = [[stream, 0] for stream in own]  # the next block and row of each stream
        self._rows: list[list[dict[str, np.ndarray]] | None] = [None] * len(own)

    def __next__(self) -> dict[str, np.ndarray]:
        turn = self._turn
        place = self._places[turn]
        if self._rows[turn] is None:
            self._rows[turn] = self._dataset.rows_of(place[0])
        while place[1] >= len(self._rows[turn]):  # a block may have no row at all
            place[0] += self._streams
            place[1] = 0
            self._rows[turn] = self._dataset.rows_of(place[0])
        row = self._rows[turn][place[1]]
        place[1] += 1
        self._turn = (turn + 1) % len(self._places)
        return row

    def get_state(self) -> dict[str, Any]:
        return {"turn": self._turn, "places": [list(place) for place in self._places]}

    def set_state(self, state: dict[str, Any]) -> None:
        self._turn = state["turn"]
        self._places = [list(place) for place in state["places"]]
        self._rows = [None] * len(self._places)


def batches(
    rows: RowStreams, rows_per_batch: int, workers: int = 0, prefetch: int = 8
) -> grain.DatasetIterator:
    """Batches of this process's rows, made in the background.

    Args:
      rows: this process's streams.
      rows_per_batch: how many streams those are.
      workers: processes that make them; 0 makes them in threads of this one. Must divide
        rows_per_batch, so that each worker keeps its streams.
      prefetch: rows that wait for each worker.
    """
    dataset: grain.IterDataset = rows
    if workers:
        if rows_per_batch % workers:
            raise ValueError(
                f"{workers} workers do not divide {rows_per_batch} rows; choose a divisor"
            )
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # Grain's workers read flags, in notebooks and tests too
        options = grain.MultiprocessingOptions(workers, per_worker_buffer_size=prefetch)
        dataset = dataset.mp_prefetch(options)
    dataset = dataset.batch(rows_per_batch, drop_remainder=True)
    return iter(grain.experimental.ThreadPrefetchIterDataset(dataset, prefetch_buffer_size=2))
