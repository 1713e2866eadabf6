"""Attention of one head of one packed row in one TPU kernel, backward pass included.

Rows have at most 512 positions, so a head's whole [S, S] of logits fits into a core's fast memory:
nothing of that size goes to the main memory, and no running softmax is needed.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from biobert_jax.models.attention import MASKED
from biobert_jax.models.attention_kernel import kept, product

LANES, SUBLANES = 128, 8
MAX_LENGTH = 1024


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segment_ids: jax.Array,
    numbers: jax.Array,
    *,
    rate: float,
    heads: int,
    interpret: bool,
) -> jax.Array:
    """The kernel for TPUs, as `attention_kernel.Kernel` says."""
    length = query.shape[1]
    if length > MAX_LENGTH:
        raise ValueError(f"attention 'pallas_tpu' takes rows of up to {MAX_LENGTH}; found {length}")
    arrays = [x.swapaxes(1, 2) for x in (query, key, value)]  # [B, H, S, Dh]
    out: Any = _attend(*arrays, segment_ids, numbers, rate, heads, interpret)
    return out.swapaxes(1, 2)


@functools.partial(jax.custom_vjp, nondiff_argnums=(5, 6, 7))
def _attend(q, k, v, segment_ids, numbers, rate, heads, interpret) -> jax.Array:
    """Of [B, H, S, Dh]."""
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
    logits = product(q * np.asarray(q.shape[-1] ** -0.5, q.dtype), k, (1, 1))
    allowed = down_ref[0, :, :1] == across_ref[0, :1, :]
    logits = jnp.where(allowed, logits, MASKED)
    weights = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


def _kept(numbers_ref, length, rate, heads):
    """Which probabilities [S, S] of this step's row and head dropout keeps."""
    queries, keys = (jax.lax.broadcasted_iota(jnp.uint32, (length, length), i) for i in (0, 1))
    row, head = pl.program_id(0), pl.program_id(1)
    return kept(numbers_ref, row, head, queries, keys, length=length, heads=heads, rate=rate)


def _forward(numbers_ref, down_ref, across_ref, q_ref, k_ref, v_ref, out_ref, *, rate, heads):
    q, k, v = q_ref[0, 0], k_ref[0, 0], v_ref[0, 0]
    weights = _probabilities(q, k, down_ref, across_ref)
    if rate:
        keep = _kept(numbers_ref, q.shape[0], rate, heads)
        weights = jnp.where(keep, weights * (1.0 / (1.0 - rate)), 0.0)
    out_ref[0, 0] = product(weights.astype(v.dtype), v, (1, 0)).astype(out_ref.dtype)


def _backward(
    numbers_ref, down_ref, across_ref, q_ref, k_ref, v_ref, do_ref, dq_ref, dk_ref, dv_ref, *,
    rate, heads,
):  # fmt: skip
    q, k, v, do = q_ref[0, 0], k_ref[0, 0], v_ref[0, 0], do_ref[0, 0]
    scale = q.shape[-1] ** -0.5
    weights = _probabilities(q, k, down_ref, across_ref)
    d_weights = product(do, v, (1, 1))
    dropped = weights
    if rate:
        keep = _kept(numbers_ref, q.shape[0], rate, heads)
        dropped = jnp.where(keep, weights * (1.0 / (1.0 - rate)), 0.0)
        d_weights = jnp.where(keep, d_weights * (1.0 / (1.0 - rate)), 0.0)
    dv_ref[0, 0] = product(dropped.astype(v.dtype), do, (0, 0)).astype(dv_ref.dtype)
    inner = jnp.sum(weights * d_weights, axis=-1, keepdims=True)
    d_logits = (weights * (d_weights - inner) * scale).astype(q.dtype)
    dq_ref[0, 0] = product(d_logits, k, (1, 0)).astype(dq_ref.dtype)
    dk_ref[0, 0] = product(d_logits, q, (0, 0)).astype(dk_ref.dtype)
