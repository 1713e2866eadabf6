"""One file out of a zip or a folder, without unpacking anything to disk."""

import codecs
import itertools
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from biobert_jax.errors import DataError, at
from biobert_jax.files import decode, read_bounded

LARGEST = 64 * 2**20
"""Bytes that a member may have; the corpora's own have a few million."""

LARGEST_TOGETHER = 16 * LARGEST
"""Bytes that all members of a kind may have."""

_ENOUGH = 3  # two of a name are an error already; a thousand would fill the memory
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(OSError, EOFError, RuntimeError, NotImplementedError, ValueError),
)


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
        found = _find_in_folder(path, names) if path.is_dir() else _find_in_zip(path, names)
        found = list(itertools.islice(found, _ENOUGH))
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
    return where, decode(data.removeprefix(codecs.BOM_UTF8), where)


def read_all_members(path: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yields where each file of a kind is, for messages, and its bytes, in the order of names.

    Args:
      path: a zip or a folder.
      suffix: of the files' names.

    Raises:
      DataError: the zip is damaged, or a file is too large, or all of them together are.
    """
    total = 0
    try:
        if path.is_dir():
            yield from _find_in_folder(path, [f"*{suffix}"])
            return
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(suffix) and "__MACOSX" not in name:
                    inside = f"{path}!{name}"
                    with archive.open(name) as stream:
                        data = read_bounded(stream, inside, min(LARGEST, LARGEST_TOGETHER - total))
                    total += len(data)
                    yield inside, data
    except _DAMAGED as error:
        raise DataError(
            f"{at(path)}: cannot be read ({error}); expected a whole zip file, or the folder it "
            "unpacks to. Copy it again"
        ) from error


def _find_in_folder(path: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        for file in sorted(path.rglob(name)):
            with file.open("rb") as stream:
                yield str(file), read_bounded(stream, str(file), LARGEST)


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
                yield inside, read_bounded(stream, inside, LARGEST)
        elif depth and member.suffix == ".zip":
            with archive.open(info) as stream, zipfile.ZipFile(stream) as nested:
                yield from _members(nested, inside, names, depth - 1)
