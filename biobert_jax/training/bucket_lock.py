"""One process at a time writes to a workdir in a bucket.

The lock is an object that only one process can make (GCS: if-generation-match=0). Its holder
renews it every `RENEW` seconds, each time only if it is still its own. So a lock that is not
renewed is that of a process that ended without releasing it; whoever sees it unchanged for `LEASE`
seconds takes it over, again only if it is still the one that was seen. No clocks are compared.

What it does not protect: a holder that was suspended for longer than `LEASE` learns at its next
checkpoint that it lost the workdir; metrics that it uploads before that overwrite those of the new
holder, which uploads its own at the next interval.
"""

import contextlib
import errno
import json
import logging
import os
import platform
import secrets
import threading
import time
from pathlib import Path
from typing import Any, cast

from biobert_jax.errors import DataError, TrainingError
from biobert_jax.files import parse_json, writing

FILE = ".lock"
RENEW, LEASE = 15.0, 60.0

logger = logging.getLogger(__name__)


class BucketLock:
    """The lock of a workdir in a bucket, held until `release`.

    A process may hold several of one workdir: the lock is released with the last.
    """

    _held: dict[str, tuple["_Lease", int]] = {}  # noqa: RUF012 (of the process: holders by address)

    def __init__(self, workdir: Path):
        """Takes the lock; waits up to `LEASE` seconds to see whether its holder is alive.

        Args:
          workdir: in a bucket.

        Raises:
          TrainingError: another process holds it; says which.
          WriteError: the bucket cannot be written to.
        """
        self._address = os.fspath(workdir)
        self._released = False
        lease, holders = self._held.get(self._address, (None, 0))
        lease = lease or _Lease(workdir)
        self._held[self._address] = (lease, holders + 1)
        self._lease = lease

    def check(self) -> None:
        """Raises TrainingError if another process took the workdir over."""
        if self._lease.lost:
            raise TrainingError(
                f"{self._address}: another process took this workdir over, since the lock was not "
                f"renewed for {LEASE:g} s; nothing more is written. Checkpoints are complete"
            )

    def release(self) -> None:
        """Lets other processes have the workdir; a second call does nothing."""
        if self._released:
            return
        self._released = True
        lease, holders = self._held.pop(self._address)
        if holders > 1:
            self._held[self._address] = (lease, holders - 1)
        else:
            lease.end()


class _Lease:
    """An object of this process that is renewed by a thread until `end`."""

    def __init__(self, workdir: Path):
        self._path = cast(Any, workdir / FILE)
        self._token = secrets.token_hex(8)
        self._stop = threading.Event()
        self.lost = False
        with writing(self._path):
            self._take(workdir)
            self._version = self._path.stat().version
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Deletes the object, unless it is another process's by now."""
        self._stop.set()
        self._thread.join()
        if not self.lost:
            with contextlib.suppress(OSError):
                self._path.delete_version(self._version)

    def _take(self, workdir: Path) -> None:
        seen, since = "", time.monotonic()
        while True:
            try:
                self._path.create(self._said())
                return
            except FileExistsError:
                pass
            try:
                version, holder = self._path.stat().version, _holder(self._path)
            except FileNotFoundError:  # released just now
                continue
            if seen and version != seen:
                raise TrainingError(
                    f"{workdir}: in use by {_name(holder)}; two processes would overwrite each "
                    "other's checkpoints. Wait until it has ended, or choose another --workdir"
                )
            if _has_ended(holder) or (seen and time.monotonic() - since > LEASE):
                logger.warning("%s: %s ended without releasing it", workdir, _name(holder))
                # Another process may do the same: of two, one deletes it.
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    self._path.delete_version(version)
                seen = ""
                continue
            if not seen:
                seen, since = version, time.monotonic()
                logger.warning(
                    "%s: locked by %s; waiting up to %g s to see whether it is alive",
                    *(workdir, _name(holder), LEASE),
                )
            time.sleep(RENEW / 5)

    def _said(self) -> bytes:
        holder = {
            "pid": os.getpid(),
            "host": platform.node(),
            "boot": _boot(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S%z"),
            "token": self._token,
        }
        return json.dumps(holder).encode()

    def _renew(self) -> None:
        while not self._stop.wait(RENEW):
            try:
                self._version = self._path.replace_version(self._said(), self._version)
            except (FileExistsError, FileNotFoundError):
                # Perhaps it is ours, of a request whose answer was lost.
                with contextlib.suppress(OSError):
                    if _holder(self._path).get("token") == self._token:
                        self._version = self._path.stat().version
                        continue
                self.lost = True
                logger.error("%s: lost to another process", self._path)
                return
            except OSError as error:
                logger.warning("%s: not renewed (%s)", self._path, error.strerror or error)


def _holder(path: Any) -> dict[str, Any]:
    try:
        holder = parse_json(path.read_text(), os.fspath(path))
    except (DataError, UnicodeDecodeError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _name(holder: dict[str, Any]) -> str:
    if not {"pid", "host", "since"} <= holder.keys():
        return "another process"
    return f"process {holder['pid']} on {holder['host']} since {holder['since']}"


def _has_ended(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this very machine that is no more."""
    pid = holder.get("pid")
    if holder.get("boot") != _boot() or not _boot() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False


def _boot() -> str:
    """What tells this machine, and this container, since it was started from all others."""
    parts = []
    for name in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            is_link = os.path.islink(name)
            parts.append(os.readlink(name) if is_link else Path(name).read_text().strip())
    return " ".join(parts) if len(parts) == 2 else ""
