"""A trace of some steps, for TensorBoard, Perfetto and `biobert profile`."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import jax

from biobert_jax.files import write_text

logger = logging.getLogger(__name__)

FOLDER = "profile"
PROGRAM = "step.hlo.txt"
"""The compiled step, which says what of the model each operation of the trace is of."""


class StepTrace:
    """Traces the steps that `config.profile` names; costs nothing otherwise."""

    def __init__(self, workdir: Path, start: int, steps: int, active: bool):
        """Traces nothing yet.

        Args:
          workdir: the run's folder; the trace goes to `profile/` there.
          start: the first step to trace. Step 1 compiles.
          steps: how many; 0: none.
          active: whether this process writes traces.
        """
        self._folder, self._start, self._steps = workdir / FOLDER, start, steps if active else 0
        self._running = False

    def step(self, number: int) -> Any:
        """A context for the work of a step on the host."""
        if self._steps and number == self._start:
            self._folder.mkdir(parents=True, exist_ok=True)
            jax.profiler.start_trace(str(self._folder))
            self._running = True
        if self._running:
            return jax.profiler.StepTraceAnnotation("train", step_num=number)
        return contextlib.nullcontext()

    def after(self, number: int, metrics: Any, program: Any, arguments: tuple) -> None:
        """Ends the trace after its last step, and writes the program beside it.

        Args:
          number: of the step that was started last.
          metrics: its results, to wait for.
          program: the jitted step.
          arguments: shapes to compile it for, as the run has.
        """
        if not self._running or number < self._start + self._steps - 1:
            return
        jax.block_until_ready(metrics)
        self.close()
        if hasattr(program, "lower"):  # stacked trials have a plain function
            text = program.lower(*arguments).compile().as_text()
            write_text(self._folder / PROGRAM, text)
        logger.info(
            "steps %d to %d are traced in %s: biobert profile %s",
            *(self._start, number, self._folder, self._folder.parent),
        )

    def close(self) -> None:
        """Ends a trace that a signal or an error cut short."""
        if self._running:
            self._running = False
            jax.profiler.stop_trace()
