"""Fine-tuning speed: ours beside transformers and PyTorch, on the same sequences.

python -m benchmarks.finetune --task ner --init MODEL_FOLDER --data NER_FOLDER
python -m benchmarks.finetune --task relation --init MODEL_FOLDER --data GAD_FOLDER
python -m benchmarks.finetune --task qa --init MODEL_FOLDER --data SQUAD_FOLDER

Contenders take turns (benchmarks/contenders.py); the table has medians over rounds. A real token is
a piece of a sequence, [CLS] and [SEP] included; padding never counts. All see the same sequences in
the same order, already tokenised, in batches of the config's size; ours holds as many on average.
"""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender, measure, ratios
from benchmarks.finetune_tasks import PEERS, make_task, padded
from biobert_jax.interop.load import load_checkpoint

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
OURS = FLOAT32 | {"row_lengths": 1, "unroll": 0, "huge_pages": True}
CONTENDERS: dict[str, Contender] = {
    "transformers float32": (peer, FLOAT32),
    "transformers float32, huge pages": (peer, FLOAT32 | {"huge_pages": True}),
    "transformers bfloat16": (peer, {"dtype": "bfloat16"}),
    "ours": (ours, OURS),
    "ours, rows twice as long": (ours, OURS | {"row_lengths": 2}),
    "ours, layers looped over": (ours, OURS | {"unroll": 1}),
    "ours, default memory": (ours, OURS | {"huge_pages": False}),
}
REFERENCE = "transformers float32"


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

    chosen = {name: CONTENDERS[name] for name in args.contenders}
    arguments = (args.task, args.init, args.data)
    found = measure(chosen, arguments, args.rounds, args.steps, args.warmup)

    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"\n{args.task}; {machine}; real tokens/s")
    print(f"{'':34}{'median':>8}{'min':>8}{'max':>8}   ratio to {REFERENCE} (min-max)")
    for name, measured in found.items():
        values = measured.speeds
        ratio = ratios(found, name, REFERENCE) if REFERENCE in found else ""
        median = statistics.median(values)
        print(f"{name:34}{median:8.0f}{min(values):8.0f}{max(values):8.0f}   {ratio}")
    if args.json:
        numbers = {name: measured._asdict() for name, measured in found.items()}
        args.json.write_text(json.dumps({"task": args.task, "found": numbers}, indent=2) + "\n")


if __name__ == "__main__":
    main()
