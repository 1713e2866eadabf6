"""Several trainings of one shape as one program: other folds, seeds or learning rates.

Fine-tuning runs are too small to fill a large chip. Here their states and batches are stacked on a
leading axis that is spread over the devices; each device computes its trials side by side. Every
trial is the run that its config would be on its own, and leaves the same workdir.
"""

import dataclasses
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
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.data import encode_state, loader_options, steps_of, training_batches
from biobert_jax.training.evaluator import Evaluator
from biobert_jax.training.metrics import METRICS, THROUGHPUT, Interval, Progress, Writers
from biobert_jax.training.optimizer import make_optimizer, optimizer_of, schedule_numbers
from biobert_jax.training.run import check_config, check_finite, check_saveable
from biobert_jax.training.sharding import make_mesh
from biobert_jax.training.state import TrainState, make_init, make_train_step
from biobert_jax.training.steps import run_steps

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
    """Trains all trials together, or goes on with them, and scores each.

    Args:
      config: of the whole.
      trials: of one shape.
      workdir: where the trials' folders are.

    Returns:
      For each trial what `loop.train_and_evaluate` returns; None where SIGTERM ended the runs
      early, saved.

    Raises:
      TrainingError: a setting that trials cannot have; trials of different shapes; the loss of one
        is no number.
      DataError: a trial has nothing to train on, or too little for `train.steps`.
    """
    check_config(config)
    _check_settings(config)
    _check_shapes(trials)
    workdirs.prepare(workdir, config)
    for trial in trials:
        workdirs.prepare(workdir / trial.name, trial.config)
    # The largest number of devices that have equally many trials each.
    count = max(n for n in range(1, jax.device_count() + 1) if len(trials) % n == 0)
    devices = jax.devices()[:count]
    mesh = Mesh(np.array(devices), ("trial",), axis_types=(AxisType.Auto,))
    alone = make_mesh(devices=devices[:1])

    # ---- Data.
    planned = [training_batches(trial.config, trial.task, alone)[0] for trial in trials]
    batches = StackedBatches(planned)
    steps = [steps_of(config, own) for own in planned]
    total_steps = max(steps)
    iterator = iterate(batches, **loader_options(config))

    # ---- What differs between trials, and their states.
    numbers = _stack(
        [
            {"seed": trial.config.seed, **schedule_numbers(trial.config.optimizer, own)}
            for trial, own in zip(trials, steps, strict=True)
        ]
    )
    spread = NamedSharding(mesh, PartitionSpec("trial"))
    numbers = jax.device_put(numbers, spread)
    task = trials[0].task
    optimizer, _ = make_optimizer(config.optimizer, total_steps)
    init = jax.vmap(make_init(task, optimizer))
    abstract = jax.eval_shape(init, numbers["seed"])
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=spread), abstract
    )
    options = config.checkpoint.to_dict() | {"keep_best": 0}
    every = options.pop("every")
    checkpoints = Checkpoints(workdir, **options)
    intervals = [Interval() for _ in trials]
    if checkpoints.latest() is not None:
        saved, position = checkpoints.restore(checkpoints.latest(), _one_step(abstract, mesh))
        state = TrainState(saved.opt_state["steps"], saved.params, saved.opt_state["own"])
        iterator.set_state(position["data"])
        intervals = [Interval(one) for one in position["intervals"]]
        logger.info("resumed at step %d", int(saved.step))
    else:
        state = jax.jit(init, out_shardings=spread)(numbers["seed"])
        if any(trial.initial_params for trial in trials):
            fresh = jax.device_get(state.params)
            params = [
                trial.initial_params(_slice(fresh, n)) if trial.initial_params else _slice(fresh, n)
                for n, trial in enumerate(trials)
            ]
            state = state.replace(params=jax.device_put(_stack(params), spread))
    step_fn = make_trials_step(config, task, mesh)

    # ---- The loop.
    first_step = int(np.max(jax.device_get(state.step)))
    writers = [Writers(workdir / trial.name, first_step, True) for trial in trials]
    of_all = Writers(workdir, first_step, True)
    positions = sum(own.rows for own in planned) * config.batch.row_length
    progress = Progress(total_steps, first_step, positions, True)

    def fetch() -> Any:
        return jax.device_put(next(iterator), spread)

    def advance(batch: Any) -> Any:
        nonlocal state
        state, metrics = step_fn(state, batch, numbers)
        return metrics

    def report(step: int, metrics: Mapping[str, Any]) -> None:
        progress.step(int(np.sum(metrics["tokens"])))
        losses = []
        for number, trial in enumerate(trials):
            if step > steps[number]:
                continue
            own = _slice(metrics, number)
            check_finite(own, f"{trial.name}, step {step}", checkpoints)
            intervals[number].add(own)
            if step % config.log_every == 0 or step == steps[number]:
                values = intervals[number].compute()
                losses.append(values["loss"])
                rate = {"learning_rate": float(own["learning_rate"])}
                writers[number].write(METRICS, step, values | rate)
                intervals[number] = Interval()
        if losses and (step % config.log_every == 0 or step == total_steps):
            speeds = progress.interval(step, {"loss": float(np.mean(losses))})
            of_all.write(THROUGHPUT, step, speeds)

    def save() -> None:
        one_step = _one_step(state, mesh)
        check_saveable(one_step.params, int(one_step.step), checkpoints)
        position = {
            "data": encode_state(iterator.get_state()),
            "intervals": [interval.save() for interval in intervals],
        }
        checkpoints.save(one_step, position, {"trials": [trial.name for trial in trials]})

    def due(step: int) -> Callable[[], None] | None:
        return save if every and step % every == 0 else None

    try:
        going = range(first_step + 1, total_steps + 1)
        if not run_steps(going, fetch, advance, report, due, save, checkpoints, progress):
            return None
        save()
        checkpoints.wait()
    finally:
        progress.close()
        for writer in (of_all, *writers):
            writer.close()
        checkpoints.close()

    # ---- Each trial's own folder: its last state and its scores.
    done = []
    for number, trial in enumerate(trials):
        own = jax.device_put(jax.device_get(_slice(state, number)), devices[0])
        with jax.set_mesh(alone):
            if number == 0 or trial.task is not trials[number - 1].task:
                evaluator = Evaluator(config, trial.task, alone)
            # Where the run on its own would stand.
            position = {"data": {"next_index": steps[number]}, "interval": intervals[number].save()}
            done.append(_finish(trial, own, position, evaluator, workdir / trial.name))
    return done


def make_trials_step(config: Config, task: Task, mesh: Mesh) -> Callable[..., Any]:
    """Builds an update of all trials: (states, batches, numbers) -> (states, metrics), stacked.

    A trial that has made its number of steps stays as it is. On a CPU a device computes its trials
    one after the other, since XLA's matrix products there are slower with a leading axis; elsewhere
    all at once, or as many as `config.trials.at_once`.
    """
    at_once = config.trials.at_once
    if at_once == 0 and mesh.devices.flat[0].platform == "cpu":
        at_once = 1

    def one(state, batch, numbers):
        schedule = {name: value for name, value in numbers.items() if name != "seed"}
        optimizer, rate = optimizer_of(config.optimizer, schedule)
        after, metrics = make_train_step(task, optimizer, rate, numbers["seed"])(state, batch)
        going = state.step < numbers["total_steps"]
        return jax.tree.map(lambda new, old: jnp.where(going, new, old), after, state), metrics

    def own_trials(*stacked):
        if at_once == 0:
            return jax.vmap(one)(*stacked)
        size = at_once if at_once > 1 else None
        return jax.lax.map(lambda trial: one(*trial), stacked, batch_size=size)

    spec = PartitionSpec("trial")
    together = jax.shard_map(own_trials, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    return jax.jit(together, donate_argnums=0)


class StackedBatches:
    """Batches of all trials by step number, [trials, rows, ...]; a random access source."""

    def __init__(self, planned: Sequence[PackedBatches]):
        rows = max(own.padded_rows for own in planned)
        self._planned = [dataclasses.replace(own, padded_rows=rows) for own in planned]

    def __len__(self) -> int:
        return max(map(len, self._planned))

    def __getitem__(self, step: int) -> dict[str, np.ndarray]:
        # Trials of fewer steps read their last batch again, which changes nothing any more.
        return _stack([own[min(step, len(own) - 1)] for own in self._planned])


def _one_step(state: TrainState, mesh: Mesh) -> TrainState:
    """All trials' states, or their shapes, under one step, as checkpoints are numbered."""
    whole = NamedSharding(mesh, PartitionSpec())
    step = (
        jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
        if isinstance(state.step, jax.ShapeDtypeStruct)
        else jax.device_put(jnp.max(state.step), whole)
    )
    return TrainState(step, state.params, {"steps": state.step, "own": state.opt_state})


def _check_settings(config: Config) -> None:
    for name, value, expected in (
        ("train.select", config.train.select, "last"),
        ("train.evaluate_every", config.train.evaluate_every, 0),
        ("train.micro_batch", config.train.micro_batch, "all"),
        ("mesh.fsdp", config.mesh.fsdp, 1),
        ("mesh.tensor", config.mesh.tensor, 1),
        ("checkpoint.keep_steps", config.checkpoint.keep_steps, ()),
    ):
        if value != expected:
            raise TrainingError(
                f"config.{name} is {value!r} and config.trials asks for several runs in one; "
                f"trials need {expected!r} there, or run them one by one"
            )
    if jax.process_count() > 1:
        raise TrainingError("config.trials runs on one process; there are several")


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
    labels = task.card.get("labels")
    said = f"a vocabulary of {task.model.config.vocab_size}"
    return said if labels is None else f"{said}, {len(labels)} labels"


def _finish(
    trial: Trial,
    state: TrainState,
    position: Mapping[str, Any],
    evaluator: Evaluator,
    folder: Path,
) -> dict[str, Any]:
    options = trial.config.checkpoint.to_dict() | {"asynchronous": False}
    del options["every"]
    checkpoints = Checkpoints(folder, **options)
    checkpoints.save(state, position, trial.task.card)
    checkpoints.close()
    results: dict[str, Any] = {"step": int(state.step)}
    for split in ("validation", "test"):
        if trial.task.examples(split):
            results[split] = evaluator(state.params, split, folder)
    return results


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _slice(tree: Any, number: int) -> Any:
    return jax.tree.map(lambda x: x[number], tree)
