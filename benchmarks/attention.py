"""Attention alone, forward and with gradients: every implementation, and the GPU kernel's tiles.

    python -m benchmarks.attention --rows 64 --row-length 512             # a GPU
    python -m benchmarks.attention --rows 64 --row-length 512 --sweep     # and other tiles
    python -m benchmarks.attention --rows 2 --row-length 128              # a CPU: the plain form

Rows are packed with sequences of random lengths. The error is the largest difference of an output
or gradient at a real position from the plain form's with the same dropout masks, beside the largest
value; cuDNN has no dropout and is compared without.
"""

import argparse
import functools
import json
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from biobert_jax.models import attention_gpu, attention_kernel
from biobert_jax.models.attention import attend
from biobert_jax.models.attention_gpu import Tile, Tiles

TILES = [
    Tile(own, other, warps, stages)
    for own, other, warps in [(64, 32, 4), (64, 64, 4), (128, 32, 4), (128, 64, 4), (128, 64, 8)]
    for stages in (2, 3)
]


def packed(rows: int, length: int, mean: int, generator: np.random.Generator) -> np.ndarray:
    """Segment ids [rows, length] of sequences of `mean` positions on average, 0 for the rest."""
    ids = np.zeros((rows, length), np.int32)
    for row in ids:
        start = number = 0
        while (end := start + 1 + generator.poisson(mean - 1)) <= length:
            number += 1
            row[start:end] = number
            start = end
    return ids


def by_name(name: str, rate: float):
    """Attention as a function of query, key, value, segment_ids and a key for dropout."""

    def run(q, k, v, ids, rng):
        return attend(q, k, v, ids, dropout_rate=rate, dropout_rng=rng, implementation=name)

    return run


def tiled(tiles: Tiles, rate: float):
    """The GPU kernel in tiles of these sizes."""
    kernel = functools.partial(attention_gpu.attend, tiles=tiles)

    def run(q, k, v, ids, rng):
        return attention_kernel.attend(kernel, q, k, v, ids, rate, rng)

    return run


def contenders(rate: float, sweep: bool, size: int, dtype: str) -> dict[str, tuple]:
    """By name: a function as of `by_name`, and its dropout rate."""
    out = {"xla": (by_name("xla", rate), rate)}
    if jax.default_backend() == "tpu":
        out["pallas_tpu"] = by_name("pallas_tpu", rate), rate
    if jax.default_backend() == "gpu":
        out["pallas_gpu"] = by_name("pallas_gpu", rate), rate
        out["pallas_gpu, no dropout"] = by_name("pallas_gpu", 0.0), 0.0
        if dtype == "bfloat16":
            out["cudnn, no dropout"] = by_name("cudnn", 0.0), 0.0
        usual = attention_gpu.default_tiles(size, jnp.dtype(dtype))
        for field in ("forward", "queries", "keys") if sweep else ():
            for tile in TILES:
                name = f"{field} {tile.own}x{tile.other}, {tile.warps} warps, {tile.stages} stages"
                out[name] = tiled(usual._replace(**{field: tile}), rate), rate
    return out


def seconds(function, arguments, steps: int) -> float:
    """The median of a call, of `steps` after two."""
    found = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        found.append(time.perf_counter() - start)
    return statistics.median(found[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--row-length", type=int, default=512)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--size", type=int, default=64, help="of a head")
    parser.add_argument("--sequence", type=int, help="mean length; default: half a row")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sweep", action="store_true", help="the GPU kernel in other tiles")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    mean = args.sequence or args.row_length // 2
    ids = packed(args.rows, args.row_length, mean, np.random.default_rng(0))
    real = (ids > 0)[:, :, None, None]
    shape = (args.rows, args.row_length, args.heads, args.size)
    *qkv, weight = (
        jax.random.normal(key, shape).astype(args.dtype)
        for key in jax.random.split(jax.random.key(0), 4)
    )
    arguments = (*qkv, jnp.asarray(ids), jax.random.key(1))

    def with_gradients(run):
        def total(*arguments):
            out = run(*arguments)
            return jnp.sum(jnp.where(real, out * weight, 0).astype(jnp.float32)), out

        return jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))

    def outputs(run):
        (_, out), gradients = with_gradients(run)(*arguments)
        return [jnp.where(real, x, 0) for x in (out, *gradients)]

    plain = functools.cache(lambda rate: outputs(by_name("xla", rate)))

    title = f"{list(shape)} {args.dtype}, dropout {args.dropout}, {jax.devices()[0].device_kind}"
    table = Table(title=title)
    for name in ("", "forward, ms", "and gradients, ms", "error"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    found: dict[str, dict] = {}
    for name, (run, rate) in contenders(args.dropout, args.sweep, args.size, args.dtype).items():
        try:
            found[name] = {
                "error": max(
                    float(jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)))
                    for a, b in zip(outputs(run), plain(rate), strict=True)
                ),
                "forward": seconds(jax.jit(run), arguments, args.steps),
                "both": seconds(with_gradients(run), arguments, args.steps),
            }
        except Exception as error:  # a tile that does not compile must not hide the others
            found[name] = {"failure": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
            table.add_row(name, found[name]["failure"])
        else:
            times = (f"{found[name][part] * 1e3:.3f}" for part in ("forward", "both"))
            table.add_row(name, *times, f"{found[name]['error']:.1e}")
        print(name, found[name], flush=True)
        if args.json:  # all the time: a command may be ended from outside
            text = json.dumps({"title": title, "found": found}, indent=2)
            args.json.write_text(text + "\n")
    Console(width=140).print(table)  # of a log file too


if __name__ == "__main__":
    main()
