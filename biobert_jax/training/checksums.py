"""SHA-256 of every file of a checkpoint, written once it is complete and checked when it is read.

Nothing else notices a flipped bit: the arrays are compressed, but carry no checksum. The list is in
the form of sha256sum, so that `sha256sum -c SHA256SUMS` in the folder of a step checks it, too.
"""

from collections.abc import Iterator
from pathlib import Path

from biobert_jax.errors import DataError
from biobert_jax.files import read_text, sha256_of, write_text

FILE = "SHA256SUMS"


def write_checksums(folder: Path) -> None:
    """Lists the files of a checkpoint that is complete.

    Raises:
      DataError, WriteError: a file cannot be read, or the list cannot be written.
    """
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in _in(folder)]
    write_text(folder / FILE, lines)


def find_damage(folder: Path) -> str | None:
    """Compares a checkpoint with its list.

    Returns:
      What is wrong with the first file that differs; "" where none does; None where there is no
      list: an earlier version saved the checkpoint, or the run ended before the list was written.
    """
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


def _in(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FILE)
