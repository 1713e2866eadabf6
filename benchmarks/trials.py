"""Trials trained together beside the same runs one after the other.

    python -m benchmarks.trials --init MODEL_FOLDER --data NER_FOLDER --trials 10 --sentences 400

Runs `experiments.ner` in processes of its own, start-up and compilation included, as a user would:
once for each seed, and with `config.trials.seeds` for each `config.trials.at_once` asked for (1:
one process, a trial after the other; the number of trials: one vmapped step). The scores of all
are printed; they are the same runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(workdir: Path, args: argparse.Namespace, flags: list[str], epochs: int) -> float:
    """Seconds of one command."""
    command = [sys.executable, "-m", "experiments.ner", "--config=configs/ner/ncbi_disease.py"]
    command += [f"--workdir={workdir}", f"--config.init={args.init}", *flags]
    command += [f"--config.dataset.path={args.data}", f"--config.dataset.limit={args.sentences}"]
    command += [f"--config.train.epochs={epochs}", "--config.dataset.train_on=train"]
    command += ["--config.optimizer.learning_rate=2e-4", "--config.checkpoint.every=0"]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def f1_of(results: dict) -> list[float]:
    """The test F1 of one run, or of each trial."""
    return [run["test"]["f1"] for run in results.get("trials", [results])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument(
        "--at-once", type=int, nargs="+", default=[0], help="config.trials.at_once, one or several"
    )
    parser.add_argument("--sentences", type=int, default=400, help="of each split; 0: all")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()
    seeds = tuple(range(1, args.trials + 1))
    alone = [f"--config.seed={seed}" for seed in seeds]
    together = {
        f"together, at_once={n}": [
            f"--config.trials.seeds={seeds}",
            f"--config.trials.at_once={n}",
        ]
        for n in args.at_once
    }
    numbers: dict[str, dict] = {"alone": {"seconds": [], "f1": []}}
    with tempfile.TemporaryDirectory() as root:
        # The first run of each kind also fills the compilation cache; all get a warm one.
        run(Path(root) / "warm", args, ["--config.seed=0"], args.epochs)
        for seed, flag in zip(seeds, alone, strict=True):
            workdir = Path(root) / str(seed)
            numbers["alone"]["seconds"].append(run(workdir, args, [flag], args.epochs))
            numbers["alone"]["f1"] += f1_of(json.loads((workdir / "results.json").read_text()))
        for name, flags in together.items():
            # Trials take their schedule as data: one epoch compiles the same program.
            run(Path(root) / f"warm {name}", args, flags, epochs=1)
            seconds = run(Path(root) / name, args, flags, args.epochs)
            results = json.loads((Path(root) / name / "results.json").read_text())
            numbers[name] = {"seconds": [seconds], "f1": f1_of(results)}
    whole = sum(numbers["alone"]["seconds"])
    for name, found in numbers.items():
        seconds = sum(found["seconds"])
        print(f"{name:32s}{seconds:9.1f} s  ratio {whole / seconds:5.2f}  F1", end=" ")
        print(" ".join(f"{score:.2f}" for score in found["f1"]))
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
