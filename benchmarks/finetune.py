"""NER fine-tuning speed: ours beside transformers and PyTorch, on the same sentences.

python -m benchmarks.finetune --init MODEL_FOLDER --data NER_FOLDER

Each contender trains in a process of its own and waits while another is measured. Rounds alternate,
so that a change in the machine's speed meets all of them; the table has medians over rounds, and
the ratio's spread is over rounds as well. A real token is a piece of a sentence, [CLS] and [SEP]
included; padding never counts. All see the same sentences in the same order, already tokenised.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from biobert_jax.training.memory import TUNABLES

BATCH = 32  # sentences
LEARNING_RATE = 1e-4
LABELS = 3


def sequences(init: str, data: str) -> list[dict[str, Any]]:
    """Featurised training sentences (train + devel), as our task makes them."""
    from biobert_jax.datasets.conll import label_set
    from biobert_jax.datasets.ner import load_splits
    from biobert_jax.interop.load import load_checkpoint
    from biobert_jax.tasks.ner import Windowing, featurize
    from biobert_jax.text.wordpiece import WordPieceTokenizer

    checkpoint = load_checkpoint(init)
    tokenizer = WordPieceTokenizer(checkpoint.vocabulary, checkpoint.lowercase)
    sentences = load_splits("", data)["train"]
    labels = {label: i for i, label in enumerate(label_set(sentences))}
    tags = [[labels[tag] for tag in s.tags] for s in sentences]
    return featurize([s.words for s in sentences], tags, tokenizer, Windowing()).examples


def ours(init: str, data: str, options: dict[str, Any]) -> Iterator[int]:
    """Yields the real tokens of each step once it is done."""
    import dataclasses

    import jax
    import numpy as np

    from biobert_jax.input.loader import (
        PackedBatches,
        Packing,
        iterate,
        rows_for_sequences,
        shuffled_epochs,
    )
    from biobert_jax.input.packing import IGNORED, Feature
    from biobert_jax.interop.load import initial_params, load_checkpoint
    from biobert_jax.models.config import Compute
    from biobert_jax.models.heads import TokenClassifier
    from biobert_jax.tasks.losses import count_labels, cross_entropy_sum
    from biobert_jax.training.optimizer import make_optimizer
    from biobert_jax.training.state import make_init, make_train_step
    from configs.common import defaults

    checkpoint = load_checkpoint(init)
    architecture = dataclasses.replace(
        checkpoint.config, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1
    )

    class Task:
        model = TokenClassifier(
            architecture,
            Compute(dtype=options["dtype"], unroll=options["unroll"]),
            num_labels=LABELS,
        )
        loss_weights = staticmethod(lambda batch: {"tags": count_labels(batch["labels"])})
        losses = staticmethod(
            lambda out, batch: {"tags": cross_entropy_sum(out["logits"], batch["labels"])}
        )

    config = defaults().optimizer
    config.learning_rate = LEARNING_RATE
    optimizer, schedule = make_optimizer(config, 2000)
    state = jax.jit(make_init(Task, optimizer))(0)
    params, _ = initial_params(jax.device_get(state.params), checkpoint)
    state = state.replace(params=jax.device_put(params))
    step = jax.jit(make_train_step(Task, optimizer, schedule, 0), donate_argnums=0)

    examples = sequences(init, data)
    features = {
        "input_ids": Feature("token"),
        "token_type_ids": Feature("token"),
        "labels": Feature("token", pad=IGNORED),
    }
    plan = Packing(options["row_length"], options["row_length"] // 8).plan(
        examples, shuffled_epochs(len(examples), 20, 0)
    )
    rows = rows_for_sequences(plan, BATCH)
    for batch in iterate(PackedBatches(examples, plan, features, rows, rows)):
        state, metrics = step(state, {k: np.asarray(v) for k, v in batch.items()})
        yield int(metrics["tokens"])


def peer(init: str, data: str, options: dict[str, Any]) -> Iterator[int]:
    """transformers' BertForTokenClassification, padded to the longest sentence of each batch."""
    import numpy as np
    import torch
    from transformers import BertForTokenClassification

    from biobert_jax.input.loader import shuffled_epochs

    model = BertForTokenClassification.from_pretrained(init, num_labels=LABELS)
    model.train()
    decay = [p for n, p in model.named_parameters() if "LayerNorm" not in n and "bias" not in n]
    rest = [p for n, p in model.named_parameters() if "LayerNorm" in n or "bias" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=LEARNING_RATE,
    )
    half = torch.autocast("cpu", torch.bfloat16, enabled=options["dtype"] == "bfloat16")
    examples = sequences(init, data)
    order = shuffled_epochs(len(examples), 20, 0)
    for first in range(0, len(order) - BATCH, BATCH):
        chosen = [examples[i] for i in order[first : first + BATCH]]
        longest = max(len(e["input_ids"]) for e in chosen)
        ids = np.zeros((BATCH, longest), np.int64)
        labels = np.full((BATCH, longest), -100, np.int64)
        mask = np.zeros((BATCH, longest), np.int64)
        for row, example in enumerate(chosen):
            length = len(example["input_ids"])
            ids[row, :length] = example["input_ids"]
            labels[row, :length] = np.where(example["labels"] < 0, -100, example["labels"])
            mask[row, :length] = 1
        with half:
            loss = model(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
                labels=torch.from_numpy(labels),
            ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield int(mask.sum())


FLOAT32 = {"dtype": "float32"}
OURS = FLOAT32 | {"row_length": 128, "unroll": 1, "huge_pages": True}
CONTENDERS: dict[str, tuple[Callable[..., Iterator[int]], dict[str, Any]]] = {
    "transformers float32": (peer, FLOAT32),
    "transformers float32, huge pages": (peer, FLOAT32 | {"huge_pages": True}),
    "transformers bfloat16": (peer, {"dtype": "bfloat16"}),
    "ours": (ours, OURS),
    "ours, rows of 256": (ours, OURS | {"row_length": 256}),
    "ours, layers unrolled": (ours, OURS | {"unroll": 0}),
    "ours, default memory": (ours, OURS | {"huge_pages": False}),
}
REFERENCE = "transformers float32"


def work(name: str, init: str, data: str, steps: int, warmup: int, connection: Any) -> None:
    """A contender's process: measures `steps` steps whenever it is told to."""
    function, options = CONTENDERS[name]
    run = function(init, data, options)
    for _ in range(warmup):
        next(run)
    connection.send("ready")
    while connection.recv():
        started = time.perf_counter()
        tokens = sum(next(run) for _ in range(steps))
        connection.send(tokens / (time.perf_counter() - started))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", required=True, help="a Hugging Face folder")
    parser.add_argument("--data", required=True, help="a folder with train.tsv, ...")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=12, help="steps a round")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    context = multiprocessing.get_context("spawn")
    speeds: dict[str, list[float]] = {name: [] for name in args.contenders}
    pipes = {}
    for name in args.contenders:
        here, there = context.Pipe()
        # The C library reads this when a process starts. `experiments` set it for themselves.
        os.environ["GLIBC_TUNABLES"] = TUNABLES if CONTENDERS[name][1].get("huge_pages") else ""
        context.Process(
            target=work,
            args=(name, args.init, args.data, args.steps, args.warmup, there),
            daemon=True,
        ).start()
        there.close()  # so that a contender that dies is noticed, with its traceback above
        pipes[name] = here
        here.recv()
    for number in range(args.rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            speeds[name].append(pipe.recv())
        print(f"round {number + 1}", {n: round(s[-1]) for n, s in speeds.items()}, flush=True)
    for pipe in pipes.values():
        pipe.send(False)

    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores; real tokens/s")
    print(f"{'':34}{'median':>8}{'min':>8}{'max':>8}   ratio to {REFERENCE} (min-max)")
    for name, values in speeds.items():
        ratios = [a / b for a, b in zip(values, speeds.get(REFERENCE, values), strict=True)]
        print(
            f"{name:34}{statistics.median(values):8.0f}{min(values):8.0f}{max(values):8.0f}   "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        )
    if args.json:
        args.json.write_text(json.dumps({"speeds": speeds, "steps": args.steps}, indent=2) + "\n")


if __name__ == "__main__":
    main()
