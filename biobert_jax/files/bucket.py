"""Paths in buckets: gs:// and s3://, through etils.epath and fsspec.

A bucket is no disk. An object appears whole when its upload ends, or not at all. There are no
folders, only names with slashes. Nothing is renamed: that would be a copy and a deletion of every
object. So `upload` is the only way to write here, and there is no `open("w")`.

Requests that fail with 429 or 5xx, or lose their connection, are repeated by gcsfs with growing
pauses, six times in all; s3fs and TensorStore do likewise.
"""

import contextlib
import datetime
import errno
import fnmatch
import functools
import io
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from etils.epath import backend, gpath

from biobert_jax.errors import UserError

# TensorFlow's own reader of buckets would be taken where it is installed, with other errors and
# without these retries. epath keeps what it found at the first path of this process, a local one,
# too, such as that of a checkpoint on a disk.
os.environ.setdefault("EPATH_USE_TF", "0")
if _found := getattr(gpath, "_is_tf_installed", None):
    getattr(_found, "cache_clear", lambda: None)()

_LIBRARY = {"gs": ("gcsfs", "gcs"), "s3": ("s3fs", "s3")}
"""For each scheme its fsspec library and the extra of this package that brings it."""
_ATTEMPTS = 6


class Status(NamedTuple):
    """What `os.stat_result` says of a file, as far as buckets know it."""

    st_size: int
    st_mtime: float  # seconds since 1970
    version: str  # another one for every upload
    content: str  # a hash, as the service computes it

    @property
    def st_mtime_ns(self) -> int:
        return round(self.st_mtime * 1e6) * 1000


class BucketPath(gpath.PosixGPath):
    """A path in a bucket with the methods of `pathlib.Path` that read and list.

    Errors are OSErrors, with the path and what the service said.
    """

    # ---- What there is.

    def info(self) -> dict[str, Any]:
        """What fsspec says of an object or a folder: `type`, `size`, `etag`, `md5Hash`, ...

        Raises:
          FileNotFoundError: there is none.
        """
        with _explained(self):
            return dict(self._fs.info(os.fspath(self)))

    def exists(self) -> bool:
        return self._type() is not None

    def is_file(self) -> bool:
        return self._type() == "file"

    def is_dir(self) -> bool:
        return self._type() == "directory"

    def _type(self) -> str | None:
        try:
            return self.info()["type"]
        except FileNotFoundError:
            return None

    def stat(self) -> Any:
        return _status(self.info())

    def iterdir(self) -> Iterator["BucketPath"]:
        yield from self.entries()

    def entries(self) -> dict["BucketPath", bool]:
        """What is in this folder, by one listing, and whether it is a folder.

        Raises:
          FileNotFoundError: there is no such folder.
        """
        with _explained(self):
            found = self._fs.ls(os.fspath(self), detail=True)
        own = self._fs._strip_protocol(os.fspath(self))
        kinds = {one["name"].rstrip("/"): one["type"] == "directory" for one in found}
        return {self._named(name): kinds[name] for name in sorted(kinds) if name != own}

    def find(self) -> dict["BucketPath", Any]:
        """All files below this folder with their status, by one listing; {} if there are none."""
        try:
            with _explained(self):
                found = self._fs.find(os.fspath(self), detail=True)
        except FileNotFoundError:  # no such bucket
            return {}
        files = {name: one for name, one in found.items() if one["type"] == "file"}
        # Consoles mark folders by empty objects whose names end in a slash.
        return {self._named(n): _status(files[n]) for n in sorted(files) if not n.endswith("/")}

    def glob(self, pattern: str) -> Iterator["BucketPath"]:
        """Files and folders; ** stands for folders of any depth."""
        if "/" not in pattern and "**" not in pattern:
            try:
                entries = list(self.iterdir())
            except FileNotFoundError:
                return
            yield from (one for one in entries if fnmatch.fnmatchcase(one.name, pattern))
            return
        with _explained(self):
            names = self._fs.glob(f"{os.fspath(self).rstrip('/')}/{pattern}")
        yield from map(self._named, sorted(names))

    def matching(self) -> dict["BucketPath", Status]:
        """The files that this path, taken as a pattern, names, with their status."""
        with _explained(self):
            found = self._fs.glob(os.fspath(self), detail=True)
        return {
            self._named(name): _status(found[name])
            for name in sorted(found)
            if found[name]["type"] == "file" and not name.endswith("/")
        }

    def rglob(self, pattern: str) -> Iterator["BucketPath"]:
        """The files of any depth whose names match."""
        yield from (path for path in self.find() if fnmatch.fnmatchcase(path.name, pattern))

    # ---- Reading.

    def open(self, mode: str = "r", **settings: Any) -> Any:
        if mode not in ("r", "rb", "rt"):
            raise OSError(errno.EINVAL, "files in a bucket are written whole (atomic_writing)")
        try:
            with _explained(self):
                file = _Explaining(self._fs.open(os.fspath(self), "rb"), self)
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, self.why_missing(), os.fspath(self)) from error
        if mode == "rb":
            return file
        stream = io.BufferedReader(file)
        return io.TextIOWrapper(stream, encoding="utf-8", newline=settings.get("newline"))

    def why_missing(self) -> str:
        """Why there is nothing of this name."""
        try:
            with _explained(self):
                self._fs.ls(self.bucket, detail=False)
        except FileNotFoundError:
            return f"no such bucket as {self.bucket}"
        return f"nothing of this name in {self.bucket}"

    def read_bytes(self) -> bytes:
        with _explained(self):
            return self._fs.cat_file(os.fspath(self))

    def read_text(self, encoding: str | None = None) -> str:
        return self.read_bytes().decode(encoding or "utf-8")

    def download(self, to: Path) -> None:
        """Copies an object to a local file."""
        with _explained(self):
            self._fs.get_file(os.fspath(self), os.fspath(to))

    # ---- Writing.

    def upload(self, file: Path) -> None:
        """Makes this the content of a local file, whole or not at all."""
        with _explained(self, writes=True):
            self._fs.put_file(os.fspath(file), os.fspath(self))

    def create(self, data: bytes) -> None:
        """Makes a new object.

        Raises:
          FileExistsError: there is one of this name already, whoever made it and when.
        """
        with _explained(self, writes=True):
            self._fs.pipe_file(os.fspath(self), data, mode="create")

    def write_bytes(self, data: bytes) -> int:
        with _explained(self, writes=True):
            self._fs.pipe_file(os.fspath(self), data)
        return len(data)

    def write_text(self, data: str, *ignored: Any, **also: Any) -> int:
        return self.write_bytes(data.encode())

    def copy_from(self, other: "BucketPath") -> None:
        """Copies an object within the service, without fetching it."""
        with _explained(self, writes=True):
            self._fs.cp_file(os.fspath(other), os.fspath(self))

    def replace_version(self, data: bytes, version: str) -> str:
        """Replaces the content if it still is that of a version; gs:// only.

        Returns:
          The new version.

        Raises:
          FileExistsError: somebody replaced it since.
        """
        with _explained(self, writes=True):
            said = self._fs.call(
                "POST",
                f"{self._fs._location}/upload/storage/v1/b/{self.parts[2]}/o",
                uploadType="media",
                name="/".join(self.parts[3:]),
                ifGenerationMatch=version,
                data=data,
                json_out=True,
            )
        return str(said["generation"])

    def delete_version(self, version: str) -> None:
        """Deletes the object if it still is this version; gs:// only.

        Raises:
          FileExistsError: somebody replaced it since.
          FileNotFoundError: it is deleted already.
        """
        with _explained(self):
            name = "/".join(self.parts[3:])
            self._fs.call("DELETE", "b/{}/o/{}", self.parts[2], name, ifGenerationMatch=version)

    def unlink(self, missing_ok: bool = False) -> None:
        try:
            with _explained(self, writes=True):
                self._fs.rm_file(os.fspath(self))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def rmtree(self, missing_ok: bool = True) -> None:
        for path in self.find():
            path.unlink(missing_ok=missing_ok)

    def mkdir(self, *ignored: Any, **also: Any) -> None:
        """Does nothing: a folder is there when a file is."""

    def rename(self, target: Any) -> Any:
        raise OSError(errno.ENOTSUP, "nothing is renamed in a bucket", os.fspath(self))

    replace = rename

    # ---- What is the same for every name in a bucket.

    def absolute(self) -> "BucketPath":
        return self

    def resolve(self, strict: bool = False) -> "BucketPath":
        del strict
        return self

    def expanduser(self) -> "BucketPath":
        return self

    def samefile(self, other: Any) -> bool:
        return os.fspath(self) == os.fspath(other)

    @property
    def bucket(self) -> str:
        """The name of the bucket, with its scheme."""
        return f"{self.parts[1]}://{self.parts[2]}" if len(self.parts) > 2 else os.fspath(self)

    @property
    def _fs(self) -> Any:
        return file_system(self.parts[1])

    def _named(self, name: str) -> "BucketPath":
        return type(self)(f"{self.parts[1]}://{name}")


class _Explaining(io.RawIOBase):
    """An open object whose errors say where, and what to do."""

    def __init__(self, file: Any, path: BucketPath):
        self._file, self._path, self.size = file, path, file.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        with _explained(self._path):
            return self._file.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@functools.cache
def file_system(scheme: str) -> Any:
    """The fsspec file system of a scheme; the one that epath, and so Orbax, uses.

    Raises:
      UserError: its library is not installed.
    """
    library, extra = _LIBRARY[scheme]
    try:
        import fsspec.config

        __import__(library)
    except ImportError as error:
        raise UserError(
            f"{scheme}:// needs {library}, which is not installed ({error}); "
            f"pip install 'biobert_jax[{extra}]'"
        ) from error
    # It logs a traceback of every failed request, which is reported once, in one line.
    logging.getLogger(library).setLevel(logging.CRITICAL)
    logging.getLogger("google.auth").setLevel(logging.ERROR)
    for protocol in ("gs", "gcs", "s3"):
        # A cached listing goes stale: other processes write, too.
        fsspec.config.conf.setdefault(protocol, {}).setdefault("use_listings_cache", False)
    return backend.fsspec_backend.fs(f"{scheme}://")


def _status(info: dict[str, Any]) -> Status:
    changed = info.get("mtime") or info.get("LastModified") or info.get("updated") or 0.0
    if isinstance(changed, str):
        changed = datetime.datetime.fromisoformat(changed)
    if isinstance(changed, datetime.datetime):
        changed = changed.timestamp()
    names = ("generation", "ETag", "etag", "md5Hash")
    version = next((str(info[name]) for name in names if info.get(name)), str(changed))
    content = str(info.get("md5Hash") or info.get("crc32c") or info.get("ETag") or version)
    return Status(int(info.get("size") or 0), float(changed), version, content)


@contextlib.contextmanager
def _explained(path: BucketPath, writes: bool = False) -> Iterator[None]:
    """Turns whatever fsspec raises into an OSError with the path and what to do about it."""
    try:
        yield
    except (UserError, FileExistsError):
        raise
    except FileNotFoundError as error:
        # Of a file that is missing, that is all; an upload can only miss the bucket.
        reason = (
            f"no such bucket as {path.bucket}; create it, or correct the name"
            if writes
            else "no such file"
        )
        raise FileNotFoundError(errno.ENOENT, reason, os.fspath(path)) from error
    except Exception as error:
        code, reason = _reason(error, path)
        raise OSError(code, reason, os.fspath(path)) from error


def _reason(error: Exception, path: BucketPath) -> tuple[int, str]:
    said = " ".join(str(getattr(error, "message", "") or error).split())[:300]
    status = str(getattr(error, "code", "") or "")
    if isinstance(error, PermissionError) or said.startswith("Forbidden") or status == "403":
        said = re.sub(r"^Forbidden: \S+ ?", "", said)
        return errno.EACCES, (
            f"permission denied by {path.bucket} ({said or 'no reason given'}). Check the account "
            "(gcloud auth list), its role on the bucket, and the project (GOOGLE_CLOUD_PROJECT)"
            if path.bucket.startswith("gs:")
            else f"permission denied by {path.bucket} ({said}). Check the credentials of AWS"
        )
    name = type(error).__name__
    if status == "401" or name in ("DefaultCredentialsError", "NoCredentialsError", "RefreshError"):
        how = "gcloud auth application-default login" if path.parts[1] == "gs" else "aws configure"
        return errno.EACCES, f"no valid credentials for {path.bucket} ({said}). Try: {how}"
    return errno.EIO, (
        f"{path.bucket} does not answer as expected, after {_ATTEMPTS} attempts where repeating "
        f"helps ({name}: {said or status}). Check the network, and give the command again"
    )
