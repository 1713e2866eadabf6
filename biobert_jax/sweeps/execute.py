"""Runs a sweep: starts what is ready, records what ended, resumes where it was stopped."""

import dataclasses
import json
import logging
import re
import signal
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from biobert_jax import files
from biobert_jax.sweeps import child
from biobert_jax.sweeps.executors import Executor
from biobert_jax.sweeps.plan import REFERENCE, SweepError, SweepRun, best_of, resolved

logger = logging.getLogger(__name__)

RECORDS = ".sweep"
"""The folder, in the sweep's workdir, of a record and a log per run."""

LOST = ("failed", "skipped", "stopped")
"""States of runs that do not finish before the command is repeated."""

Command = Callable[[SweepRun, Mapping[str, Any], Path], list[str]]
"""From a run, its resolved settings and its folder to the command that computes it."""


@dataclasses.dataclass
class Record:
    """What is known of a run.

    Attributes:
      state: `waiting`, `running`, `done`, `failed`, `skipped` (a run that it needs failed) or
        `stopped` (it saved and ended early; a repeated command resumes it).
      settings: resolved; None before they are.
      seconds: that its commands took; 0 before it ended.
      error: why it failed or was skipped.
    """

    state: str = "waiting"
    settings: dict[str, Any] | None = None
    seconds: float = 0.0
    error: str = ""


class Sweep:
    """The runs of a sweep in a workdir, with what is recorded of them."""

    def __init__(self, runs: Sequence[SweepRun], workdir: Path):
        """Reads the records.

        Raises:
          SweepError: a finished run has other settings now, or a record is damaged.
        """
        self.runs, self.workdir = list(runs), workdir
        # When a command began, and the states before it that it starts again.
        self.old: tuple[float, set[str]] = (0.0, set())
        self.records = {run.name: self._read(run) for run in self.runs}

    def folder(self, name: str) -> Path:
        """The workdir of a run."""
        return self.workdir / name

    def log(self, name: str) -> Path:
        """The output of a run's commands."""
        return self.workdir / RECORDS / f"{name}.log"

    def _file(self, name: str) -> Path:
        return self.workdir / RECORDS / f"{name}.json"

    def _read(self, run: SweepRun) -> Record:
        file = self._file(run.name)
        if not file.is_file():
            # A run whose printed command was run by hand, or by another scheduler.
            finished = (self.folder(run.name) / "results.json").is_file()
            return self._adopted(run) if finished else Record()
        try:
            record = Record(**files.read_json(file))
        except (TypeError, ValueError) as error:
            raise SweepError(
                f"{file}: not the record of a run ({error}); remove it to run {run.name} again"
            ) from error
        if record.state == "done" and not (self.folder(run.name) / "results.json").is_file():
            record.state = "waiting"
        if record.state == "done" and record.settings is not None:
            self._check_settings(run, record.settings)
        return record

    def _adopted(self, run: SweepRun) -> Record:
        """The record of a finished folder that has none, by its config.json."""
        file = self.folder(run.name) / "config.json"
        settings: dict[str, Any] = {"config": run.config}
        given = resolved(run.settings, self.folder, {})
        if file.is_file():
            config = files.read_json(file)
            for name in given:
                value = config
                for part in name.split("."):
                    value = value.get(part) if isinstance(value, dict) else None
                settings[name] = value
        else:  # of `biobert evaluate`, which writes no config
            settings |= given
        record = Record("done", _as_json(settings))
        self._check_settings(run, record.settings or {})
        return record

    def _check_settings(self, run: SweepRun, before: Mapping[str, Any]) -> None:
        """Raises SweepError if a finished run would have other settings now."""
        chosen = run.choose.settings if run.choose else ()
        now = _as_json({"config": run.config} | resolved(run.settings, self.folder, {}))
        for name in sorted((now.keys() | before.keys()) - set(chosen)):
            if not same_setting(run.settings.get(name), now.get(name), before.get(name)):
                raise SweepError(
                    f"{self.folder(run.name)}: finished with {name} = {before.get(name)!r}, and "
                    f"the sweep has {now.get(name)!r} now; choose another --workdir, or remove "
                    f"this folder and {self._file(run.name)}"
                )

    def write(self, name: str) -> None:
        """Records a run."""
        file = self._file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(file, dataclasses.asdict(self.records[name]))

    def results(self, name: str) -> Any:
        """results.json of a finished run."""
        return files.read_json(self.folder(name) / "results.json")

    def settings(self, run: SweepRun) -> dict[str, Any]:
        """The settings of a run whose needs are finished.

        Raises:
          SweepError: a choice cannot be made.
        """
        chosen = {}
        if run.choose:
            results = {name: self.results(name) for name in run.choose.among}
            best = best_of(run.choose, results)
            settings = self.records[best].settings or {}
            missing = [name for name in run.choose.settings if name not in settings]
            if missing:
                raise SweepError(
                    f"sweep: {run.name} takes {missing[0]} from {best}, which does not set it"
                )
            chosen = {name: settings[name] for name in run.choose.settings}
            logger.info(
                "%s: takes %s from %s, the best by %s", run.name, chosen, best, run.choose.by
            )
        return resolved(run.settings, self.folder, chosen)

    def state(self, name: str) -> str:
        return self.records[name].state

    def refresh(self, own: Collection[str]) -> None:
        """Reads the records of runs that are not our `own`: other shards may have finished them."""
        began, again = self.old
        for run in self.runs:
            if run.name not in own and self.state(run.name) != "done":
                self.records[run.name] = record = self._read(run)
                file = self._file(run.name)
                # Its shard starts it again, as this one does with its own.
                if record.state in again and file.stat().st_mtime < began:
                    record.state = "waiting"


def same_setting(given: Any, now: Any, before: Any) -> bool:
    """Whether a setting has the value of before.

    A folder of another run may be written relative or absolute, as --workdir was.

    Args:
      given: the setting as the sweep has it, with `{NAME}` for the folder of a run.
      now: with that folder in its place.
      before: the recorded value.
    """
    if now == before or not (isinstance(given, str) and isinstance(before, str)):
        return now == before
    parts = REFERENCE.split(given)  # text, name, text, name, ..., text
    pattern = "".join(
        f"(.*/)?{re.escape(part)}" if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    )
    return len(parts) > 1 and re.fullmatch(pattern, before) is not None


def run_sweep(
    sweep: Sweep,
    own: Sequence[SweepRun],
    command: Command,
    executor: Executor,
    retry: bool = False,
    poll: float = 10.0,
) -> bool:
    """Runs what is left of a sweep; a failing run does not stop the others.

    Args:
      sweep: all runs.
      own: those that this process runs; it waits for others that these need.
      command: what computes a run.
      executor: where.
      retry: whether to run again what failed before.
      poll: seconds between looks at what others have finished.

    Returns:
      Whether all of `own` are done.

    Raises:
      KeyboardInterrupt: SIGTERM or Ctrl-C; the runs were asked to save.
    """
    again = {"running", "stopped", "skipped"} | ({"failed"} if retry else set())
    sweep.old = (time.time(), again)
    for run in own:
        if sweep.state(run.name) in again:  # `running`: this command was killed
            sweep.records[run.name].state = "waiting"
            sweep.write(run.name)
    names = {run.name for run in own}
    sweep.refresh(names)
    running: dict[Any, tuple[SweepRun, float, int]] = {}
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting := [run for run in own if sweep.state(run.name) in ("waiting", "running")]:
            for run in waiting:
                if sweep.state(run.name) == "waiting":
                    _start_if_ready(sweep, run, command, executor, running)
            if not running and not any(_waits_for_others(sweep, run, names) for run in waiting):
                continue  # what was skipped may let others be skipped
            if running:
                for handle, status in executor.wait(list(running), poll).items():
                    run, began, begin = running.pop(handle)
                    _finish(sweep, run, status, time.monotonic() - began, begin)
                    _log_progress(sweep, own, executor.capacity)
            else:
                time.sleep(poll)
            sweep.refresh(names)
    except BaseException:
        executor.stop(list(running))
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
    return all(sweep.state(run.name) == "done" for run in own)


def _start_if_ready(
    sweep: Sweep, run: SweepRun, command: Command, executor: Executor, running: dict
) -> None:
    record = sweep.records[run.name]
    lost = [name for name in run.needs if sweep.state(name) in LOST]
    if lost:
        record.state, record.error = "skipped", f"{lost[0]}, which it needs, {sweep.state(lost[0])}"
        sweep.write(run.name)
        logger.warning("%s: skipped, since %s", run.name, record.error)
    elif len(running) < executor.capacity and all(sweep.state(n) == "done" for n in run.needs):
        try:
            settings = sweep.settings(run)
            line = command(run, settings, sweep.folder(run.name))
        except SweepError as error:
            record.state, record.error = "failed", str(error)
            sweep.write(run.name)
            logger.error("%s: failed: %s", run.name, error)
            return
        record.state, record.error = "running", ""
        record.settings = _as_json({"config": run.config} | settings)
        sweep.write(run.name)
        logger.info("%s: started", run.name)
        log = sweep.log(run.name)
        begin = log.stat().st_size if log.exists() else 0
        running[executor.start(line, log)] = (run, time.monotonic(), begin)


def _waits_for_others(sweep: Sweep, run: SweepRun, names: Collection[str]) -> bool:
    return any(n not in names and sweep.state(n) in ("waiting", "running") for n in run.needs)


def _finish(sweep: Sweep, run: SweepRun, status: int, seconds: float, begin: int) -> None:
    record = sweep.records[run.name]
    record.seconds += seconds
    if status == 0 and (sweep.folder(run.name) / "results.json").is_file():
        record.state = "done"
    elif status == 0:  # as SIGTERM asks
        record.state, record.error = "stopped", "stopped early, saved"
    else:
        record.state = "failed"
        record.error = child.error_of(sweep.log(run.name), begin) or f"exit status {status}"
        logger.error("%s: failed: %s (%s)", run.name, record.error, sweep.log(run.name))
    sweep.write(run.name)


def _log_progress(sweep: Sweep, own: Sequence[SweepRun], workers: int) -> None:
    records = [sweep.records[run.name] for run in own]
    taken = [record.seconds for record in records if record.state == "done" and record.seconds]
    left = sum(record.state in ("waiting", "running") for record in records)
    failed = sum(record.state in LOST for record in records)
    rest = f", about {_duration(statistics.mean(taken) * left / workers)} left" if taken else ""
    done = sum(record.state == "done" for record in records)
    logger.info("%d of %d runs done, %d failed%s", done, len(records), failed, rest if left else "")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they come back from a record: tuples as lists."""
    return json.loads(json.dumps(dict(settings)))
