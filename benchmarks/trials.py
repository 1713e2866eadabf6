"""Trials trained together beside the same runs one after the other.

    python -m benchmarks.trials --init MODEL_FOLDER --data NER_FOLDER --trials 10 --sentences 400

Runs `experiments.ner` in processes of its own, start-up and compilation included, as a user would:
once with `config.trials.seeds`, and once for each seed. The scores of both are printed; they are
the same runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(workdir: Path, args: argparse.Namespace, *flags: str) -> float:
    """Seconds of one command."""
    command = [sys.executable, "-m", "experiments.ner", "--config=configs/ner/ncbi_disease.py"]
    command += [f"--workdir={workdir}", f"--config.init={args.init}", *flags]
    command += [f"--config.dataset.path={args.data}", f"--config.dataset.limit={args.sentences}"]
    command += [f"--config.train.epochs={args.epochs}", "--config.dataset.train_on=train"]
    command += ["--config.optimizer.learning_rate=2e-4", "--config.checkpoint.every=0"]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=0, help="config.trials.at_once")
    parser.add_argument("--sentences", type=int, default=400, help="of each split; 0: all")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()
    seeds = tuple(range(1, args.trials + 1))
    with tempfile.TemporaryDirectory() as folder:
        one_by_one = [Path(folder) / str(seed) for seed in seeds]
        # The first run of either kind also fills the compilation cache; both get a warm one.
        run(Path(folder) / "warm-alone", args, "--config.seed=0")
        flags = [f"--config.trials.seeds={seeds}", f"--config.trials.at_once={args.at_once}"]
        run(Path(folder) / "warm-together", args, *flags)
        alone = [
            run(workdir, args, f"--config.seed={seed}")
            for seed, workdir in zip(seeds, one_by_one, strict=True)
        ]
        together = run(Path(folder) / "together", args, *flags)
        scores = [json.loads((w / "results.json").read_text())["test"]["f1"] for w in one_by_one]
        results = json.loads((Path(folder) / "together" / "results.json").read_text())
    same = [trial["test"]["f1"] for trial in results["trials"]]
    print(f"{args.trials} runs one after the other {sum(alone):8.1f} s")
    print(f"{args.trials} trials together          {together:8.1f} s")
    print(f"ratio {sum(alone) / together:.2f}")
    print("F1, alone   ", " ".join(f"{score:.2f}" for score in scores))
    print("F1, together", " ".join(f"{score:.2f}" for score in same))
    if args.json:
        numbers = {"alone": alone, "together": together, "f1_alone": scores, "f1_together": same}
        args.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
