"""Dropout whose random bits do not depend on how an array is laid over devices."""

import jax
import jax.numpy as jnp


def dropout(x: jax.Array, rate: float, rng: jax.Array | None) -> jax.Array:
    """Zeroes a share of the elements and scales up the rest.

    Args:
      x: any shape.
      rate: the share that is dropped, to a resolution of 1/65,536.
      rng: a key, or None for no dropout.
    """
    if rng is None or rate == 0.0:
        return x
    keep = round((1.0 - rate) * 65536)
    mask = _bits16(rng, x.shape) < keep
    return jnp.where(mask, x * (65536 / keep), jnp.zeros((), x.dtype))


def _bits16(rng: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """16 random bits an element; two elements share a 32-bit word, which halves the cost."""
    if shape[-1] % 2:
        return jax.random.bits(rng, shape, jnp.uint16)
    words = jax.random.bits(rng, (*shape[:-1], shape[-1] // 2), jnp.uint32)
    return jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(shape)
