"""Pre-training: killed and resumed, on two processes, and with workers, it is the same run."""

import json
import signal

import numpy as np
import pytest

from biobert_jax.corpora.shards import TokenDocument
from biobert_jax.corpora.store import write_corpus
from tests.support.models import tiny_settings
from tests.support.processes import finish, free_port
from tests.support.randomness import random_step

pytestmark = pytest.mark.processes

CONFIG = "configs/pretrain/biobert_v1_0_pubmed.py"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(95))]

SETTINGS = {
    **tiny_settings(num_hidden_layers=1, max_position_embeddings=32),
    "dataset.held_out": 12,
    "instances.max_predictions": 6,
    "batch.row_length": 32,
    "batch.rows": 4,
    "batch.eval_rows": 4,
    "train.steps": 40,
    "train.evaluate_every": 15,
    "checkpoint.every": 6,
    "checkpoint.asynchronous": False,
    "log_every": 7,
}
"""Neither the steps nor log_every, checkpoint.every and evaluate_every divide by each other."""

TOLERANCE = 1e-5
"""Relative. Two processes add up gradients in another order, and training amplifies that."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two shards of 150 documents in which every word calls for the next."""
    rng = np.random.default_rng(0)

    def document(number: int) -> TokenDocument:
        lengths = rng.integers(3, 9, rng.integers(1, 4))
        ids = 5 + (rng.integers(95) + np.arange(lengths.sum())) % 95
        starts = np.cumsum([0, *lengths[:-1]])
        return TokenDocument(str(number), ids.astype(np.int32), starts, len(ids))

    shards = [[document(n) for n in range(75 * i, 75 * i + 75)] for i in range(2)]
    return write_corpus(tmp_path_factory.mktemp("corpus"), shards, VOCABULARY, False).path


@pytest.fixture(scope="module")
def begin(launch, corpus):
    """Returns a function that starts the pre-training in a process of its own."""
    given = SETTINGS | {"dataset.corpora": f"(('{corpus}', 1.0),)"}

    def begun(workdir, changes=(), *flags, **more):
        return launch("pretrain", f"{CONFIG}:debug", workdir, given | dict(changes), *flags, **more)

    return begun


@pytest.fixture(scope="module")
def whole(begin, tmp_path_factory):
    """The workdir of a run that nothing interrupted."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    finish(begin(workdir))
    return workdir


def lines(workdir) -> list[dict]:
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_killed_at_a_random_step(begin, whole, tmp_path, signal_at):
    """With four workers, where the other run has none: that must not change the batches either."""
    step = random_step(8, SETTINGS["train.steps"])
    changes = {"loader.workers": 4}
    process = begin(tmp_path / "run", changes, prelude=signal_at(step, "SIGKILL"))
    _, log = process.communicate()
    assert process.returncode == -signal.SIGKILL, log
    assert not (tmp_path / "run" / "results.json").exists()
    again = begin(tmp_path / "run", changes)
    _, log = again.communicate()
    assert again.returncode == 0, log
    assert "resumed at step" in log
    for name in ("metrics.jsonl", "results.json"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name


def test_two_processes_give_the_losses_of_one(begin, whole, tmp_path, signal_at):
    """Both are killed, and one process goes on with the streams of both."""
    together = [f"--coordinator=localhost:{free_port()}", "--num_processes=2"]
    run, prelude = tmp_path / "run", signal_at(29, "SIGKILL")
    first = begin(run, (), *together, "--process_id=0", prelude=prelude)
    second = begin(run, (), *together, "--process_id=1")
    log = first.communicate()[1]
    second.kill()
    second.communicate()
    assert first.returncode == -signal.SIGKILL, log
    assert (run / "checkpoints" / "24").is_dir(), log
    finish(begin(run))
    assert_close(run, whole)


def assert_close(workdir, reference) -> None:
    found, expected = lines(workdir), lines(reference)
    assert [line.keys() for line in found] == [line.keys() for line in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=TOLERANCE)


def test_the_run_passes_through_epochs_and_learns(whole):
    """The other tests are worth little if a step reads nothing new, or if nothing changes."""
    rows = SETTINGS["train.steps"] * SETTINGS["batch.rows"]
    assert rows * SETTINGS["batch.row_length"] > 1.5 * 150 * 12
    logged = lines(whole)
    losses = [line["loss_mlm"] for line in logged if "loss_mlm" in line]
    assert losses[-1] < losses[0]
