"""Fine-tuning speed: ours beside transformers and PyTorch, on the same sequences.

python -m benchmarks.finetune --task ner --init MODEL_FOLDER --data NER_FOLDER
python -m benchmarks.finetune --task relation --init MODEL_FOLDER --data GAD_FOLDER
python -m benchmarks.finetune --task qa --init MODEL_FOLDER --data SQUAD_FOLDER

Contenders take turns (benchmarks/contenders.py); the table has medians over rounds. A real token is
a piece of a sequence, [CLS] and [SEP] included; padding never counts. All see the same sequences in
the same order, already tokenised, in batches of the config's size; ours holds as many on average.
"""

import argparse
import functools
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender, Step, complete, device, measure, ratios, save
from benchmarks.finetune_tasks import PEERS, make_task, padded
from biobert_jax.interop.load import load_checkpoint

EPOCHS = 20  # planned; no measurement reaches their end
STEPS = 2000  # of the learning rate's schedule


def ours(task_name: str, init: str, data: str, options: dict[str, Any]) -> Iterator[Step]:
    """Our training step, and the loader."""
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
    from biobert_jax.training.data import TrainingData
    from biobert_jax.training.run import Run
    from biobert_jax.training.sharding import make_mesh

    checkpoint = load_checkpoint(init)
    compute = Compute(**{name: options[name] for name in ("dtype", "unroll", "remat")})
    task, config = make_task(task_name, checkpoint, data, compute)
    examples = task.examples("train")
    times = options["row_lengths"]
    packing = Packing(times * config.batch.row_length, times * config.batch.max_sequences)
    plan = packing.plan(examples, shuffled_epochs(len(examples), EPOCHS, 0))
    rows = rows_for_sequences(plan, config.batch.sequences)
    batches = iterate(PackedBatches(examples, plan, task.features, rows, rows))
    run = Run(config, task, make_mesh(), TrainingData(batches, rows, STEPS, micro_batches=1))
    run.initialise(lambda fresh: initial_params(jax.device_get(fresh), checkpoint)[0])
    for batch in batches:
        metrics = run.advance(run.place(batch))
        tokens = int((np.asarray(batch["segment_ids"]) > 0).sum())
        yield tokens, functools.partial(jax.block_until_ready, metrics)


def peer(task_name: str, init: str, data: str, options: dict[str, Any]) -> Iterator[Step]:
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
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    decay = [p for n, p in model.named_parameters() if "LayerNorm" not in n and "bias" not in n]
    rest = [p for n, p in model.named_parameters() if "LayerNorm" in n or "bias" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=config.optimizer.learning_rate,
        fused=device == "cuda",
    )
    half = torch.autocast(device, torch.bfloat16, enabled=options["dtype"] == "bfloat16")
    examples, size = task.examples("train"), config.batch.sequences
    order = shuffled_epochs(len(examples), EPOCHS, 0)
    for first in range(0, len(order) - size, size):
        batch = padded([examples[i] for i in order[first : first + size]], task.features)
        tensors = {name: torch.from_numpy(values).to(device) for name, values in batch.items()}
        with half:
            loss = model(**tensors).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens = int(batch["attention_mask"].sum())
        yield tokens, torch.cuda.synchronize if device == "cuda" else lambda: None


PEER = {"dtype": "float32", "library": "torch"}
OURS = {"dtype": "float32", "unroll": 0, "remat": "none", "row_lengths": 1, "huge_pages": True}
CONTENDERS: dict[str, Contender] = {
    "transformers float32": (peer, PEER),
    "transformers float32, huge pages": (peer, PEER | {"huge_pages": True}),
    "transformers bfloat16": (peer, PEER | {"dtype": "bfloat16"}),
    "ours": (ours, OURS),
    "ours, bfloat16": (ours, OURS | {"dtype": "bfloat16", "unroll": 1}),
    "ours, rows twice as long": (ours, OURS | {"row_lengths": 2}),
    "ours, layers looped over": (ours, OURS | {"unroll": 1}),
    "ours, remat dots": (ours, OURS | {"remat": "dots", "unroll": 1}),
    "ours, default memory": (ours, OURS | {"huge_pages": False}),
}
ON_A_GPU = ("transformers float32", "transformers bfloat16", "ours", "ours, bfloat16")
ON_A_CPU = tuple(name for name in CONTENDERS if name != "ours, bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=PEERS, default="ner")
    parser.add_argument("--init", required=True, help="a Hugging Face folder")
    parser.add_argument(
        "--data", required=True, help="a folder: train.tsv, ...; folds of such; SQuAD JSON"
    )
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, help="default: all")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=12, help="steps a round")
    parser.add_argument("--warmup", type=int, default=4, help="steps before each round")
    parser.add_argument("--restarts", type=int, default=0, help="of each process, all again")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    name, _ = device()
    on_cpu = name == "CPU"
    reference = "transformers float32" if on_cpu else "transformers bfloat16"
    chosen = {key: CONTENDERS[key] for key in args.contenders or (ON_A_CPU if on_cpu else ON_A_GPU)}
    # This process may hold the GPU too: no contender is to count on all of its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    numbers = (args.rounds, args.steps, args.warmup)
    arguments = (args.task, args.init, args.data)
    for found in measure(chosen, arguments, *numbers, on_cpu, args.restarts):
        save(args.json, found, task=args.task, device=name)

    print(f"\n{args.task}; {name}, {os.cpu_count()} cores; real tokens/s")
    print(f"{'':34}{'median':>8}{'min':>8}{'max':>8}   ratio to {reference} (min-max)")
    known = complete(found)
    for key, measured in known.items():
        values = measured.speeds
        ratio = ratios(found, key, reference) if reference in known else ""
        median = statistics.median(values)
        print(f"{key:34}{median:8.0f}{min(values):8.0f}{max(values):8.0f}   {ratio}")


if __name__ == "__main__":
    main()
