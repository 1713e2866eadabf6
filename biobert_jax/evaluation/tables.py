"""Files of predictions that are tables: tab-separated, under a header."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table; its folder is created, and blanks in a cell become single ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in (header, *rows):
            file.write("\t".join(" ".join(cell.split()) for cell in row) + "\n")
