"""Where the time of a fine-tuning step goes: the costliest operations, under the model's names.

    python -m benchmarks.profile_step --init MODEL_FOLDER --data NER_FOLDER

Traces steps of the NER task of benchmarks/finetune.py with JAX's profiler and adds up what each
compiled operation took, by the part of the model that it came from and whether it is of the forward
or the backward pass. An operation that several cores share counts once, for as long as it took.
"""

import argparse
import glob
import tempfile
import time
from collections import defaultdict

import jax
from rich.console import Console
from rich.table import Table

from benchmarks.finetune_tasks import make_task
from biobert_jax.analysis.flops import training_flops
from biobert_jax.analysis.profile import origins
from biobert_jax.input.loader import PackedBatches, Packing, rows_for_sequences, shuffled_epochs
from biobert_jax.interop.load import load_checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.training.data import TrainingData
from biobert_jax.training.huge_pages import use_huge_pages
from biobert_jax.training.run import Run
from biobert_jax.training.sharding import make_mesh


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", required=True, help="a Hugging Face folder")
    parser.add_argument("--data", required=True, help="an NER folder")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--top", type=int, default=12)
    args = parser.parse_args()
    use_huge_pages()

    checkpoint = load_checkpoint(args.init)
    task, config = make_task("ner", checkpoint, args.data, Compute())
    examples = task.examples("train")
    packing = Packing(config.batch.row_length, config.batch.max_sequences)
    plan = packing.plan(examples, shuffled_epochs(len(examples), 1, 0))
    rows = rows_for_sequences(plan, config.batch.sequences)
    batches = PackedBatches(examples, plan, task.features, rows, rows)
    run = Run(config, task, make_mesh(), TrainingData(iter(()), rows, 2000, micro_batches=1))
    run.initialise()
    placed = [run.place(batches[number]) for number in range(args.steps + 1)]
    names = origins(
        run.program.step.lower(run.state, placed[0], run.program.numbers).compile().as_text()
    )

    jax.block_until_ready(run.advance(placed[0]))
    started = time.perf_counter()
    for batch in placed[1:]:
        metrics = run.advance(batch)
    jax.block_until_ready(metrics)
    wall = (time.perf_counter() - started) / args.steps
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for batch in placed[1:]:
                metrics = run.advance(batch)
            jax.block_until_ready(metrics)
        (file,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        profile = jax.profiler.ProfileData.from_file(file)
    spent: dict[str, float] = defaultdict(float)
    for plane in profile.planes:
        for line in plane.lines:
            for event in line.events:
                if event.name in names:
                    spent[names[event.name]] += event.duration_ns / 1e9
    total = sum(spent.values())

    length = config.batch.row_length
    flops = training_flops(checkpoint.config, rows, length, 0, 0)
    table = Table(title=f"{rows} rows of {length}: {wall:.3f} s a step")
    for name in ("part", "share"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[: args.top]:
        table.add_row(name, f"{seconds / total:.1%}")
    Console().print(table)
    products = sum(seconds for name, seconds in spent.items() if name.endswith("product"))
    print(
        f"matrix products are {products / total:.0%} of what the trace names "
        f"({total / args.steps:.3f} s a step); all in all {flops / wall / 1e9:.0f} GFLOP/s"
    )


if __name__ == "__main__":
    main()
