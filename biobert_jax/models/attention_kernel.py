"""Attention of one head of one packed row in one TPU kernel, backward pass included.

Rows have at most 512 positions, so a head's whole [S, S] of logits fits into a core's fast memory:
nothing of that size goes to the main memory, and no running softmax is needed. The dropout masks
are those of `dropout.hash_bits` on the whole [B, H, S, S], computed again in the backward pass; so
the kernel and the plain implementation agree with dropout as well as without.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.sharding import PartitionSpec

from biobert_jax.models.dropout import drop_below, hash_key, mix
from biobert_jax.models.partitioning import HEADS, ROWS, current_mesh

LANES, SUBLANES = 128, 8
MASKED = -1e9
MAX_LENGTH = 1024


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segment_ids: jax.Array,
    dropout_rate: float = 0.0,
    dropout_rng: jax.Array | None = None,
    interpret: bool = False,
) -> jax.Array:
    """Attention within segments, on a TPU; see `attention.attend`.

    Under a mesh each device computes its own rows and heads.

    Args:
      query, key, value: [B, S, H, Dh].
      segment_ids: [B, S].
      dropout_rate: of the probabilities.
      dropout_rng: a key; None for no dropout.
      interpret: run the kernel without a TPU, for tests.

    Returns:
      [B, S, H, Dh].
    """
    batch, length, heads, _ = query.shape
    if length > MAX_LENGTH:
        raise ValueError(f"attention 'pallas' takes rows of up to {MAX_LENGTH}; found {length}")
    if batch * heads * length**2 >= 2**32:
        raise ValueError(f"[{batch}, {heads}, {length}, {length}] has 2**32 elements or more")
    rate = dropout_rate if dropout_rng is not None else 0.0
    words = hash_key(dropout_rng) if rate else jnp.zeros(2, jnp.uint32)
    arrays = [x.swapaxes(1, 2) for x in (query, key, value)]  # [B, H, S, Dh]
    run = functools.partial(_attend, rate=rate, heads=heads, interpret=interpret)

    mesh = current_mesh()
    if mesh is None:
        out = run(*arrays, segment_ids, jnp.concatenate([words, jnp.zeros(2, jnp.uint32)]))
    else:
        spread = PartitionSpec(ROWS, HEADS if HEADS in mesh.axis_names else None)

        def on_each(q, k, v, segments, words):
            rows, own = q.shape[:2]
            first_row = jax.lax.axis_index(ROWS) * rows
            first_head = jax.lax.axis_index(HEADS) * own if HEADS in mesh.axis_names else 0
            first = jnp.stack([first_row, jnp.asarray(first_head)]).astype(jnp.uint32)
            return run(q, k, v, segments, jnp.concatenate([words, first]))

        out = jax.shard_map(
            on_each,
            in_specs=(spread, spread, spread, PartitionSpec(ROWS), PartitionSpec()),
            out_specs=spread,
            check_vma=False,
        )(*arrays, segment_ids, words)
    return out.swapaxes(1, 2)


@functools.partial(jax.custom_vjp, nondiff_argnums=(5, 6, 7))
def _attend(q, k, v, segment_ids, numbers, rate, heads, interpret):
    """q, k, v [B, H, S, Dh]; numbers: the hash's key, this device's first row and first head."""
    kernel = functools.partial(_forward, rate=rate, heads=heads)
    return _call(kernel, 1, 2, segment_ids, numbers, (q, k, v), interpret)[0]


def _attend_forward(q, k, v, segment_ids, numbers, rate, heads, interpret):
    out = _attend(q, k, v, segment_ids, numbers, rate, heads, interpret)
    return out, (q, k, v, segment_ids, numbers)


def _attend_backward(rate, heads, interpret, residuals, gradient):
    q, k, v, segment_ids, numbers = residuals
    kernel = functools.partial(_backward, rate=rate, heads=heads)
    dq, dk, dv = _call(kernel, 3, 5, segment_ids, numbers, (q, k, v, gradient), interpret)
    return dq, dk, dv, None, None


_attend.defvjp(_attend_forward, _attend_backward)


def _call(kernel, outputs, products, segment_ids, numbers, arrays, interpret):
    """Runs a kernel of so many matrix products over the grid (rows, heads) of [B, H, S, Dh]."""
    batch, heads, length, size = arrays[0].shape
    # A TPU reads a vector along sublanes or along lanes; it gets the segments both ways.
    down = jnp.broadcast_to(segment_ids[:, :, None], (batch, length, LANES))
    across = jnp.broadcast_to(segment_ids[:, None, :], (batch, SUBLANES, length))
    whole = pl.BlockSpec((1, 1, length, size), lambda b, h: (b, h, 0, 0))
    return pl.pallas_call(
        kernel,
        grid=(batch, heads),
        in_specs=[
            pl.BlockSpec(memory_space=pltpu.SMEM),
            pl.BlockSpec((1, length, LANES), lambda b, h: (b, 0, 0)),
            pl.BlockSpec((1, SUBLANES, length), lambda b, h: (b, 0, 0)),
            *[whole] * len(arrays),
        ],
        out_specs=[whole] * outputs,
        out_shape=[jax.ShapeDtypeStruct(arrays[0].shape, arrays[0].dtype)] * outputs,
        cost_estimate=pl.CostEstimate(
            flops=products * 2 * batch * heads * length**2 * size,
            transcendentals=batch * heads * length**2,
            bytes_accessed=(len(arrays) + outputs) * arrays[0].size * arrays[0].dtype.itemsize,
        ),
        interpret=interpret,
    )(numbers, down, across, *arrays)


def _probabilities(q, k, down_ref, across_ref):
    """The softmax [S, S] in float32, before dropout."""
    logits = _dot(q * np.asarray(q.shape[-1] ** -0.5, q.dtype), k, (1, 1))
    allowed = down_ref[0, :, :1] == across_ref[0, :1, :]
    logits = jnp.where(allowed, logits, MASKED)
    weights = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


def _kept(numbers_ref, length, rate, heads):
    """Which probabilities [S, S] dropout keeps, of the head and row of this step of the grid."""
    row = numbers_ref[2] + pl.program_id(0).astype(jnp.uint32)
    head = numbers_ref[3] + pl.program_id(1).astype(jnp.uint32)
    first = (row * jnp.uint32(heads) + head) * jnp.uint32(length * length)
    down = jax.lax.broadcasted_iota(jnp.uint32, (length, length), 0)
    across = jax.lax.broadcasted_iota(jnp.uint32, (length, length), 1)
    index = first + down * jnp.uint32(length) + across
    return mix(index, numbers_ref[0], numbers_ref[1]) >= drop_below(rate)


def _forward(numbers_ref, down_ref, across_ref, q_ref, k_ref, v_ref, out_ref, *, rate, heads):
    q, k, v = q_ref[0, 0], k_ref[0, 0], v_ref[0, 0]
    weights = _probabilities(q, k, down_ref, across_ref)
    if rate:
        kept = _kept(numbers_ref, q.shape[0], rate, heads)
        weights = jnp.where(kept, weights * (1.0 / (1.0 - rate)), 0.0)
    out_ref[0, 0] = _dot(weights.astype(v.dtype), v, (1, 0)).astype(out_ref.dtype)


def _backward(
    numbers_ref, down_ref, across_ref, q_ref, k_ref, v_ref, do_ref, dq_ref, dk_ref, dv_ref, *,
    rate, heads,
):  # fmt: skip
    q, k, v, do = q_ref[0, 0], k_ref[0, 0], v_ref[0, 0], do_ref[0, 0]
    scale = q.shape[-1] ** -0.5
    weights = _probabilities(q, k, down_ref, across_ref)
    d_weights = _dot(do, v, (1, 1))
    dropped = weights
    if rate:
        kept = _kept(numbers_ref, q.shape[0], rate, heads)
        dropped = jnp.where(kept, weights * (1.0 / (1.0 - rate)), 0.0)
        d_weights = jnp.where(kept, d_weights * (1.0 / (1.0 - rate)), 0.0)
    dv_ref[0, 0] = _dot(dropped.astype(v.dtype), do, (0, 0)).astype(dv_ref.dtype)
    inner = jnp.sum(weights * d_weights, axis=-1, keepdims=True)
    d_logits = (weights * (d_weights - inner) * scale).astype(q.dtype)
    dq_ref[0, 0] = _dot(d_logits, k, (1, 0)).astype(dq_ref.dtype)
    dk_ref[0, 0] = _dot(d_logits, q, (0, 0)).astype(dk_ref.dtype)


def _dot(a, b, axes):
    """Contracts axis axes[0] of a with axis axes[1] of b, in float32."""
    dimensions = (((axes[0],), (axes[1],)), ((), ()))
    precision = jax.lax.Precision.HIGHEST if a.dtype == jnp.float32 else None
    return jax.lax.dot_general(
        a, b, dimensions, precision=precision, preferred_element_type=jnp.float32
    )
