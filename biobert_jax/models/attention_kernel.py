"""What the attention kernels for TPUs and for GPUs share: devices, dropout masks, products.

A kernel is a function of arrays [B, S, H, Dh] on one device. Its dropout masks are those
of `dropout.hash_bits` on the whole [B, H, S, S], made where they are needed and again in the
backward pass, so that a kernel and the plain implementation agree with dropout as well as without.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from biobert_jax.models.dropout import drop_below, hash_key, matrix_key, mix
from biobert_jax.models.partitioning import HEADS, ROWS, current_mesh

Kernel = Callable[..., jax.Array]
"""kernel(query, key, value, segment_ids, numbers, *, rate, heads, interpret), of one device's rows
and heads: `numbers` are for `kept`, `heads` are those of all devices."""


def attend(
    kernel: Kernel,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segment_ids: jax.Array,
    dropout_rate: float = 0.0,
    dropout_rng: jax.Array | None = None,
    interpret: bool = False,
) -> jax.Array:
    """Attention within segments by a kernel; see `attention.attend`.

    Under a mesh each device computes its own rows and heads.

    Args:
      kernel: `attention_tpu.attend` or `attention_gpu.attend`.
      query, key, value: [B, S, H, Dh].
      segment_ids: [B, S].
      dropout_rate: of the probabilities.
      dropout_rng: a key; None for no dropout.
      interpret: run the kernel without its device, for tests.

    Returns:
      [B, S, H, Dh].

    Raises:
      ValueError: what the kernel cannot do.
    """
    heads = query.shape[2]
    rate = dropout_rate if dropout_rng is not None else 0.0
    words = hash_key(dropout_rng) if rate and dropout_rng is not None else jnp.zeros(2, jnp.uint32)
    mesh = current_mesh()
    spread_heads = HEADS if mesh is not None and HEADS in mesh.axis_names else None

    def on_each(query, key, value, segment_ids, words):
        row, head = jnp.uint32(0), jnp.uint32(0)
        if mesh is not None:
            row = jax.lax.axis_index(ROWS).astype(jnp.uint32) * jnp.uint32(query.shape[0])
        if spread_heads:
            head = jax.lax.axis_index(HEADS).astype(jnp.uint32) * jnp.uint32(query.shape[2])
        numbers = jnp.concatenate([words, jnp.stack([row, head])])
        return kernel(
            query, key, value, segment_ids, numbers, rate=rate, heads=heads, interpret=interpret
        )

    if mesh is not None:
        spread = PartitionSpec(ROWS, None, spread_heads)
        on_each = jax.shard_map(
            on_each,
            in_specs=(spread, spread, spread, PartitionSpec(ROWS), PartitionSpec()),
            out_specs=spread,
            check_vma=False,
        )
    return on_each(query, key, value, segment_ids, words)


def kept(numbers, row, head, queries, keys, *, length: int, heads: int, rate: float) -> jax.Array:
    """Which probabilities of a tile dropout keeps; to be called within a kernel.

    Args:
      numbers: uint32 [4], or a reference to them: the hash's two words, and the device's first row
        and first head.
      row, head: of the device, counted from 0.
      queries, keys: uint32 positions in the row, of shapes that broadcast to the tile's.
      length: S.
      heads: H, of all devices.
      rate: the share that is dropped.
    """
    row = numbers[2] + row.astype(jnp.uint32)
    head = numbers[3] + head.astype(jnp.uint32)
    first = matrix_key(row * jnp.uint32(heads) + head, numbers[0], numbers[1])
    return mix(queries * jnp.uint32(length) + keys, first, numbers[1]) >= drop_below(rate)


def product(a: jax.Array, b: jax.Array, axes: tuple[int, int]) -> jax.Array:
    """Contracts axis axes[0] of a with axis axes[1] of b, in float32."""
    dimensions = (((axes[0],), (axes[1],)), ((), ()))
    precision = jax.lax.Precision.HIGHEST if a.dtype == jnp.float32 else None
    return jax.lax.dot_general(
        a, b, dimensions, precision=precision, preferred_element_type=jnp.float32
    )
