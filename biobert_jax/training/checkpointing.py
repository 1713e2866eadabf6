"""Checkpoints of a run, through Orbax.

Each checkpoint holds the training state, the position in the data, and the task's card: what it
takes to use the model without the data it was trained on.
"""

import json
import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    BestN,
    CustomSteps,
    LatestN,
)

from biobert_jax.cluster.job import is_communication_error
from biobert_jax.errors import CheckpointError, TrainingError
from biobert_jax.training.step import TrainState

FOLDER = "checkpoints"
SELECTED_BY = "score"

logger = logging.getLogger(__name__)


def quiet_orbax_logging() -> None:
    """Drops log records of Orbax that are reported elsewhere; entry points call this once."""
    for source in ("absl", "asyncio"):
        logging.getLogger(source).addFilter(_not_reported_elsewhere)


def _not_reported_elsewhere(record: logging.LogRecord) -> bool:
    """Whether a record is worth showing.

    Orbax warns of every checkpoint between evaluations, which has no score and is not meant to.
    For a save that failed, it and asyncio print the traceback of each thread and unfinished write,
    before the error is raised here.
    """
    if record.exc_info and record.exc_info[2] is not None:
        files = [frame.filename for frame in traceback.extract_tb(record.exc_info[2])]
        if any("orbax" in file for file in [record.pathname, *files]):
            return False
    return "tracked_metric" not in record.getMessage()


class Checkpoints:
    """The checkpoints of one workdir."""

    def __init__(
        self,
        workdir: Path,
        keep_last: int = 1,
        keep_best: int = 1,
        keep_steps: tuple[int, ...] = (),
        asynchronous: bool = True,
    ):
        """Opens or creates the folder.

        Args:
          workdir: the run's folder.
          keep_last, keep_best: how many of the newest and of the best-scoring ones to keep.
          keep_steps: steps to keep for ever.
          asynchronous: write in the background while training goes on.
        """
        policies = [LatestN(n=max(1, keep_last)), CustomSteps(keep_steps)]
        if keep_best:
            policies.append(
                BestN(
                    get_metric_fn=lambda metrics: metrics[SELECTED_BY],
                    n=keep_best,
                    keep_checkpoints_without_metrics=False,
                )
            )
        self._path = workdir.absolute() / FOLDER
        self._saving: int | None = None
        self._manager = ocp.CheckpointManager(
            self._path,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=AnyPreservationPolicy(policies),
                best_fn=lambda metrics: metrics[SELECTED_BY],
                enable_async_checkpointing=asynchronous,
                cleanup_tmp_directories=True,
            ),
        )

    def save(
        self,
        state: TrainState,
        position: Mapping[str, Any],
        card: Mapping[str, Any],
        score: float | None = None,
    ) -> None:
        """Saves a step once; a step that is there already stays as it is.

        Raises:
          TrainingError: this or an earlier, asynchronous save failed; those before it remain.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        self.wait()
        self._saving = step
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    position=ocp.args.JsonSave(dict(position)),
                    card=ocp.args.JsonSave(dict(card)),
                ),
                metrics=None if score is None else {SELECTED_BY: score},
            )
        except (OSError, ValueError, RuntimeError) as error:
            if is_communication_error(error):
                raise  # not the disk
            raise self._failed(error) from error

    def wait(self) -> None:
        """Waits until everything is on disk.

        Raises:
          TrainingError: an asynchronous save failed; the checkpoints before it remain.
        """
        try:
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
        except (OSError, ValueError, RuntimeError) as error:
            if is_communication_error(error):
                raise
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> TrainingError:
        good = self.latest()
        return TrainingError(
            f"{self._path}: the checkpoint of step {self._saving} could not be written "
            f"({_first_line(error)}). "
            + (f"The checkpoint of step {good} is whole. " if good is not None else "")
            + "Make room or choose another --workdir, then give the same command to go on"
        )

    def latest(self) -> int | None:
        """The newest finished checkpoint's step."""
        return max(finished_steps(self._path), default=None)

    def best(self) -> tuple[int, float] | None:
        """Step and score of the best-scoring checkpoint; None where none has a score."""
        step = self._manager.best_step()
        metrics = None if step is None else self._manager.metrics(step)
        return None if metrics is None else (step, metrics[SELECTED_BY])

    def restore(self, step: int, abstract: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Reads a state into the shapes and shardings of `abstract`, and the position with it.

        Raises:
          CheckpointError: the checkpoint is damaged.
        """
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(abstract), position=ocp.args.JsonRestore()
                ),
            )
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"{self._path / str(step)}: this checkpoint cannot be read ({_first_line(error)}). "
                "Move it away to go on from an earlier one, or from the start if there is none"
            ) from error
        return restored["state"], restored["position"]

    def close(self) -> None:
        """Lets go of the folder. A save that failed is told by `wait`, not here."""
        try:
            self._manager.close()
        except (OSError, ValueError, RuntimeError):
            logger.debug("a save failed before the checkpoints were closed", exc_info=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0][:300]


def finished_steps(path: Path) -> list[int]:
    """The steps whose checkpoints were completely written (others have a suffix)."""
    if not path.is_dir():
        return []
    return sorted(int(child.name) for child in path.iterdir() if child.name.isdigit())


def read_card(workdir: Path, step: int | None = None) -> tuple[dict[str, Any], Any, int]:
    """Reads the model of a run, without knowing its task.

    Args:
      workdir: the run's folder.
      step: which checkpoint; the one that `results.json` names as used, else the newest.

    Returns:
      The card, the parameters as numpy arrays, and the step.

    Raises:
      CheckpointError: the workdir has no finished checkpoint, lacks this one, or is that of trials.
    """
    path = workdir.absolute() / FOLDER
    steps = finished_steps(path)
    if step is None and (workdir / "results.json").is_file():
        step = json.loads((workdir / "results.json").read_text()).get("step")
    step = step if step is not None else max(steps, default=None)
    if step not in steps:
        raise CheckpointError(
            f"{path}: no finished checkpoint{'' if step is None else f' of step {step}'}; "
            f"found {steps or 'none'}. Train again, or name another workdir"
        )
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax misses files that it does not need
    with ocp.CheckpointManager(path, item_names=("state", "card")) as manager:
        card = manager.restore(step, args=ocp.args.Composite(card=ocp.args.JsonRestore()))["card"]
    if "trials" in card:
        raise CheckpointError(
            f"{workdir}: holds {len(card['trials'])} trials, not a model; name the folder of one, "
            f"such as {workdir / card['trials'][0]}"
        )
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        folder = path / str(step) / "state"
        # The optimiser's moments are twice as large as the parameters, and stay on disk.
        wanted = {"params": checkpointer.metadata(folder).item_metadata.tree["params"]}
        arguments = ocp.args.PyTreeRestore(
            item=wanted,
            restore_args=jax.tree.map(lambda _: ocp.ArrayRestoreArgs(sharding=here), wanted),
            partial_restore=True,
        )
        state = checkpointer.restore(folder, args=arguments)
    return card, jax.device_get(state["params"]), step
