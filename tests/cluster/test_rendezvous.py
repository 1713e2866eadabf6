"""The processes of a job meet, or are told why they do not."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from biobert_jax.cluster.rendezvous import Member, roll_call
from biobert_jax.errors import TrainingError
from tests.support.processes import free_port


@pytest.fixture
def port() -> int:
    return free_port()


def call(port: int, *members: Member, timeout: float = 20) -> list:
    """What each of several processes is answered, or told."""

    def one(member):
        try:
            return roll_call(f"localhost:{port}", member, timeout)
        except TrainingError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, members))


def test_all_come(port):
    for _ in range(2):  # and again at once: the port is free
        hosts = call(port, *(Member(i, 3, f"host{i}") for i in (2, 0, 1)))
        assert hosts == [["host0", "host1", "host2"]] * 3


def test_the_coordinator_comes_late(port):
    with ThreadPoolExecutor() as pool:
        early = pool.submit(roll_call, f"localhost:{port}", Member(1, 2, "b"), 20)
        time.sleep(0.3)
        assert roll_call(f"localhost:{port}", Member(0, 2, "a"), 20) == ["a", "b"]
        assert early.result() == ["a", "b"]


def test_one_is_missing(port):
    said = call(port, Member(0, 4, "a"), Member(2, 4, "c"), timeout=1)
    assert said[0] == said[1]
    assert said[0].startswith("2 of 4 processes did not come within 1 s: 1, 3 (there: 0 on a, 2 on")


def test_nobody_listens(port):
    [said] = call(port, Member(1, 2, "b"), timeout=0.7)
    assert f"process 1 on b could not reach the coordinator localhost:{port} within 0.7 s" in said
    assert "Connection refused" in said


def test_the_coordinators_name_is_not_known(port):
    with pytest.raises(TrainingError, match=r"could not reach the coordinator nowhere.invalid:1 "):
        roll_call("nowhere.invalid:1", Member(1, 2, "b"), 0.7)


def test_they_differ_on_how_many_they_are(port):
    said = call(port, Member(0, 2, "a"), Member(1, 3, "b"))
    assert said == ["process 1 on b expects 3 processes, process 0 on a 2. Give all of them the "
                    "same --num_processes"] * 2  # fmt: skip


def test_two_have_one_number(port):
    said = call(port, Member(0, 3, "a"), Member(1, 3, "b"), Member(1, 3, "c"))
    assert all(one.startswith("two processes are number 1 of 3: on ") for one in said), said


def test_the_port_is_taken(port):
    with socket.create_server(("", port)):
        [said] = call(port, Member(0, 2, "a"), timeout=1)
    assert f"process 0 on a cannot listen on port {port}" in said


def test_strangers_are_ignored(port):
    """A port scanner or a health check is no member."""
    with ThreadPoolExecutor() as pool:
        main = pool.submit(roll_call, f"localhost:{port}", Member(0, 2, "a"), 20)
        for words in (b"GET / HTTP/1.1\n\n", b"[1]\n", b""):
            for _ in range(100):
                try:
                    with socket.create_connection(("localhost", port)) as stranger:
                        stranger.sendall(words)
                    break
                except OSError:
                    time.sleep(0.05)
        assert roll_call(f"localhost:{port}", Member(1, 2, "b"), 20) == ["a", "b"]
        assert main.result() == ["a", "b"]
