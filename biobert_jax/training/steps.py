"""The order of things around a training step, for one run and for several together."""

import logging
import time
from collections.abc import Callable
from typing import Any

import jax

from biobert_jax.cluster.preemption import Preemption
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.metrics import Progress

logger = logging.getLogger(__name__)


def run_steps(
    steps: range,
    fetch: Callable[[], Any],
    advance: Callable[[Any], Any],
    report: Callable[[int, Any], None],
    due: Callable[[int], Callable[[], None] | None],
    save: Callable[[], None],
    checkpoints: Checkpoints,
    progress: Progress,
) -> bool:
    """Makes steps; the device is never kept waiting for what is told of the last one.

    Args:
      steps: their numbers.
      fetch: gives the next batch.
      advance: starts a step on it and returns its metrics, which may still be on the device.
      report: told a step's number and its metrics on the host; where nothing calls for it sooner,
        once the next step has started.
      due: what is to be done after a step besides, if anything; all steps are reported by then.
      save: saves the state; for SIGTERM, after which nothing else happens.
      checkpoints: where `save` saves.
      progress: its clock stops while something is due; told how long the device may have waited
        for a batch.

    Returns:
      False where SIGTERM ended the steps early, saved.
    """
    pending: tuple[int, Any] | None = None

    def settle() -> None:
        nonlocal pending
        if pending is not None:
            (step, metrics), pending = pending, None
            report(step, jax.device_get(metrics))

    with Preemption() as preemption:
        for step in steps:
            began = time.perf_counter()
            batch = fetch()
            # A device that still has the last step to do has not waited for this batch.
            if pending is not None and all(x.is_ready() for x in jax.tree.leaves(pending[1])):
                progress.waited(time.perf_counter() - began)
            metrics = advance(batch)
            settle()
            pending = (step, metrics)
            if step == steps.start:
                settle()
                logger.info("step %d: first step done, compilation included", step)
                progress.pause()
            if (action := due(step)) is not None:
                settle()
                action()
                progress.pause()
            # After what else this step calls for, so that nothing is missing on resuming.
            if preemption.requested(step):
                settle()
                save()
                checkpoints.wait()
                logger.warning("SIGTERM: saved step %d; the same command goes on", step)
                return False
        settle()
    return True
