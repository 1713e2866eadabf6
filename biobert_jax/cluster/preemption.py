"""SIGTERM and Ctrl-C, seen by all processes after the same step."""

import signal
import threading
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils


class Preemption:
    """While active, SIGTERM and Ctrl-C ask the loop to save and stop instead of ending the program.

    Evaluation is not interrupted: the request is seen when it is done. A second Ctrl-C interrupts
    at once.

    In a job of several processes JAX's coordination service distributes a SIGTERM, so that all of
    them stop after the same step; Ctrl-C there ends the process at once.

    Attributes:
      signal: the name of the signal that asked.
    """

    def __enter__(self) -> "Preemption":
        self.signal = "SIGTERM"
        self._asked = False
        self._previous: dict[int, Any] = {}
        # Handlers can only be set in the main thread; elsewhere signals keep their meaning.
        if jax.process_count() == 1 and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked, self.signal = True, signal.Signals(number).name

    def requested(self, step: int) -> bool:
        """Whether to stop after this step."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked

    def reraise(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C asked, so that a surrounding sweep stops, too."""
        if self.signal == "SIGINT":
            raise KeyboardInterrupt
