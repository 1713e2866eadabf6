"""What a built package holds. `.ci/run` also installs the wheel and uses it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_configs_and_experiments_are_built_into_the_package(tmp_path):
    command = [sys.executable, "setup.py", "-q", "build", "-b", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = tmp_path / "lib"
    assert [path.name for path in built.iterdir()] == ["biobert_jax"]  # nothing at the top level
    for name in ("configs", "experiments"):
        ours = sorted(path.relative_to(ROOT) for path in (ROOT / name).rglob("*.py"))
        assert ours
        assert all((built / "biobert_jax" / path).is_file() for path in ours)
