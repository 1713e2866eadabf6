"""A tiny named entity recognition experiment, and ways to run it."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.models import tiny_settings

SETTINGS = {
    "init": "random",
    "vocab_size": 200,
    **tiny_settings(hidden_size=32, intermediate_size=64),
    "batch.row_length": 64,
    "batch.max_sequences": 8,
    "batch.sequences": 6,
    "batch.eval_rows": 4,
    "windows.max_length": 32,
    "windows.overlap": 8,
    "dataset.train_on": "train",
    "train.epochs": 3,
    "train.evaluate_every": 5,
    "train.select": "best",
    "optimizer.learning_rate": 1e-3,
    "checkpoint.every": 4,
    "log_every": 3,
}
"""Neither the data nor log_every, checkpoint.every and evaluate_every divide by each other."""

SIGNAL_AT_STEP = """
import os, signal
from biobert_jax.training import metrics
seen, add = 0, metrics.Interval.add
def counted(self, values):
    global seen
    seen += 1
    if seen == {step}:
        os.kill(os.getpid(), signal.{name})
    add(self, values)
metrics.Interval.add = counted
"""

SIZES = {"train": 37, "devel": 11, "test": 13}


def write_split(path: Path, seed: int, sentences: int) -> None:
    """Invented sentences whose entities can be told by the words around them."""
    rng = random.Random(seed)
    diseases = [
        "brittle wing fever",
        "blue knee",
        "glassitis",
        "late moon syndrome",
        "hollow cough",
    ]
    templates = ["The patient had {} again .", "{} is rare .", "No sign of {} or {} was seen ."]
    lines = []
    for _ in range(sentences):
        for word in rng.choice(templates).split():
            if word != "{}":
                lines.append(f"{word}\tO")
                continue
            first, *rest = rng.choice(diseases).split()
            lines += [f"{first}\tB-Disease", *(f"{other}\tI-Disease" for other in rest)]
        lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for seed, (split, sentences) in enumerate(SIZES.items()):
        write_split(folder / f"{split}.tsv", seed, sentences)
    return folder


@pytest.fixture(scope="session")
def ner_folder(tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data") / "ner")


@pytest.fixture
def own_folder(tmp_path) -> Path:
    """A copy to spoil."""
    return write_folder(tmp_path / "ner")


@pytest.fixture(scope="session")
def settings(ner_folder) -> Callable[..., dict]:
    """Returns a function from changes to all settings, by dotted name."""
    return lambda changes=(): SETTINGS | {"dataset.path": str(ner_folder)} | dict(changes)


@pytest.fixture(scope="session")
def run(settings):
    """Returns a function that runs experiments.ner in this process."""
    from biobert_jax.configuration.ner import ner
    from biobert_jax.launcher import train

    def run_here(workdir: Path, changes=()) -> None:
        config = ner("ncbi_disease", "")
        config.update_from_flattened_dict(settings(changes))
        train.run(config, workdir)

    return run_here


@pytest.fixture
def fails(run, tmp_path, capsys):
    """Returns a function that runs into an expected failure and returns its one message."""
    from biobert_jax.errors import report_errors

    def failing(changes=(), workdir: Path | None = None) -> str:
        with pytest.raises(SystemExit) as raised, report_errors():
            run(workdir or tmp_path / "run", changes)
        assert raised.value.code == 1
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert len(errors) == 1
        return errors[0]

    return failing


@pytest.fixture(scope="session")
def launch():
    """Returns a function that starts `python -m experiments.NAME` in a process of its own.

    `given` are settings by dotted name, `prelude` is code to run in that process before the
    experiment.
    """

    def launched(
        name, config, workdir, given, *flags, prelude=None, **environment
    ) -> subprocess.Popen:
        program = ["-m", f"experiments.{name}"]
        if prelude is not None:
            task = {"pretrain": "pretraining"}.get(name, name)
            body = f"from biobert_jax.launcher.flags import launch\nlaunch({task!r})"
            program = ["-c", f"{prelude}\n{body}"]
        return subprocess.Popen(
            [
                sys.executable,
                *program,
                f"--config={config}",
                f"--workdir={workdir}",
                *(f"--config.{name}={value}" for name, value in given.items()),
                *flags,
            ],
            cwd=processes.REPOSITORY,
            env=processes.environment(**environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    return launched


@pytest.fixture(scope="session")
def start(launch, settings):
    """Returns a function that starts the tiny `experiments.ner` in a process of its own."""

    def started(workdir, changes=(), *flags, **more) -> subprocess.Popen:
        given = settings(changes)
        return launch("ner", "configs/ner/ncbi_disease.py", workdir, given, *flags, **more)

    return started


@pytest.fixture(scope="session")
def signal_at():
    """Returns a function that gives a prelude: the process signals itself at a step."""

    def prelude(step: int, name: str) -> str:
        return SIGNAL_AT_STEP.format(step=step, name=name)

    return prelude


@pytest.fixture(scope="session")
def uninterrupted(run, tmp_path_factory) -> Path:
    """The workdir of a whole run on one device, which others are compared with."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    run(workdir)
    return workdir
