"""Attention of packed rows in tiles on an NVIDIA GPU, with dropout, backward pass included.

Written in Pallas and compiled by Triton. A program of the grid owns a block of queries of one head
and goes over blocks of keys with a running softmax (FlashAttention: Dao et al., 2022,
arXiv:2205.14135), so that nothing of size [S, S] goes to memory. In the backward pass one kernel
owns queries and makes their gradients, another owns keys and makes those of keys and values; both
make the probabilities again from the forward pass's normalisers. Blocks that have no segment in
common are not visited.

JAX warns (0.11 and 0.12) that a later version will no longer lower Pallas through Triton.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as pltriton

from biobert_jax.models.attention_kernel import kept, product

LOG2_E = math.log2(math.e)
LOWEST = -1e9  # below any logit; finite, since -inf minus -inf is no number
SMALLEST = 16  # what a product in Triton needs of each dimension
LARGEST_HEAD = 128
PADDING_BLOCK = 128
FIRST_PADDING_SEGMENT = 2**30


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
    """One tile a kernel: the forward pass, gradients of queries, gradients of keys and values."""

    forward: Tile
    queries: Tile
    keys: Tile


def default_tiles(size: int, dtype: jnp.dtype) -> Tiles:
    """Tiles with which no kernel spills registers, compiled for an H100.

    Chosen among such for few instructions a logit and, in bfloat16, two programs or more at a time
    on a multiprocessor; not by timing.

    Args:
      size: Dh.
      dtype: of the arrays. Products of float32 are not the tensor cores' and take more registers.
    """
    if jnp.dtype(dtype).itemsize > 2:
        return Tiles(*[Tile(32, 32, 8, 2)] * 3)
    small, large = Tile(64, 64, 4, 3), Tile(128, 64, 4, 3)
    return Tiles(large, large, small) if size <= 64 else Tiles(small, small, small)


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
    tiles: Tiles | None = None,
) -> jax.Array:
    """The kernel for NVIDIA GPUs, as `attention_kernel.Kernel` says.

    Rows are padded to whole blocks and heads to a power of two; rows of a multiple of 128 and heads
    of 16, 32, 64 or 128 need none. Faster where a row's segments lie in the order of their numbers,
    padding last, as the packer lays them; right in any order.

    Args:
      tiles: sizes of blocks, powers of two from 16; `default_tiles` by default.
    """
    _, length, _, size = query.shape
    if size > LARGEST_HEAD:
        raise ValueError(
            f"attention 'pallas_gpu' takes heads of up to {LARGEST_HEAD}; found {size}: take 'xla'"
        )
    most = _power_of_two(length)
    tiles = Tiles(
        *(
            tile._replace(own=min(tile.own, most), other=min(tile.other, most))
            for tile in tiles or default_tiles(size, query.dtype)
        )
    )
    longer = -length % max(max(tile.own, tile.other) for tile in tiles)
    wider = _power_of_two(size) - size
    arrays = [jnp.pad(x, ((0, 0), (0, longer), (0, 0), (0, wider))) for x in (query, key, value)]
    ids = _number_padding(jnp.pad(segment_ids, ((0, 0), (0, longer))))
    call = Call(tiles, rate, length, heads, size**-0.5, interpret)
    return _attend(*arrays, ids, numbers, call)[:, :length, :, :size]


def _power_of_two(number: int) -> int:
    return max(SMALLEST, pl.next_power_of_2(number))


def _number_padding(segment_ids: jax.Array) -> jax.Array:
    """Makes padding segments of its own, each within a block.

    So every position attends to something, itself at the least, and a row's tail of padding costs a
    block each, not a square of blocks.
    """
    position = jnp.arange(segment_ids.shape[1], dtype=jnp.int32)
    padding = FIRST_PADDING_SEGMENT + position // PADDING_BLOCK
    return jnp.where(segment_ids == 0, padding, segment_ids.astype(jnp.int32))


def _reach(ids: jax.Array, tile: Tile) -> jax.Array:
    """From which of the other blocks up to, not including, which each own block must go.

    Args:
      ids: [B, S].

    Returns:
      int32 [B, S / own, 2].
    """

    def extent(block: int) -> tuple[jax.Array, jax.Array]:
        blocks = ids.reshape(ids.shape[0], -1, block)
        return blocks.min(-1), blocks.max(-1)

    (low, high), (other_low, other_high) = extent(tile.own), extent(tile.other)
    meet = (low[:, :, None] <= other_high[:, None, :]) & (other_low[:, None, :] <= high[:, :, None])
    first = jnp.argmax(meet, axis=-1)
    end = meet.shape[-1] - jnp.argmax(meet[:, :, ::-1], axis=-1)
    return jnp.stack([first, end], axis=-1).astype(jnp.int32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(5,))
def _attend(q, k, v, ids, numbers, call):
    return _attend_forward(q, k, v, ids, numbers, call)[0]


def _attend_forward(q, k, v, ids, numbers, call):
    batch, length, heads, _ = q.shape
    normalisers = jax.ShapeDtypeStruct((batch, heads, length), jnp.float32)
    out, normaliser = _run(
        _forward, call.tiles.forward, call, ids, numbers, (q,), (k, v), (q, normalisers)
    )
    return out, (q, k, v, ids, numbers, out, normaliser)


def _attend_backward(call, residuals, d_out):
    q, k, v, ids, numbers, out, normaliser = residuals
    # The softmax's gradient subtracts the mean of the probabilities' gradients, out . d_out. The
    # kernels multiply by dropout's factor in their last line; here it must come off.
    mean = jnp.einsum("bshd,bshd->bhs", out, d_out, preferred_element_type=jnp.float32)
    mean *= 1.0 - call.rate
    of_queries = (q, d_out, normaliser, mean)
    (dq,) = _run(_queries, call.tiles.queries, call, ids, numbers, of_queries, (k, v), (q,))
    dk, dv = _run(_keys, call.tiles.keys, call, ids, numbers, (k, v), of_queries, (k, v))
    return dq, dk, dv, None, None


_attend.defvjp(_attend_forward, _attend_backward)


def _run(kernel, tile, call, ids, numbers, own, other, outputs):
    """Runs a kernel over the grid (own blocks, rows, heads).

    Args:
      own, other: arrays [B, S, H, Dh] or [B, H, S], of which a program gets its own block, and a
        row's whole; the kernel gets them in this order.
      outputs: what the outputs, blocks all, are like.
    """
    batch, length, heads, _ = own[0].shape

    def spec(x, block):
        at = (lambda i: i) if block == tile.own else (lambda i: 0)
        if len(x.shape) == 3:
            return pl.BlockSpec((None, None, block), lambda i, b, h: (b, h, at(i)))
        return pl.BlockSpec((None, block, None, x.shape[3]), lambda i, b, h: (b, at(i), h, 0))

    reach = _reach(ids, tile)
    return pl.pallas_call(
        functools.partial(kernel, tile=tile, call=call),
        grid=(length // tile.own, batch, heads),
        in_specs=[
            pl.BlockSpec((4,), lambda i, b, h: (0,)),
            pl.BlockSpec((None, *reach.shape[1:]), lambda i, b, h: (b, 0, 0)),
            pl.BlockSpec((None, length), lambda i, b, h: (b, 0)),
            *(spec(x, tile.own) for x in own),
            *(spec(x, length) for x in other),
        ],
        out_specs=[spec(x, tile.own) for x in outputs],
        out_shape=[jax.ShapeDtypeStruct(x.shape, x.dtype) for x in outputs],
        compiler_params=pltriton.CompilerParams(num_warps=tile.warps, num_stages=tile.stages),
        interpret=call.interpret,
        name=f"attention_{kernel.__name__.strip('_')}",
    )(numbers, reach, ids, *own, *other)


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
    """[own, other], unscaled; -inf between segments."""
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


def _forward(
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

    top = jnp.full((tile.own,), LOWEST, jnp.float32)
    total = jnp.zeros((tile.own,), jnp.float32)
    out = jnp.zeros(q.shape, jnp.float32)
    top, total, out = _visit(reach_ref, tile, step, (top, total, out))
    out_ref[...] = (out * (call.upscale / total)[:, None]).astype(out_ref.dtype)
    normaliser_ref[...] = top + jnp.log2(total)


def _queries(
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


def _keys(
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
