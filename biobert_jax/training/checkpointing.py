"""Checkpoints of a run, through Orbax.

Each checkpoint holds the training state, the position in the data, and the task's card: what it
takes to use the model without the data it was trained on.
"""

import contextlib
import logging
import threading
import traceback
import weakref
from collections.abc import Iterator, Mapping
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
from biobert_jax.errors import CheckpointError, TrainingError, UserError
from biobert_jax.files import writing
from biobert_jax.training.checksums import write_checksums
from biobert_jax.training.lock import lock_workdir
from biobert_jax.training.saved import (
    FOLDER,
    SELECTED_BY,
    check_files,
    finished_steps,
    first_line,
    for_orbax,
    read_score,
    reading,
)
from biobert_jax.training.step import TrainState

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
    """The checkpoints of one workdir, for the run that writes them; one process at a time.

    Files of a complete checkpoint get checksums, in the background; they are checked on restoring.
    """

    def __init__(
        self,
        workdir: Path,
        keep_last: int = 1,
        keep_best: int = 1,
        keep_steps: tuple[int, ...] = (),
        asynchronous: bool = True,
    ):
        """Opens or creates the folder, and locks the workdir until `close`.

        Args:
          workdir: the run's folder.
          keep_last, keep_best: how many of the newest and of the best-scoring ones to keep.
          keep_steps: steps to keep permanently.
          asynchronous: write in the background while training continues.

        Raises:
          TrainingError: another process uses the workdir.
          WriteError: the folder cannot be written to.
          CheckpointError: what is in it cannot be read.
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
        self._checksums: threading.Thread | None = None
        self._release = self._check_lock = lambda: None
        if jax.process_index() == 0:
            with writing(workdir):
                workdir.mkdir(parents=True, exist_ok=True)
            # Without `close` (an error on the way), when nobody uses this any more.
            lock = lock_workdir(workdir)
            self._check_lock = lock.check
            self._release = weakref.finalize(self, lock.release)
        try:
            for step in finished_steps(self._path):
                read_score(self._path, step)  # Orbax would not say which one is damaged
            with writing(self._path):
                self._manager = ocp.CheckpointManager(
                    for_orbax(self._path),
                    options=ocp.CheckpointManagerOptions(
                        preservation_policy=AnyPreservationPolicy(policies),
                        best_fn=lambda metrics: metrics[SELECTED_BY],
                        enable_async_checkpointing=asynchronous,
                        cleanup_tmp_directories=True,  # nobody else's: the workdir is locked
                    ),
                )
        except Exception as error:
            self._release()
            if isinstance(error, UserError) or is_communication_error(error):
                raise
            raise CheckpointError(
                f"{self._path}: the checkpoints cannot be opened ({first_line(error)}). Move the "
                "folder of the damaged step away, or choose another --workdir"
            ) from error

    def save(
        self,
        state: Any,
        position: Mapping[str, Any],
        card: Mapping[str, Any],
        score: float | None = None,
    ) -> None:
        """Saves a step once; a step that was saved before stays as it is.

        Raises:
          TrainingError: this or an earlier, asynchronous save failed; those before it remain. Or
            another process has taken the workdir over.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        self.wait()
        self._check_lock()
        self._saving = step
        with self._failing():
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    position=ocp.args.JsonSave(dict(position)),
                    card=ocp.args.JsonSave(dict(card)),
                ),
                metrics=None if score is None else {SELECTED_BY: score},
            )
        if jax.process_index() == 0:
            self._checksums = threading.Thread(
                target=_add_checksums, args=(self._manager, self._path / str(step)), daemon=True
            )
            self._checksums.start()

    def wait(self) -> None:
        """Waits until everything is on disk.

        Raises:
          TrainingError: an asynchronous save failed; the checkpoints before it remain.
        """
        with self._failing():
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
        if self._checksums is not None:
            self._checksums.join()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Turns whatever a save raises into a TrainingError, unless a process was lost."""
        try:
            yield
        except Exception as error:
            if is_communication_error(error):
                raise
            good = self.latest()
            raise TrainingError(
                f"{self._path}: the checkpoint of step {self._saving} could not be written "
                f"({first_line(error)}). "
                + (f"The checkpoint of step {good} is complete. " if good is not None else "")
                + "Make room or choose another --workdir, then give the same command to resume"
            ) from error

    def latest(self) -> int | None:
        """The newest finished checkpoint's step."""
        return max(finished_steps(self._path), default=None)

    def best(self) -> tuple[int, float] | None:
        """Step and score of the best-scoring checkpoint; None where none has a score."""
        step = self._manager.best_step()
        metrics = None if step is None else self._manager.metrics(step)
        return None if step is None or metrics is None else (step, metrics[SELECTED_BY])

    def restore(self, step: int, abstract: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Reads a state into the shapes and shardings of `abstract`, and the position with it.

        Raises:
          CheckpointError: the checkpoint is damaged; names the file where checksums say which, and
            the newest older step that is not.
        """
        if jax.process_index() == 0:
            check_files(self._path, step)
        with reading(self._path, step):
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(abstract), position=ocp.args.JsonRestore()
                ),
            )
            state, position = restored["state"], restored["position"]
            if not isinstance(position, dict):
                raise ValueError(f"its position in the data is {type(position).__name__}")
        return state, position

    def close(self) -> None:
        """Closes the folder and unlocks the workdir. `wait` reports a failed save, not this."""
        try:
            self._manager.close()
        except Exception:
            logger.debug("a save failed before the checkpoints were closed", exc_info=True)
        if self._checksums is not None:
            self._checksums.join()
        self._release()


def _add_checksums(manager: ocp.CheckpointManager, folder: Path) -> None:
    """Waits for a save to end, and lists its files."""
    try:
        manager.wait_until_finished()
    except Exception:  # raised again where the save is waited for
        return
    try:
        if folder.is_dir():
            write_checksums(folder)
    except UserError as error:
        logger.warning("%s: saved, but without checksums (%s)", folder, error)
