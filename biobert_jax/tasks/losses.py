"""Losses as sums, to be divided by weights that are summed over the global batch."""

import jax
import jax.numpy as jnp


def cross_entropy_sum(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Sum of -log p(label) over the labels that are not negative.

    Args:
      logits: [..., C] float32.
      labels: [...]; negative ones do not count.
    """
    log_probabilities = jax.nn.log_softmax(logits)
    taken = jnp.take_along_axis(log_probabilities, jnp.maximum(labels, 0)[..., None], axis=-1)
    return -jnp.sum(jnp.where(labels >= 0, taken[..., 0], 0.0))


def count_labels(labels: jax.Array) -> jax.Array:
    """How many labels are not negative, as float32."""
    return jnp.sum(labels >= 0).astype(jnp.float32)


def binary_cross_entropy_sum(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Sum of -log p(label), each of several labels being there (1) or not (0) by itself.

    Args:
      logits: [..., C] float32.
      labels: [..., C]; negative ones do not count.
    """
    lost = jnp.logaddexp(0.0, logits) - logits * labels
    return jnp.sum(jnp.where(labels >= 0, lost, 0.0))
