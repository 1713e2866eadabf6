"""One unit of input files to one part of a corpus: all the work that is done on a worker.

A part is what its files hold, tokenised, before duplicates across files are known. It is in the
corpus's `.build` folder under a name made of a hash of everything that it depends on: a part that
is there is complete and right, whoever made it and when.
"""

import dataclasses
import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from biobert_jax.corpora.readers.documents import Document, ReadStatistics, Rejected, raise_rejected
from biobert_jax.corpora.readers.inputs import InputFile, ReaderOptions, read_documents
from biobert_jax.corpora.shards import ShardSummary, TokenDocument, write_shard
from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import TEXT
from biobert_jax.files import atomic_writing, in_bucket, read_json, read_lines, to_path, write_json
from biobert_jax.text.sentences import split_sentences
from biobert_jax.text.wordpiece import WordPieceTokenizer

_DOCUMENTS_PER_BATCH = 64
_CACHED_PARTS = 2**18  # some 150 bytes each
_NOT_A_WORD = re.compile(r"[\W_]+")


class UnitTask(NamedTuple):
    """What a worker needs to make a part; small, because it is sent to it."""

    name: str  # of the part: a hash of its files, their fates and the options
    options: str  # a hash of everything below `fates`, of vocab.txt and exclude.txt
    folder: str  # `.build`, holding vocab.txt and perhaps exclude.txt
    files: list[InputFile]
    fates: list[str]  # one .npy a file in `folder`, or none at all
    reader: ReaderOptions
    lowercase: bool
    min_words: int
    skip_errors: bool


@dataclasses.dataclass
class PartStatistics(ReadStatistics):
    """Counts of the reader, and of documents that it gave and that were dropped."""

    too_short: int = 0
    excluded: int = 0
    without_tokens: int = 0  # nothing but control characters
    duplicates: int = 0  # known at the end only, when all parts are there


class Part(NamedTuple):
    """A part as found on disk."""

    path: Path  # its ArrayRecord file
    summary: ShardSummary
    statistics: PartStatistics
    rejected: list[Rejected]
    hashes: np.ndarray  # uint64 [documents], of their normalised text


def make_part(task: UnitTask) -> str:
    """Reads, splits, tokenises and writes the documents of one unit; returns the part's name."""
    folder = to_path(task.folder)
    tokenizer = _tokenizer(folder, task.options, task.lowercase)
    statistics, rejected, hashes = PartStatistics(), [], []
    on_error = rejected.append if task.skip_errors else raise_rejected
    documents = chain.from_iterable(
        read_documents(
            file.path,
            task.reader,
            np.load(opened(folder / task.fates[number])) if task.fates else None,
            statistics,
            on_error,
        )
        for number, file in enumerate(task.files)
    )
    kept = keep(documents, task.min_words, _excluded(folder, task.options), statistics)
    tokenised = _with_hashes(tokenise(kept, tokenizer, statistics), hashes)
    path = folder / f"{task.name}.array_record"
    summary = write_shard(path, tokenised, tokenizer.vocabulary)

    with atomic_writing(folder / f"{task.name}.npz") as arrays, open(arrays, "wb") as file:
        np.savez(file, words=summary.words_per_document, hashes=np.array(hashes, np.uint64))
    # Last: the part is complete once this file is there.
    write_json(
        folder / f"{task.name}.json",
        {
            "summary": summary._replace(words_per_document=None)._asdict(),
            "statistics": statistics.as_dict(),
            "rejected": rejected,
        },
    )
    return task.name


def read_part(folder: Path, name: str) -> Part:
    """Reads a finished part.

    Raises:
      DataError: one of its files is damaged.
    """
    try:
        record = read_json(folder / f"{name}.json")
        with np.load(opened(folder / f"{name}.npz")) as arrays:
            words, hashes = arrays["words"], arrays["hashes"]
        return Part(
            path=folder / f"{name}.array_record",
            summary=ShardSummary(**record["summary"])._replace(words_per_document=words),
            statistics=PartStatistics(**record["statistics"]),
            rejected=[Rejected(*fields) for fields in record["rejected"]],
            hashes=hashes,
        )
    except DAMAGED as error:
        raise damaged_build(folder, f"{name} ({error})") from error


DAMAGED = (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error)


def damaged_build(folder: Path, what: str) -> DataError:
    """The error of an interrupted build whose files are not as they were left."""
    return DataError(
        f"{at(folder)}: damaged: {what}; expected what an interrupted build left. Remove this "
        "folder and give the command again"
    )


def complete_parts(folder: Path) -> set[str]:
    """The names of the parts that are complete."""
    return {path.stem for path in folder.glob("*.json")}


def opened(path: Path) -> Any:
    """What `np.load` takes: a path, or the content of a file in a bucket."""
    return io.BytesIO(path.read_bytes()) if in_bucket(path) else path


def keep(
    documents: Iterable[Document],
    min_words: int,
    excluded: frozenset[str],
    statistics: PartStatistics,
) -> Iterator[Document]:
    """Drops, and counts, documents that are excluded by id or PMID, or shorter than `min_words`."""
    for document in documents:
        if document.id in excluded or document.pmid in excluded:
            statistics.excluded += 1
        elif count_words(document) < min_words:
            statistics.too_short += 1
        else:
            yield document


def count_words(document: Document) -> int:
    """The blank-separated words of title and paragraphs, as `wc -w` counts."""
    texts = _texts(document)
    return len(texts) + sum(text.count(" ") for text in texts)


def sentences_of(document: Document) -> list[str]:
    """The title, where there is one, then the paragraphs' sentences."""
    if document.is_split:
        return list(_texts(document))
    return [text[a:b] for text in _texts(document) for a, b in split_sentences(text)]


def text_hash(document: Document) -> int:
    """64 bits of the text without its title, case, punctuation and blanks.

    So a copy with another title line or other line breaks is the same document. Among 40 million
    different documents two are taken for one with a probability of 4 in 100,000.
    """
    text = _NOT_A_WORD.sub("", "".join(document.paragraphs).casefold())
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")


def tokenise(
    documents: Iterable[Document], tokenizer: WordPieceTokenizer, statistics: PartStatistics
) -> Iterator[tuple[TokenDocument, int]]:
    """Yields (tokens, `text_hash`) of each document in order; counts those without a token."""
    pieces = _PieceCache(tokenizer)
    documents = iter(documents)
    while batch := list(islice(documents, _DOCUMENTS_PER_BATCH)):
        sentences = [sentences_of(document) for document in batch]
        of_sentences = iter(pieces.encode(list(chain.from_iterable(sentences))))
        for document, of_document in zip(batch, sentences, strict=True):
            rows = [row for row in islice(of_sentences, len(of_document)) if row]
            ids = np.frombuffer(b"".join(rows), np.int32)
            if not rows:
                statistics.without_tokens += 1
                continue
            lengths = np.fromiter(map(len, rows), np.int32, len(rows)) // ids.itemsize
            starts = np.cumsum(lengths, dtype=np.int32) - lengths
            words = count_words(document)
            yield TokenDocument(document.id, ids, starts, words), text_hash(document)


class _PieceCache:
    """Caches the ids of each blank-separated part; nearly all of running text repeats.

    The tokenizer remembers too, but lays out offsets and word numbers, which no shard holds; this
    is more than twice as fast. Right because readers leave single blanks only, and because
    WordPiece looks at nothing beyond a blank.
    """

    def __init__(self, tokenizer: WordPieceTokenizer):
        self._tokenizer = tokenizer
        self._ids: dict[str, bytes] = {}

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """The int32 ids of each text, as bytes."""
        split = [text.split(" ") for text in texts]
        missing = list(set(chain.from_iterable(split)) - self._ids.keys())
        if len(self._ids) + len(missing) > _CACHED_PARTS:
            self._ids.clear()
            missing = list(set(chain.from_iterable(split)))
        encodings = self._tokenizer.encode_batch(missing)
        self._ids.update((p, e.ids.tobytes()) for p, e in zip(missing, encodings, strict=True))
        ids = self._ids.__getitem__
        return [b"".join(map(ids, parts)) for parts in split]


def _with_hashes(
    tokenised: Iterable[tuple[TokenDocument, int]], hashes: list[int]
) -> Iterator[TokenDocument]:
    for tokens, value in tokenised:
        hashes.append(value)
        yield tokens


def _texts(document: Document) -> Sequence[str]:
    return [document.title, *document.paragraphs] if document.title else document.paragraphs


# Kept between the units of a worker; `options` tells contents of the same name apart.
@lru_cache(maxsize=1)
def _tokenizer(folder: Path, options: str, lowercase: bool) -> WordPieceTokenizer:
    return WordPieceTokenizer.from_vocabulary(folder / "vocab.txt", lowercase)


@lru_cache(maxsize=1)
def _excluded(folder: Path, options: str) -> frozenset[str]:
    path = folder / "exclude.txt"
    return frozenset(read_exclusions(path)) if path.exists() else frozenset()


def read_exclusions(path: str | os.PathLike[str]) -> list[str]:
    """The document ids and PMIDs of an exclusion list, one per line; "#" begins a comment line.

    Raises:
      DataError: it cannot be read.
    """
    lines = read_lines(path, TEXT, hint="name a list with one document id a line")
    return [line.strip() for _, line in lines if line.strip() and not line.startswith("#")]
