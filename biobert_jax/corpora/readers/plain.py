"""Text that is no XML: Google's pre-training form, one document per line, JSONL.

All are UTF-8, plain or gzip. For Wikipedia, books, notes, and whatever a few lines of Python can
turn into JSONL. Every reader takes the same arguments:

  path: the file.
  statistics: a ReadStatistics that is added to.
  on_error: is called for what cannot be read, with its line; reading continues if it returns.

Ids are "file#n", where n counts the file's records from 1, readable or not.
"""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from biobert_jax.corpora.readers.documents import (
    Document,
    OnError,
    ReadStatistics,
    Rejected,
    raise_rejected,
)
from biobert_jax.corpora.readers.markup import normalise
from biobert_jax.errors import DataError
from biobert_jax.file_kinds import HEAD_BYTES, JSON, TEXT, expect_kind
from biobert_jax.files import decode, open_bounded, parse_json, shown

MAX_LINE_BYTES = 16 * 2**20  # a long book has 3 MB


_HINT = "name its form with --source (pubmed, pmc) or --text-format (jsonl), or make it text"
# An id is a line of an exclusion list.
_CONTROL = re.compile("[\\x00-\\x1f\\x7f\\x85\\u2028\\u2029]")


class _Line(NamedTuple):
    number: int  # from 1
    text: str  # without its line break; "" where it cannot be read, and then:
    problem: str = ""


class _Record(NamedTuple):
    """What becomes a document unless something is wrong with it."""

    line: int
    title: str
    paragraphs: tuple[str, ...]
    problem: str = ""
    id: str = ""
    pmid: str = ""


def read_lines(
    path: str | os.PathLike[str],
    *,
    statistics: ReadStatistics | None = None,
    on_error: OnError = raise_rejected,
) -> Iterator[Document]:
    """Yields each line that is not blank as a document of one paragraph.

    Raises:
      DataError: by the default `on_error`: a line that is not UTF-8 or is longer than
        MAX_LINE_BYTES, a file that cannot be read.
    """
    records = (
        _Record(line.number, "", (normalise(line.text),), line.problem)
        for line in _lines(path, statistics, on_error, TEXT)
        if line.problem or line.text.strip()
    )
    yield from _documents(records, path, statistics, on_error)


def read_sentences(
    path: str | os.PathLike[str],
    *,
    statistics: ReadStatistics | None = None,
    on_error: OnError = raise_rejected,
) -> Iterator[Document]:
    """Yields documents in the form that Google's create_pretraining_data.py reads.

    One sentence per line, a blank line between documents. The paragraphs are the sentences, and
    `is_split` is true. A document with a broken line is rejected as a whole.

    Raises:
      DataError: as for `read_lines`, and for a document of more than MAX_LINE_BYTES characters:
        there is hardly a blank line in such a file.
    """
    lines = _lines(path, statistics, on_error, TEXT)
    for document in _documents(_line_groups(lines), path, statistics, on_error):
        yield document._replace(is_split=True)


def read_jsonl(
    path: str | os.PathLike[str],
    *,
    id_key: str = "id",
    title_key: str = "title",
    text_key: str = "text",
    statistics: ReadStatistics | None = None,
    on_error: OnError = raise_rejected,
) -> Iterator[Document]:
    """Yields each line's JSON object as a document.

    The text is a string, in which blank lines separate paragraphs, or a list of paragraphs. Id
    (string or number), title and "pmid" (by which `decontaminate` knows articles that benchmarks
    test on) may be absent or null; other keys are ignored.

    Raises:
      DataError: as for `read_lines`, and for a line that is no JSON object or has no text.
    """
    keys = (id_key, title_key, text_key)
    records = (
        _json_record(line, os.fspath(path), *keys)
        for line in _lines(path, statistics, on_error, JSON, TEXT)
        if line.problem or line.text.strip()
    )
    yield from _documents(records, path, statistics, on_error)


def _documents(
    records: Iterator[_Record],
    path: str | os.PathLike[str],
    statistics: ReadStatistics | None,
    on_error: OnError,
) -> Iterator[Document]:
    path = shown(path)
    statistics = ReadStatistics() if statistics is None else statistics
    for number, record in enumerate(records, start=1):
        statistics.records += 1
        paragraphs = tuple(filter(None, record.paragraphs))
        if record.problem:
            statistics.rejected += 1
            on_error(Rejected(path, f"line {record.line:,}", record.problem))
        elif paragraphs:
            statistics.documents += 1
            name = record.id or f"{os.path.basename(path)}#{number}"
            yield Document(name, record.title, paragraphs, path, record.pmid)
        else:
            statistics.empty += 1


def _line_groups(lines: Iterator[_Line]) -> Iterator[_Record]:
    """One record for each run of lines that are not blank."""
    sentences: list[str] = []
    first, characters, problem = 0, 0, ""
    for line in lines:
        text = normalise(line.text)
        if not text and not line.problem:
            if first:
                yield _Record(first, "", tuple(sentences), problem)
            sentences, first, characters, problem = [], 0, 0, ""
            continue
        if not first or (line.problem and not problem):
            first = line.number
        characters += len(text)
        problem = problem or line.problem
        if not problem and characters > MAX_LINE_BYTES:
            problem = f"no blank line in {characters:,} characters: expected one between documents"
        if problem:
            sentences = []
        else:
            sentences.append(text)
    if first:
        yield _Record(first, "", tuple(sentences), problem)


def _json_record(line: _Line, path: str, id_key: str, title_key: str, text_key: str) -> _Record:
    if line.problem:
        return _Record(line.number, "", (), line.problem)
    try:
        value = parse_json(line.text, path, line.number)
    except DataError as error:
        return _Record(line.number, "", (), _reason(error, path, line.number))
    if not isinstance(value, dict):
        kind = type(value).__name__
        return _Record(line.number, "", (), f"a JSON {kind}, expected an object with {text_key!r}")
    text, title, key = value.get(text_key), value.get(title_key), value.get(id_key)
    pmid = value.get("pmid")
    paragraphs = _blank_line_paragraphs(text) if isinstance(text, str) else text
    if not isinstance(paragraphs, list) or not all(isinstance(p, str) for p in paragraphs):
        found = "no such key" if text_key not in value else repr(text)[:40]
        return _Record(
            line.number, "", (), f"{text_key!r}: expected a string or a list of them, {found} found"
        )
    if not (
        isinstance(title, str | None)
        and isinstance(key, str | int | None)
        and isinstance(pmid, str | int | None)
    ):
        return _Record(
            line.number,
            "",
            (),
            f"{title_key!r} must be a string, {id_key!r} and 'pmid' strings or numbers",
        )
    for name, of in ((id_key, key), ("pmid", pmid)):
        if isinstance(of, bool) or (isinstance(of, str) and _CONTROL.search(of)):
            problem = f"{name!r} is {of!r}, expected a number or a string of one line"
            return _Record(line.number, "", (), problem)
    return _Record(
        line.number,
        normalise(title or ""),
        tuple(map(normalise, paragraphs)),
        id="" if key is None else str(key),
        pmid="" if pmid is None else str(pmid),
    )


def _blank_line_paragraphs(text: str) -> list[str]:
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return ["\n".join(lines) for lines in paragraphs]


def _reason(error: DataError, path: str, line: int) -> str:
    """What a message says behind its place, which a Rejected has of its own."""
    return str(error).removeprefix(f"{path}:{line}: ").removeprefix(f"{path}: ")


def _lines(
    path: str | os.PathLike[str],
    statistics: ReadStatistics | None,
    on_error: OnError,
    *kinds: str,
) -> Iterator[_Line]:
    """Yields the file's lines; counts the file, and reports when its stream breaks off."""
    where = shown(path)
    statistics = ReadStatistics() if statistics is None else statistics
    statistics.files += 1
    number = 0
    try:
        with open_bounded(path) as stream:
            expect_kind(stream.peek(HEAD_BYTES)[:HEAD_BYTES], where, *kinds, hint=_HINT)
            while data := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if number == 1:
                    data = data.removeprefix(b"\xef\xbb\xbf")
                if len(data) > MAX_LINE_BYTES:
                    while data and not data.endswith(b"\n"):
                        data = stream.readline(MAX_LINE_BYTES)
                    yield _Line(number, "", f"longer than {MAX_LINE_BYTES:,} bytes")
                    continue
                if number == 1 and not data.endswith(b"\n") and b"\r" in data.rstrip(b"\r"):
                    yield _Line(1, "", "carriage returns are its only line ends: make them LF (tr)")
                    continue
                try:
                    text = decode(data, where, number)
                except DataError as error:
                    yield _Line(number, "", _reason(error, where, number))
                else:
                    yield _Line(number, text.rstrip("\r\n"))
    except DataError as error:
        statistics.rejected_files += 1
        on_error(Rejected(where, f"line {number + 1:,}", _reason(error, where, number + 1)))
