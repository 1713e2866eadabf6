"""The state of training and the compiled functions on it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from jax.sharding import Mesh

from biobert_jax.input.packing import lay_out
from biobert_jax.tasks.protocol import Task
from biobert_jax.training.optimizer import make_optimizer, optimizer_of, schedule_numbers
from biobert_jax.training.sharding import Rules, over_rows, replicated, state_shardings

EPSILON = 1e-5
"""Added to every loss weight, as in run_pretraining.py, so that a batch without labels gives 0."""


class TrainState(flax.struct.PyTreeNode):
    """What a step changes.

    Attributes:
      step: how many updates were made.
      params: the model's parameters, float32.
      opt_state: the optimiser's moments.
    """

    step: jax.Array
    params: Any
    opt_state: Any


def make_init(task: Task, optimizer: optax.GradientTransformation) -> Callable[[int], TrainState]:
    """Returns a function from a seed to a fresh state. Jit it with the shardings it shall have."""
    # Its shapes are all that this row of padding is for, and one row spreads over no mesh.
    batch = lay_out([], [np.zeros(0, np.int64)], task.features, row_length=8, max_sequences=1)
    model = task.model.clone(compute=dataclasses.replace(task.model.compute, attention="xla"))

    def init(seed: int) -> TrainState:
        params = model.init(jax.random.key(seed), batch)["params"]
        return TrainState(jnp.zeros([], jnp.int32), params, optimizer.init(params))

    return init


def abstract_state(init: Callable[[int], TrainState], mesh: Mesh, rules: Rules) -> TrainState:
    """The state's shapes, each with the sharding that the rules give it."""
    shapes = jax.eval_shape(init, 0)
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        state_shardings(shapes, mesh, rules),
    )


def shardings_of(abstract: Any) -> Any:
    """The shardings that a tree of shapes carries."""
    return jax.tree.map(lambda leaf: leaf.sharding, abstract)


def make_train_step(
    task: Task,
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    seed: Any,
    micro_batches: int = 1,
    param_shardings: Any = None,
    freeze_encoder_steps: int = 0,
) -> Callable[[TrainState, Mapping[str, jax.Array]], tuple[TrainState, dict[str, Any]]]:
    """Builds one update.

    The batch's gradient is the same however many micro-batches it is taken in: the losses' weights
    are added up over the whole global batch before anything is divided by them. Dropout draws other
    masks for another number of micro-batches, but the same ones for any number of devices. In the
    first `freeze_encoder_steps` the encoder's gradient is 0, and no time goes into it.

    Returns:
      A function (state, batch, number=None) -> (state, metrics). `number` is the step's where the
      state is one of several under vmap, which have reached the same step: of a condition that
      differs between them vmap computes both branches. Metrics: `sums` and `weights` of each part
      of the loss, `grad_norm` before clipping, `learning_rate`, `tokens` (real ones).
    """

    def loss_fn(params, batch, weights, rng, frozen):
        if frozen:
            params = {**params, "encoder": jax.lax.stop_gradient(params["encoder"])}
        outputs: Any = task.model.apply(
            {"params": params}, batch, deterministic=False, rngs={"dropout": rng}
        )
        sums = task.losses(outputs, batch)
        return sum(sums[name] / weights[name] for name in sums), sums

    def grad_fn(*args):
        grads, sums = jax.grad(loss_fn, has_aux=True)(*args)
        if param_shardings is not None:
            grads = jax.lax.with_sharding_constraint(grads, param_shardings)
        return grads, sums

    def gradients(params, batch, weights, rng, frozen=False):
        if micro_batches == 1:
            return grad_fn(params, batch, weights, rng, frozen)
        # Row r goes to micro-batch r % micro_batches: each device's rows are split in place.
        split = jax.tree.map(
            lambda x: x.reshape(-1, micro_batches, *x.shape[1:]).swapaxes(0, 1), batch
        )

        def add(total, numbered):
            index, micro = numbered
            key = jax.random.fold_in(rng, index)
            return jax.tree.map(jnp.add, total, grad_fn(params, micro, weights, key, frozen)), None

        first = jax.tree.map(lambda x: x[0], split)
        shapes = jax.eval_shape(lambda: grad_fn(params, first, weights, rng, frozen))
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.scan(add, zeros, (jnp.arange(micro_batches), split))[0]

    def train_step(state, batch, number=None):
        weights = {k: w + EPSILON for k, w in task.loss_weights(batch).items()}
        rng = jax.random.fold_in(jax.random.key(seed), state.step)
        inputs = (state.params, batch, weights, rng)
        if freeze_encoder_steps:
            frozen = (state.step if number is None else number) < freeze_encoder_steps
            of_heads = functools.partial(gradients, frozen=True)
            grads, sums = jax.lax.cond(frozen, of_heads, gradients, *inputs)
        else:
            grads, sums = gradients(*inputs)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        metrics = {
            "sums": sums,
            "weights": weights,
            "grad_norm": optax.global_norm(grads),
            "learning_rate": schedule(state.step),
            "tokens": jnp.sum(batch["segment_ids"] > 0),
        }
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, opt_state), metrics

    return train_step


@dataclasses.dataclass(frozen=True)
class Program:
    """What a run computes, from shapes alone: nothing is made or compiled yet.

    Attributes:
      init: from a seed to a fresh state.
      abstract: the state's shapes and shardings.
      step: (state, batch, numbers) -> (state, metrics); compiled on first use; the given state is
        donated.
      numbers: what differs between runs of one program: the seed and the schedule's numbers. They
        are inputs of the compiled step, so that runs of other seeds, rates and lengths find it in
        the compilation cache.
    """

    init: Callable[[int], TrainState]
    abstract: TrainState
    step: Any
    numbers: Mapping[str, Any]


def build_program(
    config: ml_collections.ConfigDict, task: Task, mesh: Mesh, total_steps: int, micro_batches: int
) -> Program:
    """Builds a run's program.

    Args:
      config: `mesh`, `optimizer`, `seed`.
      task: the task to train.
      mesh: of devices, or of a topology.
      total_steps: the step at which training ends.
      micro_batches: the number of parts in which each shard's rows are taken.
    """
    optimizer, _ = make_optimizer(config.optimizer, total_steps)
    init = make_init(task, optimizer)
    abstract = abstract_state(init, mesh, config.mesh.rules)
    shardings = shardings_of(abstract)
    numbers = {"seed": config.seed, **schedule_numbers(config.optimizer, total_steps)}

    def train_step(state, batch, numbers):
        update = step_of(config, task, numbers, micro_batches, shardings.params)
        return update(state, batch)

    out = (shardings, replicated(mesh))
    step = jax.jit(train_step, donate_argnums=0, out_shardings=out)
    return Program(init, abstract, step, numbers)


def step_of(
    config: ml_collections.ConfigDict,
    task: Task,
    numbers: Mapping[str, Any],
    micro_batches: int = 1,
    param_shardings: Any = None,
) -> Callable[..., tuple[TrainState, dict[str, Any]]]:
    """Builds the update of a run whose seed and schedule are data.

    Args:
      config: `optimizer`, but for what `numbers` says.
      task: the task to train.
      numbers: `seed`, and those of `schedule_numbers`; they may be traced.
      micro_batches: see `make_train_step`.
      param_shardings: see `make_train_step`.
    """
    schedule = {name: value for name, value in numbers.items() if name != "seed"}
    optimizer, rate = optimizer_of(config.optimizer, schedule)
    return make_train_step(
        task,
        optimizer,
        rate,
        numbers["seed"],
        micro_batches,
        param_shardings,
        config.optimizer.freeze_encoder_steps,
    )


def lower_train_step(
    config: ml_collections.ConfigDict, task: Task, mesh: Mesh, rows: int, micro_batches: int
) -> jax.stages.Lowered:
    """Lowers the training step for a mesh whose devices need not exist.

    Args:
      config: `batch`, `mesh`, `optimizer`, `seed`, `train`.
      task: the task to train.
      mesh: of devices, or of a topology.
      rows: of a global batch.
      micro_batches: the number of parts in which each shard's rows are taken.
    """
    # Abstract: nothing may run on devices that do not exist.
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
        program = build_program(config, task, mesh, max(1, config.train.steps), micro_batches)
        batch = abstract_batch(config, task, mesh, rows)
        return program.step.lower(program.abstract, batch, program.numbers)


def abstract_batch(
    config: ml_collections.ConfigDict, task: Task, mesh: Mesh, rows: int
) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes of a batch of packed rows."""
    limit = config.batch.max_sequences if config.batch.packed else 1
    one = lay_out([], [np.zeros(0, np.int64)], task.features, config.batch.row_length, limit)
    sharding = over_rows(mesh)
    return {
        name: jax.ShapeDtypeStruct((rows, *x.shape[1:]), x.dtype, sharding=sharding)
        for name, x in one.items()
    }


def make_predict_step(
    task: Task,
) -> Callable[[Any, Mapping[str, jax.Array]], dict[str, jax.Array]]:
    """Builds a function (params, batch) -> predictions and what `take_apart` needs of the batch."""

    def predict_step(params, batch):
        outputs: Any = task.model.apply({"params": params}, batch, deterministic=True)
        layout = {name: batch[name] for name in ("sequence_index", "cls_positions", "segment_ids")}
        return dict(task.predict(outputs, batch)) | layout

    return predict_step
