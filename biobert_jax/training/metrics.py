"""What training reports, and where: metrics.jsonl, TensorBoard events.

metrics.jsonl holds only what is a function of the config and the data, so that two runs of one
config can be compared line by line; speeds go to TensorBoard and to throughput.jsonl.
"""

import contextlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from clu import metrics as clu_metrics

from biobert_jax.files import in_bucket, write_text, writing
from biobert_jax.training.mirror import Mirror

METRICS = "metrics.jsonl"
THROUGHPUT = "throughput.jsonl"


def _average(total: float, count: float) -> Any:
    make: Any = clu_metrics.Average  # a flax.struct.dataclass, which hides its fields
    return make(np.float64(total), np.float64(count))


class Interval:
    """Averages over the steps since the last report."""

    def __init__(self, saved: Mapping[str, tuple[float, float]] | None = None):
        self._averages = {
            name: _average(total, count) for name, (total, count) in (saved or {}).items()
        }

    def add(self, step_metrics: Mapping[str, Any]) -> None:
        """Merges what a train step returned, already on the host."""
        entries = {
            f"loss_{name}": (value, step_metrics["weights"][name])
            for name, value in step_metrics["sums"].items()
        }
        entries["grad_norm"] = (step_metrics["grad_norm"], 1)
        entries["tokens"] = (step_metrics["tokens"], 1)
        for name, (total, count) in entries.items():
            average = _average(total, count)
            old = self._averages.get(name)
            self._averages[name] = average if old is None else old.merge(average)

    def compute(self) -> dict[str, float]:
        """The averages; `loss` is the sum of the parts'."""
        out = {name: float(average.compute()) for name, average in self._averages.items()}
        parts = {name: out.pop(name) for name in list(out) if name.startswith("loss_")}
        detail = parts if len(parts) > 1 else {}
        return {"loss": math.fsum(parts.values())} | detail | out

    def save(self) -> dict[str, tuple[float, float]]:
        """A JSON-serialisable form that the constructor reads back exactly."""
        return {name: (float(a.total), float(a.count)) for name, a in self._averages.items()}


class Writers:
    """The files of a run; on processes other than the first, nothing is written.

    Those of a workdir in a bucket grow on this machine, and are uploaded as wholes.
    """

    def __init__(self, workdir: Path, resumed_at: int, active: bool, upload_every: float = 60.0):
        """Opens the files and drops what an interrupted run wrote after step `resumed_at`.

        Args:
          workdir: the run's folder.
          resumed_at: the step that it begins after.
          active: whether this process writes.
          upload_every: seconds between uploads into a bucket.
        """
        self._active = active
        if not active:
            return
        self._workdir = workdir
        self._files = {}
        self._mirror = Mirror(workdir, upload_every) if in_bucket(workdir) else None
        folder = self._mirror.folder if self._mirror else workdir
        with writing(workdir):
            for name in (METRICS, THROUGHPUT):
                if self._mirror:
                    self._mirror.fetch(name)
                keep_until(folder / name, resumed_at)
                self._files[name] = open(folder / name, "a", encoding="utf-8")  # noqa: SIM115
            self._board = Board(folder / "tensorboard", resumed_at)

    def upload(self) -> None:
        """Brings the files into the bucket, if the workdir is in one.

        Called before a checkpoint is saved: a run that resumes from it finds all lines up to it.

        Raises:
          WriteError: they cannot be uploaded.
        """
        if self._active and self._mirror:
            self._mirror.upload()

    def write(self, name: str, step: int, values: Mapping[str, float]) -> None:
        """Appends a line to metrics.jsonl or throughput.jsonl, and the same to TensorBoard.

        Raises:
          TrainingError: there is no space left.
        """
        if not self._active:
            return
        with writing(self._workdir / name):
            self._files[name].write(json.dumps({"step": step, **values}) + "\n")
            self._files[name].flush()
            self._board.write(step, values)

    def close(self) -> None:
        """Closes the files; every line was flushed when it was written."""
        if not self._active:
            return
        for closing in (self._board, *self._files.values()):
            # A line that a full disk refused stays in the buffer; it was reported then.
            with contextlib.suppress(OSError):
                closing.close()
        if self._mirror:
            self._mirror.close()


class MetricsLog:
    """The metrics of one run: averaged over intervals, written to metrics.jsonl and TensorBoard.

    Attributes:
      writers: the files.
      interval: the averages since the last line.
      last_step: the step at which this run ends.
    """

    def __init__(
        self,
        writers: Writers,
        name: str,
        every: int,
        last_step: int,
        saved: Mapping[str, tuple[float, float]] | None = None,
    ):
        """Continues an interval.

        Args:
          writers: the files.
          name: of the run, among several in one program; otherwise empty.
          every: steps per line.
          last_step: the step at which this run ends; it gets a line, too.
          saved: an interval of `Interval.save`.
        """
        self.writers, self.last_step, self.interval = writers, last_step, Interval(saved)
        self._name, self._every = name, every

    def add(self, step: int, metrics: Mapping[str, Any]) -> dict[str, float] | None:
        """Merges a step's metrics; writes and returns the averages if a line is due."""
        self.interval.add(metrics)
        if step % self._every and step != self.last_step:
            return None
        values = self.interval.compute() | {"learning_rate": float(metrics["learning_rate"])}
        self.writers.write(METRICS, step, values)
        self.interval = Interval()
        return values

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a line of its own, such as a validation score."""
        self.writers.write(METRICS, step, values)

    def where(self, step: int) -> str:
        """Names a step of this run in a message."""
        return f"{self._name}, step {step}" if self._name else f"step {step}"


def scalars(results: Mapping[str, Any], name: str) -> dict[str, float]:
    """The numbers of a split's results by path, such as `validation/f1`; no lists, no strings."""
    out = {}
    for key, value in results.items():
        if isinstance(value, Mapping):
            out |= scalars(value, f"{name}/{key}")
        elif isinstance(value, int | float):
            out[f"{name}/{key}"] = float(value)
    return out


class Board:
    """TensorBoard events.

    Written in the caller's thread: in tensorboardX's own writer a full disk ends the background
    thread, and the program then waits permanently on its queue.
    """

    def __init__(self, folder: Path, resumed_at: int, name: str = "events"):
        """Begins a file; TensorBoard then forgets what earlier files say after `resumed_at`.

        Two files of one name that begin in the same second are one: the later overwrites.
        """
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2
        from tensorboardX.summary import scalar

        proto: Any = event_pb2  # its classes are made when it is imported
        self._event, self._scalar = proto.Event, scalar
        folder.mkdir(exist_ok=True)
        self._writer = EventsWriter(str(folder / name))
        if resumed_at:
            start = proto.SessionLog(status=proto.SessionLog.START)
            self._writer.write_event(
                self._event(wall_time=time.time(), step=resumed_at + 1, session_log=start)
            )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            summary = self._scalar(name, value)
            self._writer.write_event(self._event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def write_scores(workdir: Path, results: Mapping[str, Any]) -> None:
    """Writes a finished run's scores to its TensorBoard events, such as `test/f1`.

    Args:
      workdir: the run's folder.
      results: what results.json says; scores stand at `step`, or at 0 where several runs have one.
    """
    values: dict[str, float] = {}
    for split in ("validation", "test"):
        if isinstance(results.get(split), Mapping):
            values |= scalars(results[split], split)
    with writing(workdir):
        board = Board(workdir / "tensorboard", 0, "scores")
        board.write(int(results.get("step", 0)), values)
        board.close()


def keep_until(path: Path, step: int) -> None:
    """Drops the lines of a JSON-lines file that are later than a step, or only half written."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] > step:
                break
        except ValueError:
            break
        kept.append(line + "\n")
    write_text(path, kept)
