"""A trace of some steps, for TensorBoard, Perfetto and `biobert profile`."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import jax

from biobert_jax.files import write_text, writing_folder

logger = logging.getLogger(__name__)

FOLDER = "profile"
PROGRAM = "step.hlo.txt"
"""The compiled step; it names the part of the model that each operation of the trace belongs to."""


class StepTrace:
    """Traces the steps that `config.profile` names; costs nothing otherwise."""

    def __init__(self, workdir: Path, start: int, steps: int):
        """Traces nothing yet.

        Args:
          workdir: the run's folder; the trace goes to `profile/` there.
          start: the first step to trace. Step 1 compiles.
          steps: how many; 0: none.
        """
        self._folder, self._start, self._steps = workdir / FOLDER, start, steps
        self._running = False

    @classmethod
    def of_run(
        cls, workdir: Path, start: int, steps: int, first_step: int, total_steps: int
    ) -> "StepTrace":
        """The trace of a run that starts or resumes after `first_step`.

        A run that resumes after `start` is traced from its second step on, since its first
        compiles; one that was traced before is not traced again.
        """
        if steps and start <= first_step:
            if (workdir / FOLDER / PROGRAM).is_file():
                logger.info("not traced again: %s has the trace of before", workdir / FOLDER)
                steps = 0
            else:
                start, given = first_step + 2, start
                logger.warning(
                    "profile.start is %d, and the run resumes after step %d: traced from step %d",
                    *(given, first_step, start),
                )
        if steps and start > total_steps:
            logger.warning(
                "nothing will be traced: step %d is the first to trace, and %d the last of the run",
                *(start, total_steps),
            )
        return cls(workdir, start, steps)

    def step(self, number: int) -> Any:
        """A context for the work of a step on the host."""
        if self._steps and number == self._start:
            self._open = contextlib.ExitStack()
            folder = self._open.enter_context(writing_folder(self._folder))
            jax.profiler.start_trace(str(folder))
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
            self._open.close()
