"""A pre-training step (MLM + NSP): ours, with one change off at a time, beside transformers.

    python -m benchmarks.pretrain_step --size mini --rows 8 --row-length 128      # a CPU
    python -m benchmarks.pretrain_step --size base --rows 64 --row-length 512     # a GPU

Two questions have a table each. Equal padded work: the same unpacked, padded batch for both, in
sequences a second. Real tokens: our packed rows beside their padded ones, over the same documents.
transformers is BertForPreTraining with SDPA as its Trainer would run it, AdamW, and on a GPU
torch.compile and bfloat16 autocast; on a CPU its float32 and its bfloat16 are both shown.
Documents: `--shards`, folders of `biobert corpus build`; without, the generated corpus. Weights are
random: they change nothing about speed.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import Measured, measure, ratios

SIZES = {
    "mini": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096},
}
HEADS = {"mini": 12, "base": 12, "large": 16}
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "V100": 125e12}
"""Dense bfloat16 (V100: float16) operations a second, by NVIDIA's data sheets."""

MAX_PREDICTIONS = {128: 20, 512: 77}  # of a sequence, as Google's scripts and README have it


def architecture(settings: dict[str, Any], vocab_size: int):
    from biobert_jax.models.config import BertConfig

    size = settings["size"]
    return BertConfig(vocab_size=vocab_size, num_attention_heads=HEADS[size], **SIZES[size])


def batches(settings: dict[str, Any], compute: dict[str, Any], packed: bool):
    """The task and its endless batches: the same documents whether packed or not."""
    from biobert_jax.corpora import mixture
    from biobert_jax.corpora.shards import ShardedCorpus
    from biobert_jax.input import streams
    from biobert_jax.input.loader import Packing
    from biobert_jax.models.config import Compute
    from biobert_jax.models.heads import PretrainingModel
    from biobert_jax.tasks.pretraining import PretrainingTask, subset
    from biobert_jax.tasks.pretraining_instances import InstanceOptions
    from biobert_jax.text.vocabulary import train_vocabulary
    from biobert_jax.text.wordpiece import WordPieceTokenizer

    if settings["shards"]:
        corpora = [ShardedCorpus(folder) for folder in settings["shards"]]
        vocabulary = corpora[0].vocabulary
    else:
        vocabulary = train_vocabulary(mixture.generated_texts(), 8000, False)
        tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, False)
        corpora, vocabulary = [mixture.generated_corpus(tokenizer)], tokenizer.vocabulary
    length, rows = settings["row_length"], settings["rows"]
    limit = max(2, length // 64) if packed else 1
    task = PretrainingTask(
        training=[subset(corpus, 1)[0] for corpus in corpora],
        held_out=[],
        model=PretrainingModel(architecture(settings, len(vocabulary)), Compute(**compute)),
        options=InstanceOptions(max_length=length, max_predictions=MAX_PREDICTIONS[length]),
        vocabulary=vocabulary,
        row_length=length,
        max_sequences=limit,
        card={},
        seed=0,
    )
    stream = task.stream(Packing(length, limit), rows, range(rows))
    return task, streams.batches(stream, rows)


def ours(settings: dict[str, Any], options: dict[str, Any]) -> Iterator[int]:
    """Yields the real tokens of each step once it is done."""
    import jax
    import numpy as np

    from biobert_jax.input.packing import IGNORED
    from biobert_jax.models import attention
    from biobert_jax.training.optimizer import make_optimizer
    from biobert_jax.training.state import make_init, make_train_step
    from configs.common import defaults
    from experiments.starting import platform_here

    compute = dict(options["compute"])
    if compute.get("attention", "auto") == "auto":
        kind = (platform_here(), compute["dtype"], 0.1, compute.get("dropout", "hash"))
        compute["attention"] = attention.choose(*kind)
    task, source = batches(settings, compute, options["packed"])
    if options.get("dropout") == 0.0:
        config = dataclasses.replace(task.model.config, attention_probs_dropout_prob=0.0)
        task.model = task.model.clone(config=config)
    optimizer, schedule = make_optimizer(defaults().optimizer, 100_000)
    state = jax.jit(make_init(task, optimizer))(0)
    step = jax.jit(make_train_step(task, optimizer, schedule, 0), donate_argnums=0)
    for batch in source:
        if options.get("project_all"):
            ids = np.full_like(batch["input_ids"], IGNORED)
            np.put_along_axis(ids, batch["masked_lm_positions"], batch["masked_lm_ids"], axis=1)
            batch = {k: v for k, v in batch.items() if k != "masked_lm_positions"}
            batch["masked_lm_ids"] = ids
        state, metrics = step(state, batch)
        yield int(metrics["tokens"])


def peer(settings: dict[str, Any], options: dict[str, Any]) -> Iterator[int]:
    """transformers' BertForPreTraining, one padded sequence a row."""
    import numpy as np
    import torch
    import transformers

    device = "cuda" if torch.cuda.is_available() else "cpu"
    task, source = batches(settings, {}, packed=False)
    config = transformers.BertConfig(**task.model.config.to_dict(), attn_implementation="sdpa")
    model = transformers.BertForPreTraining(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=device == "cuda")
    forward = torch.compile(model) if device == "cuda" else model
    for batch in source:
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
        if device == "cuda":
            torch.cuda.synchronize()
        yield int(arrays["attention_mask"].sum())


def contenders(dtype: str, on_cpu: bool) -> dict[str, Any]:
    """By name: ours, the peers, and ours with one change off at a time."""

    def of(packed: bool = True, compute=(), **more):
        kind = {"dtype": dtype, "unroll": 0 if on_cpu else 1} | dict(compute)
        return ours, {"compute": kind, "packed": packed, "huge_pages": True, **more}

    peers = {f"transformers {dtype}": (peer, {"dtype": dtype, "library": "torch"})}
    if on_cpu:
        peers["transformers bfloat16"] = (peer, {"dtype": "bfloat16", "library": "torch"})
    other = "float32" if dtype == "bfloat16" else "bfloat16"
    out = {
        **peers,
        "ours": of(),
        "ours, unpacked": of(packed=False),
        "ours, every position projected": of(project_all=True),
        f"ours, {other}": of(compute={"dtype": other}),
        "ours, dropout by rbg": of(compute={"dropout": "rbg"}),
        "ours, dropout by threefry": of(compute={"dropout": "threefry"}),
        "ours, layers looped over": of(compute={"unroll": 1}),
        "ours, layers unrolled": of(compute={"unroll": 0}),
        "ours, remat dots": of(compute={"remat": "dots"}),
        "ours, remat full": of(compute={"remat": "full"}),
        "ours, no attention dropout": of(dropout=0.0),
    }
    if not on_cpu:
        out["ours, attention by pallas_gpu"] = of(compute={"attention": "pallas_gpu"})
        out["ours, no attention dropout, cudnn"] = of(dropout=0.0, compute={"attention": "cudnn"})
    else:
        out["ours, default memory"] = of(huge_pages=False)
    return out


def print_tables(found: dict[str, Measured], settings: dict[str, Any], reference: str) -> None:
    from biobert_jax.models.flops import training_flops

    console = Console()
    length, rows = settings["row_length"], settings["rows"]
    config = architecture(settings, settings["vocab_size"])
    # What the original gathers; that transformers projects every position is its own affair.
    flops = training_flops(config, rows, length, round(0.15 * length), 1)
    table = Table(title=f"{settings['size']}, {rows} rows of {length}, {settings['device']}")
    for name in ("", "real tokens/s", "ratio (range)", "rows/s", "MFU", "GB", "first step, s"):
        table.add_column(name, justify="right" if name else "left")
    for name, measured in found.items():
        seconds = statistics.median(measured.seconds)
        share = f"{flops / seconds / settings['peak']:.1%}" if settings["peak"] else (
            f"{flops / seconds / 1e9:,.0f} GFLOP/s"
        )  # fmt: skip
        table.add_row(
            name,
            f"{statistics.median(measured.speeds):,.0f}",
            ratios(found, name, reference) if reference in found else "",
            f"{rows / seconds:,.1f}",
            share,
            f"{measured.peak_bytes / 1e9:.2f}",
            f"{measured.first_step:.1f}",
        )
    console.print(table)
    console.print(
        f"ratio: of real tokens a second to {reference}'s. Rows/s of 'ours, unpacked' and of "
        "transformers are for equal padded work."
    )


def device() -> tuple[str, float]:
    """The accelerator's name and its peak, from a process that leaves it alone; a CPU has none."""
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        name = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split("\n")[
            0
        ]
    except (OSError, subprocess.CalledProcessError):
        return "CPU", 0.0
    return name, next((peak for part, peak in PEAKS.items() if part in name), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="mini")
    parser.add_argument("--rows", type=int, default=8, help="of a batch")
    parser.add_argument("--row-length", type=int, choices=MAX_PREDICTIONS, default=128)
    parser.add_argument("--shards", nargs="*", default=[], metavar="DIR")
    parser.add_argument("--contenders", nargs="+", help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="steps a round")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    name, peak = device()
    dtype = "float32" if name == "CPU" else "bfloat16"
    everything = contenders(dtype, name == "CPU")
    chosen = {key: everything[key] for key in args.contenders or everything}
    settings = {"size": args.size, "rows": args.rows, "row_length": args.row_length}
    settings |= {"shards": args.shards, "device": name, "peak": peak}
    settings["vocab_size"] = batches(settings, {}, packed=False)[0].model.config.vocab_size
    # Several contenders share one GPU: none may take all of its memory at the start.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    found = measure(chosen, (settings,), args.rounds, args.steps, args.warmup)
    print_tables(found, settings, f"transformers {dtype}")
    if args.json:
        numbers = {key: measured._asdict() for key, measured in found.items()}
        args.json.write_text(json.dumps({"settings": settings, "found": numbers}, indent=2) + "\n")


if __name__ == "__main__":
    main()
