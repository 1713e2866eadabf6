"""Two processes add numbers; something happens to one, and the other ends and says so."""

import signal
import socket
import subprocess
import sys

import pytest

from biobert_jax.cluster.watchdog import LOST_STATUS
from tests.support.processes import REPOSITORY, free_port

pytestmark = pytest.mark.processes

HOST = socket.gethostname()
LOST = 10
"""Seconds. Longer than a busy machine keeps a thread waiting."""

PROGRAM = """
import os, signal, sys, time
import jax, jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from biobert_jax.errors import DataError, report_errors
from biobert_jax.cluster import job as distributed

port, number = int(sys.argv[1]), int(sys.argv[2])
with report_errors(), distributed.end_job_on_error():
    job = distributed.find_job(f"localhost:{{port}}", 2, number)
    distributed.set_up(job, distributed.Timeouts(60, {lost}, {stall}))
    mesh = Mesh(np.array(jax.devices()), ("data",))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    add = jax.jit(jnp.sum, out_shardings=NamedSharding(mesh, PartitionSpec()))
    ones = jax.make_array_from_process_local_data(rows, np.ones(1, np.float32))
    assert float(add(ones)) == 2
    distributed.report_progress(0)
    for step in range(1, 10_000):
        if step == 6 and number == {victim}:
            {happens}
        assert float(add(ones)) == 2
        distributed.report_progress(step)
        if step == 9:
            break
print("finished")
"""


@pytest.fixture
def two():
    """Returns a function that starts two processes; what happens, happens to the victim."""
    running: list[subprocess.Popen] = []

    def started(happens: str, victim: int = 1, stall: float = 900) -> list[subprocess.Popen]:
        port = free_port()
        program = PROGRAM.format(happens=happens, victim=victim, lost=LOST, stall=stall)
        for number in range(2):
            running.append(
                subprocess.Popen(
                    [sys.executable, "-c", program, str(port), str(number)],
                    cwd=REPOSITORY,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        return running

    yield started
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def ends(process: subprocess.Popen) -> tuple[int, str]:
    """Waits for a process; its exit status and its one error message."""
    log = process.stderr.read()
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, log
    return process.wait(), errors[0].removeprefix("error: ")


def test_nothing_happens(two):
    for process in two("pass"):
        assert process.stdout.read().endswith("finished\n"), process.stderr.read()
        assert process.wait() == 0


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP"])
def test_a_process_is_lost(two, name):
    first, second = two(f"os.kill(os.getpid(), signal.{name})")
    status, message = ends(first)
    assert status == LOST_STATUS
    assert message.startswith(f"process 1 on {HOST} has not reported for 1")
    assert "this one is at step 5)" in message
    assert second.poll() == (-signal.SIGKILL if name == "SIGKILL" else None)


def test_a_process_lives_but_is_stuck(two):
    """Its threads report and send JAX's heartbeats as ever."""
    for process in two("distributed.report_progress(3); time.sleep(1000)", stall=20):
        status, message = ends(process)
        assert status == LOST_STATUS
        assert "has made no progress for 2" in message
        assert f"The furthest behind is process 1 on {HOST}, at step 3" in message


def test_an_error_in_one_process_ends_both(two):
    first, second = two("raise DataError('train.tsv:7: no tag')")
    told = f"process 1 on {HOST} ended at step 5: DataError: train.tsv:7: no tag"
    assert ends(first) == (1, told)
    assert ends(second) == (1, "train.tsv:7: no tag")


def test_process_0_is_killed(two):
    """With it goes the service that would tell who it was: JAX ends the other by itself."""
    _, second = two("os.kill(os.getpid(), signal.SIGKILL)", victim=0)
    log = second.stderr.read()
    assert second.wait() == -signal.SIGABRT
    assert "JAX distributed service detected fatal errors" in log
