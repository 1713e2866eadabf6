"""Attention of packed rows in tiles on an NVIDIA GPU, with dropout, backward pass included.

Written in Pallas and compiled by Triton. Nothing of size [S, S] goes to memory, and blocks of
queries and keys that have no segment in common are not visited; `attention_gpu_kernels` has the
three kernels.

JAX warns (0.11 and 0.12) that a later version will no longer lower Pallas through Triton.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as pltriton

from biobert_jax.models import attention_gpu_kernels as kernels
from biobert_jax.models.attention_gpu_kernels import Call, Tile, Tiles

SMALLEST = 16  # what a product in Triton needs of each dimension
LARGEST_HEAD = 128
PADDING_BLOCK = 128
FIRST_PADDING_SEGMENT = 2**30


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
    of 16, 32, 64 or 128 need none. Faster where a row's segments are in the order of their numbers,
    padding last, as the packer places them; correct in any order.

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
    out: Any = _attend(*arrays, ids, numbers, call)
    return out[:, :length, :, :size]


def _power_of_two(number: int) -> int:
    return max(SMALLEST, pl.next_power_of_2(number))


def _number_padding(segment_ids: jax.Array) -> jax.Array:
    """Makes padding segments of its own, each within a block.

    So every position attends to something, at least itself, and a row's tail of padding costs one
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
def _attend(q, k, v, ids, numbers, call) -> jax.Array:
    return _attend_forward(q, k, v, ids, numbers, call)[0]


def _attend_forward(q, k, v, ids, numbers, call):
    batch, length, heads, _ = q.shape
    normalisers = jax.ShapeDtypeStruct((batch, heads, length), jnp.float32)
    out, normaliser = _run(
        kernels.forward, call.tiles.forward, call, ids, numbers, (q,), (k, v), (q, normalisers)
    )
    return out, (q, k, v, ids, numbers, out, normaliser)


def _attend_backward(call, residuals, d_out):
    q, k, v, ids, numbers, out, normaliser = residuals
    # The softmax's gradient subtracts the mean of the probabilities' gradients, out . d_out. The
    # kernels multiply by dropout's factor in their last line; here it must come off.
    mean = jnp.einsum("bshd,bshd->bhs", out, d_out, preferred_element_type=jnp.float32)
    mean *= 1.0 - call.rate
    of_queries = (q, d_out, normaliser, mean)
    (dq,) = _run(
        kernels.query_gradients, call.tiles.queries, call, ids, numbers, of_queries, (k, v), (q,)
    )
    dk, dv = _run(
        kernels.key_gradients, call.tiles.keys, call, ids, numbers, (k, v), of_queries, (k, v)
    )
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
        name=f"attention_{kernel.__name__}",
    )(numbers, reach, ids, *own, *other)
