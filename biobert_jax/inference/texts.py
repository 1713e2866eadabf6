"""Texts and records from a file or from standard input, one after the other.

A file is read as what its content says that it is: plain text or JSON lines. What looks like
another form (XML, PubTator, CSV, a PDF) is refused, or its markup would be annotated as text.
"""

import contextlib
import io
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import HEAD_BYTES, JSON, TEXT, expect_kind, kind_of
from biobert_jax.files import decode, decode_lines, open_bounded, read_bounded, shown, to_path
from biobert_jax.strict_json import parse_json

STANDARD_INPUT = "-"
BETWEEN_TITLE_AND_TEXT = "\n\n"
"""A record's title and text are one text with a blank line between, so that sentences end there."""

_SUFFIXES = (".jsonl", ".jsonl.gz")
_HINT = (
    'give its text alone, or as JSON lines such as {"id": "1", "text": "Aspirin relieves pain."}'
)
# Members that hold text, too, and would be left out without a word.
_OTHER_TEXT = ("abstract", "body", "documents", "passages", "sections", "sentences", "tokens")
_NOT_IN_IDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HEADERS = frozenset(
    """abstract article body doc docid document entities entity id index label labels name note
    pmcid pmid record_id report sentence text title""".split()  # noqa: SIM905
)
_COLUMN = re.compile(r'"?([A-Za-z][\w.-]*(?: [\w.-]+)?)"?')  # the name of one: a word or two
_TABLE_LINES = 3


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
    """Reads the texts of a UTF-8 file, gzipped or not.

    Args:
      path: JSON lines hold an object with `text` (and perhaps `id` and `title`) per line; any other
        file one text per line, blank ones skipped; `-` is standard input. A title and its text
        become one text, `BETWEEN_TITLE_AND_TEXT` in between; offsets are into that.
      whole: a plain file is one text, line breaks and all, and keeps its offsets.

    Raises:
      DataError: it cannot be read, is not UTF-8, looks like another form, a line of JSON is no such
        object, or two texts have one id; names the line.
    """
    where = name_of(path)
    with open_input(path) as stream:
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
        if path.endswith(_SUFFIXES) or kind_of(head) == JSON:
            yield from without_repeats(
                (record.place, text_of(record)) for record in _records(stream, where)
            )
            return
        expect_kind(head, where, TEXT, hint=_HINT)
        _refuse_table(head, path, {"\t": "TSV", ",": "CSV"}, "plain text")
        if whole:
            text = decode(read_bounded(stream, where), where).removeprefix("\ufeff")
            yield Text(shown(to_path(where).stem), text)
            return
        for number, line in decode_lines(stream, where):
            if line.strip():
                yield Text(str(number), line)


def text_of(record: Record) -> Text:
    """A record's text, with its title if there is one.

    Raises:
      DataError: it has no `text`, or other members that hold text.
    """
    place, _, values = record
    text, title = values.get("text"), values.get("title", "")
    other = [name for name in _OTHER_TEXT if name in values]
    if not isinstance(text, str) or not isinstance(title, str | None) or other:
        raise DataError(
            f"{place}: found {_members(values)}; expected an object with a string `text`, "
            'perhaps `title`, such as {"id": "1", "text": "Aspirin relieves pain."}'
            + (f"; {', '.join(other)} would be left out" if other else "")
        )
    text = f"{title}{BETWEEN_TITLE_AND_TEXT}{text}" if title else text
    return Text(id_of(record), text)


def id_of(record: Record) -> str:
    """A record's `id`, by default the number of its line.

    Raises:
      DataError: it is no string or whole number, is empty, or has a tab or another control
        character in it, which would break lines of what is written.
    """
    place, number, values = record
    found = values.get("id", number)
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found).strip():
        raise DataError(f"{place}: found the id {found!r}; expected a string or a whole number")
    if _NOT_IN_IDS.search(str(found)):
        raise DataError(
            f"{place}: found a control character in the id {found!a}; expected an id without "
            "tabs and line breaks"
        )
    return str(found)


def without_repeats(placed: Iterable[tuple[str, Any]]) -> Iterator[Any]:
    """Passes on what has an `id` of its own.

    Args:
      placed: each with its place, for messages.

    Raises:
      DataError: two have one id; names both places.
    """
    places: dict[str, str] = {}
    for place, item in placed:
        if item.id in places:
            raise DataError(
                f"{place}: found the id {item.id!r}, which {places[item.id]} has, too; expected "
                "ids that differ. A record without `id` has the number of its line"
            )
        places[item.id] = place
        yield item


def read_records(path: str) -> Iterator[Record]:
    """Reads a file of JSON lines, one object per line; blank lines are skipped.

    Raises:
      DataError: it cannot be read, is not UTF-8, or a line is no JSON object.
    """
    where = name_of(path)
    with open_input(path) as stream:
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
        expect_kind(head, where, JSON, TEXT, hint="give JSON lines, one object per line")
        yield from _records(stream, where)


def _records(stream: io.BufferedReader, where: str) -> Iterator[Record]:
    for number, line in decode_lines(stream, where):
        if not line.strip():
            continue
        place = at(where, number)
        if line.strip() in ("{", "[", "[{"):
            raise DataError(
                f"{place}: JSON that goes over several lines (BioC, SQuAD?); expected JSON lines, "
                "one whole object per line"
            )
        if not line.lstrip().startswith("{"):
            raise DataError(f"{place}: found {line[:80]!r}; expected one JSON object per line")
        yield Record(place, number, parse_json(line, where, number))


def read_all(path: str, *kinds: str) -> str:
    """Reads a whole UTF-8 file, or standard input, line ends as they are.

    Args:
      path: `-` is standard input.
      kinds: of `file_kinds.TEXT_KINDS`, those that are meant.

    Raises:
      DataError: it cannot be read, is not UTF-8, or looks like another kind or like CSV.
    """
    where = name_of(path)
    with open_input(path) as stream:
        data = read_bounded(stream, where)
    expect_kind(data[:HEAD_BYTES], where, *kinds)
    _refuse_table(data[:HEAD_BYTES], path, {",": "CSV"}, "tab-separated columns")
    return decode(data, where).removeprefix("\ufeff")


@contextlib.contextmanager
def open_input(path: str) -> Iterator[io.BufferedReader]:
    """Opens a file, plain or gzip, or standard input, for reading bytes (with `peek`)."""
    if path == STANDARD_INPUT:
        yield cast(io.BufferedReader, sys.stdin.buffer)
    else:
        with open_bounded(path) as stream:
            yield stream


def name_of(path: str) -> str:
    """What messages call a file."""
    return "standard input" if path == STANDARD_INPUT else shown(path)


def _members(values: dict[str, Any]) -> str:
    return (
        f"an object with {', '.join(map(ascii, list(values)[:8]))}" if values else "an empty object"
    )


def _refuse_table(head: bytes, path: str, separators: dict[str, str], expected: str) -> None:
    """Raises DataError where the first lines are a table's, by the names of its separators."""
    lines = [line for line in head.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return
    for separator, name in separators.items():
        columns = [_COLUMN.fullmatch(field.strip()) for field in lines[0].split(separator)]
        counts = {line.count(separator) for line in lines[:_TABLE_LINES]}
        has_header = (
            len(columns) > 1
            and min(counts) >= len(columns) - 1
            and any(column and column[1].lower() in _HEADERS for column in columns)
            and all(columns)
        )
        in_columns = separator == "\t" and len(lines) >= _TABLE_LINES and len(counts) == 1
        by_name = path.endswith(f".{name.lower()}") and separator in lines[0]
        if has_header or by_name or (in_columns and counts != {0}):
            where = at(name_of(path), 1)
            raise DataError(f"{where}: looks like {name}, expected {expected}; {_HINT}")
