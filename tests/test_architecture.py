"""Who may know whom, as docs/architecture.md says."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "biobert_jax"

# What each room may import from, besides itself and these.
EVERYBODY = {"arguments", "errors", "files", "file_kinds", "strict_json"}
KNOWS = {
    "models": set(),
    "text": set(),
    "evaluation": set(),
    "input": set(),
    "corpora": {"text", "datasets", "reports"},
    "datasets": {"text"},
    "tasks": {"models", "text", "datasets", "corpora", "input", "evaluation"},
    "cluster": set(),
    "training": {"tasks", "input", "models", "cluster"},
    "analysis": {"training", "tasks", "models"},
    "interop": {"models", "text", "tasks", "training"},
    "inference": {"models", "text", "input", "datasets", "tasks", "interop"},
    "reports": {"evaluation"},
    "sweeps": set(),
    "configuration": set(),
    "launcher": {
        *("models", "text", "input", "datasets", "corpora", "tasks", "training", "cluster"),
        *("analysis", "evaluation", "interop", "inference", "reports", "sweeps", "configuration"),
    },
}
ONLY = {
    ("tasks", "corpora"): {"biobert_jax.corpora.mixture", "biobert_jax.corpora.store"},
    ("training", "tasks"): {"biobert_jax.tasks.protocol"},
    ("training", "models"): {"biobert_jax.models.partitioning"},
    ("interop", "tasks"): {"biobert_jax.tasks.cards"},
    ("interop", "training"): {
        "biobert_jax.training.checkpoint_index",
        "biobert_jax.training.checkpointing",
        "biobert_jax.training.saved",
    },
    ("corpora", "reports"): {"biobert_jax.reports.published"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", sorted(KNOWS))
def test_rooms_know_only_whom_they_may(room):
    for path in (ROOT / room).rglob("*.py"):
        for name in imports(path):
            assert not name.startswith(("experiments", "configs", "tests", "benchmarks")), path
            parts = name.split(".")
            if parts[0] != "biobert_jax" or len(parts) < 2 or parts[1] in {room} | EVERYBODY:
                continue
            assert parts[1] in KNOWS[room], f"{path.relative_to(ROOT)} imports {name}"
            allowed = ONLY.get((room, parts[1]))
            assert allowed is None or any(
                name == one or name.startswith(one + ".") for one in allowed
            ), f"{path.relative_to(ROOT)} imports {name}"


def test_every_room_is_listed():
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms == set(KNOWS)


def test_nothing_at_run_time_needs_tensorflow_or_torch():
    """They are extras: only the readers of their own formats may import them, and lazily."""
    for path in ROOT.rglob("*.py"):
        top = [
            node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in top
            for alias in node.names
        }
        heavy = {name.split(".")[0] for name in names} & {"tensorflow", "torch", "ray"}
        assert not heavy, f"{path.relative_to(ROOT)} imports {heavy} when it is imported"


def test_every_folder_of_modules_is_a_package():
    """Or the wheel lacks it: setuptools finds packages by their __init__.py."""
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]
