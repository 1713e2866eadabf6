"""Everything that only a GPU can show, in one command: what docs/results.md lacks.

    python -m benchmarks.gpu --out DIR --shards SHARDS [--init MODEL_FOLDER --data NER_FOLDER]

Each part is a command of its own with a log and its numbers in DIR; one that fails or runs out of
time leaves the others alone. `--only` and `--minutes` cut it to what a lease allows, `--list` shows
the commands. DIR/summary.md tells what was found so far: MFU and speed beside transformers, days
for the paper's 200K steps, input wait, attention kernels; `--only` without a name prints it.

`--rehearse` runs the same parts in small shapes, to try the command itself; on a CPU too, without
what only a GPU has.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.contenders import device

PAPER_STEPS, PAPER_POSITIONS, PAPER_DAYS = 200_000, 131_072, 5.0  # on eight V100
SHAPES = {  # rows of a batch, by size and row length; of a few tens of GB
    ("base", 512): 64,
    ("base", 128): 256,
    ("large", 512): 32,
    ("large", 128): 128,
}


def parts(args: argparse.Namespace) -> dict[str, list[str]]:
    """The commands by name, without the interpreter, the most wanted first."""

    def numbers(name: str) -> list[str]:
        return ["--json", str(args.out / f"{name}.json")]

    def step(module: str, name: str, size: str, rows: int, length: int) -> list[str]:
        if args.rehearse:
            size, rows, length = "mini", 2, 128
        shape = ["--size", size, "--rows", str(rows), "--row-length", str(length)]
        return [module, *shape, "--shards", *args.shards, *numbers(name)]

    attention = ["--rows", "2", "--row-length", "128"] if args.rehearse else ["--sweep"]
    out = {
        "tests": ["pytest", "-q", "-rs", "tests/models/test_attention_kernels.py"],
        "attention": ["benchmarks.attention", *attention, *numbers("attention")],
    }
    for (size, length), rows in SHAPES.items():
        name = f"{size}-{length}"
        rounds = ["--rounds", "2", "--steps", "1"] if args.rehearse else ["--steps", "20"]
        out[name] = step("benchmarks.pretrain_step", name, size, rows, length) + rounds
    out["run"] = pretraining(args, "auto")
    if not args.on_cpu:
        out["run-pallas_gpu"] = pretraining(args, "pallas_gpu")
    rows = SHAPES["base", 512]
    out["ablation"] = step("benchmarks.pretrain_ablation", "ablation", "base", rows, 512)
    out["loader"] = ["benchmarks.loader", "--shards", *args.shards, *numbers("loader")]
    out["loader"] += ["--pace", "0.01" if args.rehearse else "0.16"]
    out["loader"] += (
        ["--row-lengths", "512", "--workers", "0"] if args.rehearse else (["--workers", "0", "8"])
    )
    if args.init and args.data:
        model = ["--init", args.init, "--data", args.data]
        small = ["--rounds", "2", "--steps", "2"] if args.rehearse else ["--steps", "50"]
        out["finetune"] = ["benchmarks.finetune", *model, *small, *numbers("finetune")]
        small = ["--trials", "2", "--sentences", "40", "--epochs", "1"] if args.rehearse else []
        out["trials"] = ["benchmarks.trials", *model, "--at-once", "0", *small, *numbers("trials")]
    if args.rehearse:
        out["ablation"] += ["--turns", "1"]
    return out


def pretraining(args: argparse.Namespace, attention: str) -> list[str]:
    """A real run of the paper's config, for its speed and what it waits for."""
    corpora = tuple((folder, 1.0) for folder in args.shards)
    command = ["experiments.pretrain", "--config=configs/pretrain/biobert_v1_0_pubmed.py"]
    command += [f"--workdir={args.out / f'run-{attention}'}", f"--config.dataset.corpora={corpora}"]
    command += ["--config.init=random", "--config.dataset.held_out=100"]
    command += ["--config.train.steps=80", "--config.optimizer.warmup_steps=10"]
    command += ["--config.log_every=20", "--config.train.micro_batch=auto"]
    command += [f"--config.compute.attention={attention}"]
    if args.rehearse:
        command += ["--config.model.num_hidden_layers=1", "--config.batch.rows=8"]
        command += ["--config.batch.row_length=128", "--config.train.steps=4"]
        command += ["--config.optimizer.warmup_steps=1", "--config.log_every=2"]
        command += ["--config.instances.max_predictions=20", "--config.loader.workers=2"]
        command += ["--config.dataset.held_out=1", "--config.compute.dtype=float32"]
    return command


def run(name: str, command: list[str], out: Path, seconds: float) -> str:
    """Runs a part; returns how it ended."""
    with open(out / f"{name}.log", "w", encoding="utf-8") as log:
        try:
            found = subprocess.run(
                [sys.executable, "-m", *command], stdout=log, stderr=log, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return f"stopped after {seconds:.0f} s"
    return "done" if found.returncode == 0 else f"exit code {found.returncode}"


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def summary(out: Path) -> str:
    """Markdown for docs/results.md from what the parts have left."""
    lines = [f"On {device()[0]}.", ""]
    for size, length in SHAPES:
        if found := read(out / f"{size}-{length}.json"):
            lines += [f"### {size}-{length}", "", *steps_table(found), ""]
    for folder in sorted(out.glob("run-*/")):
        path = folder / "throughput.jsonl"
        if not path.is_file():
            continue
        entries = [json.loads(line) for line in path.read_text().splitlines()][1:]
        if entries:
            median = {k: statistics.median(e[k] for e in entries) for k in entries[0]}
            lines.append(
                f"{folder.name}: {median['real_tokens_per_second']:,.0f} real tokens/s, "
                f"{median['seconds_per_step']:.3f} s a step, input wait at most "
                f"{median['input_wait_share']:.2%}, "
                f"{PAPER_STEPS * median['seconds_per_step'] / 86400:.2f} days for 200K steps"
            )
    for name, values in read(out / "attention.json").get("found", {}).items():
        told = values.get("failure") or (
            f"{values['forward'] * 1e3:.3f} ms, with gradients {values['both'] * 1e3:.3f} ms, "
            f"error {values['error']:.1e}"
        )
        lines.append(f"attention, {name}: {told}")
    return "\n".join(lines) + "\n"


def steps_table(found: dict[str, Any]) -> list[str]:
    """Of one JSON of `benchmarks.pretrain_step`."""
    settings = found["settings"]
    reference = found["found"].get(f"transformers {settings['dtype']}", {})
    out = [
        f"{settings['size']}, {settings['rows']} rows of {settings['row_length']}",
        "",
        "| | rows/s | ratio | real tokens/s | ratio | MFU | GB | days for 200K steps |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, measured in found["found"].items():
        if measured["failure"]:
            out.append(f"| {name} | {measured['failure']} | | | | | | |")
        if not measured["seconds"]:
            continue
        seconds = statistics.median(measured["seconds"])
        speed = statistics.median(measured["speeds"])
        ratios = ("", "")
        if reference.get("seconds"):
            ratios = (
                f"{statistics.median(reference['seconds']) / seconds:.2f}",
                f"{speed / statistics.median(reference['speeds']):.2f}",
            )
        positions = settings["rows"] * settings["row_length"] / seconds
        days = PAPER_STEPS * PAPER_POSITIONS / positions / 86400
        share = settings["flops"] / seconds / settings["peak"] if settings["peak"] else 0.0
        out.append(
            f"| {name} | {settings['rows'] / seconds:,.0f} | {ratios[0]} | {speed:,.0f} | "
            f"{ratios[1]} | {share:.1%} | {measured['peak_bytes'] / 1e9:.1f} | {days:.2f} |"
        )
    return [*out, "", f"The paper took nearly {PAPER_DAYS:.0f} days on eight V100."]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--shards", nargs="+", required=True, metavar="DIR")
    parser.add_argument("--init", help="a Hugging Face folder, for fine-tuning")
    parser.add_argument("--data", help="an NER folder, for fine-tuning")
    parser.add_argument("--only", nargs="*", metavar="PART", help="default: all")
    parser.add_argument("--minutes", type=float, default=60.0, help="of all parts together")
    parser.add_argument("--list", action="store_true", help="show the commands and end")
    parser.add_argument("--rehearse", action="store_true", help="the same in small shapes")
    args = parser.parse_args()
    args.on_cpu = device()[0] == "CPU"
    everything = parts(args)
    wanted = list(everything) if args.only is None else args.only
    if unknown := set(wanted) - set(everything):
        parser.error(f"--only: no part {', '.join(unknown)}; there are {', '.join(everything)}")
    if args.list:
        for name in wanted:
            print(f"{name}: python -m {' '.join(everything[name])}")
        return
    if args.on_cpu and not args.rehearse:
        parser.error("no NVIDIA GPU here; --rehearse tries the command in small shapes")
    args.out.mkdir(parents=True, exist_ok=True)
    # Several processes share the GPU in turn, and compile much of the same.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(args.out.parent / "xla_cache"))
    end = time.monotonic() + 60 * args.minutes
    for name in wanted:
        left = end - time.monotonic()
        ended = run(name, everything[name], args.out, left) if left > 10 else "no time left"
        print(f"{name}: {ended}", flush=True)
        # Each time: a lease may end in the middle of a part.
        (args.out / "summary.md").write_text(summary(args.out), encoding="utf-8")
    print(summary(args.out))


if __name__ == "__main__":
    main()
