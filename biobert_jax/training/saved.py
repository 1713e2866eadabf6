"""Reads what a run has saved: its checkpoints, the cards in them, its results.

Reading takes no lock and writes nothing.
"""

import contextlib
import logging
import os
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from biobert_jax.cluster.job import is_communication_error
from biobert_jax.errors import CheckpointError, DataError, UserError
from biobert_jax.files import in_bucket, read_json
from biobert_jax.training.checksums import find_damage

FOLDER = "checkpoints"
SELECTED_BY = "score"
COMMITTED = "commit_success.txt"  # Orbax's, in buckets

logger = logging.getLogger(__name__)


def finished_steps(path: Path) -> list[int]:
    """The steps whose checkpoints were completely written.

    Others have a suffix on a disk; in a bucket they lack Orbax's mark, which it writes last.
    """
    if not path.is_dir():
        return []
    found = [child for child in path.iterdir() if child.name.isdigit()]
    if in_bucket(path):  # where the folder of a step has its name from the start
        found = [child for child in found if (child / COMMITTED).is_file()]
    return sorted(int(child.name) for child in found)


def for_orbax(path: Path) -> Any:
    """A path as Orbax takes it: in a bucket its address, of which it makes a path by itself."""
    return os.fspath(path) if in_bucket(path) else path


def read_results(workdir: Path) -> dict[str, Any]:
    """The contents of a run's results.json; empty where there is none.

    Raises:
      CheckpointError: it cannot be read, or is no JSON object.
    """
    path = workdir / "results.json"
    if not path.is_file():
        return {}
    try:
        results = read_json(path)
        if not isinstance(results, dict):
            raise DataError(f"{path}: found {type(results).__name__}; expected a JSON object")
        step = results.get("step", 0)
        if not isinstance(step, int) or isinstance(step, bool):
            raise DataError(f"{path}: step is {reprlib.repr(step)}; expected a number")
    except DataError as error:
        raise CheckpointError(
            f"{error}. Give the command of the run again to write it anew, or remove it to use the "
            "newest checkpoint"
        ) from error
    return results


def read_card(workdir: Path, step: int | None = None) -> tuple[dict[str, Any], Any, int]:
    """Reads the model of a run, without knowing its task; takes no lock and writes nothing.

    Args:
      workdir: the run's folder.
      step: which checkpoint; the one that `results.json` names as used, else the newest.

    Returns:
      The card, the parameters as numpy arrays, and the step.

    Raises:
      CheckpointError: the workdir has no finished checkpoint, lacks this one, or is that of trials;
        a file is damaged.
    """
    path = workdir.absolute() / FOLDER
    steps = finished_steps(path)
    if step is None:
        step = read_results(workdir).get("step")
    step = step if step is not None else max(steps, default=None)
    if step not in steps:
        raise CheckpointError(
            f"{path}: no finished checkpoint{'' if step is None else f' of step {step}'}; "
            f"found {steps or 'none'}. Train again, or name another workdir"
        )
    check_files(path, step)
    with (
        reading(path, step),
        _without_warnings(),
        ocp.CheckpointManager(
            for_orbax(path),
            item_names=("state", "card"),
            options=ocp.CheckpointManagerOptions(read_only=True),
        ) as manager,
    ):
        card = manager.restore(step, args=ocp.args.Composite(card=ocp.args.JsonRestore()))["card"]
        if not isinstance(card, dict):
            raise ValueError(f"its card is {type(card).__name__}")
    if "trials" in card:
        raise CheckpointError(
            f"{workdir}: holds {len(card['trials'])} trials, not a model; name the folder of one, "
            f"such as {workdir / card['trials'][0]}"
        )
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    with (
        reading(path, step),
        _without_warnings(),
        ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer,
    ):
        folder = for_orbax(path / str(step) / "state")
        # The optimiser's moments are twice as large as the parameters, and stay on disk.
        wanted = {"params": checkpointer.metadata(folder).item_metadata.tree["params"]}
        arguments = ocp.args.PyTreeRestore(
            item=wanted,
            restore_args=jax.tree.map(lambda _: ocp.ArrayRestoreArgs(sharding=here), wanted),
            partial_restore=True,
        )
        params = jax.device_get(checkpointer.restore(folder, args=arguments)["params"])
    return card, params, step


def read_score(path: Path, step: int) -> float | None:
    """The validation score of a checkpoint; None where it has none.

    Args:
      path: the folder of the checkpoints.
      step: which one.

    Raises:
      CheckpointError: its metrics are damaged.
    """
    file = path / str(step) / "metrics" / "metrics"  # as Orbax's manager writes and reads them
    if not file.is_file():
        return None
    try:
        metrics = read_json(file)
        score = metrics.get(SELECTED_BY) if isinstance(metrics, dict) else None
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise DataError(f"{file}: found {reprlib.repr(metrics)}; expected a {SELECTED_BY}")
    except DataError as error:
        raise CheckpointError(f"{error}. {_instead_of(path, step)}") from error
    return float(score)


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Orbax warns of files that are missing and that it does not need here."""
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    try:
        yield
    finally:
        absl.setLevel(level)


def check_files(path: Path, step: int) -> None:
    """Raises CheckpointError where a file of a checkpoint is not as it was saved."""
    damage = find_damage(path / str(step)) if step in finished_steps(path) else ""
    if damage is None:
        logger.info("%s: saved without checksums; not checked", path / str(step))
    if damage:
        raise CheckpointError(f"{damage}: damaged since it was saved. {_instead_of(path, step)}")


@contextlib.contextmanager
def reading(path: Path, step: int) -> Iterator[None]:
    """Turns whatever restoring raises into a CheckpointError, unless the file is not to blame."""
    try:
        yield
    except Exception as error:
        if (
            is_communication_error(error)
            or isinstance(error, MemoryError | UserError)
            or "RESOURCE_EXHAUSTED" in str(error)
        ):
            raise
        raise CheckpointError(
            f"{path / str(step)}: this checkpoint cannot be read ({first_line(error)}). "
            f"{_instead_of(path, step)}"
        ) from error


def _instead_of(path: Path, step: int) -> str:
    """What to do without the checkpoint of a step."""
    older = (one for one in reversed(finished_steps(path)) if one < step)
    good = next((one for one in older if not find_damage(path / str(one))), None)
    folder = path / str(step)
    if good is None:
        return f"No older one is good. Move {folder} away to begin again, or restore a copy of it"
    return f"Move {folder} away to use the checkpoint of step {good} instead"


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0][:300]
