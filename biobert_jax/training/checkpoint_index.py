"""Which checkpoints a run has: `runs/pubmed@25000`, `@best`, `@last`, and `biobert checkpoints`."""

import argparse
import dataclasses
import datetime
from pathlib import Path

from biobert_jax.errors import CheckpointError
from biobert_jax.files import files_below, read_json, to_path


@dataclasses.dataclass(frozen=True)
class Saved:
    """A complete checkpoint.

    Attributes:
      step: the training step.
      score: on validation, larger is better; None if it was not scored.
      size: bytes on disk.
      written: when.
    """

    step: int
    score: float | None
    size: int
    written: datetime.datetime


def split_name(name: str) -> tuple[str, str]:
    """Splits `runs/p@500` into the run and what is asked of it; the latter may be empty.

    A folder whose own name has an @ is taken as it is.
    """
    run, at, which = name.rpartition("@")
    if not at or to_path(name).expanduser().exists() or "/" in which:
        return name, ""
    return run, which


def find_step(workdir: Path, which: str) -> int:
    """The step of a checkpoint by its number, `best` (on validation) or `last`.

    Raises:
      CheckpointError: there is no such checkpoint; says which there are.
    """
    saved = list_checkpoints(workdir)
    steps = ", ".join(str(one.step) for one in saved)
    if not saved:
        raise CheckpointError(f"{workdir}: has no complete checkpoint; train first")
    if which == "last":
        return saved[-1].step
    if which == "best" and (step := _selected(workdir)) in [one.step for one in saved]:
        return step
    if which == "best":
        scored = [one for one in saved if one.score is not None]
        if not scored:
            raise CheckpointError(
                f"{workdir}@best: no checkpoint was scored on validation; found steps {steps}. "
                "Name one, or train with --config.train.evaluate_every"
            )
        return max(scored, key=lambda one: (one.score, -one.step)).step
    if which.isdecimal() and int(which) in [one.step for one in saved]:
        return int(which)
    raise CheckpointError(
        f"{workdir}@{which}: no such checkpoint; expected best, last or a step, one of {steps}"
    )


def _selected(workdir: Path) -> int:
    """The step that a finished run with `train.select=best` tested; otherwise -1.

    Its last state is scored after it was saved, so its checkpoint carries no score.
    """
    files = [workdir.expanduser() / name for name in ("config.json", "results.json")]
    if not all(file.is_file() for file in files):
        return -1
    config, results = (read_json(file) for file in files)
    train = config.get("train") if isinstance(config, dict) else None
    selects = isinstance(train, dict) and train.get("select") == "best"
    step = results.get("step") if isinstance(results, dict) else None
    return step if selects and isinstance(step, int) else -1


def list_checkpoints(workdir: Path) -> list[Saved]:
    """The complete checkpoints of a run, by step; changes nothing in the folder.

    Raises:
      CheckpointError: the metrics of one are damaged.
    """
    # Here, since it imports Orbax, and the console script lists this module's commands.
    from biobert_jax.training.saved import FOLDER, finished_steps, read_score

    path = workdir.expanduser().absolute() / FOLDER
    if not path.is_dir():
        return []
    found = []
    for step in finished_steps(path):
        folder = path / str(step)
        files = files_below(folder).values()
        written = max((status.st_mtime for status in files), default=0)
        found.append(
            Saved(
                step,
                read_score(path, step),
                sum(status.st_size for status in files),
                datetime.datetime.fromtimestamp(written),
            )
        )
    return found


def declare(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `biobert checkpoints`."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's workdir")


def run(args: argparse.Namespace) -> None:
    """Prints the checkpoints of runs.

    Raises:
      CheckpointError: a folder has none.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("run", "step", "validation score", "MB", "written")
    missing: list[str] = []
    for workdir in map(to_path, args.runs):
        saved = list_checkpoints(workdir)
        if not saved:
            missing.append(str(workdir))
        best = max((one.score for one in saved if one.score is not None), default=None)
        for one in saved:
            score = "" if one.score is None else f"{one.score:.2f}"
            score += " best" if one.score is not None and one.score == best else ""
            written = f"{one.written:%Y-%m-%d %H:%M}"
            table.add_row(str(workdir), str(one.step), score, f"{one.size / 1e6:.1f}", written)
    if missing and len(missing) == len(args.runs):
        raise CheckpointError(f"{', '.join(missing)}: no complete checkpoint; expected workdirs")
    Console().print(table)
    if missing:
        Console(stderr=True).print(f"left out, without a complete checkpoint: {', '.join(missing)}")
