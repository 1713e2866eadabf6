"""Two processes train; one is killed or told to end, the other ends too, and the run goes on."""

import json
import socket
import subprocess
import time

import pytest

from biobert_jax.cluster.watchdog import LOST_STATUS
from tests.support.processes import free_port

pytestmark = pytest.mark.processes

LOST = 10
"""Seconds. Longer than a busy machine keeps a thread waiting."""
SLACK = 60
"""Seconds more that a busy machine may take."""

AT_STEP_11 = """
import os, signal, time
from biobert_jax.training import metrics
seen, add = 0, metrics.Interval.add
def counted(self, values):
    global seen
    seen += 1
    if seen == 11:
        {happens}
    add(self, values)
metrics.Interval.add = counted
"""
KILLED, TERMINATED = (f"os.kill(os.getpid(), signal.{name})" for name in ("SIGKILL", "SIGTERM"))


@pytest.fixture
def two(start, tmp_path):
    """Returns a function that starts two processes; what happens, happens to the second one."""
    running: list[subprocess.Popen] = []

    def started(happens: str, to_first: str = "pass") -> list[subprocess.Popen]:
        together = (f"--coordinator=localhost:{free_port()}", "--num_processes=2")
        changes = {"distributed.lost_timeout": LOST}
        for i, what in enumerate((to_first, happens)):
            flags = (*together, f"--process_id={i}")
            prelude = AT_STEP_11.format(happens=what)
            running.append(start(tmp_path / "run", changes, *flags, prelude=prelude))
        return running

    yield started
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


def ends(process: subprocess.Popen) -> tuple[int, str]:
    """Waits for a process; its exit status and its one error message."""
    _, log = process.communicate()
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, log
    return process.returncode, errors[0]


def assert_same_training(workdir, reference) -> None:
    """Each step reported once, and the same scores."""
    steps, wanted_steps = (
        [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (workdir, reference)
    )
    assert steps == wanted_steps
    found, wanted = (
        json.loads((folder / "results.json").read_text()) for folder in (workdir, reference)
    )
    assert found == wanted


def test_a_killed_process_and_a_restart_on_one_process(two, run, uninterrupted, tmp_path):
    first, second = two(KILLED)
    second.wait()
    killed = time.monotonic()
    status, message = ends(first)
    assert time.monotonic() - killed < LOST + SLACK
    assert status == LOST_STATUS
    assert f"process 1 on {socket.gethostname()} has not reported for 1" in message
    assert "at step 1" in message  # of both, 10 or 11
    assert not (tmp_path / "run" / "results.json").exists()

    run(tmp_path / "run")
    assert_same_training(tmp_path / "run", uninterrupted)


def test_sigterm_for_one_process_saves_and_ends_both(two, run, uninterrupted, tmp_path):
    """As when one host of several is pre-empted."""
    for process in two(TERMINATED):
        _, log = process.communicate()
        assert process.returncode == 0, log
        assert "SIGTERM: saved step" in log
    assert not (tmp_path / "run" / "results.json").exists()

    run(tmp_path / "run")
    assert_same_training(tmp_path / "run", uninterrupted)
