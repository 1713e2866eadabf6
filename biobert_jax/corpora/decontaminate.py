"""Finds the documents of a pre-training corpus that benchmarks test on.

By PMID where a benchmark gives them, and by text: benchmarks of sentences mostly do not say where
these come from, and their sentences are tokenised, transliterated and at times cut. So texts are
compared as sequences of letter-and-digit words without case, and a document holds a test sentence
if it holds at least half of its shingles (runs of eight words). Eight are long enough that text
which is not copied hardly shares half of a sentence's, and short enough that a word which differs
(a Greek letter written out, a typing error) leaves half of a sentence of average length (25 words)
standing. Sentences of fewer than eight words look like boilerplate: they are counted and left out,
and what they come from is found by its longer sentences.

Only the benchmarks' shingles are held (16 bytes each, 18 per sentence); documents are streamed.
"""

import functools
import hashlib
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from biobert_jax.corpora.build.executors import run_local
from biobert_jax.corpora.readers.documents import Document, ReadStatistics, Rejected, raise_rejected
from biobert_jax.corpora.readers.inputs import ReaderOptions, find_inputs, read_documents
from biobert_jax.datasets.conll import read_folder
from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import TEXT
from biobert_jax.files import read_lines, to_path, write_json, write_text

SHINGLE_WORDS = 8
SHARE = 0.5

_WORD = re.compile(r"[^\W_]+")
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing
_CACHED_WORDS = 2**18
_PMID = re.compile(r"(\d{1,8})/?\s*$")


class Shingles(NamedTuple):
    """The shingles of all benchmarks' sentences, ordered by hash."""

    hashes: np.ndarray  # uint64 [n], ascending; one entry a sentence that a shingle occurs in
    sentences: np.ndarray  # int32 [n], which sentence
    totals: np.ndarray  # int32 [sentences], different shingles of each; 0: too short to be found


class Finding(NamedTuple):
    """A document that holds test sentences, or that is named by its PMID."""

    id: str
    sentences: list[int]  # numbers of the sentences, counted through all benchmarks
    by_pmid: bool


class Contamination(NamedTuple):
    """What was found."""

    documents: int  # looked at
    by_pmid: int  # documents whose PMID a list names
    # For each benchmark its test `sentences`, those `too_short` to be looked for, those `found`,
    # and the `documents` that hold one or more.
    benchmarks: dict[str, dict[str, int]]
    excluded: list[str]  # ids of the documents to drop, in the order in which they came


def read_benchmark(path: str | os.PathLike[str]) -> list[str]:
    """The test sentences of a benchmark.

    Args:
      path: a folder in the public NER layout, whose test file is read, or a text file with a
        one sentence or passage per line.

    Raises:
      DataError: it cannot be read.
    """
    path = to_path(path)
    if path.is_dir():
        return [" ".join(sentence.words) for sentence in read_folder(path)["test"].sentences]
    lines = read_lines(path, TEXT, hint="name a folder with test.tsv, or one sentence per line")
    return [line for _, line in lines if line.strip()]


def read_pmids(path: str | os.PathLike[str]) -> list[str]:
    """The PMIDs of a list: one per line, bare or at the end of an address.

    Raises:
      DataError: it cannot be read, or a line ends in no PMID.
    """
    pmids = []
    for number, line in read_lines(path, TEXT, hint="name a list with one PMID a line"):
        match = _PMID.search(line)
        if match:
            pmids.append(str(int(match[1])))
        elif line.strip():
            raise DataError(
                f"{at(path, number)}: {line[:40]!r}, expected a PMID (1 to 8 digits) or an address "
                "that ends in one; take other lines out"
            )
    return pmids


def shingles_of(text: str) -> np.ndarray:
    """uint64 hashes of the runs of SHINGLE_WORDS words of a text; empty if it is shorter."""
    words = _word_hashes()
    of_words = np.array([words[word] for word in _WORD.findall(text.casefold())], np.uint64)
    count = len(of_words) - SHINGLE_WORDS + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for position in range(SHINGLE_WORDS):
        hashes = hashes * _BASE + of_words[position : position + count]
    return hashes


def index_sentences(sentences: Iterable[str]) -> Shingles:
    """Prepares test sentences for `contained_sentences`."""
    of_sentences = [np.unique(shingles_of(sentence)) for sentence in sentences]
    totals = np.array([len(hashes) for hashes in of_sentences], np.int32)
    hashes = np.concatenate([np.zeros(0, np.uint64), *of_sentences])
    order = np.argsort(hashes, kind="stable")
    numbers = np.repeat(np.arange(len(totals), dtype=np.int32), totals)
    return Shingles(hashes[order], numbers[order], totals)


def contained_sentences(document: Document, shingles: Shingles, share: float = SHARE) -> list[int]:
    """The numbers of the sentences of which the document holds at least `share` of the shingles."""
    hashes = np.unique(shingles_of(" ".join([document.title, *document.paragraphs])))
    first = np.searchsorted(shingles.hashes, hashes)
    last = np.searchsorted(shingles.hashes, hashes, side="right")
    hits = [shingles.sentences[a:b] for a, b in zip(first, last, strict=True) if a < b]
    if not hits:
        return []
    found, counts = np.unique(np.concatenate(hits), return_counts=True)
    return found[counts >= share * shingles.totals[found]].tolist()


def find_contamination(
    inputs: Sequence[str],
    reader: ReaderOptions,
    benchmarks: Mapping[str, Sequence[str]],
    *,
    pmids: Iterable[str] = (),
    share: float = SHARE,
    skip_errors: bool = False,
    workers: int = 1,
) -> Contamination:
    """Looks for benchmarks' test sentences in the documents that a corpus is to be built from.

    Every version of a PubMed citation is looked at, so an article is found also if only its revised
    or its first abstract was used.

    Args:
      inputs: file names or patterns, as for `build_corpus`.
      reader: how to read them.
      benchmarks: test sentences by the benchmark's name.
      pmids: of articles that benchmarks test on.
      share: of a sentence's shingles that make it found, above 0 to 1.
      skip_errors: pass over what cannot be read; `build_corpus` reports it.
      workers: processes.

    Raises:
      DataError: no input; something that cannot be read, unless `skip_errors`.
      ValueError: `share` is out of range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected above 0 and at most 1")
    names = [name for name, sentences in benchmarks.items() for _ in sentences]
    shingles = index_sentences(s for sentences in benchmarks.values() for s in sentences)
    report = {
        name: {"sentences": len(sentences), "too_short": 0, "found": 0, "documents": 0}
        for name, sentences in benchmarks.items()
    }
    for name, total in zip(names, shingles.totals.tolist(), strict=True):
        report[name]["too_short"] += total == 0

    documents = by_pmid = 0
    excluded: dict[str, None] = {}  # a set that keeps the order
    found: dict[str, set[int]] = defaultdict(set)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "shingles.npz"
        np.savez(index, **shingles._asdict(), pmids=np.array(sorted(set(pmids)), np.str_))
        scan = functools.partial(
            _scan, index=index, reader=reader, share=share, skip_errors=skip_errors
        )
        files = [file.path for file in find_inputs(inputs, reader.source)]
        scanned = run_local(scan, files, workers)
        results = {file: (count, findings) for file, count, findings in scanned}
    for count, findings in map(results.__getitem__, files):
        documents += count
        for finding in findings:
            excluded[finding.id] = None
            by_pmid += finding.by_pmid
            for name in {names[number] for number in finding.sentences}:
                report[name]["documents"] += 1
            for number in finding.sentences:
                found[names[number]].add(number)
    for name, numbers in found.items():
        report[name]["found"] = len(numbers)
    return Contamination(documents, by_pmid, report, list(excluded))


def print_contamination(found: Contamination, console: Console | None = None) -> None:
    """Prints a line for each benchmark and what would be dropped."""
    table = Table(title="Test sentences among the documents")
    table.add_column("benchmark", overflow="fold")
    for name in ("test sentences", "too short", "found", "of those long enough", "documents"):
        table.add_column(name, justify="right")
    for name, counts in found.benchmarks.items():
        searched = counts["sentences"] - counts["too_short"]
        table.add_row(
            name,
            f"{counts['sentences']:,}",
            f"{counts['too_short']:,}",
            f"{counts['found']:,}",
            f"{100 * counts['found'] / max(1, searched):.2f}%",
            f"{counts['documents']:,}",
        )
    console = console or Console()
    console.print(table)
    console.print(
        f"{len(found.excluded):,} of {found.documents:,} documents are concerned, "
        f"{found.by_pmid:,} of them by PMID."
    )


def _scan(
    path: str, *, index: Path, reader: ReaderOptions, share: float, skip_errors: bool
) -> tuple[str, int, list[Finding]]:
    """Returns the file, how many documents it holds, and what was found in them."""
    shingles, pmids = _load(index)
    statistics = ReadStatistics()
    on_error = _pass_over if skip_errors else raise_rejected
    findings = []
    for document in read_documents(path, reader, None, statistics, on_error):
        sentences = contained_sentences(document, shingles, share)
        is_named = document.pmid in pmids
        if sentences or is_named:
            findings.append(Finding(document.id, sentences, is_named))
    return path, statistics.documents, findings


def _pass_over(rejected: Rejected) -> None:
    pass


@functools.lru_cache(maxsize=1)
def _load(index: Path) -> tuple[Shingles, frozenset[str]]:
    with np.load(index) as arrays:
        shingles = Shingles(*(arrays[name] for name in Shingles._fields))
        return shingles, frozenset(arrays["pmids"].tolist())


class _WordHashes(dict):
    """64-bit hashes of words, the same in every process; emptied when full."""

    def __missing__(self, word: str) -> int:
        value = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        if len(self) >= _CACHED_WORDS:
            self.clear()
        self[word] = value
        return value


@functools.cache
def _word_hashes() -> _WordHashes:
    return _WordHashes()


def write_findings(
    found: Contamination,
    report: str | os.PathLike[str] | None = None,
    exclusions: str | os.PathLike[str] | None = None,
) -> None:
    """Writes what was found as JSON, and the list that `biobert corpus build --exclude` reads.

    Raises:
      WriteError: a file cannot be written.
    """
    if report:
        write_json(report, found._asdict())
    if exclusions:
        write_text(exclusions, (f"{name}\n" for name in found.excluded))
