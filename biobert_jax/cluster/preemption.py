"""SIGTERM, seen by all processes at the same step."""

import signal
import threading
from types import FrameType

import jax
from jax.experimental import multihost_utils


class Preemption:
    """While active, SIGTERM asks the loop to save and leave instead of ending the program.

    Evaluation is not interrupted: the request is seen when it is done.

    In a job of several processes JAX's coordination service spreads the request, so that all of
    them stop after the same step.
    """

    def __enter__(self) -> "Preemption":
        self._asked = False
        self._previous = None
        # Handlers can only be set in the main thread; elsewhere SIGTERM keeps its meaning.
        self._own = jax.process_count() == 1 and (
            threading.current_thread() is threading.main_thread()
        )
        if self._own:
            self._previous = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        if self._own:
            signal.signal(signal.SIGTERM, self._previous)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def requested(self, step: int) -> bool:
        """Whether to stop after this step."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked
