"""How fast the loader alone makes pre-training batches, and how full its rows are.

    python -m benchmarks.loader --shards FOLDER [FOLDER ...] [--pace SECONDS] [--json FILE]

Batches have the paper's 131,072 positions, in packed rows of 512 and of 128. Real tokens are all
that is not padding; `unpacked` is their share in the original's form, an instance a row.

Time is processor time, of this process and of the loader's workers, so that other work on the
machine does not count. A core's speed is real tokens by that time. `batch` is how soon the next one
can be there where each worker and the main process have a core to themselves: the larger of the
main process's seconds per batch and the workers' shared out. `wall` is the measured time, on the
machine as it was. Both are means over as many batches as a block has rows, in which each stream
makes one more block. The first batch is not in them: each stream makes
its first block for it, and `first` is what that takes, likewise shared out.

With `--pace`, a device that takes that long for a step is imitated by sleeping, for as many batches
as two more blocks have: `waits` is the share of the time in which it would have had no batch.
"""

import argparse
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from biobert_jax.corpora.mixture import open_corpora
from biobert_jax.corpora.store import ShardedCorpus
from biobert_jax.input import row_streams as streams
from biobert_jax.input.loader import Packing
from biobert_jax.models.config import BertConfig
from biobert_jax.models.heads import PretrainingModel
from biobert_jax.tasks.pretraining.instances import InstanceOptions
from biobert_jax.tasks.pretraining.task import PretrainingTask, subset
from biobert_jax.text.wordpiece import WordPieceTokenizer

POSITIONS = 131_072
MAX_SEQUENCES = 8  # of a row, as in configuration/pretraining.py
MAX_PREDICTIONS = {512: 77, 128: 20}  # as Google's scripts pass them


class Measured(NamedTuple):
    """One row of the table."""

    row_length: int
    workers: int
    batches: int
    real_share: float  # of the positions, %
    unpacked_share: float
    tokens_per_core_second: float
    batch_seconds: float
    wall_seconds: float
    first_seconds: float
    wait_share: float | None  # %


def make_task(folders: list[str], row_length: int, max_sequences: int) -> PretrainingTask:
    """What experiments.pretrain trains, without a model that anybody would use."""
    first = ShardedCorpus(folders[0])
    tokenizer = WordPieceTokenizer(first.vocabulary, first.lowercase)
    corpora = open_corpora(folders, tokenizer)
    return PretrainingTask(
        [subset(corpus, held_out=0, weight=corpus.manifest["words"])[0] for corpus in corpora],
        [],
        PretrainingModel(BertConfig(vocab_size=tokenizer.vocab_size)),
        InstanceOptions(max_length=row_length, max_predictions=MAX_PREDICTIONS[row_length]),
        tokenizer.vocabulary,
        row_length,
        max_sequences,
        card={},
        seed=0,
    )


def workers_seconds() -> float:
    """Processor time of the processes that this one has started and that still run."""
    ticks = 0
    for process in multiprocessing.active_children():
        # Behind the name in brackets: state is field 3, user and system time are 14 and 15.
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rows_of_blocks(
    task: PretrainingTask, packing: Packing, blocks: int = 12
) -> tuple[float, float]:
    """Rows per block, and real tokens as a percentage of the positions."""
    dataset = task.stream(packing, blocks, range(blocks))
    rows = [
        row
        for block in range(blocks)
        for row in dataset.rows_of(block, list(dataset.examples_of(block)))
    ]
    real = sum(int((row["segment_ids"] > 0).sum()) for row in rows)
    return len(rows) / blocks, 100 * real / (len(rows) * packing.row_length)


def paced(batches: streams.Batches, count: int, pace: float) -> float:
    """The share of the time, in %, that a device waits whose step takes `pace` seconds."""
    waited = 0.0
    for _ in range(count):
        started = time.perf_counter()
        next(batches)
        left = pace - (time.perf_counter() - started)
        waited += max(0.0, -left)
        time.sleep(max(0.0, left))
    return 100 * waited / (count * pace + waited)


def measure(folders: list[str], row_length: int, workers: int, pace: float) -> Measured:
    """Takes batches until every stream has come to the end of a block and made another."""
    rows = POSITIONS // row_length
    task, packing = (
        make_task(folders, row_length, MAX_SEQUENCES),
        Packing(row_length, MAX_SEQUENCES),
    )
    alone = rows_of_blocks(make_task(folders, row_length, 1), Packing(row_length, 1))
    count = round(rows_of_blocks(task, packing)[0])
    started = clock()
    batches = streams.batches(task.stream(packing, rows, range(rows)), rows, workers)
    next(batches)
    begun = clock()
    tokens = sum(int((next(batches)["segment_ids"] > 0).sum()) for _ in range(count))
    ended = clock()
    wait_share = paced(batches, 2 * count, pace) if pace else None
    batches.close()
    main, inside, wall = (b - a for a, b in zip(begun, ended, strict=True))
    main_first, inside_first, _ = (b - a for a, b in zip(started, begun, strict=True))
    return Measured(
        row_length=row_length,
        workers=workers,
        batches=count,
        real_share=100 * tokens / (count * POSITIONS),
        unpacked_share=alone[1],
        tokens_per_core_second=tokens / (main + inside),
        batch_seconds=max(main, inside / max(1, workers)) / count,
        wall_seconds=wall / count,
        first_seconds=max(main_first, inside_first / max(1, workers)),
        wait_share=wait_share,
    )


def clock() -> tuple[float, float, float]:
    """Processor time here and in the workers, and the time of day."""
    return time.process_time(), workers_seconds(), time.perf_counter()


def print_table(rows: list[Measured]) -> None:
    title = f"Batches of {POSITIONS:,} positions; --help says what is what"
    table = Table(title=title, box=None)
    columns = (
        "rows of",
        "workers",
        "real",
        "unpacked",
        "tokens/s a core",
        "batch",
        "wall",
        "first",
        "waits",
    )
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row.row_length),
            str(row.workers),
            f"{row.real_share:.1f}%",
            f"{row.unpacked_share:.1f}%",
            f"{row.tokens_per_core_second:,.0f}",
            f"{row.batch_seconds:.3f} s",
            f"{row.wall_seconds:.3f} s",
            f"{row.first_seconds:.1f} s",
            "" if row.wait_share is None else f"{row.wait_share:.1f}%",
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", nargs="+", required=True, metavar="DIR")
    parser.add_argument(
        "--row-lengths", nargs="+", type=int, choices=(512, 128), default=[512, 128]
    )
    parser.add_argument("--workers", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--pace", type=float, default=0.0, help="seconds of an imitated step")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    rows = [
        measure(arguments.shards, row_length, workers, arguments.pace)
        for row_length in arguments.row_lengths
        for workers in arguments.workers
    ]
    print_table(rows)
    if arguments.json:
        found = [row._asdict() for row in rows]
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
