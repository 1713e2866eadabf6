"""What every corpus reader gives, counts, and does about input that it cannot read.

A reader is a generator function, `read_...(path, ..., statistics=None, on_error=raise_rejected)`,
that yields the `Document`s of one file in the file's order and never holds more than one of them.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from biobert_jax.errors import DataError
from biobert_jax.files import local_only, writing


class Document(NamedTuple):
    """One article, abstract, book or note.

    Text is NFC Unicode with single blanks: no markup, no line breaks, no leading or trailing blank.
    """

    id: str  # PMID, PMC id ("PMC" and digits), a JSONL id, or "file#n" with n counted from 1
    title: str  # "" where there is none
    paragraphs: tuple[str, ...]  # in reading order, none empty; the title is not among them
    source: str  # the file it came from; "bundle.tar.gz/member.nxml" inside an archive
    pmid: str = ""  # where known: what benchmarks' test articles are matched by
    is_split: bool = False  # each paragraph is one sentence already


@dataclasses.dataclass
class ReadStatistics:
    """Counts of what readers met; every record read is in exactly one of the last group.

    Statistics of several files, workers or hosts are summed with `add`.
    """

    files: int = 0
    records: int = 0  # citations, articles, lines or paragraphs that could become a document
    delete_requests: int = 0  # PMIDs named in DeleteCitation
    skipped_members: int = 0  # links, devices, pictures and so on inside archives
    rejected_files: int = 0  # rejections that belong to a file rather than to one of its records

    documents: int = 0
    without_abstract: int = 0
    superseded: int = 0  # an equal or higher version of the citation comes later
    deleted: int = 0  # a later DeleteCitation names the citation
    empty: int = 0  # no text is left once the markup is gone
    rejected: int = 0  # records that cannot be read

    def add(self, other: "ReadStatistics") -> None:
        """Adds the counts of `other` to these."""
        for field in dataclasses.fields(self):
            name = field.name
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)


class Rejected(NamedTuple):
    """A file, or a record of a file, that could not be read."""

    source: str
    position: str  # "line 12, byte 3456" of the decompressed file; "" where the whole file is meant
    reason: str  # what was found, what was expected, what to do

    def __str__(self) -> str:
        return f"{self.source}: {self.position + ': ' if self.position else ''}{self.reason}"


# Called for everything that could not be read; reading continues when it returns. `list.append` is
# one: a worker collects with it and hands the list back.
OnError = Callable[[Rejected], None]


def raise_rejected(rejected: Rejected) -> None:
    """The `raise` policy: the first thing that cannot be read ends the run with a DataError."""
    raise DataError(f"{rejected} (or read with on-error skip to set such input aside)")


def rejection(error: DataError | RecursionError) -> str:
    """The reason for a rejection in words."""
    if isinstance(error, RecursionError):
        return "elements are nested too deeply to be text"
    return str(error)


@contextlib.contextmanager
def rejected_to(path: str | os.PathLike[str]) -> Iterator[OnError]:
    """The `skip` policy: gives an OnError that writes each rejection to `path` as a line of JSON.

    A line is {"source": ..., "position": ..., "reason": ...}. An existing file is appended to, so
    that a resumed run keeps what the interrupted one had found.
    """
    with (
        writing(path),
        open(local_only(path, "the file of what is skipped"), "a", encoding="utf-8") as file,
    ):

        def write(rejected: Rejected) -> None:
            file.write(json.dumps(rejected._asdict(), ensure_ascii=False) + "\n")
            file.flush()

        yield write
