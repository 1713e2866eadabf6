"""What the one command for a GPU would run, and what it makes of the numbers."""

import argparse
import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks import gpu


def arguments(out: Path, rehearse: bool = False) -> argparse.Namespace:
    return argparse.Namespace(
        out=out, shards=["shards"], init="init", data="data", rehearse=rehearse, on_cpu=rehearse
    )


@pytest.mark.parametrize("rehearse", [False, True])
def test_every_part_is_a_module_that_exists(tmp_path, rehearse):
    parts = gpu.parts(arguments(tmp_path, rehearse))
    assert {"tests", "attention", "base-512", "large-128", "run", "finetune"} <= set(parts)
    for command in parts.values():
        assert importlib.util.find_spec(command[0])


def test_summary_has_mfu_and_the_papers_days(tmp_path):
    measured = {"first_step": 1.0, "peak_bytes": 2 * 10**9, "failure": ""}
    settings = {"size": "base", "rows": 64, "row_length": 512, "dtype": "bfloat16"}
    # 61,000 positions a second: docs/pretraining.md has 5.0 days for 200K steps at that speed.
    seconds = 64 * 512 / 61_000
    settings |= {"flops": 0.4 * 989e12 * seconds, "peak": 989e12}
    found = {
        "transformers bfloat16": measured | {"seconds": [2 * seconds], "speeds": [20.0]},
        "ours": measured | {"seconds": [seconds], "speeds": [60.0]},
        "broken": measured | {"seconds": [], "speeds": [], "failure": "ValueError: no"},
    }
    text = json.dumps({"settings": settings, "found": found})
    (tmp_path / "base-512.json").write_text(text)
    (tmp_path / "run-auto").mkdir()
    lines = [
        {"real_tokens_per_second": 1e5, "seconds_per_step": s, "input_wait_share": 0.001}
        for s in (9.0, 0.432, 0.432)  # the first interval has the compilation
    ]
    (tmp_path / "run-auto" / "throughput.jsonl").write_text("\n".join(map(json.dumps, lines)))
    # Other parts leave other numbers.
    (tmp_path / "ablation.json").write_text('{"settings": {"size": "base"}, "speeds": {}}')
    (tmp_path / "loader.json").write_text("[]")
    told = gpu.summary(tmp_path)
    assert "| ours | 119 | 2.00 | 60 | 3.00 | 40.0% | 2.0 | 4.97 |" in told
    assert "| broken | ValueError: no |" in told
    assert "run-auto: 100,000 real tokens/s, 0.432 s a step, input wait at most 0.10%, 1.00" in told
