"""A run that was killed and goes on is the run that was never killed, byte for byte."""

import json
import signal

import pytest

from tests.support.randomness import random_step

pytestmark = pytest.mark.processes

KILL_DURING_SAVE = """
import os, signal
from orbax.checkpoint import CheckpointManager
saves, save = 0, CheckpointManager.save
def killed(self, *args, **kwargs):
    global saves
    saves += 1
    save(self, *args, **kwargs)
    if saves == {number}:
        assert self.is_saving_in_progress()
        os.kill(os.getpid(), signal.SIGKILL)
CheckpointManager.save = killed
"""

LIMIT_FILES_AT_SAVE = """
import resource
from orbax.checkpoint import CheckpointManager
saves, save = 0, CheckpointManager.save
def limited(self, *args, **kwargs):
    global saves
    saves += 1
    if saves == {number}:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (16384, hard))
    return save(self, *args, **kwargs)
CheckpointManager.save = limited
"""


def steps(workdir) -> list[int]:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def assert_same(workdir, uninterrupted) -> None:
    for name in ("metrics.jsonl", "results.json", "predictions/test.conll"):
        assert (workdir / name).read_bytes() == (uninterrupted / name).read_bytes(), name


@pytest.fixture
def step(uninterrupted) -> int:
    """A random step, but not of the first few, which nothing was saved before."""
    return random_step(6, steps(uninterrupted)[-1])


def test_killed_at_a_random_step(start, run, uninterrupted, tmp_path, step, signal_at):
    prelude = signal_at(step, "SIGKILL")
    process = start(tmp_path / "run", prelude=prelude)
    _, log = process.communicate()
    assert process.returncode == -signal.SIGKILL, log
    assert not (tmp_path / "run" / "results.json").exists()
    run(tmp_path / "run")
    assert_same(tmp_path / "run", uninterrupted)


@pytest.mark.parametrize("evaluating", [False, True])
def test_sigterm_saves_and_leaves(start, run, uninterrupted, tmp_path, step, evaluating, signal_at):
    step = 10 if evaluating else step  # 10: a step that is also evaluated
    prelude = signal_at(step, "SIGTERM")
    process = start(tmp_path / "run", prelude=prelude)
    _, log = process.communicate()
    assert process.returncode == 0, log
    assert "SIGTERM: saved step" in log
    assert "Traceback" not in log
    saved = int(log.split("SIGTERM: saved step ")[1].split(";")[0])
    assert step <= saved <= step + 1  # a step's metrics are read while the next one runs
    assert (tmp_path / "run" / "checkpoints" / str(saved)).is_dir()
    assert not (tmp_path / "run" / "results.json").exists()
    run(tmp_path / "run")
    assert_same(tmp_path / "run", uninterrupted)


def test_killed_during_a_save(start, run, uninterrupted, tmp_path):
    process = start(tmp_path / "run", prelude=KILL_DURING_SAVE.format(number=3))
    _, log = process.communicate()
    assert process.returncode == -signal.SIGKILL, log
    run(tmp_path / "run")
    assert_same(tmp_path / "run", uninterrupted)


def test_no_space_left_while_saving(start, run, uninterrupted, tmp_path):
    """A limit on the size of files stands for the full disk: it fails the same writes."""
    process = start(tmp_path / "run", prelude=LIMIT_FILES_AT_SAVE.format(number=3))
    _, log = process.communicate()
    assert process.returncode == 1, log
    assert "Traceback" not in log
    [message] = [line for line in log.splitlines() if line.startswith("error: ")]
    assert str(tmp_path / "run" / "checkpoints") in message
    assert "could not be written" in message
    assert "The checkpoint of step 5 is complete" in message
    assert "Make room" in message
    run(tmp_path / "run")
    assert_same(tmp_path / "run", uninterrupted)


def test_a_finished_run_only_scores_again(run, uninterrupted):
    before = (uninterrupted / "metrics.jsonl").read_bytes()
    scores = (uninterrupted / "results.json").read_bytes()
    run(uninterrupted)
    assert (uninterrupted / "metrics.jsonl").read_bytes() == before
    assert (uninterrupted / "results.json").read_bytes() == scores


def test_the_run_trains_evaluates_and_saves_between_its_reports(uninterrupted):
    """The other tests' steps are worth nothing if these coincide."""
    total = steps(uninterrupted)[-1]
    assert total > 12
    assert total % 3
    assert {5, 10} <= set(steps(uninterrupted))
