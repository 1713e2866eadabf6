"""A training run, for all tasks, from its data to its scores. It reads top to bottom."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax.sharding import Mesh

from biobert_jax.cluster import job
from biobert_jax.cluster.preemption import Preemption
from biobert_jax.errors import TrainingError
from biobert_jax.tasks.protocol import Task
from biobert_jax.training import workdir as workdirs
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.data import (
    TrainingData,
    encode_state,
    restore_position,
    training_data,
)
from biobert_jax.training.evaluator import Evaluator
from biobert_jax.training.metrics import THROUGHPUT, MetricsLog, Writers, scalars
from biobert_jax.training.profiling import StepTrace
from biobert_jax.training.progress import Progress
from biobert_jax.training.sharding import log_bytes, make_mesh, mesh_sizes, to_devices
from biobert_jax.training.step import Program, build_program, shardings_of

logger = logging.getLogger(__name__)

IDLE = 0.05
"""The share of its time that a device may wait for data before the log says so."""


def train_and_evaluate(
    config: ml_collections.ConfigDict,
    task: Task,
    workdir: Path,
    initial_params: Callable[[Any], Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Trains a task, or resumes it, and scores its splits.

    Args:
      config: `seed`, `batch`, `train`, `optimizer`, `checkpoint`, `loader`, `log_every`.
      task: the task to train.
      workdir: the run's folder; an existing one of the same config is resumed.
      initial_params: a function from fresh parameters to those that training starts with.
      facts: what environment.json says besides of this start.

    Returns:
      The results for results.json; None if a signal ended the run early, after a save.

    Raises:
      TrainingError: the workdir belongs to another config, the loss is not finite, or a save
        failed.
      DataError: there are no training examples, or too few for `train.steps`.
      KeyboardInterrupt: Ctrl-C ended the run early, after a save.
    """
    workdirs.prepare(workdir, config)
    mesh = make_mesh(mesh_sizes(config))
    with jax.set_mesh(mesh), Run(config, task, mesh, training_data(config, task, mesh)) as run:
        # Dropout draws other masks for another number of them.
        workdirs.note(workdir, {**(facts or {}), "micro_batches": run.data.micro_batches})
        run.start(workdir, initial_params)
        return run.evaluate() if run.train() else None


class Run:
    """One training run: state, data, compiled step, checkpoints and logs.

    Building a Run starts nothing: it makes no array and touches no file. `start` does both, `train`
    is the loop, `evaluate` the end. Benchmarks call `initialise` and `advance` only.

    `several.stacked.StackedRun` is several runs in one program. It gives its own `program` and
    overrides `initialise` and `start` (the state), `place` (a batch), `separate` (metrics) and
    `save`; none of them is called before `start` or `initialise`.

    Attributes:
      state: the training state on the devices; None before `start` or `initialise`.
      program: its shapes and shardings, and the compiled step.
      total_steps: the step at which training ends.
      first_step: the step that training started or resumed from.
      logs: one per run in this program; one here.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        task: Task,
        mesh: Mesh,
        data: TrainingData,
        program: Program | None = None,
    ):
        self.config, self.task, self.mesh, self.data = config, task, mesh, data
        self.program = program or build_program(
            config, task, mesh, data.total_steps, data.micro_batches
        )
        self.total_steps = data.total_steps
        self.first_step = 0
        self.state: Any = None
        self.logs: Sequence[MetricsLog] = ()
        # None until `start`, which all that use them come after.
        self.checkpoints = cast(Checkpoints, None)
        self.progress = cast(Progress, None)
        self.speeds = cast(Writers, None)  # where throughput is written
        self.trace = StepTrace(Path(), 0, 0)
        self._warned = False
        self._pending: tuple[int, Any] | None = None  # a step whose metrics are on the device

    # ---- Set-up: shapes, then shardings, then values, so that no array is placed twice.

    def initialise(self, initial_params: Callable[[Any], Any] | None = None) -> None:
        """Makes the state of step 0."""
        shardings = shardings_of(self.program.abstract)
        self.state = jax.jit(self.program.init, out_shardings=shardings)(self.config.seed)
        if initial_params is not None:
            params = initial_params(self.state.params)
            self.state = self.state.replace(params=jax.device_put(params, shardings.params))

    def start(self, workdir: Path, initial_params: Callable[[Any], Any] | None = None) -> None:
        """Restores this run's last checkpoint, or initialises; then opens the run's files."""
        self.workdir = workdir
        log_parameters(self.program.abstract.params)
        log_bytes(self.program.abstract.params, self.program.abstract.opt_state, self.mesh)
        self.checkpoints = open_checkpoints(workdir, self.config)
        position: Mapping[str, Any] = {}
        if (latest := self.checkpoints.latest()) is not None:
            self.state, position = self.checkpoints.restore(latest, self.program.abstract)
            restore_position(self.data.batches, position, workdir)
            logger.info("resumed at step %d", int(self.state.step))
        else:
            self.initialise(initial_params)
        self.evaluator = Evaluator(self.config, self.task, self.mesh)
        self.open_logs(int(self.state.step), [(workdir, "", position.get("interval"))])

    def open_logs(
        self, first_step: int, runs: Sequence[tuple[Path, str, Any]], steps: Sequence[int] = ()
    ) -> None:
        """Opens the metrics of each run in this program, and the progress line of all.

        Args:
          first_step: the step that training starts or resumes from.
          runs: folder, name and saved interval of each.
          steps: at which each ends; `total_steps` by default.
        """
        self.first_step = first_step
        main = jax.process_index() == 0
        every, upload_every = self.config.log_every, self.config.upload_every
        self.logs = [
            MetricsLog(Writers(folder, first_step, main, upload_every), name, every, end, interval)
            for (folder, name, interval), end in zip(
                runs, steps or [self.total_steps] * len(runs), strict=True
            )
        ]
        self.speeds = self.logs[0].writers
        positions = self.data.rows * self.config.batch.row_length
        self.progress = Progress(self.total_steps, first_step, positions, main)
        if main:
            profile = self.config.profile
            self.trace = StepTrace.of_run(
                self.workdir, profile.start, profile.steps, first_step, self.total_steps
            )

    # ---- The loop.

    def train(self) -> bool:
        """Trains to the last step; False if SIGTERM ended it early, after a save.

        Raises:
          KeyboardInterrupt: Ctrl-C ended it early, after a save.
        """
        assert self.progress is not None, "start the run first"
        job.report_progress(self.first_step)  # from here on, a lack of progress is noticed
        with Preemption() as preemption:
            for step in range(self.first_step + 1, self.total_steps + 1):
                with self.trace.step(step):
                    batch = self.fetch()
                    metrics = self.advance(batch)
                given = (self.state, batch, self.program.numbers)
                self.trace.after(step, metrics, self.program.step, given)
                self.report_pending()  # of the step before, while the device computes this one
                self._pending = (step, metrics)
                if step == self.first_step + 1:
                    self.report_pending()
                    logger.info("step %d: first step done, compilation included", step)
                    self.progress.pause()
                if self.evaluates_after(step) or self.saves_after(step):
                    self.report_pending()
                    self.save(self.validate() if self.evaluates_after(step) else None)
                    self.progress.pause()
                # Last, so that nothing this step calls for is missing after a resume.
                if preemption.requested(step):
                    self.report_pending()
                    self.save()
                    self.checkpoints.wait()
                    logger.warning(
                        "%s: saved step %d; repeat the command to resume", preemption.signal, step
                    )
                    preemption.reraise()
                    return False
            self.report_pending()
        return True

    def fetch(self) -> Any:
        """The next batch, on the devices."""
        began = time.perf_counter()
        batch = self.place(next(self.data.batches))
        # A device that still computes the last step has not waited for this batch.
        if self._pending and all(x.is_ready() for x in jax.tree.leaves(self._pending[1])):
            self.progress.waited(time.perf_counter() - began)
        return batch

    def place(self, batch: Mapping[str, np.ndarray]) -> Any:
        """Puts a batch on the devices."""
        return to_devices(batch, self.mesh)

    def advance(self, batch: Any) -> Any:
        """Starts a step; returns its metrics, which may still be computed."""
        self.state, metrics = self.program.step(self.state, batch, self.program.numbers)
        return metrics

    def report_pending(self) -> None:
        """Logs the metrics of the last step that was started, if that was not done yet."""
        if self._pending is not None:
            (step, metrics), self._pending = self._pending, None
            self.report(step, jax.device_get(metrics))

    def report(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Checks and logs a step's metrics."""
        job.report_progress(step)
        self.progress.step(int(np.sum(metrics["tokens"])))
        averages = []
        for log, values in zip(self.logs, self.separate(metrics), strict=True):
            if step <= log.last_step:
                check_finite(values, log.where(step), self.checkpoints)
                averages.append(log.add(step, values))
        losses = [values["loss"] for values in averages if values is not None]
        if losses and (step % self.config.log_every == 0 or step == self.total_steps):
            speeds = self.progress.interval(step, {"loss": float(np.mean(losses))})
            self.speeds.write(THROUGHPUT, step, speeds)
            self.warn_of_waiting(step, speeds["input_wait_share"])

    def warn_of_waiting(self, step: int, share: float) -> None:
        """Logs, once, that the device waits for batches."""
        if share > IDLE and not self._warned:
            self._warned = True
            setting = "workers" if "workers" in self.config.loader else "threads"
            logger.warning(
                "step %d: the device waited for data up to %.0f%% of the time; raise "
                "config.loader.%s (now %d), or see what else the CPUs do",
                *(step, 100 * share, setting, self.config.loader[setting]),
            )

    def separate(self, metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The metrics of each run in this program."""
        return [metrics]

    def evaluates_after(self, step: int) -> bool:
        return falls_on(step, self.config.train.evaluate_every) and step < self.total_steps

    def saves_after(self, step: int) -> bool:
        settings = self.config.checkpoint
        return falls_on(step, settings.every) or step in settings.keep_steps

    def validate(self) -> float | None:
        """Scores and logs the validation split; None if there is none."""
        if not self.task.examples("validation"):
            return None
        step = int(self.state.step)
        results = self.evaluator(self.state.params, "validation")
        score = self.task.score(results)
        self.logs[0].write(step, {"validation_score": score} | scalars(results, "validation"))
        logger.info("step %d: validation score %.2f", step, score)
        return score

    def save(self, score: float | None = None) -> None:
        """Saves the state, the position in the data, and the task's card."""
        check_saveable(self.state.params, int(self.state.step), self.checkpoints)
        position = {
            "data": encode_state(self.data.batches.get_state()),
            "interval": self.logs[0].interval.save(),
        }
        self.upload_logs()
        self.checkpoints.save(self.state, position, self.task.card.to_dict(), score)

    def upload_logs(self) -> None:
        """Brings the metrics into the bucket, if the workdir is in one."""
        for log in self.logs:
            log.writers.upload()

    # ---- The end.

    def evaluate(self) -> dict[str, Any]:
        """Saves the last state and scores it; tests the one that `train.select` names."""
        self.save()  # before scoring: from here on, a signal loses nothing
        self.checkpoints.wait()
        results: dict[str, Any] = {"step": int(self.state.step)}
        if self.task.examples("validation"):
            results["validation"] = self.evaluator(self.state.params, "validation", self.workdir)
            best = self.checkpoints.best() if self.config.train.select == "best" else None
            if best is not None and best[1] > self.task.score(results["validation"]):
                results["step"] = best[0]
                self.state, _ = self.checkpoints.restore(best[0], self.program.abstract)
                results["validation"] = self.evaluator(
                    self.state.params, "validation", self.workdir
                )
        if self.task.examples("test") and self.config.train.test:
            results["test"] = self.evaluator(self.state.params, "test", self.workdir)
        return results

    def close(self) -> None:
        """Closes the run's files; a Run that was not started has none."""
        self.trace.close()
        if self.progress is not None:
            self.progress.close()
        for writers in {log.writers for log in self.logs} | {self.speeds} - {None}:
            writers.close()
        if self.checkpoints is not None:
            self.checkpoints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_checkpoints(
    workdir: Path, config: ml_collections.ConfigDict, **options: Any
) -> Checkpoints:
    """The checkpoints of a run, kept as `config.checkpoint` and `train.select` say.

    Args:
      workdir: the run's folder.
      config: `checkpoint` and `train.select`.
      **options: of `Checkpoints`, that take precedence over `config.checkpoint`.
    """
    settings = config.checkpoint.to_dict()
    del settings["every"]  # when the run saves, which `Run.saves_after` decides
    if config.train.select == "best":
        settings["keep_best"] = max(1, settings["keep_best"])
    return Checkpoints(workdir, **settings | options)


def falls_on(step: int, every: int) -> bool:
    """Whether a step is a multiple of `every`; 0: never."""
    return bool(every) and step % every == 0


def check_finite(metrics: Mapping[str, Any], where: str, checkpoints: Checkpoints) -> None:
    """Raises TrainingError, naming step and last good checkpoint, if a loss is not finite."""
    loss = sum(float(value) for value in metrics["sums"].values())
    norm = float(metrics["grad_norm"])
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise _diverged(f"{where}: the loss is {loss} and the gradient norm {norm}", checkpoints)


def check_saveable(params: Any, step: int, checkpoints: Checkpoints) -> None:
    """Raises TrainingError if the parameters are not finite.

    The loss of a step is that before its update: a step can have a finite loss and an update that
    is not finite.
    """
    if not _all_finite(params):
        raise _diverged(f"step {step}: its update left parameters not finite", checkpoints)


@jax.jit
def _all_finite(params: Any) -> jax.Array:
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params)]))


def _diverged(what: str, checkpoints: Checkpoints) -> TrainingError:
    checkpoints.wait()
    good = checkpoints.latest()
    return TrainingError(
        f"{what}. "
        + (
            f"The last good checkpoint is that of step {good}. "
            if good is not None
            else "There is no checkpoint yet. "
        )
        + "Lower optimizer.learning_rate or lengthen the warm-up, in a new --workdir"
    )


def log_parameters(params: Any) -> None:
    """Logs an overview of the parameters."""
    from clu import parameter_overview

    logger.info(
        "parameters:\n%s", parameter_overview.get_parameter_overview(params, include_stats=False)
    )
