"""Local copies of what is in a bucket, for libraries that open files by themselves.

A copy is made by each host once, and used again as long as the object has not changed:

    STAGED/gs/BUCKET/NAME           the copy
    STAGED/.stamps/gs/BUCKET/NAME   JSON: which version of the object it is; written last
    STAGED/.locks/gs/BUCKET/NAME    locked by the process that copies it

STAGED is the environment's BIOBERT_STAGED, by default biobert_jax/staged in the user's cache
folder. `biobert staged` lists the copies and removes them.
"""

import base64
import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

from biobert_jax.errors import DataError, WriteError, let_stand_for
from biobert_jax.files.paths import SCHEMES, AnyPath, in_bucket, shown, to_path
from biobert_jax.files.writing import atomic_writing, writing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger(__name__)

FOLDER = "BIOBERT_STAGED"
_STAMPS, _LOCKS = ".stamps", ".locks"
_SPARE = 256 * 2**20
"""Bytes that stay free on the disk."""
_AT_ONCE = 4
_LOG_EVERY = 10.0  # seconds


class Wanted(NamedTuple):
    """A file of a bucket, and what is known of it before it is fetched."""

    path: Path
    bytes: int
    sha256: str = ""
    version: str = ""


def home() -> Path:
    """The folder of all copies."""
    given = os.environ.get(FOLDER)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(given) if given else cache / "biobert_jax" / "staged"


def local(path: AnyPath) -> Path:
    """A path that any library can open: a local one as it is, else a copy of the file or folder.

    Raises:
      DataError: there is no such file or folder, it cannot be read, or there is no room.
    """
    if not in_bucket(path):
        return Path(path)
    there: Any = to_path(path)
    try:
        files = there.find()
        reason = "" if files else there.why_missing()
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror or error})") from error
    if reason:
        raise DataError(f"{shown(path)}: {reason}; expected a file or a folder. Check the path")
    stage(
        [Wanted(file, status.st_size, version=status.version) for file, status in files.items()],
        os.fspath(path),
    )
    return place_of(there)


def stage(files: Iterable[Wanted], name: str) -> None:
    """Copies files of a bucket to this machine, those that are not there already.

    Args:
      files: with what is known of them. With a checksum, a copy of that content is right whatever
        the bucket says now; without, the object's version is compared.
      name: what the log calls them together.

    Raises:
      DataError: a file cannot be read, or is not what was announced; the disk has too little room.
    """
    for scheme in SCHEMES:
        let_stand_for(f"{home() / scheme}/", f"{scheme}://")
    missing = [one for one in files if not _is_here(one)]
    if not missing:
        return
    size = sum(one.bytes for one in missing)
    with writing(home()):
        home().mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home()).free
    if size + _SPARE > free:
        raise DataError(
            f"{name}: {size:,} bytes to copy to {home()}, which has {free:,} free, and "
            f"{_SPARE:,} are to stay free. Name a folder on a larger disk in {FOLDER}, or remove "
            "copies (biobert staged --remove)"
        )
    logger.info("%s: copying %d files, %s bytes, to %s", name, len(missing), f"{size:,}", home())
    began = logged = time.monotonic()
    done = 0
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for count, one in enumerate(threads.map(_fetch, missing), 1):
            done += one
            if time.monotonic() > logged + _LOG_EVERY:
                logged = time.monotonic()
                share = done / max(1, size)
                logger.info("%s: %d of %d files, %.0f%%", name, count, len(missing), 100 * share)
    logger.info("%s: copied in %.1f s", name, time.monotonic() - began)


def place_of(path: Path) -> Path:
    """Where the copy of a file or folder is, or will be."""
    return home() / _name(path)


def _name(path: AnyPath) -> str:
    return os.fspath(path).replace("://", "/", 1)


def _is_here(one: Wanted) -> bool:
    """Whether there is a copy of the file as it is wanted."""
    place = place_of(one.path)
    try:
        stamp = json.loads((home() / _STAMPS / _name(one.path)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not place.is_file() or place.stat().st_size != stamp.get("bytes"):
        return False
    if one.sha256:
        return stamp.get("sha256") == one.sha256
    return stamp.get("version") == (one.version or cast(Any, one.path).stat().version)


def _fetch(one: Wanted) -> int:
    """Copies one file, unless another process of this machine does; returns its bytes."""
    place = place_of(one.path)
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(one.path):
        if _is_here(one):
            return one.bytes
        there = cast(Any, one.path)
        try:
            info = there.info()
            with atomic_writing(place) as temporary:
                there.download(temporary)
                sha256 = _check(one, temporary, info)
            version = there.stat().version
        except OSError as error:
            raise DataError(
                f"{shown(one.path)}: cannot be read ({error.strerror or error})"
            ) from error
        stamp = {"bytes": place.stat().st_size, "version": version, "sha256": sha256}
        with atomic_writing(home() / _STAMPS / _name(one.path)) as temporary:
            temporary.write_text(json.dumps(stamp), encoding="utf-8")
    return one.bytes


def _check(one: Wanted, copy: Path, info: Mapping[str, Any]) -> str:
    """Compares a copy with what is known of the file; returns its SHA-256."""
    with copy.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = copy.stat().st_size
    if size != one.bytes or (one.sha256 and sha256 != one.sha256):
        raise DataError(
            f"{shown(one.path)}: {size:,} bytes with sha256 {sha256[:12]}..., expected "
            f"{one.bytes:,} {f'with {one.sha256[:12]}...' if one.sha256 else ''}; the file is "
            "damaged, or was written to while it was read. Copy it there again"
        )
    if md5 := info.get("md5Hash"):
        with copy.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
        if base64.b64encode(found).decode() != md5:
            raise DataError(f"{shown(one.path)}: arrived damaged (MD5); give the command again")
    return sha256


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Lets one process of this machine at a time copy a file."""
    if fcntl is None:
        yield
        return
    lock = home() / _LOCKS / _name(path)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def copies() -> dict[str, int]:
    """The addresses of all copies on this machine with their bytes."""
    found = {}
    for stamp in sorted((home() / _STAMPS).rglob("*")):
        name = stamp.relative_to(home() / _STAMPS)
        if stamp.is_file() and (home() / name).is_file():
            found[name.as_posix().replace("/", "://", 1)] = (home() / name).stat().st_size
    return found


def remove(addresses: Iterable[str] = ()) -> int:
    """Removes copies, all or those of the addresses and what is below them; returns their bytes.

    Raises:
      WriteError: one cannot be removed.
    """
    wanted = [address.rstrip("/") for address in addresses]
    freed = 0
    for address, size in copies().items():
        if wanted and not any(address == one or address.startswith(one + "/") for one in wanted):
            continue
        name = _name(address)
        try:
            for path in (home() / _STAMPS / name, home() / name, home() / _LOCKS / name):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise WriteError(f"{home() / name}: cannot be removed ({error.strerror})") from error
        freed += size
    return freed
