"""A pre-training step (MLM + NSP): ours beside transformers.

    python -m benchmarks.pretrain_step --size mini --rows 8 --row-length 128      # a CPU
    python -m benchmarks.pretrain_step --size base --rows 64 --row-length 512     # a GPU

The table answers two questions. Equal padded work: `ours, unpacked` and transformers read the
same padded batches, in rows per second. Real tokens: our packed rows beside their padded ones, over
the same documents. `benchmarks.pretrain_ablation` measures what each part is worth.

transformers is BertForPreTraining with SDPA as its Trainer would run it, AdamW, and on a GPU
torch.compile and bfloat16 autocast; on a CPU its float32 and its bfloat16 are both shown.
Documents: `--shards`, folders of `biobert corpus build`; without, the generated corpus. Weights are
random: they change nothing about speed.
"""

import functools
import itertools
import os
import statistics
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import Measured, Step, complete, device, measure, ratios, save
from benchmarks.pretraining import (
    architecture,
    argument_parser,
    batches_of,
    first_batches,
    make_step,
    settings_of,
)
from biobert_jax.analysis.flops import training_flops


def ours(settings: dict[str, Any], options: dict[str, Any]) -> Iterator[Step]:
    """Our training step."""
    import jax

    state, step, first = make_step(settings, options)
    for tokens, batch in itertools.cycle(first):
        state, metrics = step(state, batch)
        yield tokens, functools.partial(jax.block_until_ready, metrics)


def peer(settings: dict[str, Any], options: dict[str, Any]) -> Iterator[Step]:
    """transformers' BertForPreTraining, one padded sequence a row."""
    import numpy as np
    import torch
    import transformers

    device = "cuda" if torch.cuda.is_available() else "cpu"
    task, source = batches_of(settings, {}, packed=False)
    config = transformers.BertConfig(**task.model.config.to_dict(), attn_implementation="sdpa")
    model = transformers.BertForPreTraining(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=device == "cuda")
    forward = torch.compile(model) if device == "cuda" else model
    for tokens, batch in itertools.cycle(first_batches(source)):
        labels = np.full_like(batch["input_ids"], -100)
        real = batch["masked_lm_ids"] >= 0
        row, _ = np.nonzero(real)
        labels[row, batch["masked_lm_positions"][real]] = batch["masked_lm_ids"][real]
        arrays = {
            "input_ids": batch["input_ids"],
            "token_type_ids": batch["token_type_ids"],
            "attention_mask": (batch["segment_ids"] > 0).astype(np.int64),
            "labels": labels,
            "next_sentence_label": batch["next_sentence_label"][:, 0],
        }
        arrays = {k: torch.from_numpy(v).long().to(device) for k, v in arrays.items()}
        with torch.autocast(device, torch.bfloat16, enabled=options["dtype"] == "bfloat16"):
            loss = forward(**arrays).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield tokens, torch.cuda.synchronize if device == "cuda" else lambda: None


def contenders(dtype: str, on_cpu: bool) -> dict[str, Any]:
    """By name."""

    def of(packed: bool = True, compute=(), **more):
        kind = {"dtype": dtype, "unroll": 0 if on_cpu else 1} | dict(compute)
        return ours, {"compute": kind, "packed": packed, "huge_pages": True, **more}

    out = {f"transformers {dtype}": (peer, {"dtype": dtype, "library": "torch"})}
    if on_cpu:
        out["transformers bfloat16"] = (peer, {"dtype": "bfloat16", "library": "torch"})
    out |= {"ours": of(), "ours, unpacked": of(packed=False)}
    if not on_cpu:
        cudnn = {"attention": "cudnn"}
        out["ours, attention by pallas_gpu"] = of(compute={"attention": "pallas_gpu"})
        out["ours, no attention dropout, cudnn"] = of(attention_dropout=0.0, compute=cudnn)
    return out


def print_tables(found: dict[str, Measured], settings: dict[str, Any], reference: str) -> None:
    console = Console(width=140)  # of a log file too
    length, rows = settings["row_length"], settings["rows"]
    table = Table(title=f"{settings['size']}, {rows} rows of {length}, {settings['device']}")
    for name in ("", "real tokens/s", "ratio (range)", "rows/s", "ratio", "MFU", "GB", "1st step"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    known = reference in complete(found)
    for name, measured in found.items():
        if not measured.speeds:
            table.add_row(name, measured.failure)
            continue
        seconds = statistics.median(measured.seconds)
        done = settings["flops"] / seconds
        table.add_row(
            name,
            f"{statistics.median(measured.speeds):,.0f}",
            ratios(found, name, reference) if known else "",
            f"{rows / seconds:,.1f}",
            f"{statistics.median(found[reference].seconds) / seconds:.2f}" if known else "",
            f"{done / settings['peak']:.1%}" if settings["peak"] else f"{done / 1e9:,.0f} GFLOP/s",
            f"{measured.peak_bytes / 1e9:.2f}",
            f"{measured.first_step:.1f} s",
        )
    console.print(table)
    console.print(
        f"Ratios are to {reference}: of real tokens per second, of the rounds; and of rows per "
        "second, which is equal padded work for 'ours, unpacked' only."
    )


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--contenders", nargs="+", help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="steps a round")
    parser.add_argument("--warmup", type=int, default=4, help="steps before each round")
    parser.add_argument("--restarts", type=int, default=0, help="of each process, all again")
    args = parser.parse_args()

    name, peak = device()
    dtype = "float32" if name == "CPU" else "bfloat16"
    everything = contenders(dtype, name == "CPU")
    chosen = {key: everything[key] for key in args.contenders or everything}
    settings = settings_of(args) | {"device": name, "peak": peak, "dtype": dtype}
    settings["vocab_size"] = batches_of(settings, {}, packed=False)[0].model.config.vocab_size
    # What the original gathers; that transformers projects every position is its own affair.
    predicted = round(0.15 * args.row_length)
    config = architecture(settings, settings["vocab_size"])
    settings["flops"] = training_flops(config, args.rows, args.row_length, predicted, 1)
    # This process may hold the GPU too: no contender is to count on all of its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    numbers = (args.rounds, args.steps, args.warmup)
    for found in measure(chosen, (settings,), *numbers, name == "CPU", args.restarts):
        save(args.json, found, settings=settings)
    print_tables(found, settings, f"transformers {dtype}")


if __name__ == "__main__":
    main()
