"""From a user's text to a path: a local one, or one in a bucket."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from biobert_jax.errors import DataError, stands_for

AnyPath = str | os.PathLike[str]

SCHEMES = ("gs", "s3")
_OTHERS = ("az", "abfs", "hdfs", "http", "https", "file", "ftp")


def in_bucket(path: object) -> bool:
    """Whether a path is one in a bucket. Looks at the text only."""
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
    return isinstance(text, str) and text.startswith(("gs://", "s3://"))


def to_path(text: AnyPath) -> Path:
    """A path to work with: pathlib's, or in a bucket one with the same methods.

    Nothing is looked at. `~` is left as it is, as in pathlib; in a bucket it is a name.

    Args:
      text: a local path, gs://BUCKET/NAME or s3://BUCKET/NAME.

    Raises:
      DataError: an address of another kind, or one that lost a slash.
    """
    name = os.fspath(text)
    if in_bucket(text):
        # It and fsspec take a third of a second to import.
        from biobert_jax.files.bucket import BucketPath

        return cast(Path, text if isinstance(text, BucketPath) else BucketPath(name))
    scheme, colon, rest = name.partition(":") if isinstance(name, str) else ("", "", "")
    if colon and rest.startswith("//") and scheme in _OTHERS:
        raise DataError(
            f"{name}: an address of {scheme}://; expected a local path, gs://BUCKET/NAME or "
            "s3://BUCKET/NAME. Copy it there, or mount it"
        )
    if colon and scheme in SCHEMES and rest.startswith("/"):
        raise DataError(f"{name}: expected {scheme}://, with two slashes")
    return Path(text)


def local_only(text: AnyPath, what: str) -> Path:
    """A local path.

    Args:
      text: of a user.
      what: names it in a message.

    Raises:
      DataError: it is in a bucket.
    """
    if in_bucket(text):
        raise DataError(
            f"{what} is {os.fspath(text)}; expected a local path, since it is appended to"
        )
    return to_path(text)


def walk(top: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders with the names of the folders and files in them, as `os.walk`, from the top down.

    The caller may take names of folders out of the list, which are then left out.
    """
    if not in_bucket(top):
        yield from ((Path(folder), inside, files) for folder, inside, files in os.walk(top))
        return
    entries = cast(Any, top).entries()  # one request per folder
    inside = [path.name for path, is_folder in entries.items() if is_folder]
    yield top, inside, [path.name for path, is_folder in entries.items() if not is_folder]
    for name in inside:
        yield from walk(top / name)


def files_below(folder: Path) -> dict[Path, Any]:
    """All files of a folder, at any depth, sorted, with what `stat` says; one listing in a bucket.

    In a bucket the status has `content`, too: a hash by which the service knows the content.
    """
    if in_bucket(folder):
        return cast(Any, folder).find()
    return {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}


def shown(path: AnyPath) -> str:
    """A path for messages, ids and reports: bytes that are not UTF-8 as \\xNN.

    A staged file is shown as the one in the bucket that it is a copy of.
    """
    return stands_for(os.fsencode(os.fspath(path)).decode("utf-8", "backslashreplace"))


def similar(path: AnyPath) -> str:
    """What may have been meant by a path that does not exist, as the end of a message.

    Of the first part of it that is not there, the most similar name beside it; empty where nothing
    is similar, and in buckets, whose listing would take a request.
    """
    if in_bucket(path):
        return ""
    there = Path(os.path.expanduser(os.fsdecode(path)))
    try:
        missing = [part for part in (there, *there.parents) if not os.path.lexists(part)]
        if not missing:
            return ""
        names = os.listdir(missing[-1].parent)
    except (OSError, ValueError):  # no folder, no permission, a NUL in the name
        return ""
    near = difflib.get_close_matches(missing[-1].name, names[:_LISTED], 1)
    if not near:
        return ""
    meant = missing[-1].with_name(near[0]) / there.relative_to(missing[-1])
    return f". Did you mean {shown(meant)}?" if meant.exists() else ""


_LISTED = 10_000  # names that are looked at; a folder of a corpus may hold a million
