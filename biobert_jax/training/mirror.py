"""Files that grow while a run goes on, and a bucket in which nothing can be appended to."""

import logging
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, cast

from biobert_jax.files import writing

logger = logging.getLogger(__name__)


class Mirror:
    """A local folder whose files are uploaded to a bucket at intervals, each as a whole.

    A file that did not change since costs no request.

    Attributes:
      folder: where to write; it is removed by `close`.
    """

    def __init__(self, to: Path, every: float):
        """Starts with an empty folder.

        Args:
          to: the folder in the bucket.
          every: seconds between uploads, which are made in a thread; 0: `upload` and `close` only.
        """
        self._to, self._every = to, every
        self.folder = Path(tempfile.mkdtemp(prefix="biobert-run-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._done: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_uploading, daemon=True)
        if every:
            self._thread.start()

    def fetch(self, name: str) -> None:
        """Copies a file of the bucket into the folder, if there is one."""
        there = cast(Any, self._to / name)
        if there.is_file():
            there.download(self.folder / name)

    def upload(self) -> None:
        """Uploads what has changed.

        Raises:
          WriteError: it cannot be uploaded.
        """
        with self._lock:
            for path in sorted(self.folder.rglob("*")):
                if not path.is_file():
                    continue
                status = path.stat()
                state = (status.st_size, status.st_mtime_ns)
                if self._done.get(path) == state:
                    continue
                to = cast(Any, self._to / path.relative_to(self.folder).as_posix())
                with writing(to), tempfile.TemporaryDirectory(prefix="biobert-") as scratch:
                    # It may grow while it is uploaded.
                    to.upload(Path(shutil.copy(path, scratch)))
                self._done[path] = state

    def close(self) -> None:
        """Uploads the rest, and removes the folder.

        Raises:
          WriteError: it cannot be uploaded; the folder stays.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self.upload()
        except BaseException:
            self._remove.detach()
            logger.error("%s: not uploaded; the files are in %s", self._to, self.folder)
            raise
        self._remove()

    def _keep_uploading(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.upload()
            except Exception as error:
                # The next time, or at the next checkpoint, which does not go on without.
                logger.warning("not uploaded yet: %s", error)
