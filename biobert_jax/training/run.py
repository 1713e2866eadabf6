"""A training run, for all tasks, from its data to its scores. It reads top to bottom."""

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from biobert_jax.cluster import job as distributed
from biobert_jax.errors import TrainingError
from biobert_jax.tasks.protocol import Task
from biobert_jax.training import workdir as workdirs
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.data import encode_state, training_data
from biobert_jax.training.evaluator import Evaluator
from biobert_jax.training.metrics import METRICS, THROUGHPUT, Interval, Progress, Writers
from biobert_jax.training.optimizer import make_optimizer
from biobert_jax.training.sharding import log_bytes, make_mesh, mesh_sizes, to_devices
from biobert_jax.training.state import (
    abstract_state,
    jit_train_step,
    make_init,
    shardings_of,
)
from biobert_jax.training.steps import run_steps

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
    mesh = make_mesh(mesh_sizes(config))
    with jax.set_mesh(mesh):
        return _train_and_evaluate(config, task, workdir, initial_params, mesh)


def _train_and_evaluate(config, task, workdir, initial_params, mesh):
    # ---- Data: batches that are a function of the seed and their number.
    data = training_data(config, task, mesh)
    total_steps = data.total_steps

    # ---- State: shapes first, then shardings, then values, so that nothing ever lies elsewhere.
    optimizer, schedule = make_optimizer(config.optimizer, total_steps)
    init = make_init(task, optimizer)
    abstract = abstract_state(init, mesh, config.mesh.rules)
    shardings = shardings_of(abstract)
    log_parameters(abstract.params)
    log_bytes(abstract.params, abstract.opt_state, mesh)

    # ---- What to start from: this run's last checkpoint, else what the config says.
    options = config.checkpoint.to_dict()
    every = options.pop("every")
    if config.train.select == "best":
        options["keep_best"] = max(1, options["keep_best"])
    checkpoints = Checkpoints(workdir, **options)
    interval = Interval()
    if checkpoints.latest() is not None:
        state, position = checkpoints.restore(checkpoints.latest(), abstract)
        data.batches.set_state(position["data"])
        interval = Interval(position["interval"])
        logger.info("resumed at step %d", int(state.step))
    else:
        state = jax.jit(init, out_shardings=shardings)(config.seed)
        if initial_params is not None:
            params = initial_params(state.params)
            state = state.replace(params=jax.device_put(params, shardings.params))

    # ---- Compiled functions.
    train_step = jit_train_step(
        task, optimizer, schedule, config.seed, data.micro_batches, abstract, mesh
    )
    evaluator = Evaluator(config, task, mesh)

    # ---- The loop.
    first_step = int(state.step)
    main = jax.process_index() == 0
    writers = Writers(workdir, first_step, main)
    positions = data.rows * config.batch.row_length
    progress = Progress(total_steps, first_step, positions, main)

    def fetch() -> Any:
        return to_devices(next(data.batches), mesh)

    def advance(batch: Any) -> Any:
        nonlocal state
        state, metrics = train_step(state, batch)
        return metrics

    def report(step: int, metrics: Mapping[str, Any]) -> None:
        nonlocal interval
        distributed.report_progress(step)
        check_finite(metrics, f"step {step}", checkpoints)
        interval.add(metrics)
        progress.step(int(metrics["tokens"]))
        if step % config.log_every == 0 or step == total_steps:
            values = interval.compute() | {"learning_rate": float(metrics["learning_rate"])}
            writers.write(METRICS, step, values)
            writers.write(THROUGHPUT, step, progress.interval(step, values))
            interval = Interval()

    def save(score: float | None = None) -> None:
        check_saveable(state.params, int(state.step), checkpoints)
        position = {"data": encode_state(data.batches.get_state()), "interval": interval.save()}
        checkpoints.save(state, position, task.card, score)

    def evaluate_and_save() -> None:
        step, score = int(state.step), None
        if task.examples("validation"):
            score = task.score(evaluator(state.params, "validation"))
            writers.write(METRICS, step, {"validation_score": score})
            logger.info("step %d: validation score %.2f", step, score)
        save(score)

    def due(step: int) -> Callable[[], None] | None:
        if _falls_on(step, config.train.evaluate_every) and step < total_steps:
            return evaluate_and_save
        return save if _falls_on(step, every) or step in config.checkpoint.keep_steps else None

    distributed.report_progress(first_step)  # from here on, a lack of progress is noticed
    try:
        steps = range(first_step + 1, total_steps + 1)
        if not run_steps(steps, fetch, advance, report, due, save, checkpoints, progress):
            return None

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
        ("compute.dtype", config.compute.dtype, ("float32", "bfloat16")),
        ("train.select", config.train.select, ("last", "best")),
        ("optimizer.name", config.optimizer.name, ("bert", "adamw")),
    ):
        if value not in allowed:
            raise TrainingError(f"config.{name} is {value!r}; expected one of {', '.join(allowed)}")
    for name, value in (
        ("train.epochs", config.train.epochs),
        ("batch.eval_rows", config.batch.eval_rows),
        ("log_every", config.log_every),
    ):
        if value < 1:
            raise TrainingError(f"config.{name} is {value}; expected at least 1")


def check_finite(metrics: Mapping[str, Any], where: str, checkpoints: Checkpoints) -> None:
    """Raises TrainingError, naming the step and the last good checkpoint, where a loss is NaN."""
    loss = sum(float(value) for value in metrics["sums"].values())
    if math.isfinite(loss) and math.isfinite(float(metrics["grad_norm"])):
        return
    norm = float(metrics["grad_norm"])
    raise _diverged(f"{where}: the loss is {loss} and the gradient's norm {norm}", checkpoints)


def check_saveable(params: Any, step: int, checkpoints: Checkpoints) -> None:
    """Raises TrainingError where the parameters are not finite.

    The loss of a step is that before its update: a step can have a good loss and leave parameters
    that are worth no checkpoint.
    """
    if not _all_finite(params):
        raise _diverged(f"step {step}: its update left parameters not finite", checkpoints)


def _falls_on(step: int, every: int) -> bool:
    """Whether a step is one of every so many; 0: never."""
    return bool(every) and step % every == 0


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
    """The parameter overview, once at the start."""
    from clu import parameter_overview

    logger.info(
        "parameters:\n%s", parameter_overview.get_parameter_overview(params, include_stats=False)
    )
