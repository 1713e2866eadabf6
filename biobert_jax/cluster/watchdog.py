"""A lost or stuck process ends the whole job, with a message that names it.

Every process reports its step to JAX's coordination service a few times in each time limit and
reads what the others reported. JAX's own heartbeats also notice a lost process, but abort with a
stack trace that names no host and no step; they are kept behind these reports as a second line.
A process whose program hangs while its threads live is noticed by nobody but the step counter.
"""

import contextlib
import dataclasses
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import NoReturn, Protocol

LOST_STATUS = 75
"""Exit status where a process was lost or stuck: EX_TEMPFAIL of sysexits.h, try again."""

_RESTART = (
    "This job ends so that it can be started again: what was saved is complete, and the same "
    "command resumes from it"
)


@dataclasses.dataclass(frozen=True)
class Timeouts:
    """Seconds.

    Attributes:
      connect_timeout: until all processes must have come together.
      lost_timeout: without a report, until a process counts as lost.
      stall_timeout: without progress (a step, a batch of an evaluation), until the job counts as
        stuck. The first step's compilation, a save and the reading of data must fit in. 0: never.
    """

    connect_timeout: float = 300
    lost_timeout: float = 60
    stall_timeout: float = 900

    @property
    def interval(self) -> float:
        """Between two reports."""
        return min(5.0, self.lost_timeout / 10)


@dataclasses.dataclass(frozen=True)
class Report:
    """What a process reports to the others.

    Attributes:
      host: its name.
      number: how many reports there were; that it changes says that the process lives.
      step: the last one that ended; None before the loop.
      failed: why it ended, where it failed.
      status: its exit status, where it failed.
      done: it has nothing left to do.
    """

    host: str
    number: int = 0
    step: int | None = None
    failed: str | None = None
    status: int = 1
    done: bool = False

    @property
    def where(self) -> str:
        return "before the first step" if self.step is None else f"at step {self.step}"


@dataclasses.dataclass(frozen=True)
class Situation:
    """What one process knows, at a time of its own clock in seconds.

    Attributes:
      now: the time.
      process_id: this process.
      reports: the last one of each process, this one included.
      changed: when each process's report last changed.
      answered: when the coordination service last answered.
      progressed: when this process last made progress; None while nothing is expected of it.
    """

    now: float
    process_id: int
    reports: Mapping[int, Report]
    changed: Mapping[int, float]
    answered: float
    progressed: float | None


def verdict(at: Situation, limits: Timeouts) -> tuple[str, int] | None:
    """Why this process must end, and its exit status; None while nothing is wrong."""
    others = {i: r for i, r in at.reports.items() if i != at.process_id and not r.done}
    for i, report in others.items():
        if report.failed:
            message = f"process {i} on {report.host} ended {report.where}: {report.failed}"
            return message, report.status
    if at.now - at.answered > limits.lost_timeout:
        return (
            f"process 0 on {at.reports[0].host}, the coordinator, has not answered for "
            f"{at.now - at.answered:.0f} s: it was lost or is stuck. {_RESTART}",
            LOST_STATUS,
        )
    for i, report in others.items():
        # Judged by the last answer: while there is none, nobody's report can be new.
        silent = at.answered - at.changed[i]
        if silent > limits.lost_timeout:
            return (
                f"process {i} on {report.host} has not reported for {silent:.0f} s (it was "
                f"{report.where}, this one is {at.reports[at.process_id].where}): it was lost or "
                f"is stuck. {_RESTART}",
                LOST_STATUS,
            )
    if at.progressed is not None and 0 < limits.stall_timeout < at.now - at.progressed:
        mine = at.reports[at.process_id]
        return (
            f"process {at.process_id} on {mine.host} has made no progress for "
            f"{at.now - at.progressed:.0f} s {mine.where}. {_furthest_behind(at)}. {_RESTART}. If "
            "it was only slow, raise config.distributed.stall_timeout",
            LOST_STATUS,
        )
    return None


def _furthest_behind(at: Situation) -> str:
    steps = {
        i: -1 if report.step is None else report.step
        for i, report in at.reports.items()
        if not report.done
    }
    behind = min(steps, key=steps.__getitem__)
    if steps[behind] == max(steps.values()):
        return "All processes are running"
    report = at.reports[behind]
    return f"The furthest behind is process {behind} on {report.host}, {report.where}"


class Store(Protocol):
    """What all processes can write to and read; JAX's coordination service has these."""

    def key_value_set(self, key: str, value: str, allow_overwrite: bool = False) -> None: ...

    def key_value_dir_get(self, key: str) -> list[tuple[str, str]]: ...


class Watch:
    """Reports this process's progress, and ends it where `verdict` says so."""

    _FOLDER = "biobert_jax/reports"

    def __init__(self, store: Store, process_id: int, hosts: list[str], limits: Timeouts):
        """Starts watching.

        Args:
          store: shared by all processes.
          process_id: of this one.
          hosts: of all.
          limits: how long to wait.
        """
        self._store, self._id, self.limits = store, process_id, limits
        self._reports = {i: Report(host) for i, host in enumerate(hosts)}
        self._mine = self._reports[process_id]
        self._now = 0.0
        self._changed = dict.fromkeys(self._reports, 0.0)
        self._answered = 0.0
        self._progressed: float | None = None
        self._lock = threading.Lock()
        self._hurry, self._sent, self._stopped = (threading.Event() for _ in range(3))
        # Asking can block where the coordinator stands still; judging must not.
        self._threads = [
            threading.Thread(target=target, name=target.__name__, daemon=True)
            for target in (self._exchange, self._judge)
        ]
        for thread in self._threads:
            thread.start()

    def report_progress(self, step: int | None = None) -> None:
        """Notes progress; with a step, that this step ended."""
        if step is not None:
            self._say(step=step)
        self._progressed = self._now

    def fail(self, why: str, status: int = 1) -> None:
        """Reports why this process ends, and returns when the others can have read it."""
        self._publish(failed=why, status=status)
        # When it is gone, operations between the processes fail; with process 0, reading this, too.
        time.sleep(2 * self.limits.interval)

    def finish(self) -> None:
        """Ends the watch: this process is done, and the others need not wait for its reports."""
        self._progressed = None
        self._publish(done=True)
        self._stopped.set()
        self._hurry.set()
        for thread in self._threads:
            thread.join(timeout=self.limits.interval)

    def _say(self, **changes: object) -> None:
        with self._lock:
            self._mine = dataclasses.replace(self._mine, **changes)

    def _publish(self, **changes: object) -> None:
        self._say(**changes)
        self._sent.clear()
        self._hurry.set()
        self._sent.wait(timeout=self.limits.interval)

    def _exchange(self) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            report = dataclasses.replace(self._mine, number=number)
            try:
                self._store.key_value_set(
                    f"{self._FOLDER}/{self._id}",
                    json.dumps(dataclasses.asdict(report)),
                    allow_overwrite=True,
                )
                if dataclasses.replace(self._mine, number=number) == report:
                    self._sent.set()
                answers = self._store.key_value_dir_get(self._FOLDER)
            except Exception:  # whatever it is, `_judge` sees that there is no answer
                self._stopped.wait(self.limits.interval)
                continue
            for key, value in answers:
                i, theirs = int(key.rpartition("/")[2]), Report(**json.loads(value))
                if theirs.number != self._reports[i].number:
                    self._changed[i] = self._now
                self._reports[i] = theirs
            self._answered = self._now
            self._hurry.wait(self.limits.interval)
            self._hurry.clear()

    def _judge(self) -> None:
        tick = min(1.0, self.limits.interval)
        last = time.monotonic()
        while not self._stopped.wait(tick):
            # Where this process itself was stopped, or its machine slept, that time says nothing.
            passed, last = time.monotonic() - last, time.monotonic()
            self._now += min(passed, 2 * tick)
            found = verdict(self._situation(), self.limits)
            if found is not None and self._mine.failed is None:
                message, status = found
                print(f"error: {message}", file=sys.stderr, flush=True)
                if self._id == 0:
                    self.fail(message, status)
                exit_now(status)

    def _situation(self) -> Situation:
        return Situation(
            self._now,
            self._id,
            {**self._reports, self._id: self._mine},
            dict(self._changed),
            self._answered,
            self._progressed,
        )


def exit_now(status: int) -> NoReturn:
    """Ends the process at once: exiting as usual waits for the processes that are lost."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(status)
