"""In how many parts a step takes its batch, so that it fits into memory."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax

from biobert_jax.errors import TrainingError

logger = logging.getLogger(__name__)

SHARE = 0.92
"""Of a device's memory that a step may fill: what is left goes to fragments and the next batch."""


def choose_micro_batches(
    setting: str, rows: int, divide_evenly: bool, memory: Callable[[int], int], limit: int
) -> int:
    """Reads `config.train.micro_batch`.

    Args:
      setting: `all`, `auto`, or a number of rows.
      rows: of the batch on each shard of rows.
      divide_evenly: whether rows of padding may not be added.
      memory: for `auto`: the bytes that a step of so many micro-batches needs on each device.
      limit: for `auto`: the bytes of a device.

    Returns:
      In how many micro-batches each shard's rows are taken.

    Raises:
      TrainingError: no such setting, or not one row fits.
    """
    if setting == "all":
        return 1
    counts = candidates(rows, divide_evenly)
    if setting == "auto":
        count = fewest_that_fit(counts, memory, int(SHARE * limit))
        logger.info(
            "train.micro_batch=auto: %d of a device's %d rows at once", -(-rows // count), rows
        )
        return count
    if not setting.isdigit() or setting == "0":
        raise TrainingError(
            f"config.train.micro_batch is {setting!r}; expected 'all', 'auto' or a number of rows"
        )
    allowed = [count for count in counts if -(-rows // count) <= int(setting)]
    return allowed[0]


def candidates(rows: int, divide_evenly: bool) -> list[int]:
    """Numbers of micro-batches worth trying, ascending: each has smaller ones than the last."""
    if divide_evenly:
        return [count for count in range(1, rows + 1) if rows % count == 0]
    sizes = sorted({-(-rows // count) for count in range(1, rows + 1)}, reverse=True)
    return [-(-rows // size) for size in sizes]


def fewest_that_fit(counts: Sequence[int], memory: Callable[[int], int], limit: int) -> int:
    """The first of ascending counts whose step takes at most `limit` bytes, by bisection.

    Raises:
      TrainingError: not even the last does.
    """
    low, high = 0, len(counts) - 1
    needed = memory(counts[0])
    if needed <= limit:
        return counts[0]
    needed = memory(counts[high])
    if needed > limit:
        found = f"takes {needed / 2**30:.1f} GiB" if needed < sys.maxsize else "does not fit"
        raise TrainingError(
            f"a step with one row on each device {found}, and {limit / 2**30:.1f} GiB may be "
            "used; set compute.remat=full, spread the state with "
            "mesh.fsdp, or shorten batch.row_length"
        )
    while high - low > 1:
        middle = (low + high) // 2
        if memory(counts[middle]) <= limit:
            high = middle
        else:
            low = middle
    return counts[high]


def step_memory(compiled: jax.stages.Compiled) -> int:
    """Bytes that a compiled step needs on each device while it runs, its arguments included."""
    found: Any = compiled.memory_analysis()
    kept = found.output_size_in_bytes - found.alias_size_in_bytes
    return found.argument_size_in_bytes + found.temp_size_in_bytes + max(0, kept)


def device_memory(device: Any) -> int:
    """Bytes that a device may use; on a CPU, its share of what the machine has."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"]
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return machine // jax.local_device_count()
