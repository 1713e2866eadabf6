"""The three kernels of attention in tiles on an NVIDIA GPU, for `attention_gpu`.

A program of the grid owns a block of queries of one head and goes over blocks of keys with a
running softmax (FlashAttention: Dao et al., 2022, arXiv:2205.14135). In the backward pass one
kernel owns queries and makes their gradients, another owns keys and makes those of keys and values;
both make the probabilities again from the forward pass's normalisers.

Each gets references to the hash's numbers, to the blocks that each own block must visit [n, 2], and
to the row's segments [S]; then to its own blocks, to whole rows, and to its outputs.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as pltriton

from biobert_jax.models.attention import MASKED
from biobert_jax.models.attention_kernel import kept, product

LOG2_E = math.log2(math.e)


class Tile(NamedTuple):
    """How a kernel cuts up the logits of a head.

    Attributes:
      own: positions that a program owns.
      other: positions that it visits at a time.
      warps: of a program, 32 threads each.
      stages: blocks in flight between the GPU's memory and the program.
    """

    own: int
    other: int
    warps: int
    stages: int


class Tiles(NamedTuple):
    """One tile per kernel: the forward pass, gradients of queries, gradients of keys and values."""

    forward: Tile
    queries: Tile
    keys: Tile


@dataclasses.dataclass(frozen=True)
class Call:
    """What a kernel is compiled for.

    Attributes:
      tiles: the sizes of blocks.
      rate: of dropout.
      length, heads: S and H of the whole array, by which the dropout's hash numbers its elements.
      scale: of logits.
      interpret: whether without a GPU.
    """

    tiles: Tiles
    rate: float
    length: int
    heads: int
    scale: float
    interpret: bool

    @property
    def upscale(self) -> float:
        """What dropout multiplies the probabilities it keeps by."""
        return 1.0 / (1.0 - self.rate)


def _visit(reach_ref, tile, step, carry):
    """Calls step(which block, its slice, carry) for the other blocks that this program reaches."""
    block = pl.program_id(0)

    def body(j, carry):
        return step(j, pl.ds(j * tile.other, tile.other), carry)

    return jax.lax.fori_loop(reach_ref[block, 0], reach_ref[block, 1], body, carry)


def _positions(block, size: int) -> jax.Array:
    return (block * size + jnp.arange(size, dtype=jnp.int32)).astype(jnp.uint32)


def _keeper(numbers_ref, call):
    """kept(queries, keys) of this program's row and head."""
    numbers = [numbers_ref[i] for i in range(4)]
    return functools.partial(
        kept, numbers, pl.program_id(1), pl.program_id(2),
        length=call.length, heads=call.heads, rate=call.rate,
    )  # fmt: skip


def _logits(own, other, own_ids, other_ids) -> jax.Array:
    """[own, other], unscaled; -inf between segments.

    Not `MASKED`, with which the running maximum begins: in a tile where a query may attend to
    nothing, both would be equal and give weights of 1 instead of 0.
    """
    logits = product(own, other, (1, 1))
    return jnp.where(own_ids[:, None] == other_ids[None, :], logits, -jnp.inf)


def _exp2(logits: jax.Array, minus: jax.Array, call: Call) -> jax.Array:
    """2**(logits / ln 2 * scale - minus), a probability or what a sum will make one.

    In two of the GPU's instructions. `jnp.exp2` takes four, so as to be right for results below
    2**-126, which count for nothing here.
    """
    scale = call.scale * LOG2_E
    if call.interpret:
        return jnp.exp2(scale * logits - minus)
    arguments = [logits, jnp.full(logits.shape, scale), jnp.broadcast_to(-minus, logits.shape)]
    return pltriton.elementwise_inline_asm(
        "{ .reg .f32 x; fma.rn.f32 x, $1, $2, $3; ex2.approx.ftz.f32 $0, x; }",
        args=arguments,
        constraints="=f,f,f,f",
        pack=1,
        result_shape_dtypes=[jax.ShapeDtypeStruct(logits.shape, jnp.float32)],
    )[0]


def forward(
    numbers_ref, reach_ref, ids_ref, q_ref, k_ref, v_ref, out_ref, normaliser_ref, *, tile, call
):
    """Owns queries. Logits are to base 2, for which GPUs have an instruction."""
    q = q_ref[...]
    block = pl.program_id(0)
    q_ids = ids_ref[pl.ds(block * tile.own, tile.own)]
    queries = _positions(block, tile.own)[:, None]
    keeper = _keeper(numbers_ref, call)

    def step(j, at, carry):
        top, total, out = carry
        v = v_ref[at, :]
        logits = _logits(q, k_ref[at, :], q_ids, ids_ref[at])
        higher = jnp.maximum(top, call.scale * LOG2_E * jnp.max(logits, axis=1))
        weights = _exp2(logits, higher[:, None], call)
        shrink = jnp.exp2(top - higher)
        total = total * shrink + jnp.sum(weights, axis=1)
        if call.rate:
            keep = keeper(queries, _positions(j, tile.other)[None, :])
            weights = jnp.where(keep, weights, 0.0)
        out = out * shrink[:, None] + product(weights.astype(v.dtype), v, (1, 0))
        return higher, total, out

    top = jnp.full((tile.own,), MASKED, jnp.float32)
    total = jnp.zeros((tile.own,), jnp.float32)
    out = jnp.zeros(q.shape, jnp.float32)
    top, total, out = _visit(reach_ref, tile, step, (top, total, out))
    out_ref[...] = (out * (call.upscale / total)[:, None]).astype(out_ref.dtype)
    normaliser_ref[...] = top + jnp.log2(total)


def query_gradients(
    numbers_ref, reach_ref, ids_ref, q_ref, do_ref, normaliser_ref, mean_ref, k_ref, v_ref, dq_ref,
    *, tile, call,
):  # fmt: skip
    """Owns queries; makes their gradients."""
    q, do = q_ref[...], do_ref[...]
    normaliser, mean = normaliser_ref[...][:, None], mean_ref[...][:, None]
    block = pl.program_id(0)
    q_ids = ids_ref[pl.ds(block * tile.own, tile.own)]
    queries = _positions(block, tile.own)[:, None]
    keeper = _keeper(numbers_ref, call)

    def step(j, at, dq):
        k = k_ref[at, :]
        logits = _logits(q, k, q_ids, ids_ref[at])
        weights = _exp2(logits, normaliser, call)
        d_weights = product(do, v_ref[at, :], (1, 1))
        if call.rate:
            keep = keeper(queries, _positions(j, tile.other)[None, :])
            d_weights = jnp.where(keep, d_weights, 0.0)
        d_logits = weights * (d_weights - mean)
        return dq + product(d_logits.astype(k.dtype), k, (1, 0))

    dq = _visit(reach_ref, tile, step, jnp.zeros(q.shape, jnp.float32))
    dq_ref[...] = (dq * (call.scale * call.upscale)).astype(dq_ref.dtype)


def key_gradients(
    numbers_ref, reach_ref, ids_ref, k_ref, v_ref, q_ref, do_ref, normaliser_ref, mean_ref, dk_ref,
    dv_ref, *, tile, call,
):  # fmt: skip
    """Owns keys; makes their gradients and those of their values. Its tiles are [keys, queries]."""
    k, v = k_ref[...], v_ref[...]
    block = pl.program_id(0)
    k_ids = ids_ref[pl.ds(block * tile.own, tile.own)]
    keys = _positions(block, tile.own)[:, None]
    keeper = _keeper(numbers_ref, call)

    def step(j, at, carry):
        dk, dv = carry
        q, do = q_ref[at, :], do_ref[at, :]
        logits = _logits(k, q, k_ids, ids_ref[at])
        weights = _exp2(logits, normaliser_ref[at][None, :], call)
        d_weights = product(v, do, (1, 1))
        dropped = weights
        if call.rate:
            keep = keeper(_positions(j, tile.other)[None, :], keys)
            dropped = jnp.where(keep, weights, 0.0)
            d_weights = jnp.where(keep, d_weights, 0.0)
        d_logits = weights * (d_weights - mean_ref[at][None, :])
        dk = dk + product(d_logits.astype(q.dtype), q, (1, 0))
        dv = dv + product(dropped.astype(do.dtype), do, (1, 0))
        return dk, dv

    zeros = jnp.zeros(k.shape, jnp.float32)
    dk, dv = _visit(reach_ref, tile, step, (zeros, zeros))
    dk_ref[...] = (dk * (call.scale * call.upscale)).astype(dk_ref.dtype)
    dv_ref[...] = (dv * call.upscale).astype(dv_ref.dtype)
