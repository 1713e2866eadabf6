"""Checks that all processes of a job connect and agree on how many they are.

JAX's coordination service answers a wrong number of processes, and one that does not connect, by
aborting the program from C++ with a stack trace. So the processes first connect to the
coordinator's port, with the standard library alone, and identify themselves; then JAX's service
takes the port over.
"""

import dataclasses
import json
import socket
import time

from biobert_jax.errors import TrainingError

_RETRY_SECONDS = 0.5
_REPLY_MARGIN_SECONDS = 10.0
"""How much longer the others wait for process 0's answer than it waits for them."""


@dataclasses.dataclass(frozen=True)
class Member:
    """How a process identifies itself."""

    process_id: int
    processes: int
    host: str


def roll_call(coordinator: str, me: Member, timeout: float) -> list[str]:
    """Waits until every process of the job has come to the coordinator's port.

    Args:
      coordinator: `host:port`, where process 0 listens.
      me: this process.
      timeout: seconds that all of them have for it.

    Returns:
      The name of each process's host.

    Raises:
      TrainingError: the coordinator cannot be reached, its port is taken, not all processes came
        in time, two have the same number, or they differ on how many they are.
    """
    host, _, port = coordinator.rpartition(":")
    if me.process_id == 0:
        answer = _receive_all(coordinator, int(port), me, timeout)
    else:
        answer = _report(host.strip("[]"), int(port), me, timeout)
    if isinstance(answer, str):
        raise TrainingError(answer)
    return answer


def _receive_all(coordinator: str, port: int, me: Member, timeout: float) -> list[str] | str:
    """Process 0's part; returns, and sends to the others, all hosts or what is wrong."""
    try:
        if socket.has_dualstack_ipv6():
            family = {"family": socket.AF_INET6, "dualstack_ipv6": True}
            server = socket.create_server(("", port), **family)
        else:
            server = socket.create_server(("", port))
    except OSError as error:
        return (
            f"process 0 on {me.host} cannot listen on port {port} of the coordinator {coordinator} "
            f"({error.strerror or error}). If another job has it, name another one, with "
            "--coordinator or (where a cluster was recognised) JAX_COORDINATOR_PORT"
        )
    present, calls, complaint = {0: me}, [], None
    deadline = time.monotonic() + timeout
    with server:
        while complaint is None and len(present) < me.processes:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                call, _ = server.accept()
                call.settimeout(_RETRY_SECONDS)
                member = Member(**json.loads(call.makefile().readline()))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    complaint = _who_is_missing(present, me, timeout)
                continue
            except (OSError, ValueError, TypeError):
                continue  # a port scanner or a health check: no member
            calls.append(call)
            complaint = _misfit(member, present, me)
            present.setdefault(member.process_id, member)
    answer = complaint or [present[i].host for i in range(me.processes)]
    for call in calls:
        try:
            call.sendall((json.dumps(answer) + "\n").encode())
            call.recv(1)  # until it hangs up: who closes first keeps the port for a minute
        except OSError:
            pass  # JAX's service reports it, or its own deadline does
        call.close()
    return answer


def _misfit(member: Member, present: dict[int, Member], me: Member) -> str | None:
    if member.processes != me.processes:
        return (
            f"process {member.process_id} on {member.host} expects {member.processes} processes, "
            f"process 0 on {me.host} {me.processes}. Give all of them the same --num_processes"
        )
    if member.process_id in present:
        return (
            f"two processes are number {member.process_id} of {me.processes}: on {member.host} and "
            f"on {present[member.process_id].host}. Give each a --process_id of its own, from 0"
        )
    return None


def _who_is_missing(present: dict[int, Member], me: Member, timeout: float) -> str:
    absent = sorted(set(range(me.processes)) - present.keys())
    numbers = ", ".join(map(str, absent[:8])) + (" ..." if len(absent) > 8 else "")
    there = ", ".join(f"{i} on {present[i].host}" for i in sorted(present)[:8])
    return (
        f"{len(absent)} of {me.processes} processes did not come within {timeout:g} s: {numbers} "
        f"(there: {there}). See their logs, and that their hosts can reach this one; "
        "config.distributed.connect_timeout sets the time"
    )


def _report(host: str, port: int, me: Member, timeout: float) -> list[str] | str:
    """What process 0 answers, or why it does not."""
    deadline = time.monotonic() + timeout
    why = ""
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host, port), timeout=timeout) as call:
                call.settimeout(max(0, deadline - time.monotonic()) + _REPLY_MARGIN_SECONDS)
                call.sendall((json.dumps(dataclasses.asdict(me)) + "\n").encode())
                answer = call.makefile().readline()
            if answer:
                return json.loads(answer)
            why = "it hung up"
        except OSError as error:  # not there yet: its host may still be starting
            why = str(error.strerror or error)
        time.sleep(_RETRY_SECONDS)
    return (
        f"process {me.process_id} on {me.host} could not reach the coordinator {host}:{port} "
        f"within {timeout:g} s ({why}). Process 0 must run on that host, and the port be open "
        "between the hosts; config.distributed.connect_timeout sets the time"
    )
