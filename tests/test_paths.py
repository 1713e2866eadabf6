"""A user's path is made and opened by `biobert_jax.files` alone.

Elsewhere `open(...)` or `Path(...)` would take gs://bucket/x for a local name, in silence.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "biobert_jax"

OPENS = {
    "open",
    "Path",
    "np.load",
    "safe_open",
    "shutil.rmtree",
    "shutil.copyfile",
    "glob.glob",
} | {
    f"os.{name}"
    for name in (
        *("path.exists", "path.isfile", "path.isdir", "path.getsize", "path.realpath"),
        *("listdir", "scandir", "walk", "stat", "open", "link", "rename", "replace", "remove"),
        *("makedirs", "mkdir", "unlink"),
    )
}

ALLOWED = {
    # temporary files of `atomic_writing`, which are local
    "corpora/build/pipeline.py": {"open": 2, "np.load": 1},
    "corpora/build/units.py": {"open": 1, "np.load": 2},
    "corpora/store.py": {"open": 1, "np.load": 1},
    "datasets/synthetic/files.py": {"open": 1},
    # a scratch folder that the function made
    "corpora/decontaminate.py": {"Path": 1, "np.load": 1},
    "training/mirror.py": {"Path": 2},
    # after `in_bucket` or by `local_only`
    "corpora/build/deduplication.py": {"os.link": 1, "shutil.copyfile": 1},
    "corpora/readers/documents.py": {"open": 1},
    "corpora/readers/inputs.py": {"glob.glob": 1, "os.path.isfile": 1, "os.stat": 1},
    "inference/output.py": {"os.stat": 1},
    "training/lock.py": {"os.open": 1},
    "training/metrics.py": {"open": 1},
    # copies that `files.local` made
    "interop/tensor_files.py": {"open": 2, "safe_open": 1, "Path": 1},
    # folders that TFDS and the hub's library made
    "datasets/ner_builders.py": {"Path": 3},
    "datasets/relation_builders.py": {"Path": 3},
    "datasets/squad_download.py": {"Path": 1},
    "interop/hub.py": {"Path": 1},
    # a folder that `new_folder` gave
    "interop/stablehlo.py": {"np.load": 1},
    # config files are Python modules, which only a disk can hold
    "configuration/files.py": {"Path": 4},
    "launcher/sweep.py": {"Path": 1},
    # logs of child processes, in a sweep's workdir, which `local_only` made
    "sweeps/child.py": {"open": 2},
    "sweeps/executors.py": {"open": 1, "Path": 1},
    # of this machine, or names only
    "errors.py": {"Path": 2, "os.open": 1},
    "launcher/checks.py": {"Path": 1},
    "launcher/doctor.py": {"Path": 5},
    "launcher/environment.py": {"Path": 1},
    "reports/demo.py": {"Path": 1},
    "reports/runs.py": {"Path": 1},
    "training/bucket_lock.py": {"Path": 1},
    "training/evaluator.py": {"Path": 1},
    "training/run.py": {"Path": 1},
    "training/workdir.py": {"Path": 1},
}
"""How many calls of which name each file may have."""


def calls(source: str) -> dict[str, int]:
    """How often a module calls each name of `OPENS`."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name in OPENS:
            found[name] = found.get(name, 0) + 1
    return found


def test_only_files_opens_and_makes_paths():
    too_many = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith("files/"):
            continue
        for name, count in calls(path.read_text(encoding="utf-8")).items():
            allowed = ALLOWED.get(place, {}).get(name, 0)
            if count > allowed:
                too_many.append(f"{place}: {count} x {name}(), {allowed} allowed")
    assert not too_many, (
        "take a user's path with files.to_path (or files.local for a library that opens it), read "
        "and write with biobert_jax.files:\n" + "\n".join(too_many)
    )


def test_what_counts():
    text = "from pathlib import Path\nopen(Path(x))\nos.path.exists(x)\nfile.open()\n"
    assert calls(text) == {"open": 1, "Path": 1, "os.path.exists": 1}
