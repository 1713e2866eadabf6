"""What an import must not do."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import ast, logging
from pathlib import Path
import biobert_jax.cluster.job, biobert_jax.training.checkpointing
for name in ("absl", "asyncio"):
    assert not [f for f in logging.getLogger(name).filters if "biobert" in f.__module__], name
for path in Path(biobert_jax.cluster.__path__[0]).glob("*.py"):
    for node in ast.parse(path.read_text()).body:
        assert "jax._src" not in ast.unparse(node) or isinstance(node, ast.FunctionDef), path
"""


def test_no_private_jax_and_no_log_filters_at_import():
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
