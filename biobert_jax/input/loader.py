"""Batches of packed rows, by step number, through Grain.

A batch is a function of the plan and its number alone, and each process lays out only its own rows
of it: the same batches come out for any number of processes, devices and worker threads, and the
position in the data is one integer.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

import grain
import numpy as np

from biobert_jax.input.packing import Example, Feature, RowPlan, lay_out, plan_rows


def shuffled_epochs(count: int, epochs: int, seed: int) -> np.ndarray:
    """[epochs * count] indices: a new permutation every epoch, a function of (seed, epoch)."""
    orders = [np.random.default_rng((seed, epoch)).permutation(count) for epoch in range(epochs)]
    return np.concatenate(orders) if orders else np.zeros(0, np.int64)


@dataclasses.dataclass(frozen=True)
class Packing:
    """How sequences become rows.

    Attributes:
      row_length: tokens of a row.
      max_sequences: sequences that a row may hold; 1 gives the unpacked form.
      open_rows: how many rows the packer keeps open.
    """

    row_length: int
    max_sequences: int
    open_rows: int = 64

    def plan(self, examples: Sequence[Example], order: np.ndarray) -> RowPlan:
        lengths = np.array([len(example["input_ids"]) for example in examples], np.int64)
        return plan_rows(lengths, order, self.row_length, self.max_sequences, self.open_rows)


class BatchSource(Protocol):
    """Batches by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, step: int, /) -> dict[str, np.ndarray]: ...


@dataclasses.dataclass(frozen=True)
class PackedBatches:
    """A random access source of batches, as `grain.MapDataset.source` takes it.

    Attributes:
      examples: the sequences.
      plan: their rows.
      features: how each entry of an example is laid down.
      rows: real rows of a global batch; the last batch may have fewer.
      padded_rows: rows of a global batch with the rows of padding that make it divisible by the
        number of devices and micro-batches.
      process_index, process_count: this process lays out its share of each batch's rows.
    """

    examples: Sequence[Example]
    plan: RowPlan
    features: Mapping[str, Feature]
    rows: int
    padded_rows: int
    process_index: int = 0
    process_count: int = 1

    def __post_init__(self):
        if self.padded_rows < self.rows or self.padded_rows % self.process_count:
            raise ValueError(
                f"padded_rows must be at least {self.rows} and a multiple of "
                f"{self.process_count}; found {self.padded_rows}"
            )

    def __len__(self) -> int:
        return -(-len(self.plan) // self.rows)

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        if not 0 <= step < len(self):
            raise IndexError(step)
        share = self.padded_rows // self.process_count
        first = step * self.rows
        numbers = range(first, min(first + self.rows, len(self.plan)))
        members = [self.plan.row(r) for r in numbers]
        members += [np.zeros(0, np.int64)] * (self.padded_rows - len(members))
        own = members[self.process_index * share : (self.process_index + 1) * share]
        return lay_out(
            self.examples, own, self.features, self.plan.row_length, self.plan.max_sequences
        )


def round_up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def iterate(batches: BatchSource, threads: int = 2, prefetch: int = 8) -> grain.DatasetIterator:
    """Reads batches in order in the background.

    Args:
      batches: the source.
      threads: how many threads lay out rows; 0 lays them out in the caller's.
      prefetch: how many batches may wait.

    Returns:
      An iterator whose get_state() and set_state() carry the position in the data.
    """
    options = grain.ReadOptions(
        num_threads=threads, prefetch_buffer_size=prefetch if threads else 0
    )
    # Grain asks for int | slice there, and takes ints only.
    source = grain.MapDataset.source(batches)  # pyright: ignore[reportArgumentType]
    return iter(source.to_iter_dataset(options))


def rows_for_sequences(plan: RowPlan, sequences: int) -> int:
    """Rows that hold `sequences` sequences on average: the batch size in a paper's terms."""
    return max(1, round(sequences * len(plan) / max(1, len(plan.members))))


def evaluation_order(examples: Sequence[Example]) -> np.ndarray:
    """Longest first, which packs tightest; ties in the given order."""
    lengths = np.array([len(example["input_ids"]) for example in examples], np.int64)
    return np.argsort(-lengths, kind="stable")
