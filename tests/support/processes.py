"""Programs that tests start, and the ports where they meet."""

import os
import socket
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port of this machine that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def environment(**changes: str) -> dict[str, str]:
    """That of this process, with the CPU as the only device and this checkout importable."""
    path = os.pathsep.join(filter(None, (os.fspath(REPOSITORY), os.environ.get("PYTHONPATH"))))
    return os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": path} | changes


def python(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the checkout and waits for its end; `changes` are of its environment."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
    )


def finish(*processes: subprocess.Popen[str]) -> None:
    """Waits for all; each must end well."""
    logs = [process.communicate()[1] for process in processes]
    for process, log in zip(processes, logs, strict=True):
        assert process.returncode == 0, log
