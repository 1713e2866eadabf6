"""One process at a time writes to a workdir.

The lock is the operating system's (flock): it ends with the process, however that ends, so that no
stale one has to be removed. The file says who holds it. It stays, since removing it would let a
third process lock a new file of the same name.
"""

import errno
import json
import logging
import os
import platform
import time
from pathlib import Path

from biobert_jax.errors import TrainingError
from biobert_jax.files import in_bucket, writing
from biobert_jax.training.bucket_lock import BucketLock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FILE = ".lock"
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)

logger = logging.getLogger(__name__)


def lock_workdir(workdir: Path) -> "WorkdirLock | BucketLock":
    """Locks a workdir, on a disk or in a bucket; errors as of the two classes."""
    return BucketLock(workdir) if in_bucket(workdir) else WorkdirLock(workdir)


class WorkdirLock:
    """The lock of a workdir, held until `release` or the end of the process.

    A process may hold several of one workdir: the system's lock is released with the last.

    Attributes:
      held: False where the file system has no locks, which was logged.
    """

    _files: dict[Path, tuple[int, int]] = {}  # noqa: RUF012 (of the process: descriptor, holders)

    def __init__(self, workdir: Path):
        """Takes the lock.

        Args:
          workdir: a folder that exists.

        Raises:
          TrainingError: another process holds it; says which.
          WriteError: the folder cannot be written to.
        """
        self._path = workdir.resolve() / FILE
        self._released = False
        file, holders = self._files.get(self._path, (None, 0))
        if file is None:
            with writing(self._path):
                file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self.held = bool(holders) or _lock(file, workdir)
        except BaseException:
            os.close(file)
            raise
        self._files[self._path] = (file, holders + 1)

    def check(self) -> None:
        """Does nothing: a lock of the operating system is not lost."""

    def release(self) -> None:
        """Lets other processes have the workdir; a second call does nothing."""
        if self._released:
            return
        self._released = True
        file, holders = self._files.pop(self._path)
        if holders > 1:
            self._files[self._path] = (file, holders - 1)
        else:
            os.close(file)  # which releases it


def _lock(file: int, workdir: Path) -> bool:
    """Locks an open file; False where there are no locks."""
    try:
        if fcntl is None:
            raise OSError(errno.ENOSYS, "this system has no flock")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            logger.warning(
                "%s: the file system has no locks (%s); take care that no other process uses this "
                "workdir",
                workdir,
                error.strerror or error,
            )
            return False
        raise TrainingError(
            f"{workdir}: in use by {_holder(file)}; two processes would overwrite each other's "
            "checkpoints. Wait until it has ended, or choose another --workdir"
        ) from error
    holder = {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S%z"),
    }
    with writing(workdir / FILE):
        os.truncate(file, 0)
        os.pwrite(file, json.dumps(holder).encode(), 0)
    return True


def _holder(file: int) -> str:
    try:
        holder = json.loads(os.pread(file, 1000, 0))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, LookupError, TypeError):  # it has only just taken the lock
        return "another process"
