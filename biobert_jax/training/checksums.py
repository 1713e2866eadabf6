"""SHA-256 of every file of a checkpoint, written once it is complete and checked when it is read.

Nothing else notices a flipped bit: the arrays are compressed, but carry no checksum. The list is in
the form of sha256sum, so that `sha256sum -c SHA256SUMS` in the folder of a step checks it, too.

In a bucket the service computes a checksum of every object when it arrives. There the list is of
those, from one listing, so that nothing is fetched to make or to check it: objects.json.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from biobert_jax.errors import DataError
from biobert_jax.files import (
    files_below,
    in_bucket,
    read_json,
    read_text,
    sha256_of,
    write_json,
    write_text,
)

FILE = "SHA256SUMS"
IN_BUCKET = "objects.json"


def write_checksums(folder: Path) -> None:
    """Lists the files of a checkpoint that is complete.

    Raises:
      DataError, WriteError: a file cannot be read, or the list cannot be written.
    """
    if in_bucket(folder):
        write_json(folder / IN_BUCKET, _objects(folder))
        return
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in _in(folder)]
    write_text(folder / FILE, lines)


def find_damage(folder: Path) -> str | None:
    """Compares a checkpoint with its list.

    Returns:
      What is wrong with the first file that differs; "" where none does; None where there is no
      list: an earlier version saved the checkpoint, or the run ended before the list was written.
    """
    if in_bucket(folder):
        return _damage_in_bucket(folder)
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        text = read_text(path)
        pairs = [line.split("  ", 1) for line in text.splitlines()]
        listed = {name: digest for digest, name in pairs}
    except (DataError, ValueError) as error:
        return f"{path}: no list of checksums ({error})"
    for name, expected in listed.items():
        file = folder / name
        try:
            found = sha256_of(file)
        except DataError as error:
            return str(error)
        if found != expected:
            return f"{file}: found sha256 {found[:12]}..., expected {expected[:12]}..."
    return ""


def _objects(folder: Path) -> dict[str, list[Any]]:
    """Of each object below a folder its bytes and its checksum."""
    return {
        path.relative_to(folder).as_posix(): [status.st_size, status.content]
        for path, status in files_below(folder).items()
        if path.name not in (FILE, IN_BUCKET)
    }


def _damage_in_bucket(folder: Path) -> str | None:
    path = folder / IN_BUCKET
    if not path.is_file():
        return None
    try:
        listed = dict(read_json(path))
    except (DataError, TypeError, ValueError) as error:
        return f"{path}: no list of objects ({error})"
    there = _objects(folder)
    for name, expected in listed.items():
        if there.get(name) != expected:
            return f"{folder / name}: found {there.get(name, 'nothing')}, expected {expected}"
    return ""


def _in(folder: Path) -> Iterator[Path]:
    yield from (path for path in files_below(folder) if path.name not in (FILE, IN_BUCKET))
