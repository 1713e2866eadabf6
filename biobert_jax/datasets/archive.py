"""One file out of a zip or a folder, without unpacking anything to disk."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from biobert_jax.errors import DataError, at

LARGEST = 64 * 2**20
"""Bytes that a member may have; the corpora's own have a few million."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError)


def read_member(path: Path, names: Sequence[str]) -> tuple[str, str]:
    """Reads a text file by its name, in whichever folder it is, or zip within the zip.

    Args:
      path: a zip or a folder.
      names: what the file may be called, with as many of its folders as tell it from others.

    Returns:
      Where it is, for messages (`corpus.zip!folder/file.tsv`), and its text.

    Raises:
      DataError: there is no such file, or more than one; it is damaged, too large or not UTF-8.
    """
    if not path.exists():
        raise DataError(f"{at(path)}: no such file or folder; expected one with {names[0]}")
    try:
        found = list(_find_in_folder(path, names) if path.is_dir() else _find_in_zip(path, names))
    except _DAMAGED as error:
        raise DataError(
            f"{at(path)}: cannot be read ({error}); expected a whole zip file, or the folder it "
            "unpacks to. Copy it again"
        ) from error
    if len(found) != 1:
        raise DataError(
            f"{at(path)}: found {len(found) or 'no'} files called {' or '.join(names)}"
            f"{''.join(f', {where}' for where, _ in found)}; expected exactly one. Point to the "
            "official archive, or to the folder that it unpacks to"
        )
    where, data = found[0]
    try:
        return where, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{at(where, line)}: byte 0x{data[error.start]:02x} is not UTF-8; expected UTF-8 "
            "text. Copy the corpus again"
        ) from error


def _find_in_folder(path: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        for file in sorted(path.rglob(name)):
            with file.open("rb") as stream:
                yield str(file), _read(stream, str(file))


def _find_in_zip(path: str | Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        yield from _members(archive, str(path), names, depth=1)


def _members(
    archive: zipfile.ZipFile, where: str, names: Sequence[str], depth: int
) -> Iterator[tuple[str, bytes]]:
    for info in archive.infolist():
        member = PurePosixPath(info.filename)
        # __MACOSX/ and ._name: what macOS adds to archives.
        if member.name.startswith("._") or "__MACOSX" in member.parts:
            continue
        inside = f"{where}!{info.filename}"
        if any(f"/{member}".endswith(f"/{name}") for name in names):
            with archive.open(info) as stream:
                yield inside, _read(stream, inside)
        elif depth and member.suffix == ".zip":
            with archive.open(info) as stream, zipfile.ZipFile(stream) as nested:
                yield from _members(nested, inside, names, depth - 1)


def _read(stream: BinaryIO, where: str) -> bytes:
    # Not info.file_size, which an archive may state wrongly.
    data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DataError(
            f"{where}: more than {LARGEST:,} bytes; expected a file of a few million. Check what "
            "this archive is"
        )
    return data
