"""Texts and records from a file or from standard input, one after the other."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.errors import DataError, at

STANDARD_INPUT = "-"


class Text(NamedTuple):
    """A text to be annotated or embedded."""

    id: str  # of a plain file: the number of the line, from 1, or the file's name
    text: str


class Record(NamedTuple):
    """An object of a JSON lines file, and its place for messages: the file and the line."""

    place: str
    number: int
    values: dict[str, Any]


def read_texts(path: str, whole: bool = False) -> Iterator[Text]:
    """Reads the texts of a UTF-8 file.

    Args:
      path: `.jsonl` holds an object with `text` (and perhaps `id`) a line; any other file a text a
        line, blank ones skipped; `-` is standard input, read as plain text.
      whole: a plain file is one text, line breaks and all, and keeps its offsets.

    Raises:
      DataError: it cannot be read, is not UTF-8, or a line of JSON is no such object.
    """
    if path.endswith(".jsonl"):
        for record in read_records(path):
            yield _text(record)
    elif whole:
        yield Text(Path(name_of(path)).stem, "".join(line for _, line in read_lines(path)))
    else:
        for number, line in read_lines(path):
            if line.strip():
                yield Text(str(number), line.rstrip("\r\n"))


def read_records(path: str) -> Iterator[Record]:
    """Reads a file of JSON lines, an object a line; blank lines are skipped.

    Raises:
      DataError: it cannot be read, is not UTF-8, or a line is no JSON object.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = at(name_of(path), number)
        try:
            values = json.loads(line.rstrip("\r\n"))
        except ValueError as error:
            raise DataError(
                f"{place}: not JSON ({error}); expected one whole object a line. If the line is "
                "cut off, copy the file again"
            ) from error
        if not isinstance(values, dict):
            raise DataError(f"{place}: found {line[:80]!r}; expected an object")
        yield Record(place, number, values)


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yields the lines of a UTF-8 file, line ends and all, with their numbers from 1.

    Raises:
      DataError: it cannot be read or is not UTF-8.
    """
    try:
        if path == STANDARD_INPUT:
            yield from _decoded(sys.stdin.buffer, name_of(path))
        else:
            with open(path, "rb") as file:
                yield from _decoded(file, path)
    except OSError as error:
        raise DataError(
            f"{at(name_of(path))}: cannot be read ({error.strerror}); expected a text file, or - "
            "for standard input"
        ) from error


def name_of(path: str) -> str:
    """What messages call a file."""
    return "standard input" if path == STANDARD_INPUT else path


def _decoded(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{at(name, number)}: byte 0x{line[error.start]:02x} is not UTF-8; save the file "
                "as UTF-8 (for example: iconv -f ISO-8859-1 -t UTF-8)"
            ) from error
        yield number, text.removeprefix("\ufeff") if number == 1 else text


def _text(record: Record) -> Text:
    place, number, values = record
    if not isinstance(values.get("text"), str):
        raise DataError(
            f"{place}: found {str(values)[:80]!r}; expected an object with a string `text`, "
            'such as {"id": "1", "text": "Aspirin relieves pain."}'
        )
    return Text(str(values.get("id", number)), values["text"])
