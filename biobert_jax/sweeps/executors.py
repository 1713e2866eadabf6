"""Where the runs of a sweep are computed: on this machine, or on a Ray cluster.

An executor starts commands and waits for any of them. A run resumes from its own checkpoints, so a
command that was lost is started again.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from biobert_jax.errors import UserError
from biobert_jax.sweeps import child

_POLL = 0.2  # seconds
_SAVING = 60.0  # seconds that runs get to save when a sweep is stopped
_RETRIES = 5  # of a command whose Ray worker has died


class Executor(Protocol):
    """Computes commands.

    Attributes:
      capacity: how many commands it runs at a time.
    """

    capacity: int

    def start(self, command: Sequence[str], log: Path) -> Any:
        """Starts a command; returns a handle."""
        ...

    def wait(self, handles: Sequence[Any], seconds: float) -> dict[Any, int]:
        """Exit statuses of the commands that have ended, waiting for one for some seconds."""
        ...

    def stop(self, handles: Sequence[Any]) -> None:
        """Asks the commands to save and end, and waits until they have."""
        ...


class Local:
    """Processes on this machine."""

    def __init__(self, workers: int = 1):
        self.capacity = workers

    def start(self, command: Sequence[str], log: Path) -> Any:
        return child.start(list(command), log)

    def wait(self, handles: Sequence[Any], seconds: float) -> dict[Any, int]:
        deadline = time.monotonic() + seconds
        while True:
            done = {h: h.returncode for h in handles if h.poll() is not None}
            if done or time.monotonic() > deadline:
                return done
            time.sleep(_POLL)

    def stop(self, handles: Sequence[Any]) -> None:
        for handle in handles:
            handle.terminate()
        for handle in handles:
            handle.wait()


class Ray:
    """Tasks on the Ray cluster of RAY_ADDRESS; without one, Ray starts it on this machine.

    Nodes must see the same paths.
    """

    def __init__(self, workers: int, cpus: float = 1, gpus: float = 0):
        """Connects.

        Args:
          workers: how many runs at a time.
          cpus, gpus: what a run takes.

        Raises:
          UserError: ray is not installed, or the cluster cannot be reached.
        """
        try:
            import ray  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError(
                "--engine=ray: ray is not installed; install the extra: "
                "pip install 'biobert_jax[ray]'"
            ) from error
        self._ray, self.capacity = ray, workers
        try:
            if not ray.is_initialized():
                ray.init(log_to_driver=False)
        except (ConnectionError, RuntimeError) as error:
            raise UserError(f"--engine=ray: no cluster ({str(error).splitlines()[0]})") from error
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": _RETRIES}
        self._run = ray.remote(**options)(_run_to_end)
        self._logs: dict[Any, Path] = {}

    def start(self, command: Sequence[str], log: Path) -> Any:
        handle = self._run.remote(list(command), str(log.absolute()))
        self._logs[handle] = log.absolute()
        return handle

    def wait(self, handles: Sequence[Any], seconds: float) -> dict[Any, int]:
        ended, _ = self._ray.wait(list(handles), num_returns=1, timeout=seconds)
        return {handle: self._status(handle) for handle in ended}

    def _status(self, handle: Any) -> int:
        try:
            return self._ray.get(handle)
        except self._ray.exceptions.RayError as error:
            # Its worker died again and again, its node is gone, or it could not be started.
            with open(self._logs[handle], "a", encoding="utf-8") as file:
                file.write(
                    f"error: --engine=ray: its task was lost ({type(error).__name__}), after "
                    f"up to {_RETRIES + 1} tries; see `ray status`, then repeat with --retry\n"
                )
            return 1

    def stop(self, handles: Sequence[Any]) -> None:
        for handle in handles:
            self._ray.cancel(handle)  # raises KeyboardInterrupt in the task, which ends its command
        if handles:
            self._ray.wait(list(handles), num_returns=len(handles), timeout=_SAVING)


def _run_to_end(command: list[str], log: str) -> int:
    """A Ray task: the exit status of a command, which dies with its worker."""
    # At once, since the same run is soon started on another worker.
    process = child.start(command, Path(log), on_loss="SIGKILL")
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
