"""What a corpus is built from: files, the reader for them, and their grouping into units."""

import glob
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from biobert_jax.corpora.readers.documents import Document, OnError, ReadStatistics
from biobert_jax.corpora.readers.jats import read_jats
from biobert_jax.corpora.readers.plain import read_jsonl, read_lines, read_sentences
from biobert_jax.corpora.readers.pubmed import read_pubmed, sort_pubmed_files
from biobert_jax.errors import DataError
from biobert_jax.files import in_bucket, shown, to_path

SOURCES = ("pubmed", "pmc", "text")
TEXT_FORMATS = {"sentences": read_sentences, "lines": read_lines, "jsonl": read_jsonl}
UNIT_BYTES = 16 * 2**20

logger = logging.getLogger(__name__)


class ReaderOptions(NamedTuple):
    """Which reader, and its options; see `read_pubmed`, `read_jats` and `corpora.readers.plain`."""

    source: str  # one of SOURCES
    text_format: str = ""  # of TEXT_FORMATS; "" for jsonl by the file's name, else sentences
    labels: bool = False
    captions: bool = False
    section_titles: bool = False
    citations: bool = False


class InputFile(NamedTuple):
    """A file as it was when it was looked at."""

    path: str  # absolute
    bytes: int
    modified: int  # nanoseconds since 1970


def find_inputs(patterns: Sequence[str], source: str) -> list[InputFile]:
    """The files that patterns name, each once, in the order in which a corpus holds them.

    Args:
      patterns: names or shell patterns; ** stands for folders of any depth. A file that several
        names lead to (links) is taken once.
      source: of SOURCES. PubMed files are put in the order in which they revise each other, others
        in that of their paths.

    Raises:
      DataError: a pattern that no file matches.
    """
    paths, in_buckets = set(), {}
    for pattern in patterns:
        if in_bucket(pattern):
            matching = _matching(pattern)
            in_buckets |= matching
            paths.update(matching)
            continue
        try:
            found = [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]
        except (ValueError, re.error) as error:  # a NUL; a set of characters without its end
            raise DataError(f"{pattern!r}: no pattern of file names ({error})") from error
        if not found:
            raise DataError(
                f"{shown(pattern)}: no file matches; expected the corpus's files, check --input"
            )
        paths.update(map(os.path.abspath, found))
    files, seen = [], {}
    for path in sort_pubmed_files(paths) if source == "pubmed" else sorted(paths):
        if path in in_buckets:
            files.append(in_buckets[path])
            continue
        try:
            status = os.stat(path)
        except OSError as error:
            raise DataError(f"{shown(path)}: cannot be read ({error.strerror})") from error
        first = seen.setdefault((status.st_dev, status.st_ino), path)
        if first == path:
            files.append(InputFile(path, status.st_size, status.st_mtime_ns))
        else:
            logger.warning("%s: is the file %s by another name, left out", path, first)
    return files


def _matching(pattern: str) -> dict[str, InputFile]:
    """The files of a bucket that a pattern names, by one listing."""
    bucket: Any = to_path(pattern)
    try:
        found = bucket.matching()
    except OSError as error:
        raise DataError(f"{pattern}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise DataError(
            f"{pattern}: no file matches; expected the corpus's files, check --input and the bucket"
        )
    return {
        os.fspath(path): InputFile(os.fspath(path), status.st_size, status.st_mtime_ns)
        for path, status in found.items()
    }


def group_files(files: Sequence[InputFile], unit_bytes: int = UNIT_BYTES) -> list[list[InputFile]]:
    """Cuts the files into runs of at most `unit_bytes` together, or of one larger file.

    Each run becomes a shard, so that a million small articles do not become a million shards.
    """
    units: list[list[InputFile]] = []
    size = 0
    for file in files:
        if not units or size + file.bytes > unit_bytes:
            units.append([])
            size = 0
        units[-1].append(file)
        size += file.bytes
    return units


def read_documents(
    path: str,
    options: ReaderOptions,
    fates: np.ndarray | None,
    statistics: ReadStatistics,
    on_error: OnError,
) -> Iterator[Document]:
    """Yields the documents of one file with the reader that the options name.

    `fates` are those of `surviving_citations`, for PubMed files only.
    """
    common = {"statistics": statistics, "on_error": on_error}
    if options.source == "pubmed":
        return read_pubmed(path, fates=fates, labels=options.labels, **common)
    if options.source == "pmc":
        return read_jats(
            path,
            captions=options.captions,
            section_titles=options.section_titles,
            citations=options.citations,
            **common,
        )
    is_jsonl = path.removesuffix(".gz").endswith((".jsonl", ".ndjson"))
    kind = options.text_format or ("jsonl" if is_jsonl else "sentences")
    return TEXT_FORMATS[kind](path, **common)


def digest(value: object) -> str:
    """A hash of anything that JSON can hold; the same in every process."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
