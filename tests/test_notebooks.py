"""Notebooks and tutorials of docs/ run from top to bottom on generated data, as users run them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))
TUTORIALS = {  # and where what needs downloads begins
    "entities": "## 4. ",
    "own_data": "## Questions",
    "questions": "## 4. ",
    "relations": "## 4. ",
}
SECONDS = 600  # that a cell may take; a minute where nothing else runs


def name(path: Path) -> str:
    return path.stem


def test_there_is_one_for_each_task():
    commands = {
        "entities": "ner",
        "pretraining": "pretrain",
        "questions": "qa",
        "relations": "relation",
    }
    assert {name(path) for path in NOTEBOOKS} == set(commands)
    for path in NOTEBOOKS:
        assert re.search(rf'"train",\s+"{commands[path.stem]}"', source(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_is_committed_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert not [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_links_of_a_notebook_exist(path):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", source(path)):
        assert (path.parent / link).exists(), link


@pytest.mark.notebooks
@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="needs the extra docs")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra docs")
    # As installed, wherever the notebook is: its kernel and the commands in it find this checkout.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    said = "".join(
        output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if cell.cell_type == "code"
    )
    assert "test" in said or "step" in said  # the scores of a run


@pytest.mark.notebooks
@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_can_be_followed(page, tmp_path):
    text = (ROOT / f"docs/tutorials/{page}.md").read_text(encoding="utf-8")
    text = text[: text.index(TUTORIALS[page])]
    # The commands as an installation has them, in whatever environment runs this.
    commands = tmp_path / "bin"
    commands.mkdir()
    for command, line in {
        "biobert": f"{sys.executable} -m biobert_jax.cli",
        "python": sys.executable,
    }.items():
        (commands / command).write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        (commands / command).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
    }
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for kind, code in blocks:
        if "INIT" in code:  # a checkpoint that would be downloaded
            continue
        run = ["bash", "-e", "-c", code] if kind == "sh" else [sys.executable, "-c", code]
        done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert not done.returncode, f"{code}\n{done.stdout}\n{done.stderr}"


def source(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)
