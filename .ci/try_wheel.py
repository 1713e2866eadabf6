"""Uses the installed package as a user would, on generated text: `try_wheel.py BIOBERT`.

Needs the current folder to be empty of the project, so that only the installed wheel can be used.
"""

import json
import subprocess
import sys
from pathlib import Path

BIOBERT = sys.argv[1]
TEXT = "Tavoramab relieved severe Brackow fever of the knee in {} patients."


def run(*arguments: str) -> str:
    print("biobert", *arguments, flush=True)
    done = subprocess.run(
        [BIOBERT, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=600
    )
    return done.stdout


Path("texts").mkdir()
for number in range(20):
    lines = (TEXT.format(number * 100 + line) for line in range(50))
    Path(f"texts/{number}.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
source = ["--source", "text", "--text-format", "sentences", "--input", "texts/*.txt"]
assert run("--version").strip()
run("vocab", "train", *source, "--size", "120", "--output", "vocab.txt")
run("corpus", "build", *source, "--vocab", "vocab.txt", "--output", "shards", "--workers", "2")
assert json.loads(run("corpus", "stats", "shards", "--json"))
assert json.loads(Path("shards/manifest.json").read_text())["documents"] == 1000
run("train", "ner", "--config", "ncbi_disease:debug", "--workdir", "run", "--config.train.steps=20")
assert json.loads(Path("run/results.json").read_text())["test"]["f1"] >= 0
text = Path("input.txt")
text.write_text(TEXT.format(12) + "\n", encoding="utf-8")
record = run("annotate", "--model", "run", "--input", "input.txt", "--format", "jsonl")
assert json.loads(record)["text"] == text.read_text(encoding="utf-8").strip()
run("convert", "--from", "run", "--to", "exported", "--format", "huggingface")
assert Path("exported/model.safetensors").stat().st_size > 0
