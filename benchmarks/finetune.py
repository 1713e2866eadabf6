"""Fine-tuning speed: ours beside transformers and PyTorch, on the same sequences.

python -m benchmarks.finetune --task ner --init MODEL_FOLDER --data NER_FOLDER
python -m benchmarks.finetune --task relation --init MODEL_FOLDER --data GAD_FOLDER
python -m benchmarks.finetune --task qa --init MODEL_FOLDER --data SQUAD_FOLDER

Each contender trains in a process of its own and waits while another is measured. Rounds alternate,
so that a change in the machine's speed meets all of them; the table has medians over rounds, and
the ratio's spread is over rounds as well. A real token is a piece of a sequence, [CLS] and [SEP]
included; padding never counts. All see the same sequences in the same order, already tokenised, in
batches of the config's size; ours holds as many on average.
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

from benchmarks.finetune_tasks import PEERS, make_task, padded
from biobert_jax.interop.load import load_checkpoint
from biobert_jax.training.memory import TUNABLES

EPOCHS = 20  # planned; no measurement reaches their end
STEPS = 2000  # of the learning rate's schedule


def ours(task_name: str, init: str, data: str, options: dict[str, Any]) -> Iterator[int]:
    """Yields the real tokens of each step once it is done."""
    import jax
    import numpy as np

    from biobert_jax.input.loader import (
        PackedBatches,
        Packing,
        iterate,
        rows_for_sequences,
        shuffled_epochs,
    )
    from biobert_jax.interop.load import initial_params
    from biobert_jax.models.config import Compute
    from biobert_jax.training.optimizer import make_optimizer
    from biobert_jax.training.state import make_init, make_train_step

    checkpoint = load_checkpoint(init)
    compute = Compute(dtype=options["dtype"], unroll=options["unroll"])
    task, config = make_task(task_name, checkpoint, data, compute)
    optimizer, schedule = make_optimizer(config.optimizer, STEPS)
    state = jax.jit(make_init(task, optimizer))(0)
    params, _ = initial_params(jax.device_get(state.params), checkpoint)
    state = state.replace(params=jax.device_put(params))
    step = jax.jit(make_train_step(task, optimizer, schedule, 0), donate_argnums=0)

    examples = task.examples("train")
    times = options["row_lengths"]
    packing = Packing(times * config.batch.row_length, times * config.batch.max_sequences)
    plan = packing.plan(examples, shuffled_epochs(len(examples), EPOCHS, 0))
    rows = rows_for_sequences(plan, config.batch.sequences)
    for batch in iterate(PackedBatches(examples, plan, task.features, rows, rows)):
        state, metrics = step(state, {k: np.asarray(v) for k, v in batch.items()})
        yield int(metrics["tokens"])


def peer(task_name: str, init: str, data: str, options: dict[str, Any]) -> Iterator[int]:
    """transformers' model for the task, padded to the longest sequence of each batch."""
    import torch
    import transformers

    from biobert_jax.input.loader import shuffled_epochs
    from biobert_jax.models.config import Compute

    task, config = make_task(task_name, load_checkpoint(init), data, Compute())
    labels = getattr(task.model, "num_labels", None)
    model = getattr(transformers, PEERS[task_name]).from_pretrained(
        init, **({} if labels is None else {"num_labels": labels})
    )
    model.train()
    decay = [p for n, p in model.named_parameters() if "LayerNorm" not in n and "bias" not in n]
    rest = [p for n, p in model.named_parameters() if "LayerNorm" in n or "bias" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=config.optimizer.learning_rate,
    )
    half = torch.autocast("cpu", torch.bfloat16, enabled=options["dtype"] == "bfloat16")
    examples, size = task.examples("train"), config.batch.sequences
    order = shuffled_epochs(len(examples), EPOCHS, 0)
    for first in range(0, len(order) - size, size):
        batch = padded([examples[i] for i in order[first : first + size]], task.features)
        with half:
            loss = model(**{name: torch.from_numpy(values) for name, values in batch.items()}).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield int(batch["attention_mask"].sum())


FLOAT32 = {"dtype": "float32"}
OURS = FLOAT32 | {"row_lengths": 1, "unroll": 1, "huge_pages": True}
CONTENDERS: dict[str, tuple[Callable[..., Iterator[int]], dict[str, Any]]] = {
    "transformers float32": (peer, FLOAT32),
    "transformers float32, huge pages": (peer, FLOAT32 | {"huge_pages": True}),
    "transformers bfloat16": (peer, {"dtype": "bfloat16"}),
    "ours": (ours, OURS),
    "ours, rows twice as long": (ours, OURS | {"row_lengths": 2}),
    "ours, layers unrolled": (ours, OURS | {"unroll": 0}),
    "ours, default memory": (ours, OURS | {"huge_pages": False}),
}
REFERENCE = "transformers float32"


def work(
    name: str, task: str, init: str, data: str, steps: int, warmup: int, connection: Any
) -> None:
    """A contender's process: measures `steps` steps whenever it is told to."""
    function, options = CONTENDERS[name]
    run = function(task, init, data, options)
    for _ in range(warmup):
        next(run)
    connection.send("ready")
    while connection.recv():
        started = time.perf_counter()
        tokens = sum(next(run) for _ in range(steps))
        connection.send(tokens / (time.perf_counter() - started))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=PEERS, default="ner")
    parser.add_argument("--init", required=True, help="a Hugging Face folder")
    parser.add_argument(
        "--data", required=True, help="a folder: train.tsv, ...; folds of such; SQuAD JSON"
    )
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
            args=(name, args.task, args.init, args.data, args.steps, args.warmup, there),
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

    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"\n{args.task}; {machine}; real tokens/s")
    print(f"{'':34}{'median':>8}{'min':>8}{'max':>8}   ratio to {REFERENCE} (min-max)")
    for name, values in speeds.items():
        ratios = [a / b for a, b in zip(values, speeds.get(REFERENCE, values), strict=True)]
        print(
            f"{name:34}{statistics.median(values):8.0f}{min(values):8.0f}{max(values):8.0f}   "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        )
    if args.json:
        args.json.write_text(
            json.dumps({"task": args.task, "speeds": speeds, "steps": args.steps}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
