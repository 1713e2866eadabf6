"""The training batches of a task: planned ahead, or made while they are read."""

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grain
import jax
import ml_collections
from jax.sharding import Mesh

from biobert_jax.errors import DataError, TrainingError
from biobert_jax.input import row_streams
from biobert_jax.input.loader import (
    PackedBatches,
    Packing,
    iterate,
    round_up,
    rows_for_sequences,
    shuffled_epochs,
)
from biobert_jax.tasks.protocol import Stream, Task
from biobert_jax.training.micro_batches import choose_micro_batches, device_memory, step_memory
from biobert_jax.training.sharding import row_shards
from biobert_jax.training.step import lower_train_step
from biobert_jax.training.workdir import of_version

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Where training reads.

    Attributes:
      batches: an iterator of this process's rows of each batch; its state is the position.
      rows: rows of a global batch, those of mere padding not counted.
      total_steps: how many batches training takes.
      micro_batches: in how many parts a step takes each shard's rows.
    """

    batches: grain.DatasetIterator | row_streams.Batches
    rows: int
    total_steps: int
    micro_batches: int


def training_data(config: ml_collections.ConfigDict, task: Task, mesh: Mesh) -> TrainingData:
    """Opens a task's training batches.

    Raises:
      DataError: there is nothing to train on, or too little for `train.steps`.
      TrainingError: the batch does not fit the devices.
    """
    if task.stream is not None:
        return _streamed(config, task, task.stream, mesh)
    batches, micro_batches = training_batches(config, task, mesh)
    total_steps = steps_of(config, batches)
    log_packing(batches, total_steps)
    iterator = iterate(batches, **loader_options(config))
    return TrainingData(iterator, batches.rows, total_steps, micro_batches)


def steps_of(config: ml_collections.ConfigDict, batches: PackedBatches) -> int:
    """How many steps a run has with its planned batches.

    Raises:
      DataError: `train.steps` asks for more than there are.
    """
    steps = config.train.steps or len(batches)
    if steps > len(batches):
        raise DataError(
            f"train.steps is {steps}, but {config.train.epochs} epochs have only {len(batches)} "
            "steps; raise train.epochs"
        )
    return steps


def _streamed(
    config: ml_collections.ConfigDict, task: Task, stream: Stream, mesh: Mesh
) -> TrainingData:
    rows, total_steps = config.batch.rows, config.train.steps
    shards = row_shards(mesh)
    if rows % shards:
        raise TrainingError(
            f"config.batch.rows is {rows}, which data x fsdp = {shards} of config.mesh do not "
            "divide; change batch.rows, or give devices to mesh.tensor"
        )
    micro_batches = choose_micro_batches(
        config.train.micro_batch,
        rows // shards,
        True,
        lambda count: step_memory(lower_train_step(config, task, mesh, rows, count).compile()),
        device_memory(mesh.local_devices[0]),
    )
    share = rows // jax.process_count()
    first = jax.process_index() * share
    dataset = stream(make_packing(config), rows, range(first, first + share))
    logger.info(
        "%d rows of %d per batch (%d positions), %d steps",
        rows,
        config.batch.row_length,
        rows * config.batch.row_length,
        total_steps,
    )
    batches = row_streams.batches(dataset, share, config.loader.workers, config.loader.prefetch)
    return TrainingData(batches, rows, total_steps, micro_batches)


def loader_options(config: ml_collections.ConfigDict) -> dict[str, int]:
    """Settings for `input.loader.iterate`."""
    return {"threads": config.loader.threads, "prefetch": config.loader.prefetch}


def training_batches(
    config: ml_collections.ConfigDict, task: Task, mesh: Mesh
) -> tuple[PackedBatches, int]:
    """Plans the rows of all epochs; returns them and the number of micro-batches."""
    examples = task.examples("train")
    if not examples:
        raise DataError("there are no training examples; check the dataset's train split")
    packing = make_packing(config)
    plan = packing.plan(examples, shuffled_epochs(len(examples), config.train.epochs, config.seed))
    rows = config.batch.rows or rows_for_sequences(plan, config.batch.sequences)
    shards = row_shards(mesh)
    micro_batches = choose_micro_batches(
        config.train.micro_batch,
        -(-rows // shards),
        False,
        lambda count: step_memory(
            lower_train_step(config, task, mesh, round_up(rows, shards * count), count).compile()
        ),
        device_memory(mesh.local_devices[0]),
    )
    padded = round_up(rows, shards * micro_batches)
    batches = PackedBatches(
        examples, plan, task.features, rows, padded, jax.process_index(), jax.process_count()
    )
    return batches, micro_batches


def make_packing(config: ml_collections.ConfigDict) -> Packing:
    limit = config.batch.max_sequences if config.batch.packed else 1
    return Packing(config.batch.row_length, limit)


def restore_position(batches: Any, position: Mapping[str, Any], workdir: Path) -> None:
    """Moves the batches to where a checkpoint was saved.

    Args:
      batches: of `TrainingData`.
      position: what the checkpoint holds beside the state; `data` of it is the batches'.
      workdir: the run's folder.

    Raises:
      TrainingError: the position is that of other batches, such as an earlier version's.
    """
    try:
        batches.set_state(position["data"])
    except (LookupError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{workdir}: the checkpoint's position in the data does not fit these batches "
            f"({type(error).__name__}: {error}); expected that of the same config and version"
            f"{of_version(workdir) or '. Start a new run'}"
        ) from error


def encode_state(state: Any) -> Any:
    """A Grain iterator's state as JSON."""
    return json.loads(state.decode()) if isinstance(state, bytes) else state


def log_packing(batches: PackedBatches, total_steps: int) -> None:
    plan = batches.plan
    logger.info(
        "%d sequences in %d rows of %d (%.1f%% real tokens), %d rows per batch (%.1f sequences, "
        "%d positions), %d steps",
        len(plan.members),
        len(plan),
        plan.row_length,
        100 * plan.real_share,
        batches.rows,
        batches.rows * len(plan.members) / len(plan),
        batches.rows * plan.row_length,
        total_steps,
    )
