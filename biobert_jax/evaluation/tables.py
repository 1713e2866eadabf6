"""Files of predictions that are tables: tab-separated, under a header."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from biobert_jax.files import write_text


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table; its folder is created, and blanks in a cell become single ones."""
    lines = itertools.chain([header], rows)
    write_text(path, ("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in lines))
