"""The state of training and the compiled functions on it."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from biobert_jax.tasks.protocol import Task

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
    row = jnp.zeros((1, 8), jnp.int32)
    one = jnp.zeros((1, 1), jnp.int32)
    tokens = ("input_ids", "token_type_ids", "segment_ids", "position_ids")
    batch = dict.fromkeys(tokens, row) | {"cls_positions": one, "masked_lm_positions": one}

    def init(seed: int) -> TrainState:
        params = task.model.init(jax.random.key(seed), batch)["params"]
        return TrainState(jnp.zeros([], jnp.int32), params, optimizer.init(params))

    return init


def make_train_step(
    task: Task,
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    seed: int,
    micro_batches: int = 1,
) -> Callable[[TrainState, Mapping[str, jax.Array]], tuple[TrainState, dict[str, Any]]]:
    """Builds one update.

    The batch's gradient is the same however many micro-batches it is taken in: the losses' weights
    are added up over the whole global batch before anything is divided by them. Dropout draws other
    masks for another number of micro-batches, but the same ones for any number of devices.

    Returns:
      A function (state, batch) -> (state, metrics). Metrics: `sums` and `weights` of each part of
      the loss, `grad_norm` before clipping, `learning_rate`, `tokens` (real ones).
    """

    def loss_fn(params, batch, weights, rng):
        outputs = task.model.apply(
            {"params": params}, batch, deterministic=False, rngs={"dropout": rng}
        )
        sums = task.losses(outputs, batch)
        return sum(sums[name] / weights[name] for name in sums), sums

    grad_fn = jax.grad(loss_fn, has_aux=True)

    def gradients(params, batch, weights, rng):
        if micro_batches == 1:
            return grad_fn(params, batch, weights, rng)
        # Row r goes to micro-batch r % micro_batches: each device's rows are split where they lie.
        split = jax.tree.map(
            lambda x: x.reshape(-1, micro_batches, *x.shape[1:]).swapaxes(0, 1), batch
        )

        def add(total, numbered):
            index, micro = numbered
            return jax.tree.map(
                jnp.add, total, grad_fn(params, micro, weights, jax.random.fold_in(rng, index))
            ), None

        shapes = jax.eval_shape(grad_fn, params, jax.tree.map(lambda x: x[0], split), weights, rng)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.scan(add, zeros, (jnp.arange(micro_batches), split))[0]

    def train_step(state, batch):
        weights = {k: w + EPSILON for k, w in task.loss_weights(batch).items()}
        rng = jax.random.fold_in(jax.random.key(seed), state.step)
        grads, sums = gradients(state.params, batch, weights, rng)
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


def make_predict_step(
    task: Task,
) -> Callable[[Any, Mapping[str, jax.Array]], dict[str, jax.Array]]:
    """Builds a function (params, batch) -> predictions and what `take_apart` needs of the batch."""

    def predict_step(params, batch):
        outputs = task.model.apply({"params": params}, batch, deterministic=True)
        layout = {name: batch[name] for name in ("sequence_index", "cls_positions", "segment_ids")}
        return dict(task.predict(outputs, batch)) | layout

    return predict_step
