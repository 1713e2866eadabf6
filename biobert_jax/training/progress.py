"""The progress of a run: a bar on a terminal, lines elsewhere, and the speeds."""

import sys
import time
from collections.abc import Mapping


class Progress:
    """Loss, speed, padding and time left: a bar on a terminal, elsewhere one line per interval."""

    def __init__(self, total_steps: int, first_step: int, positions: int, active: bool):
        """Begins to measure.

        Args:
          total_steps, first_step: where training ends and where it (re)starts.
          positions: positions of a batch, padding included.
          active: whether this process shows anything.
        """
        from rich import progress
        from rich.console import Console

        self._positions = positions
        self._started = time.perf_counter()
        self._since, self._tokens, self._steps, self._waited = self._started, 0, 0, 0.0
        self._total, self._first = total_steps, first_step
        self._active = active
        console = Console(file=sys.stderr)
        self._lines = not console.is_terminal
        self._bar = progress.Progress(
            progress.TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            progress.BarColumn(),
            progress.TextColumn("{task.description}"),
            progress.TimeRemainingColumn(),
            console=console,
            disable=not active or self._lines,
        )
        self._task = self._bar.add_task("compiling", total=total_steps, completed=first_step)
        self._text = "compiling"
        self._bar.start()

    def step(self, tokens: int) -> None:
        self._tokens += tokens
        self._steps += 1
        self._bar.update(self._task, advance=1)

    def waited(self, seconds: float) -> None:
        """Notes how long the device may have been idle for want of a batch."""
        self._waited += seconds

    def interval(self, step: int, averages: Mapping[str, float]) -> dict[str, float]:
        """Reports since the last call; returns the speeds for throughput.jsonl."""
        now = time.perf_counter()
        elapsed = max(1e-9, now - self._since)
        speeds = {
            "real_tokens_per_second": self._tokens / elapsed,
            "seconds_per_step": elapsed / max(1, self._steps),
            "padding_share": 1 - self._tokens / max(1, self._steps * self._positions),
            "input_wait_share": self._waited / elapsed,
        }
        self._since, self._tokens, self._steps, self._waited = now, 0, 0, 0.0
        self._text = (
            f"loss {averages['loss']:.4f}  {speeds['real_tokens_per_second']:,.0f} real tokens/s  "
            f"padding {speeds['padding_share']:.1%}"
        )
        if speeds["input_wait_share"] > 0.02:
            self._text += f"  waiting for data {speeds['input_wait_share']:.1%}"
        self._bar.update(self._task, description=self._text)
        if self._active and self._lines:
            left = (self._total - step) * speeds["seconds_per_step"]
            print(f"step {step}/{self._total}  {self._text}  {left:,.0f} s left", file=sys.stderr)
        return speeds

    def pause(self) -> None:
        """Restarts the interval, so that evaluation and saving do not count as training."""
        self._since, self._tokens, self._steps = time.perf_counter(), 0, 0
        self._waited = 0.0

    def close(self) -> None:
        self._bar.stop()
