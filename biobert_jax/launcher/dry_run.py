"""Everything that a run does before its first step, and nothing that leaves a file: `--dry_run`.

python -m experiments.pretrain --config=biobert_v1_0_pubmed --workdir=runs/pubmed --dry_run \
    --positions_per_second=500000 --price_per_hour=38.4
"""

import dataclasses
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from biobert_jax.errors import TrainingError, UserError
from biobert_jax.files import in_bucket
from biobert_jax.launcher.checks import check_devices
from biobert_jax.launcher.train import prepare
from biobert_jax.tasks import registry
from biobert_jax.training import workdir as workdirs
from biobert_jax.training.data import training_data
from biobert_jax.training.micro_batches import device_memory, step_memory
from biobert_jax.training.several.folds import of_fold
from biobert_jax.training.several.grid import grid, wanted
from biobert_jax.training.sharding import AXES, make_mesh, mesh_sizes
from biobert_jax.training.step import build_program, lower_train_step

logger = logging.getLogger(__name__)

GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run would be.

    Attributes:
      rows: of a batch, rows of mere padding included.
      row_length: positions of a row.
      real_tokens: of the first batch, those of all processes together.
      micro_batches: in how many parts a device takes its rows.
      steps: of a run.
      runs: how many runs the config asks for: folds, or trials.
      step_bytes: that a device needs at once, by the compiler.
      device_bytes: that it has.
      checkpoint_bytes: of one checkpoint.
      checkpoints: how many there are at once at the most, the one that is written included.
      free_bytes: where the workdir is, or would be.
    """

    rows: int
    row_length: int
    real_tokens: int
    micro_batches: int
    steps: int
    runs: int
    step_bytes: int
    device_bytes: int
    checkpoint_bytes: int
    checkpoints: int
    free_bytes: int

    @property
    def positions(self) -> int:
        """Of one step."""
        return self.rows * self.row_length

    def hours(self, positions_per_second: float) -> float:
        """Of all runs' steps, without evaluations and saves."""
        return self.runs * self.steps * self.positions / positions_per_second / 3600


def run(config: Any, workdir: Path, speed: float = 0.0, price: float = 0.0) -> Plan:
    """Checks what a run needs and prints what it would be; no file is written.

    Args:
      config: of any task.
      workdir: the run's folder, which need not exist.
      speed: positions per second of all devices together, padding included; 0: not known.
      price: of all devices together, an hour; 0: not known.

    Returns:
      What is printed.

    Raises:
      UserError: what would end the run before its first step, a step that does not fit into a
        device's memory, checkpoints that do not fit onto the disk, data or a model that would have
        to be downloaded first.
    """
    # What the compiler makes is cached in a folder otherwise.
    jax.config.update("jax_enable_compilation_cache", False)
    os.environ["HF_HUB_OFFLINE"] = "1"
    check_devices(config)
    free = check_workdir(workdir, config)
    dataset = config.dataset
    if "path" in dataset and not dataset.path and dataset.name not in ("", "synthetic", "own"):
        raise UserError(
            f"--dry_run fetches nothing, and {dataset.name} would be downloaded; give its folder "
            "as --config.dataset.path"
        )
    entry = registry.find(config.task)
    folds = registry.resolve(entry.folds)(config) if entry.folds else ()
    runs = len(grid(config, folds)) if wanted(config) else max(1, len(folds))
    first = of_fold(config, folds[0]) if folds else config
    plan = _plan(first, runs, free)
    _print(plan, speed, price)
    if plan.step_bytes > plan.device_bytes:
        raise TrainingError(
            f"a step needs {plan.step_bytes / GIB:.2f} GiB of each device, which has "
            f"{plan.device_bytes / GIB:.2f}; set --config.train.micro_batch=auto, or "
            "--config.compute.remat=full"
        )
    needed = plan.runs * plan.checkpoints * plan.checkpoint_bytes
    if needed > free:
        raise TrainingError(
            f"{workdir}: checkpoints take {needed / GIB:.1f} GiB, and {free / GIB:.1f} are free; "
            "choose another --workdir, or lower config.checkpoint.keep_last, keep_best or "
            "keep_steps"
        )
    return plan


def check_workdir(workdir: Path, config: Any) -> int:
    """Whether a run may write to a folder that need not exist; returns the bytes that are free.

    Raises:
      TrainingError: it is another run's, or holds something else, or cannot be written.
    """
    if (workdir / "config.json").is_file():
        workdirs.prepare(workdir, config, finished=True)
        logger.info("%s: a run of this config, which would be resumed", workdir)
    elif workdir.exists():
        workdirs.check_unused(workdir)
    if in_bucket(workdir):
        return sys.maxsize  # and whether it can be written shows at the first write
    there = workdir
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise TrainingError(f"{workdir}: cannot be made, since {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise TrainingError(f"{workdir}: {there} cannot be written by this user")
    return shutil.disk_usage(there).free


def _plan(config: Any, runs: int, free: int) -> Plan:
    task = prepare(config).task
    mesh = make_mesh(mesh_sizes(config))
    with jax.set_mesh(mesh):
        data = training_data(config, task, mesh)
        try:
            batch = next(data.batches)
        finally:
            if hasattr(data.batches, "close"):
                data.batches.close()  # worker processes
        processes = jax.process_count()
        rows = len(batch["segment_ids"]) * processes
        logger.info("compiling the step, %s", " x ".join(f"{a} {mesh.shape[a]}" for a in AXES))
        step = lower_train_step(config, task, mesh, rows, data.micro_batches).compile()
        state = build_program(config, task, mesh, data.total_steps, data.micro_batches).abstract
    kept = config.checkpoint
    steps = sum(step <= data.total_steps for step in kept.keep_steps)
    return Plan(
        rows=rows,
        row_length=config.batch.row_length,
        real_tokens=int(np.sum(batch["segment_ids"] > 0)) * processes,
        micro_batches=data.micro_batches,
        steps=data.total_steps,
        runs=runs,
        step_bytes=step_memory(step),
        device_bytes=device_memory(mesh.local_devices[0]),
        checkpoint_bytes=sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)),
        checkpoints=kept.keep_last + kept.keep_best + steps + 1,
        free_bytes=free,
    )


def _print(plan: Plan, speed: float, price: float) -> None:
    if jax.process_index() != 0:
        return
    table = Table("a run of this config", "")
    devices = jax.devices()
    kind = f"{len(devices)} of {devices[0].device_kind}, {jax.process_count()} processes"
    table.add_row("devices", kind)
    size = f"{plan.rows:,} rows of {plan.row_length}: {plan.positions:,} positions"
    table.add_row("batch", size)
    table.add_row("the first batch", f"{plan.real_tokens:,} real tokens")
    table.add_row("taken in", f"{plan.micro_batches} parts by each device")
    table.add_row("steps", f"{plan.steps:,}" + (f", {plan.runs} runs" if plan.runs > 1 else ""))
    table.add_row(
        "memory of a device, by the compiler",
        f"{plan.step_bytes / GIB:.2f} of {plan.device_bytes / GIB:.2f} GiB",
    )
    free = f"; {plan.free_bytes / GIB:.1f} GiB are free" if plan.free_bytes < sys.maxsize else ""
    table.add_row(
        "checkpoints",
        f"{plan.runs * plan.checkpoints} of {plan.checkpoint_bytes / GIB:.2f} GiB at most{free}",
    )
    if speed:
        hours = plan.hours(speed)
        table.add_row("time", f"{hours:,.1f} hours at {speed:,.0f} positions/s, steps alone")
        table.add_row("cost", f"{hours * price:,.2f} at {price:g} an hour" if price else "")
    else:
        table.add_row("time", "not known: give --positions_per_second")
    Console().print(table)
