"""What each choice in our pre-training step is worth: one change at a time.

    python -m benchmarks.pretrain_ablation --size mini --rows 8 --row-length 128      # a CPU
    python -m benchmarks.pretrain_ablation --size base --rows 64 --row-length 512     # a GPU

All variants are compiled in one process and take turns on the same documents, so that whatever else
changes on the machine meets all of them; the step without a change comes twice, and tells how much
of a difference is chance. Ratios are those within a turn, of real tokens per second: their median,
and the range of the middle half. Memory is what the compiler plans for temporaries.
"""

import functools
import itertools
import json
import statistics
import time
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import device
from benchmarks.pretraining import argument_parser, make_step, settings_of
from biobert_jax.training.huge_pages import use_huge_pages

REFERENCE = "ours"
STEPS = 4  # of a turn that count


def variants(dtype: str, unroll: int) -> dict[str, dict[str, Any]]:
    """By name, the options of `make_step`."""

    def of(packed: bool = True, **compute):
        return {"compute": {"dtype": dtype, "unroll": unroll} | compute, "packed": packed}

    other = "float32" if dtype == "bfloat16" else "bfloat16"
    loop = (
        {"layers looped over": of(unroll=1)} if unroll != 1 else {"layers unrolled": of(unroll=0)}
    )
    return {
        REFERENCE: of(),
        "unpacked": of(packed=False),
        "every position projected": of() | {"project_all": True},
        f"in {other}": of(dtype=other),
        "dropout by rbg": of(dropout="rbg"),
        "dropout by threefry": of(dropout="threefry"),
        **loop,
        "looped, remat dots": of(unroll=1, remat="dots"),
        "looped, remat full": of(unroll=1, remat="full"),
        "state not donated": of() | {"donate": False},
        "no attention dropout": of() | {"attention_dropout": 0.0},
        f"{REFERENCE}, again": of(),
    }


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=6, help="of each variant")
    args = parser.parse_args()

    name, _ = device()
    on_cpu = name == "CPU"
    settings = settings_of(args) | {"device": name}
    running, memory, compiling = {}, {}, {}
    speeds: dict[str, list[float]] = {}
    for key, options in variants("float32" if on_cpu else "bfloat16", 0 if on_cpu else 1).items():
        state, step, batches = make_step(settings, options)
        began = time.perf_counter()
        compiled = step.func.lower(state, batches[0][1], **step.keywords).compile()
        compiling[key] = time.perf_counter() - began
        memory[key] = compiled.memory_analysis().temp_size_in_bytes
        running[key] = [
            functools.partial(compiled, **step.keywords),
            state,
            itertools.cycle(batches),
        ]
        speeds[key] = []
    for _ in range(args.turns):
        for key, (compiled, _, batches) in running.items():
            # The first step of a turn finds the memory as the variant before has left it.
            for step in range(1 + STEPS):
                tokens, batch = next(batches)
                began = time.perf_counter()
                running[key][1], metrics = compiled(running[key][1], batch)
                jax.block_until_ready(metrics)
                if step:
                    speeds[key].append(tokens / (time.perf_counter() - began))

    title = f"{args.size}, {args.rows} rows of {args.row_length}, {name}"
    table = Table(title=title)
    for column in ("", "real tokens/s", "ratio (middle half)", "temporaries", "compiling"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for key, values in speeds.items():
        ratios = np.array(values) / np.array(speeds[REFERENCE])
        low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        table.add_row(
            key,
            f"{statistics.median(values):,.0f}",
            f"{middle:.2f} ({low:.2f}-{high:.2f})",
            f"{memory[key] / 1e6:,.0f} MB",
            f"{compiling[key]:.1f} s",
        )
    Console(width=140).print(table)  # of a log file too
    if args.json:
        found = {"settings": settings, "speeds": speeds, "temporaries": memory}
        args.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    use_huge_pages()
    main()
