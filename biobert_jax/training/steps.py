"""The order of things around a training step, for one run and for several together."""

import logging
from collections.abc import Callable
from typing import Any

import jax

from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.metrics import Progress
from biobert_jax.training.preemption import Preemption

logger = logging.getLogger(__name__)


def run_steps(
    steps: range,
    advance: Callable[[], Any],
    report: Callable[[int, Any], None],
    due: Callable[[int], Callable[[], None] | None],
    save: Callable[[], None],
    checkpoints: Checkpoints,
    progress: Progress,
) -> bool:
    """Makes steps; the device is never kept waiting for what is told of the last one.

    Args:
      steps: their numbers.
      advance: starts a step and returns its metrics, which may still be on the device.
      report: told a step's number and its metrics on the host; where nothing calls for it sooner,
        once the next step has started.
      due: what is to be done after a step besides, if anything; all steps are reported by then.
      save: saves the state; for SIGTERM, after which nothing else happens.
      checkpoints: where `save` saves.
      progress: its clock stops while something is due.

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
            metrics = advance()
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
