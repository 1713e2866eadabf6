"""Texts from a file or from standard input, one after the other."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from biobert_jax.errors import DataError, at

STANDARD_INPUT = "-"


class Text(NamedTuple):
    """A text to be annotated or embedded."""

    id: str  # of a plain file: the number of the line, from 1, or the file's name
    text: str


def read_texts(path: str, whole: bool = False) -> Iterator[Text]:
    """Reads the texts of a UTF-8 file.

    Args:
      path: `.jsonl` holds an object with `text` (and perhaps `id`) a line; any other file a text a
        line, blank ones skipped; `-` is standard input, read as plain text.
      whole: a plain file is one text, line breaks and all, and keeps its offsets.

    Raises:
      DataError: it cannot be read, is not UTF-8, or a line of JSON is no such object.
    """
    name = "standard input" if path == STANDARD_INPUT else path
    try:
        if path == STANDARD_INPUT:
            yield from _texts(sys.stdin.buffer, name, whole, is_json=False)
        else:
            with open(path, "rb") as file:
                yield from _texts(file, name, whole, is_json=path.endswith(".jsonl"))
    except OSError as error:
        raise DataError(
            f"{at(name)}: cannot be read ({error.strerror}); expected a text file, or - for "
            "standard input"
        ) from error


def _texts(lines: Iterable[bytes], name: str, whole: bool, is_json: bool) -> Iterator[Text]:
    if whole and not is_json:
        decoded = [_decode(line, name, number) for number, line in enumerate(lines, start=1)]
        yield Text(Path(name).stem, "".join(decoded))
        return
    for number, line in enumerate(lines, start=1):
        text = _decode(line, name, number).rstrip("\r\n")
        if not text.strip():
            continue
        yield _record(text, name, number) if is_json else Text(str(number), text)


def _decode(line: bytes, name: str, number: int) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{at(name, number)}: byte 0x{line[error.start]:02x} is not UTF-8; save the file as "
            "UTF-8 (for example: iconv -f ISO-8859-1 -t UTF-8)"
        ) from error
    return text.removeprefix("\ufeff") if number == 1 else text


def _record(line: str, name: str, number: int) -> Text:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"{at(name, number)}: not JSON ({error}); expected an object") from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise DataError(
            f"{at(name, number)}: found {line[:80]!r}; expected an object with a string `text`, "
            'such as {"id": "1", "text": "Aspirin relieves pain."}'
        )
    return Text(str(record.get("id", number)), record["text"])
