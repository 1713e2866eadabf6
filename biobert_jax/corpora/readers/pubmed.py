"""PubMed/MEDLINE XML to documents: titles and abstracts of the citations that are still valid.

NLM publishes a yearly baseline and daily updatefiles. A citation that is revised appears again in a
later file, one that is withdrawn is named in a later file's DeleteCitation. So a corpus is read
twice: `index_pubmed_file` collects PMIDs (fast, each file by itself), `surviving_citations` finds
which records the last word leaves standing, and `read_pubmed` yields those. A single export needs
no index.

    paths = sort_pubmed_files(glob.glob("pubmed/*/*.xml.gz"))
    fates = surviving_citations([index_pubmed_file(path) for path in paths])
    for path, fate in zip(paths, fates):
        for document in read_pubmed(path, fates=fate):
            ...
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from lxml import etree

from biobert_jax.corpora.readers.documents import (
    Document,
    OnError,
    ReadStatistics,
    Rejected,
    raise_rejected,
    rejection,
)
from biobert_jax.corpora.readers.markup import inline_text, normalise, parse_xml
from biobert_jax.corpora.readers.pubmed_records import Record, pubmed_records
from biobert_jax.errors import DataError
from biobert_jax.files import shown

KEPT, SUPERSEDED, DELETED = 0, 1, 2

_NCBI_NAME = re.compile(r"(?:medline|pubmed)(\d\d)n(\d+)\.xml")
_DELETED_PMID = re.compile(
    rb"<PMID(?:\s+Version=[\"'](\d{1,3})[\"'])?[^>]*>\s*0*(\d{1,8})\s*</PMID>"
)
_TRUNCATED = re.compile(r"\s*\(ABSTRACT TRUNCATED(?: AT \d+ WORDS)?\)\s*$", re.IGNORECASE)
_NO_TITLE = re.compile(r"\[?(?:In Process Citation|Not Available)\]?\.?", re.IGNORECASE)
_TRANSLATED = re.compile(r"\[(.*)\](\.?)(?:\s*\[.*\]\.?)?", re.DOTALL)
_TRANSLATORS_NOTE = re.compile(r"\s*\(author's transl\)", re.IGNORECASE)
_NO_LABEL = ("", "UNLABELLED", "UNLABELED", "UNASSIGNED")


class CitationIndex(NamedTuple):
    """Which citations a file holds and which it withdraws: 5 bytes each.

    Record numbers count the file's citations from 0 in its order, readable or not.
    """

    pmids: np.ndarray  # uint32 [records]; 0 for a record without a PMID
    versions: np.ndarray  # uint8 [records]
    deleted_pmids: np.ndarray  # uint32 [deletions]
    deleted_versions: np.ndarray  # uint8 [deletions]; 255 where none is given: any version


def sort_pubmed_files(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The order in which files revise each other: by NLM's year and number, oldest first.

    Files that are not named as NLM names them (`pubmed26n1334.xml.gz`; before 2018 `medline...`)
    come before all others, by path: an export is never newer than the official record.
    """

    def key(path: str) -> tuple[int, int, str]:
        match = _NCBI_NAME.match(os.path.basename(path))
        return (int(match[1]) + 1, int(match[2]), path) if match else (0, 0, path)

    return sorted((os.fspath(path) for path in paths), key=key)


def index_pubmed_file(path: str | os.PathLike[str]) -> CitationIndex:
    """Reads which citations `path` holds and withdraws, without parsing them.

    Damage is passed over: `read_pubmed` meets it again and reports it.
    """
    citations: list[tuple[int, int]] = []
    deletions: list[tuple[int, int]] = []
    for record in pubmed_records(path, reject_file=lambda position, reason: None):
        if record.tag == "DeleteCitation":
            deletions += _deletions(record)
        else:
            citations.append(record.pmid_and_version() or (0, 0))
    pmids, versions = zip(*citations, strict=True) if citations else ((), ())
    deleted_pmids, deleted_versions = zip(*deletions, strict=True) if deletions else ((), ())
    return CitationIndex(
        np.array(pmids, np.uint32),
        np.array(versions, np.uint8),
        np.array(deleted_pmids, np.uint32),
        np.array(deleted_versions, np.uint8),
    )


def _deletions(record: Record) -> list[tuple[int, int]]:
    return [
        (int(pmid), min(255, int(version or 255)))
        for version, pmid in _DELETED_PMID.findall(record.data)
    ]


def surviving_citations(indices: list[CitationIndex]) -> list[np.ndarray]:
    """Decides for every record of every file whether a later word on its PMID overrules it.

    Args:
      indices: one per file, in the order of `sort_pubmed_files`.

    Returns:
      For each file a uint8 array [records] of KEPT, SUPERSEDED or DELETED. A record is superseded
      by the same PMID with an equal or higher version further on (or a higher one before), and
      deleted by a DeleteCitation of its version or a higher one in its own file or a later one.

    Memory: 8 bytes for each number up to the highest PMID, 340 MB for all of PubMed in 2026.
    """
    highest = max((int(index.pmids.max(initial=0)) for index in indices), default=0)
    # The record that counts for each PMID: version, then file, then record, so that numbers compare
    # as those do; 0 where there is none.
    standing = np.zeros(highest + 1, np.uint64)
    keys = [_keys(number, index) for number, index in enumerate(indices)]
    for index, key in zip(indices, keys, strict=True):
        np.maximum.at(standing, index.pmids, key)
        within = index.deleted_pmids <= highest
        pmids, versions = index.deleted_pmids[within], index.deleted_versions[within]
        standing[pmids[standing[pmids] >> np.uint64(56) <= versions]] = 0
    standing[0] = 0
    fates = []
    for index, key in zip(indices, keys, strict=True):
        last_word = standing[index.pmids]
        fate = np.where(last_word == key, KEPT, np.where(last_word == 0, DELETED, SUPERSEDED))
        fates.append(np.where(index.pmids == 0, KEPT, fate).astype(np.uint8))
    return fates


def _keys(file_number: int, index: CitationIndex) -> np.ndarray:
    words = index.versions.astype(np.uint64) << np.uint64(56)
    words |= np.uint64((file_number + 1) << 32)
    return words | np.arange(len(index.pmids), dtype=np.uint64)


def read_pubmed(
    path: str | os.PathLike[str],
    *,
    fates: np.ndarray | None = None,
    labels: bool = False,
    statistics: ReadStatistics | None = None,
    on_error: OnError = raise_rejected,
) -> Iterator[Document]:
    """Yields the citations of one file that have an abstract.

    The paragraphs are the abstract's sections in their order. OtherAbstract, CopyrightInformation,
    VernacularTitle and "(ABSTRACT TRUNCATED AT 250 WORDS)" are left out, the brackets around
    translated titles as well. Chapters of NCBI Bookshelf (PubmedBookArticle) are read too.

    Args:
      path: a file of the baseline or updatefiles or an export, plain or gzip, of any year's DTD.
      fates: this file's array from `surviving_citations`; without it every record is kept.
      labels: whether a section begins with its label, as in "METHODS: ...".
      statistics: is added to.
      on_error: is called for each broken record, with its position; reading continues if it
        returns.

    Raises:
      DataError: by the default `on_error`; also if `fates` does not fit the file.
    """
    file, path = path, shown(path)
    statistics = ReadStatistics() if statistics is None else statistics
    statistics.files += 1

    def reject_file(position: str, reason: str) -> None:
        statistics.rejected_files += 1
        on_error(Rejected(path, position, reason))

    number = -1
    for record in pubmed_records(file, reject_file):
        if record.tag == "DeleteCitation":
            statistics.delete_requests += len(_deletions(record))
            continue
        number += 1
        statistics.records += 1
        if fates is not None and number >= len(fates):
            raise DataError(f"{path}: holds more records than its index ({len(fates)}): index anew")
        if fates is not None and fates[number] != KEPT:
            statistics.superseded += int(fates[number] == SUPERSEDED)
            statistics.deleted += int(fates[number] == DELETED)
            continue
        try:
            document = _document(record, path, labels)
        except (DataError, RecursionError) as error:
            statistics.rejected += 1
            on_error(Rejected(path, record.position, rejection(error)))
            continue
        if document.paragraphs:
            statistics.documents += 1
            yield document
        else:
            statistics.without_abstract += 1


def _document(record: Record, path: str, labels: bool) -> Document:
    if not record.is_complete:
        raise DataError(f"<{record.tag}> has no end: truncated or damaged; fetch the file again")
    key = record.pmid_and_version()
    if key is None:
        raise DataError(f"<{record.tag}> has no PMID of 1 to 8 digits as its first element")
    pmid = str(key[0])
    try:
        citation = parse_xml(_citation(record), is_fragment=True)
    except DataError as error:
        raise DataError(f"PMID {pmid}: {error} of the record") from error
    article = citation if citation.tag == "BookDocument" else citation.find("Article")
    if article is None:
        raise DataError(f"PMID {pmid}: has no <Article>")
    title = article.find("ArticleTitle")
    if title is None:
        title = article.find("Book/BookTitle")
    return Document(
        id=pmid,
        title="" if title is None else clean_title(inline_text(title)),
        paragraphs=tuple(_sections(article, labels)),
        source=path,
        pmid=pmid,
    )


def _citation(record: Record) -> bytes:
    """The part of a PubmedArticle that is parsed: without history, identifiers and references."""
    for tag in (b"MedlineCitation", b"BookDocument"):
        start, end = record.data.find(b"<" + tag), record.data.rfind(b"</" + tag + b">")
        if 0 <= start < end:
            return record.data[start : end + len(tag) + 3]
    return record.data


def _sections(article: etree._Element, labels: bool) -> Iterator[str]:
    for section in article.iterfind("Abstract/AbstractText"):
        text = inline_text(section)
        if text.endswith(")"):
            text = _TRUNCATED.sub("", text)
        if not text:
            continue
        label = normalise(section.get("Label", "")) if labels else ""
        yield text if label.upper() in _NO_LABEL else f"{label}: {text}"


def clean_title(title: str) -> str:
    """Takes MEDLINE's conventions off a normalised title.

    "[Vaccines are drugs]." marks a translated title and becomes "Vaccines are drugs."; brackets
    that belong to the title ("[2-13C]acetate", "[A] and [B]") stay. Placeholders become "".
    """
    if _NO_TITLE.fullmatch(title):
        return ""
    match = _TRANSLATED.fullmatch(title)
    if match and _is_balanced(match[1]):
        title = match[1] + match[2]
    return _TRANSLATORS_NOTE.sub("", title)


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if depth < 0:
            return False
    return depth == 0
