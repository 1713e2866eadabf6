"""Runs one command of a sweep, so that it does not outlive the process that started it.

python -m biobert_jax.sweeps.child SIGNAL PARENT COMMAND...
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TAIL = 20_000


def start(command: list[str], log: Path, on_loss: str = "SIGTERM") -> subprocess.Popen:
    """Starts a command; its output goes to a log file.

    Args:
      command: program and arguments.
      log: the file; an existing one is continued.
      on_loss: the signal that the command gets if the calling process dies (Linux).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    parent = str(os.getpid())
    wrapped = [sys.executable, "-m", "biobert_jax.sweeps.child", on_loss, parent, *command]
    with open(log, "ab") as file:
        return subprocess.Popen(
            wrapped, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )


def error_of(log: Path, begin: int = 0) -> str:
    """The error of a failed command: its last `error:` line, otherwise its last line.

    Args:
      log: its output, after that of earlier commands.
      begin: the size of the log when it was started.
    """
    try:
        with open(log, "rb") as file:
            file.seek(max(begin, log.stat().st_size - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1].removeprefix("error: ")[:1000]


def main() -> None:
    name, parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.Signals[name].value)
        # It may have died while this process started, and then no signal comes.
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
