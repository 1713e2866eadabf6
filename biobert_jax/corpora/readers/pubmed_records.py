"""Cuts PubMed XML into records without parsing it, so that damage costs one record, not a file.

A baseline file is 30,000 citations of some 5 kB in one element. Records are found by their tags,
each is parsed alone, and what is between them (declaration, DOCTYPE, root, blanks) goes through a
push parser of its own, which sees that the rest is well-formed too. This is faster than one parser
over everything (references and history are never looked at), lets the next record survive a broken
one, and keeps a DOCTYPE's entities away from the records.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lxml import etree

from biobert_jax.corpora.readers.markup import safe_parser
from biobert_jax.errors import DataError
from biobert_jax.file_kinds import HEAD_BYTES, TEXT, XML, expect_kind
from biobert_jax.files import open_bounded, shown

ROOTS = ("PubmedArticleSet", "MedlineCitationSet", "PubmedBookArticleSet")
_PUBLISHERS_ROOT = "PubMedArticleSet"
_PUBLISHERS_FORM = (
    "in the form in which publishers send citations to NLM (PubMedArticleSet), expected NLM's own "
    "(PubmedArticleSet): use NLM's files"
)
MAX_RECORD_BYTES = 16 * 2**20  # the longest real ones, with a thousand authors, have about 1 MB
_CHUNK_BYTES = 2**18
_START = re.compile(rb"<(PubmedArticle|MedlineCitation|PubmedBookArticle|DeleteCitation)[\s>]")
_NESTED = re.compile(rb"<Pubmed(?:Book)?Article[\s>]")
_NEXT = {
    b"PubmedArticle": _NESTED,
    b"PubmedBookArticle": _NESTED,
    b"DeleteCitation": _START,
    b"MedlineCitation": _START,
}
_LONGEST_START = 32
# A citation's own PMID is the first child in every DTD since 2001 (after MedlineID in the oldest);
# further down come the PMIDs of what it comments on and cites.
_PMID = re.compile(
    rb"<(?:MedlineCitation|BookDocument)(?:\s[^>]*)?>\s*(?:<MedlineID>[^<]*</MedlineID>\s*)?"
    rb"<PMID(?:\s+Version=[\"'](\d{1,3})[\"'])?[^>]*>\s*(\d{1,8})\s*</PMID>"
)
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)""")


class Record(NamedTuple):
    """One element of a PubMed file: a citation, a book chapter or a list of deletions."""

    tag: str
    data: bytes  # from "<tag" to "</tag>"; as far as it goes if not `is_complete`
    position: str  # "line 3, byte 120" of the decompressed file
    is_complete: bool = True

    def pmid_and_version(self) -> tuple[int, int] | None:
        """The citation's own (PMID, version), None where it has none; a version is 1 to 255."""
        match = _PMID.search(self.data)
        if match is None or not (pmid := int(match[2])):
            return None
        return pmid, min(255, max(1, int(match[1] or 1)))


def pubmed_records(
    path: str | os.PathLike[str], reject_file: Callable[[str, str], None]
) -> Iterator[Record]:
    """Yields the records of one PubMed XML file, plain or gzip, in order.

    Args:
      path: a file of NLM's baseline or updatefiles, or a PubMed or E-utilities export in XML.
      reject_file: called with (position, reason) when something other than a record is broken.
        Records follow still where any can be found.

    A record whose end is missing comes with `is_complete` false. Memory is bounded by
    MAX_RECORD_BYTES, whatever the file holds.
    """
    skeleton = _Skeleton(reject_file)
    chunks = _chunks(path)
    buffer, offset, line, found, ended = b"", 0, 1, 0, False
    while not ended:
        try:
            chunk = next(chunks, b"")
        except DataError as error:
            reason = str(error).removeprefix(f"{shown(path)}: ")
            reject_file(f"line {line:,}, byte {offset:,}", reason)
            return
        ended = not chunk
        buffer += chunk
        consumed = 0
        for tag, start, end, is_complete in _spans(buffer, ended):
            line += buffer.count(b"\n", consumed, start)
            position = f"line {line:,}, byte {offset + start:,}"
            skeleton.feed(buffer[consumed:start], position)
            if skeleton.root == _PUBLISHERS_ROOT:
                reject_file("", _PUBLISHERS_FORM)
                return
            if tag:
                found += 1
                yield Record(tag, buffer[start:end], position, is_complete)
                line += buffer.count(b"\n", start, end)
                skeleton.is_cut_short |= not is_complete and end == len(buffer)
            consumed = end
        buffer = buffer[consumed:]
        offset += consumed
    skeleton.close(f"line {line:,}, byte {offset:,}")
    if not found and not skeleton.is_broken and skeleton.root not in ROOTS:
        expected = ", ".join(f"<{root}>" for root in ROOTS)
        reject_file("", f"no PubMed record: its root is <{skeleton.root}>, expected {expected}")


def _chunks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    with open_bounded(path) as stream:
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
        _check_encoding(head[:256])
        # What looks like text may be a file whose beginning is damaged.
        expect_kind(head, shown(path), XML, TEXT, hint="use NLM's XML (--source pubmed)")
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _spans(buffer: bytes, ended: bool) -> Iterator[tuple[str, int, int, bool]]:
    """Yields (tag, start, end, is_complete) of what can be consumed of `buffer`, in order.

    The tag is "" for a last span, between records, that has neither start nor content to look at.
    """
    position = 0
    while match := _START.search(buffer, position):
        start, tag = match.start(), match[1]
        end_tag = b"</" + tag + b">"
        end = buffer.find(end_tag, match.end())
        # The start of another record before the end: this one has lost its end.
        another = _NEXT[tag].search(buffer, match.end(), end if end >= 0 else len(buffer))
        if another:
            position = another.start()
        elif end >= 0:
            position = end + len(end_tag)
        elif ended or len(buffer) - start > MAX_RECORD_BYTES:
            position = len(buffer)
        else:
            return
        yield tag.decode(), start, position, end >= 0 and not another
    # Between records: keep what may be the beginning of a start tag.
    rest = len(buffer) if ended else max(position, len(buffer) - _LONGEST_START)
    if rest > position:
        yield "", rest, rest, True


def _check_encoding(head: bytes) -> None:
    declared = _ENCODING.search(head)
    name = declared[1].decode("ascii") if declared else "utf-8"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"
    try:
        is_readable = codecs.lookup(name).name in ("utf-8", "ascii")
    except LookupError:
        is_readable = False
    if not is_readable:
        raise DataError(f"is encoded as {name}, expected UTF-8, which NLM uses: convert it (iconv)")


class _Skeleton:
    """Follows the XML around the records and reports the first thing wrong with it."""

    def __init__(self, reject_file: Callable[[str, str], None]):
        self.root = ""
        self.is_broken = False
        self.is_cut_short = False  # known already: the last record has no end
        self._reject_file = reject_file
        self._parser = safe_parser(target=self._Target(self))

    class _Target:
        """Takes the parser's events; only the first start tag matters, and no tree is built."""

        def __init__(self, skeleton: "_Skeleton"):
            self._skeleton = skeleton

        def start(self, tag: str, attributes: dict[str, str]) -> None:
            self._skeleton.root = self._skeleton.root or tag

        def close(self) -> None:
            pass

    def feed(self, data: bytes, position: str) -> None:
        if data and not self.is_broken:
            try:
                self._parser.feed(data)
            except etree.XMLSyntaxError as error:
                self._break(position, error)

    def close(self, position: str) -> None:
        if not self.is_broken and not self.is_cut_short:
            try:
                self._parser.close()
            except etree.XMLSyntaxError as error:
                self._break(position, error)

    def _break(self, position: str, error: etree.XMLSyntaxError) -> None:
        self.is_broken = True
        reason = re.sub(r"(, line \d+, column \d+)?( \(.*\))?$", "", str(error))
        self._reject_file(position, f"malformed XML before here, outside any record: {reason}")
