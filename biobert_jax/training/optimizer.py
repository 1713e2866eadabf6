"""BERT's optimiser and learning-rate schedule, rule by rule.

Source: google-research/bert, optimization.py.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax


def bert_schedule(peak: float, warmup_steps: int, total_steps: int) -> optax.Schedule:
    """Linear warm-up to `peak`, then the line that falls from `peak` at step 0 to 0 at the end.

    The decay is not restarted at the end of the warm-up: there the rate drops from the peak to
    (1 - warmup_steps / total_steps) of it, as in the original. It is 0 at step 0.
    """

    def schedule(step: Any) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        warmup = step * _inverse(warmup_steps)
        decay = jnp.maximum(total_steps - step, 0) * _inverse(total_steps)
        return peak * jnp.where(step < warmup_steps, warmup, decay)

    return schedule


def linear_schedule(peak: float, warmup_steps: int, total_steps: int) -> optax.Schedule:
    """Linear warm-up to `peak`, then linear decay from there to 0 at the end: today's standard."""

    def schedule(step: Any) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        warmup = step * _inverse(warmup_steps)
        left = (total_steps - step) * _inverse(total_steps - warmup_steps)
        return peak * jnp.where(step < warmup_steps, warmup, jnp.clip(left, 0.0, 1.0))

    return schedule


def _inverse(steps: Any) -> jax.Array:
    """1 / steps (of 0: 1).

    Schedules are products of what is exact. A division by a constant and one by a number that is
    data (training.several.stacked), or a sum that some programs contract with a product, can give
    rates that differ in their last bit between a run and the same run as a trial.
    """
    return jnp.float32(1) / jnp.maximum(1, steps).astype(jnp.float32)


def scale_by_bert_adam(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-6
) -> optax.GradientTransformation:
    """Adam's direction without bias correction: m / (sqrt(v) + eps)."""

    def init(params: Any) -> optax.ScaleByAdamState:
        def zeros():
            return jax.tree.map(jnp.zeros_like, params)

        return optax.ScaleByAdamState(count=jnp.zeros([], jnp.int32), mu=zeros(), nu=zeros())

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, updates)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.nu, updates)
        updates = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + eps), mu, nu)
        return updates, optax.ScaleByAdamState(count=state.count + 1, mu=mu, nu=nu)

    return optax.GradientTransformation(init, update)


def decayed(params: Any) -> Any:
    """Which parameters weight decay applies to: all but biases and those of LayerNorm."""

    def decays(path: tuple, _: Any) -> bool:
        names = [str(getattr(key, "key", key)) for key in path]
        return names[-1] != "bias" and "layer_norm" not in names

    return jax.tree_util.tree_map_with_path(decays, params)


def schedule_numbers(config: ml_collections.ConfigDict, total_steps: int) -> dict[str, float]:
    """What a learning-rate schedule depends on.

    Args:
      config: learning_rate (the peak), warmup_steps or warmup_share.
      total_steps: where the decay reaches 0.
    """
    warmup = config.get("warmup_steps") or int(total_steps * config.warmup_share)
    return {"peak": config.learning_rate, "warmup_steps": warmup, "total_steps": total_steps}


def make_optimizer(
    config: ml_collections.ConfigDict, total_steps: int
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """Builds the optimiser that a config names, for training of so many steps."""
    return optimizer_of(config, schedule_numbers(config, total_steps))


def optimizer_of(
    config: ml_collections.ConfigDict, numbers: Mapping[str, Any]
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """Builds the optimiser that a config names.

    Args:
      config: name (`bert` or `adamw`), weight_decay, clip_norm, b1, b2, eps,
        freeze_encoder_steps.
      numbers: of `schedule_numbers`; they may be traced.

    Returns:
      The transformation and its schedule. `bert` is the original's: no bias correction, the
      original's schedule. `adamw` is today's standard: bias correction, and a linear decay that
      begins at the peak. The schedule is the heads' where the encoder is frozen at first.
    """
    if config.name == "bert":
        direction = scale_by_bert_adam(config.b1, config.b2, config.eps)
        make_schedule = bert_schedule
    elif config.name == "adamw":
        direction = optax.scale_by_adam(config.b1, config.b2, config.eps)
        make_schedule = linear_schedule
    else:
        raise ValueError(f"optimizer.name must be 'bert' or 'adamw'; found {config.name!r}")

    def learning(schedule: optax.Schedule) -> list[optax.GradientTransformation]:
        return [
            direction,
            optax.add_decayed_weights(config.weight_decay, mask=decayed),
            optax.scale_by_learning_rate(schedule),
        ]

    schedule = make_schedule(**numbers)
    transformations = learning(schedule)
    if steps := config.freeze_encoder_steps:
        left = {"total_steps": numbers["total_steps"] - steps}
        encoder = optax.chain(*learning(make_schedule(**{**numbers, **left})))
        # Its moments, its count and with that its schedule stand still until it begins.
        begun: Any = lambda step: step >= steps
        encoder = optax.conditionally_mask(encoder, begun)
        heads = optax.chain(*transformations)
        transformations = [optax.partition({"encoder": encoder, "heads": heads}, _parts)]
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), *transformations), schedule


def _parts(params: Any) -> Any:
    """For each group of parameters, whether it is the encoder's or a head's."""
    return {group: "encoder" if group == "encoder" else "heads" for group in params}
