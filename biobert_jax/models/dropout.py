"""Dropout from a counter-based hash: cheap, and independent of how an array is laid over devices.

JAX's default generator (threefry, 20 rounds) costs about a fifth of a fine-tuning step on a CPU.
The mask needs independence between elements, not cryptographic strength: 32-bit integer hashing of
the element's index under a key that threefry made passes that test, fuses into whatever reads the
mask, and gives each element the same bit on one device and on a thousand.
"""

import math

import jax
import jax.numpy as jnp


def dropout(x: jax.Array, rate: float, rng: jax.Array | None, generator: str = "hash") -> jax.Array:
    """Zeroes a share of the elements and scales up the rest.

    Args:
      x: any shape.
      rate: the share that is dropped, from 0 to below 1.
      rng: a key, or None for no dropout.
      generator: a name of `GENERATORS`.
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"a dropout rate must be in [0, 1); found {rate}")
    if rng is None or rate == 0.0:
        return x
    keep = GENERATORS[generator](rng, x.shape) >= drop_below(rate)
    return jnp.where(keep, x * (1.0 / (1.0 - rate)), jnp.zeros((), x.dtype))


def drop_below(rate: float) -> jax.Array:
    """The number that a dropped element's 32 bits are below."""
    return jnp.uint32(round(rate * 2**32))


def hash_bits(rng: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """32 random bits per element: a keyed integer hash of each element's number.

    The last two axes are numbered, and each matrix of them has a key of its own: so arrays of more
    than 2**32 elements have no number twice.
    """
    matrices, inner = shape[:-2], shape[-2:]
    if max(math.prod(matrices), math.prod(inner)) >= 2**32:
        raise ValueError(
            f"{shape}: a 32-bit counter numbers neither its matrices nor their elements"
        )
    key = hash_key(rng)
    first = key[0]
    if matrices:
        first = matrix_key(_numbers(matrices), key[0], key[1])
        first = first.reshape(*matrices, *(1,) * len(inner))
    return mix(_numbers(inner), first, key[1])


def matrix_key(number: jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
    """The first word of a matrix's key, by the number of the matrix, uint32."""
    return mix(number ^ jnp.uint32(0x6A09E667), second, first)


def _numbers(shape: tuple[int, ...]) -> jax.Array:
    """uint32 of a shape: 0, 1, ... in row-major order."""
    number = jnp.zeros(shape, jnp.uint32)
    stride = 1
    for axis in reversed(range(len(shape))):
        number += jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * jnp.uint32(stride)
        stride *= shape[axis]
    return number


def hash_key(rng: jax.Array) -> jax.Array:
    """The two words, uint32 [2], that `mix` is keyed with."""
    return jax.random.bits(rng, (2,), jnp.uint32)


def mix(index: jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
    """Hashes uint32 indices under a key of two words.

    The two-multiplication finaliser with the constants that Chris Wellons' search found to have the
    least bias ("lowbias32", 2018, public domain). Written so that a kernel can call it, too.
    """
    x = (index ^ first) * jnp.uint32(0x9E3779B9) + second
    x ^= x >> 16
    x *= jnp.uint32(0x7FEB352D)
    x ^= x >> 15
    x *= jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _rbg_bits(rng: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    key = jax.random.wrap_key_data(jax.random.bits(rng, (4,), jnp.uint32), impl="rbg")
    return jax.random.bits(key, shape, jnp.uint32)


def _threefry_bits(rng: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.bits(rng, shape, jnp.uint32)


GENERATORS = {"hash": hash_bits, "rbg": _rbg_bits, "threefry": _threefry_bits}
"""`rbg` is XLA's generator, the device's own where it has one; its bits depend on the sharding."""
