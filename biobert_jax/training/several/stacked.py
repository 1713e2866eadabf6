"""Several trainings of one shape as one program: other folds, seeds or learning rates.

Fine-tuning runs are too small to fill a large chip. Here their states and batches are stacked on a
leading axis that is spread over the devices; each device computes its trials side by side. Every
trial is the run that its config would be on its own, and leaves the same workdir.
"""

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from biobert_jax.errors import TrainingError
from biobert_jax.input.loader import PackedBatches, iterate
from biobert_jax.tasks.protocol import Task
from biobert_jax.training import workdir as workdirs
from biobert_jax.training.data import (
    TrainingData,
    encode_state,
    loader_options,
    restore_position,
    steps_of,
    training_batches,
)
from biobert_jax.training.evaluator import Evaluator
from biobert_jax.training.metrics import Writers
from biobert_jax.training.optimizer import make_optimizer, schedule_numbers
from biobert_jax.training.run import Run, check_saveable, open_checkpoints
from biobert_jax.training.sharding import make_mesh
from biobert_jax.training.step import Program, TrainState, make_init, step_of

logger = logging.getLogger(__name__)

Config = ml_collections.ConfigDict


@dataclasses.dataclass(frozen=True)
class Trial:
    """One of the runs.

    Attributes:
      name: of its folder within the workdir.
      config: that of the run on its own.
      task: what it trains; all trials' tasks have models and features of one shape.
      initial_params: from fresh parameters to those that it starts with; None: the fresh ones.
    """

    name: str
    config: Config
    task: Task
    initial_params: Callable[[Any], Any] | None


def train_trials(
    config: Config, trials: Sequence[Trial], workdir: Path
) -> list[dict[str, Any]] | None:
    """Trains all trials together, or resumes them, and scores each.

    Args:
      config: of the whole.
      trials: of one shape.
      workdir: where the trials' folders are.

    Returns:
      For each trial what `run.train_and_evaluate` returns; None if a signal ended the runs early,
      after a save.

    Raises:
      TrainingError: several processes; trials of different shapes; the loss of one is not finite.
      DataError: a trial has no training examples, or too few for `train.steps`.
    """
    if jax.process_count() > 1:
        raise TrainingError("config.trials runs on one process; there are several")
    _check_shapes(trials)
    workdirs.prepare(workdir, config)
    for trial in trials:
        workdirs.prepare(workdir / trial.name, trial.config)
    with StackedRun(config, trials) as run:
        run.start(workdir)
        return run.evaluate_trials() if run.train() else None


class StackedRun(Run):
    """A Run whose state, batches and metrics have a leading axis of trials."""

    def __init__(self, config: Config, trials: Sequence[Trial]):
        self.trials = trials
        # The largest number of devices that have equally many trials each.
        devices = jax.devices()[: devices_for(len(trials), jax.device_count())]
        mesh = Mesh(np.array(devices), ("trial",), axis_types=(AxisType.Auto,))
        self.one_device = make_mesh(devices=devices[:1])
        self.stacking = NamedSharding(mesh, PartitionSpec("trial"))
        batches = [training_batches(one.config, one.task, self.one_device)[0] for one in trials]
        self.steps = [steps_of(config, of_trial) for of_trial in batches]
        data = TrainingData(
            batches=iterate(StackedBatches(batches), **loader_options(config)),
            rows=sum(of_trial.rows for of_trial in batches),
            total_steps=max(self.steps),
            micro_batches=1,
        )
        numbers = [
            {"seed": trial.config.seed, **schedule_numbers(trial.config.optimizer, steps)}
            for trial, steps in zip(trials, self.steps, strict=True)
        ]
        self.numbers = jax.device_put(_stack(numbers), self.stacking)
        task = trials[0].task
        optimizer, _ = make_optimizer(config.optimizer, data.total_steps)
        init = jax.vmap(make_init(task, optimizer))
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self.stacking),
            jax.eval_shape(init, self.numbers["seed"]),
        )
        step = make_trials_step(config, task, mesh)
        program = Program(init, abstract, step, self.numbers)
        super().__init__(config, task, mesh, data, program)

    def initialise(self, initial_params: Callable[[Any], Any] | None = None) -> None:
        del initial_params  # each trial has its own
        self.state = jax.jit(self.program.init, out_shardings=self.stacking)(self.numbers["seed"])
        if any(trial.initial_params for trial in self.trials):
            fresh = jax.device_get(self.state.params)
            params = [
                trial.initial_params(_slice(fresh, n)) if trial.initial_params else _slice(fresh, n)
                for n, trial in enumerate(self.trials)
            ]
            self.state = self.state.replace(params=jax.device_put(_stack(params), self.stacking))

    def start(self, workdir: Path, initial_params: Callable[[Any], Any] | None = None) -> None:
        self.workdir = workdir
        self.checkpoints = open_checkpoints(workdir, self.config, keep_best=0)
        intervals = [None] * len(self.trials)
        if (latest := self.checkpoints.latest()) is not None:
            saved, position = self.checkpoints.restore(
                latest, _one_step(self.program.abstract, self.mesh)
            )
            self.state = TrainState(saved.opt_state["steps"], saved.params, saved.opt_state["own"])
            restore_position(self.data.batches, position, workdir)
            intervals = position["intervals"]
            logger.info("resumed at step %d", int(saved.step))
        else:
            self.initialise(initial_params)
        folders = [(workdir / trial.name, trial.name) for trial in self.trials]
        runs = [(*one, saved) for one, saved in zip(folders, intervals, strict=True)]
        first_step = int(np.max(jax.device_get(self.state.step)))
        self.open_logs(first_step, runs, self.steps)
        self.speeds = Writers(workdir, first_step, True, self.config.upload_every)

    def place(self, batch: Mapping[str, np.ndarray]) -> Any:
        return jax.device_put(batch, self.stacking)

    def separate(self, metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return [_slice(metrics, number) for number in range(len(self.trials))]

    def save(self, score: float | None = None) -> None:
        del score  # trials are not scored on the way
        one_step = _one_step(self.state, self.mesh)
        check_saveable(one_step.params, int(one_step.step), self.checkpoints)
        position = {
            "data": encode_state(self.data.batches.get_state()),
            "intervals": [log.interval.save() for log in self.logs],
        }
        names = {"trials": [trial.name for trial in self.trials]}
        self.upload_logs()
        self.checkpoints.save(one_step, position, names)

    def evaluate_trials(self) -> list[dict[str, Any]]:
        """Saves; then leaves each trial's last state and scores in its own folder."""
        self.save()
        self.checkpoints.wait()
        done = []
        device = self.one_device.devices.flat[0]
        for number, trial in enumerate(self.trials):
            state = jax.device_put(jax.device_get(_slice(self.state, number)), device)
            with jax.set_mesh(self.one_device):
                if number == 0 or trial.task is not self.trials[number - 1].task:
                    evaluator = Evaluator(self.config, trial.task, self.one_device)
                # The position of the run on its own.
                position = {
                    "data": {"next_index": self.steps[number]},
                    "interval": self.logs[number].interval.save(),
                }
                done.append(_finish(trial, state, position, evaluator, self.workdir / trial.name))
        return done


def devices_for(trials: int, available: int) -> int:
    """The largest number of devices that have equally many trials each; logs idle ones."""
    used = max(n for n in range(1, available + 1) if trials % n == 0)
    if used < available:
        fitting = trials // available * available
        numbers = f"{fitting} or {fitting + available}" if fitting else str(available)
        logger.warning(
            "%d trials on %d of %d devices: every device has equally many. %s would use all",
            *(trials, used, available, f"{numbers} trials"),
        )
    return used


def make_trials_step(config: Config, task: Task, mesh: Mesh) -> Callable[..., Any]:
    """Builds an update of all trials: (states, batches, numbers) -> (states, metrics), stacked.

    A trial that has made its number of steps stays as it is. On a CPU a device computes its trials
    one after the other, since XLA's matrix products there are slower with a leading axis; elsewhere
    all at once, or as many as `config.trials.at_once`.
    """
    at_once = config.trials.at_once
    if at_once == 0 and mesh.devices.flat[0].platform == "cpu":
        at_once = 1

    def one(number, state, batch, numbers):
        after, metrics = step_of(config, task, numbers)(state, batch, number)
        unfinished = state.step < numbers["total_steps"]
        return jax.tree.map(lambda new, old: jnp.where(unfinished, new, old), after, state), metrics

    def on_one_device(*stacked):
        # One for all: trials that have not ended are at the same step.
        update = functools.partial(one, jnp.max(stacked[0].step))
        if at_once == 0:
            return jax.vmap(update)(*stacked)
        size = at_once if at_once > 1 else None
        return jax.lax.map(lambda trial: update(*trial), stacked, batch_size=size)

    spec = PartitionSpec("trial")
    step = jax.shard_map(on_one_device, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    return jax.jit(step, donate_argnums=0)


class StackedBatches:
    """Batches of all trials by step number, [trials, rows, ...]; a random access source."""

    def __init__(self, planned: Sequence[PackedBatches]):
        rows = max(of_trial.padded_rows for of_trial in planned)
        self._planned = [dataclasses.replace(of_trial, padded_rows=rows) for of_trial in planned]

    def __len__(self) -> int:
        return max(map(len, self._planned))

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        # Trials of fewer steps read their last batch again, which changes nothing any more.
        return _stack([batches[min(step, len(batches) - 1)] for batches in self._planned])


def _one_step(state: TrainState, mesh: Mesh) -> TrainState:
    """All trials' states, or their shapes, under one step, as checkpoints are numbered."""
    whole = NamedSharding(mesh, PartitionSpec())
    step: Any = (
        jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
        if isinstance(state.step, jax.ShapeDtypeStruct)
        else jax.device_put(jnp.max(state.step), whole)
    )
    return TrainState(step, state.params, {"steps": state.step, "own": state.opt_state})


def _check_shapes(trials: Sequence[Trial]) -> None:
    first = trials[0]
    for trial in trials:
        if trial.task.stream is not None:
            raise TrainingError("config.trials: pre-training has none; give one seed and one rate")
        # A flax module is its settings: equal ones have equal parameters.
        if trial.task.model != first.task.model or trial.task.features != first.task.features:
            raise TrainingError(
                f"config.trials: {trial.name} has a model of another shape than {first.name} "
                f"({_shape(trial.task)} and {_shape(first.task)}); trials share one. Name a vocab "
                "or a checkpoint, or run them one by one"
            )


def _shape(task: Task) -> str:
    labels = task.card.labels
    size = f"a vocabulary of {task.model.config.vocab_size}"
    return size if labels is None else f"{size}, {len(labels)} labels"


def _finish(
    trial: Trial,
    state: TrainState,
    position: Mapping[str, Any],
    evaluator: Evaluator,
    folder: Path,
) -> dict[str, Any]:
    checkpoints = open_checkpoints(folder, trial.config, asynchronous=False)
    checkpoints.save(state, position, trial.task.card.to_dict())
    checkpoints.close()
    results: dict[str, Any] = {"step": int(state.step)}
    for split in ("validation", "test"):
        if trial.task.examples(split) and (split != "test" or trial.config.train.test):
            results[split] = evaluator(state.params, split, folder)
    return results


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _slice(tree: Any, number: int) -> Any:
    return jax.tree.map(lambda x: x[number], tree)
