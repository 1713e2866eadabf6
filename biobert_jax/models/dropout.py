"""Dropout from a counter-based hash: cheap, and independent of how an array is laid over devices.

JAX's default generator (threefry, 20 rounds) costs about a fifth of a fine-tuning step on a CPU.
The mask needs independence between elements, not cryptographic strength: 32-bit integer hashing of
the element's index under a key that threefry made passes that test, fuses into whatever reads the
mask, and gives each element the same bit on one device and on a thousand.
"""

import math

import jax
import jax.numpy as jnp


def dropout(x: jax.Array, rate: float, rng: jax.Array | None) -> jax.Array:
    """Zeroes a share of the elements and scales up the rest.

    Args:
      x: any shape of fewer than 2**32 elements.
      rate: the share that is dropped, from 0 to below 1.
      rng: a key, or None for no dropout.
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"a dropout rate must be in [0, 1); found {rate}")
    if rng is None or rate == 0.0:
        return x
    drop_below = jnp.uint32(round(rate * 2**32))
    keep = hash_bits(rng, x.shape) >= drop_below
    return jnp.where(keep, x * (1.0 / (1.0 - rate)), jnp.zeros((), x.dtype))


def hash_bits(rng: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """32 random bits an element: a keyed integer hash of each element's index.

    The mixing function is the two-multiplication finaliser with the constants that Chris Wellons'
    search found to have the least bias ("lowbias32", 2018, public domain).
    """
    if math.prod(shape) >= 2**32:
        raise ValueError(f"{shape} has more elements than a 32-bit counter can number")
    key = jax.random.bits(rng, (2,), jnp.uint32)
    index = jnp.zeros(shape, jnp.uint32)
    stride = 1
    for axis in reversed(range(len(shape))):
        index += jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * jnp.uint32(stride)
        stride *= shape[axis]
    x = (index ^ key[0]) * jnp.uint32(0x9E3779B9) + key[1]
    x ^= x >> 16
    x *= jnp.uint32(0x7FEB352D)
    x ^= x >> 15
    x *= jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
