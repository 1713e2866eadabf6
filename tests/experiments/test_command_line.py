"""The commands themselves: mistakes in them, and how soon they answer."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = "--config=configs/ner/ncbi_disease.py"


def experiment(*flags: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "experiments.ner", *flags],
        cwd=REPOSITORY,
        env=os.environ | {"JAX_PLATFORMS": "cpu"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_mistake_is_one_line_without_a_traceback():
    """tests/launcher/test_flags.py has more of them, in this process."""
    done = experiment(CONFIG, "--workdir=runs/x", "--config.train.epoch=3")
    assert done.returncode == 1
    assert "did you mean train.epochs?" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (REPOSITORY / "runs" / "x").exists()


def test_help_answers_at_once():
    """Under 3 s. Measured as the processor's time, which other programs do not lengthen."""
    before = seconds_of_children()
    done = experiment("--help")
    assert "  --workdir: " in done.stdout
    assert "  --config: " in done.stdout
    assert seconds_of_children() - before < 3.0


def seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_the_first_step_comes_soon(tmp_path):
    """Under 20 s with a warm compilation cache; the processor's time of a run of one step.

    That counts more than the time to the first step: all threads, the evaluation and the end.
    """
    environment = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    for workdir in ("cold", "warm"):
        before = seconds_of_children()
        done = experiment(
            f"{CONFIG}:debug",
            f"--workdir={tmp_path / workdir}",
            "--config.train.steps=1",
            **environment,
        )
        used = seconds_of_children() - before
        assert done.returncode == 0, done.stderr
        assert "first step done" in done.stderr
    assert used < 20.0


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from biobert_jax.launcher import flags; "
        "print([name for name in ('jax', 'flax', 'numpy', 'orbax', 'tokenizers', 'rich') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
