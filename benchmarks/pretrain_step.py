"""A pre-training step (MLM + NSP): ours, with one change off at a time, beside transformers.

    python -m benchmarks.pretrain_step --size mini --rows 8 --row-length 128      # a CPU
    python -m benchmarks.pretrain_step --size base --rows 64 --row-length 512     # a GPU

The table answers two questions. Equal padded work: `ours, unpacked` and transformers read the
same padded batches, in rows a second. Real tokens: our packed rows beside their padded ones, over
the same documents. transformers is BertForPreTraining with SDPA as its Trainer would run it, AdamW,
and on a GPU torch.compile and bfloat16 autocast; on a CPU its float32 and its bfloat16 are both
shown. Documents: `--shards`, folders of `biobert corpus build`; without, the generated corpus.
Weights are random: they change nothing about speed.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import Measured, Step, complete, device, measure, ratios
from biobert_jax.models.flops import training_flops

SIZES = {
    "mini": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096},
}
HEADS = {"mini": 12, "base": 12, "large": 16}
MAX_PREDICTIONS = {128: 20, 512: 77}  # of a sequence, as Google's scripts and README have it
BATCHES = 8  # different ones that a measurement goes through again and again


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


def ours(settings: dict[str, Any], options: dict[str, Any]) -> Iterator[Step]:
    """Our training step."""
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
        rate = options.get("attention_dropout", 0.1)
        kind = (platform_here(), compute["dtype"], rate, compute.get("dropout", "hash"))
        compute["attention"] = attention.choose(*kind)
    task, source = batches(settings, compute, options["packed"])
    if "attention_dropout" in options:
        rate = options["attention_dropout"]
        config = dataclasses.replace(task.model.config, attention_probs_dropout_prob=rate)
        task.model = task.model.clone(config=config)
    optimizer, schedule = make_optimizer(defaults().optimizer, 100_000)
    state = jax.jit(make_init(task, optimizer))(0)
    step = jax.jit(make_train_step(task, optimizer, schedule, 0), donate_argnums=0)
    for tokens, batch in cycle(source):
        if options.get("project_all"):
            ids = np.full_like(batch["input_ids"], IGNORED)
            np.put_along_axis(ids, batch["masked_lm_positions"], batch["masked_lm_ids"], axis=1)
            batch = {k: v for k, v in batch.items() if k != "masked_lm_positions"}
            batch["masked_lm_ids"] = ids
        state, metrics = step(state, batch)
        yield tokens, functools.partial(jax.block_until_ready, metrics)


def peer(settings: dict[str, Any], options: dict[str, Any]) -> Iterator[Step]:
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
    for tokens, batch in cycle(source):
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


def cycle(source: Iterator[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The first batches again and again, each with its real tokens.

    Made beforehand: what is measured is the step. `benchmarks.loader` measures the loader.
    """
    first = list(itertools.islice(source, BATCHES))
    source.close()
    tokens = [int((batch["segment_ids"] > 0).sum()) for batch in first]
    return itertools.cycle(zip(tokens, first, strict=True))


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
        "ours, no attention dropout": of(attention_dropout=0.0),
    }
    if not on_cpu:
        out["ours, attention by pallas_gpu"] = of(compute={"attention": "pallas_gpu"})
        cudnn = {"attention": "cudnn"}
        out["ours, no attention dropout, cudnn"] = of(attention_dropout=0.0, compute=cudnn)
    else:
        out["ours, default memory"] = of(huge_pages=False)
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
        f"Ratios are to {reference}: of real tokens a second, of the rounds; and of rows a second, "
        "which is equal padded work for 'ours, unpacked' only."
    )


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
    parser.add_argument("--restarts", type=int, default=0, help="of each process, all again")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    name, peak = device()
    dtype = "float32" if name == "CPU" else "bfloat16"
    everything = contenders(dtype, name == "CPU")
    chosen = {key: everything[key] for key in args.contenders or everything}
    settings = {"size": args.size, "rows": args.rows, "row_length": args.row_length}
    settings |= {"shards": args.shards, "device": name, "peak": peak, "dtype": dtype}
    settings["vocab_size"] = batches(settings, {}, packed=False)[0].model.config.vocab_size
    # What the original gathers; that transformers projects every position is its own affair.
    predicted = round(0.15 * args.row_length)
    config = architecture(settings, settings["vocab_size"])
    settings["flops"] = training_flops(config, args.rows, args.row_length, predicted, 1)
    # This process may hold the GPU too: no contender is to count on all of its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    numbers = (args.rounds, args.steps, args.warmup)
    for found in measure(chosen, (settings,), *numbers, name == "CPU", args.restarts):
        if args.json:  # all the time: a command may be ended from outside
            known = {key: measured._asdict() for key, measured in found.items()}
            text = json.dumps({"settings": settings, "found": known}, indent=2)
            args.json.write_text(text + "\n")
    print_tables(found, settings, f"transformers {dtype}")


if __name__ == "__main__":
    main()
