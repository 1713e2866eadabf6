"""The training loop: one for all tasks. It reads top to bottom."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax.sharding import Mesh

from biobert_jax.errors import DataError, TrainingError
from biobert_jax.input.loader import (
    PackedBatches,
    Packing,
    evaluation_order,
    iterate,
    round_up,
    rows_for_sequences,
    shuffled_epochs,
)
from biobert_jax.input.packing import take_apart
from biobert_jax.tasks.protocol import Task
from biobert_jax.training import workdir as workdirs
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.metrics import METRICS, THROUGHPUT, Interval, Progress, Writers
from biobert_jax.training.optimizer import make_optimizer
from biobert_jax.training.preemption import Preemption
from biobert_jax.training.sharding import (
    make_mesh,
    replicated,
    state_shardings,
    to_devices,
)
from biobert_jax.training.state import (
    TrainState,
    make_init,
    make_predict_step,
    make_train_step,
)

logger = logging.getLogger(__name__)


def train_and_evaluate(
    config: ml_collections.ConfigDict,
    task: Task,
    workdir: Path,
    initial_params: Any = None,
) -> dict[str, Any] | None:
    """Trains a task, or goes on with it, and scores its splits.

    Args:
      config: `seed`, `batch`, `train`, `optimizer`, `checkpoint`, `loader`, `log_every`.
      task: what is trained.
      workdir: the run's folder; one that holds a part of this run is resumed.
      initial_params: a function from fresh parameters to those that training starts with.

    Returns:
      What results.json says; None where SIGTERM ended the run early, saved.

    Raises:
      TrainingError: the workdir is another config's, the loss is no number, a save failed, a
        setting has no such value.
      DataError: there is nothing to train on, or too little for `train.steps`.
    """
    check_config(config)
    workdirs.prepare(workdir, config)
    mesh = make_mesh()

    # ---- Data: one plan for all epochs; a batch is a function of its number.
    batches = training_batches(config, task, mesh)
    total_steps = config.train.steps or len(batches)
    if total_steps > len(batches):
        raise DataError(
            f"train.steps is {total_steps}, but {config.train.epochs} epochs have only "
            f"{len(batches)} steps; raise train.epochs"
        )
    log_packing(batches, total_steps)

    # ---- State: shapes first, then shardings, then values, so that nothing ever lies elsewhere.
    optimizer, schedule = make_optimizer(config.optimizer, total_steps)
    init = make_init(task, optimizer)
    abstract = jax.eval_shape(init, 0)
    shardings = state_shardings(abstract, mesh, config.train.shard_state)
    abstract = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        abstract,
        shardings,
    )
    log_parameters(abstract.params)

    # ---- What to start from: this run's last checkpoint, else what the config says.
    options = config.checkpoint.to_dict()
    every = options.pop("every")
    if config.train.select == "best":
        options["keep_best"] = max(1, options["keep_best"])
    checkpoints = Checkpoints(workdir, **options)
    data = iterate(batches, **config.loader)
    interval = Interval()
    if checkpoints.latest() is not None:
        state, position = checkpoints.restore(checkpoints.latest(), abstract)
        data.set_state(position["data"])
        interval = Interval(position["interval"])
        logger.info("resumed at step %d", int(state.step))
    else:
        state = jax.jit(init, out_shardings=shardings)(config.seed)
        if initial_params is not None:
            params = initial_params(state.params)
            state = state.replace(params=jax.device_put(params, shardings.params))

    # ---- Compiled functions.
    train_step = jax.jit(
        make_train_step(task, optimizer, schedule, config.seed, config.train.micro_batches),
        donate_argnums=0,
        out_shardings=(shardings, replicated(mesh)),
    )
    evaluator = Evaluator(config, task, mesh)

    # ---- The loop.
    first_step = int(state.step)
    main = jax.process_index() == 0
    writers = Writers(workdir, first_step, main)
    positions = batches.rows * config.batch.row_length
    progress = Progress(total_steps, first_step, positions, main)
    pending: tuple[int, Any] | None = None  # the last step's metrics, still on the device

    def settle() -> None:
        """Fetches the pending metrics, checks the loss, and reports at the interval's end."""
        nonlocal pending, interval
        if pending is None:
            return
        step, on_device = pending
        pending = None
        fetched = jax.device_get(on_device)
        check_finite(fetched, step, checkpoints)
        interval.add(fetched)
        progress.step(int(fetched["tokens"]))
        if step % config.log_every == 0 or step == total_steps:
            values = interval.compute() | {"learning_rate": float(fetched["learning_rate"])}
            writers.write(METRICS, step, values)
            writers.write(THROUGHPUT, step, progress.interval(step, values))
            interval = Interval()

    def save(score: float | None = None) -> None:
        check_saveable(state, checkpoints)
        position = {"data": encode_state(data.get_state()), "interval": interval.save()}
        checkpoints.save(state, position, task.card, score)

    try:
        with Preemption() as preemption:
            for step in range(first_step + 1, total_steps + 1):
                batch = to_devices(next(data), mesh)
                state, metrics = train_step(state, batch)
                settle()
                pending = (step, metrics)
                if step == first_step + 1:
                    settle()
                    logger.info("step %d: first step done, compilation included", step)
                    progress.pause()
                evaluate_now = config.train.evaluate_every and (
                    step % config.train.evaluate_every == 0 and step < total_steps
                )
                if evaluate_now or step in config.checkpoint.keep_steps:
                    settle()
                    score = None
                    if evaluate_now and task.examples("validation"):
                        results = evaluator(state.params, "validation")
                        score = task.score(results)
                        writers.write(METRICS, step, {"validation_score": score})
                        logger.info("step %d: validation score %.2f", step, score)
                    save(score)
                    progress.pause()
                elif every and step % every == 0:
                    settle()
                    save()
                # After what else this step calls for, so that nothing is missing on resuming.
                if preemption.requested(step):
                    settle()
                    save()
                    checkpoints.wait()
                    logger.warning("SIGTERM: saved step %d; the same command goes on", step)
                    return None
            settle()

        # ---- The end: keep the last state, score it, and test the one that selection names.
        save()  # before it is scored: from here on, a signal loses nothing
        checkpoints.wait()
        results: dict[str, Any] = {"step": int(state.step)}
        if task.examples("validation"):
            results["validation"] = evaluator(state.params, "validation", workdir)
            best = checkpoints.best() if config.train.select == "best" else None
            if best is not None and best[1] > task.score(results["validation"]):
                results["step"] = best[0]
                state, _ = checkpoints.restore(best[0], abstract)
                results["validation"] = evaluator(state.params, "validation", workdir)
        if task.examples("test"):
            results["test"] = evaluator(state.params, "test", workdir)
        return results
    finally:
        progress.close()
        writers.close()
        checkpoints.close()


def check_config(config: ml_collections.ConfigDict) -> None:
    """Raises TrainingError for settings that have no such value."""
    for name, value, allowed in (
        ("train.select", config.train.select, ("last", "best")),
        ("optimizer.name", config.optimizer.name, ("bert", "adamw")),
    ):
        if value not in allowed:
            raise TrainingError(f"config.{name} is {value!r}; expected one of {', '.join(allowed)}")
    for name, value in (
        ("train.epochs", config.train.epochs),
        ("train.micro_batches", config.train.micro_batches),
        ("batch.eval_rows", config.batch.eval_rows),
        ("log_every", config.log_every),
    ):
        if value < 1:
            raise TrainingError(f"config.{name} is {value}; expected at least 1")


def training_batches(config: ml_collections.ConfigDict, task: Task, mesh: Mesh) -> PackedBatches:
    """Plans the rows of all epochs."""
    examples = task.examples("train")
    if not examples:
        raise DataError("there are no training examples; check the dataset's train split")
    packing = make_packing(config)
    plan = packing.plan(examples, shuffled_epochs(len(examples), config.train.epochs, config.seed))
    rows = config.batch.rows or rows_for_sequences(plan, config.batch.sequences)
    padded = round_up(rows, mesh.size * config.train.micro_batches)
    return PackedBatches(
        examples, plan, task.features, rows, padded, jax.process_index(), jax.process_count()
    )


def make_packing(config: ml_collections.ConfigDict) -> Packing:
    limit = config.batch.max_sequences if config.batch.packed else 1
    return Packing(config.batch.row_length, limit)


class Evaluator:
    """Scores splits; each example is seen exactly once, on however many devices."""

    def __init__(self, config: ml_collections.ConfigDict, task: Task, mesh: Mesh):
        self._task, self._mesh = task, mesh
        self._packing = make_packing(config)
        self._rows = round_up(config.batch.eval_rows, mesh.size)
        self._loader = config.loader
        self._predict = jax.jit(make_predict_step(task), out_shardings=replicated(mesh))
        self._batches: dict[str, PackedBatches] = {}

    def __call__(self, params: Any, split: str, workdir: Path | None = None) -> dict[str, Any]:
        """Returns the task's scores; with a workdir, writes its predictions there."""
        directory = workdir / "predictions" if workdir and jax.process_index() == 0 else None
        predictions = self.predictions(params, split)
        with workdirs.writing(directory or Path(split)):
            return self._task.evaluate(split, predictions, directory)

    def predictions(self, params: Any, split: str) -> list[dict[str, np.ndarray]]:
        """What the task predicts for each example of a split, in order."""
        examples = self._task.examples(split)
        if split not in self._batches:
            plan = self._packing.plan(examples, evaluation_order(examples))
            self._batches[split] = PackedBatches(
                examples,
                plan,
                self._task.features,
                self._rows,
                self._rows,
                jax.process_index(),
                jax.process_count(),
            )
        out: list[dict[str, np.ndarray]] = [{} for _ in examples]
        for batch in iterate(self._batches[split], **self._loader):
            said = jax.device_get(self._predict(params, to_devices(batch, self._mesh)))
            for name, kind in self._task.predictions.items():
                for index, value in take_apart(said[name], said, kind).items():
                    out[index][name] = value
        return out


def check_finite(metrics: Mapping[str, Any], step: int, checkpoints: Checkpoints) -> None:
    """Raises TrainingError, naming the step and the last good checkpoint, where a loss is NaN."""
    loss = sum(float(value) for value in metrics["sums"].values())
    if math.isfinite(loss) and math.isfinite(float(metrics["grad_norm"])):
        return
    raise _diverged(
        f"step {step}: the loss is {loss} and the gradient's norm {float(metrics['grad_norm'])}",
        checkpoints,
    )


def check_saveable(state: TrainState, checkpoints: Checkpoints) -> None:
    """Raises TrainingError where the parameters are not finite.

    The loss of a step is that before its update: a step can have a good loss and leave parameters
    that are worth no checkpoint.
    """
    if not _all_finite(state.params):
        raise _diverged(
            f"step {int(state.step)}: its update left parameters not finite", checkpoints
        )


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


def encode_state(state: Any) -> Any:
    """A Grain iterator's state as JSON."""
    return json.loads(state.decode()) if isinstance(state, bytes) else state


def log_packing(batches: PackedBatches, total_steps: int) -> None:
    plan = batches.plan
    logger.info(
        "%d sequences in %d rows of %d (%.1f%% real tokens), %d rows a batch (%.1f sequences, "
        "%d positions), %d steps",
        len(plan.members),
        len(plan),
        plan.row_length,
        100 * plan.real_share,
        batches.rows,
        batches.rows * len(plan.members) / len(plan),
        batches.rows * plan.row_length,
        total_steps,
    )


def log_parameters(params: Any) -> None:
    """The parameter overview, once at the start."""
    from clu import parameter_overview

    logger.info(
        "parameters:\n%s", parameter_overview.get_parameter_overview(params, include_stats=False)
    )
