"""Tokenised documents as records, and shards of them.

A record is, little-endian,

    uint32 [4]        bytes of the id, tokens, sentences, words
    uint32 [sentences]          where in the tokens each sentence starts; the first is 0
    uint16 or uint32 [tokens]   vocabulary ids, without [CLS] and [SEP]; uint32 from 65,537 tokens
    the id in UTF-8
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter

from biobert_jax.errors import WriteError
from biobert_jax.files import atomic_writing, sha256_of, shown

# One record a chunk, or every random read would decompress its neighbours as well. Compression (the
# default) takes 15% off abstracts; it writes 65,000 of them a second and hardly slows reading.
_WRITER_OPTIONS = "group_size:1"
_HEADER = np.dtype("<u4")
_HEADER_BYTES = 4 * _HEADER.itemsize


class TokenDocument(NamedTuple):
    """One document as vocabulary ids.

    Attributes:
      id: the document's id (PMID, PMC id, ...).
      ids: [n] int32, without [CLS] and [SEP].
      sentence_starts: [s] int32 ascending positions in `ids`; the first is 0, none is n.
      words: the number of blank-separated words of its text, as `wc -w` counts.
    """

    id: str
    ids: np.ndarray
    sentence_starts: np.ndarray
    words: int


class ShardSummary(NamedTuple):
    """What a shard holds."""

    documents: int
    sentences: int
    words: int
    tokens: int
    unknown_tokens: int
    bytes: int
    sha256: str
    words_per_document: np.ndarray  # uint32 [documents]


def id_type(vocab_size: int) -> np.dtype:
    """The type that ids of a vocabulary of this size are stored as."""
    return np.dtype("<u2") if vocab_size <= 2**16 else np.dtype("<u4")


def shard_name(index: int, count: int) -> str:
    return f"shard-{index:05d}-of-{count:05d}.array_record"


def encode_record(document: TokenDocument, dtype: np.dtype) -> bytes:
    name = document.id.encode("utf-8")
    starts, ids = document.sentence_starts, document.ids
    header = np.array([len(name), len(ids), len(starts), document.words], _HEADER)
    return b"".join(
        (header.tobytes(), starts.astype(_HEADER).tobytes(), ids.astype(dtype).tobytes(), name)
    )


def decode_record(record: bytes, dtype: np.dtype) -> TokenDocument:
    name_bytes, tokens, sentences, words = np.frombuffer(record, _HEADER, 4).tolist()
    ids_at = _HEADER_BYTES + sentences * _HEADER.itemsize
    starts = np.frombuffer(record, _HEADER, sentences, _HEADER_BYTES)
    ids = np.frombuffer(record, dtype, tokens, ids_at)
    name = record[len(record) - name_bytes :].decode("utf-8")
    return TokenDocument(name, ids.astype(np.int32), starts.astype(np.int32), words)


def write_shard(
    path: str | os.PathLike[str], documents: Iterable[TokenDocument], vocabulary: Sequence[str]
) -> ShardSummary:
    """Writes one shard; it appears under its name complete or not at all.

    The bytes depend on the documents and their order only. Memory: 4 bytes per document.

    Raises:
      ValueError: a document is empty, does not begin with a sentence, or holds an id outside the
        vocabulary.
      WriteError: the disk is full, or a permission is missing.
    """
    dtype, unknown_id = id_type(len(vocabulary)), list(vocabulary).index("[UNK]")
    words: list[int] = []
    sentences = tokens = unknown = 0
    with atomic_writing(path) as temporary:
        with _record_writer(temporary, path) as write:
            for document in documents:
                _check(document, len(vocabulary))
                write(encode_record(document, dtype))
                words.append(document.words)
                sentences += len(document.sentence_starts)
                tokens += len(document.ids)
                unknown += int(np.count_nonzero(document.ids == unknown_id))
        return ShardSummary(
            documents=len(words),
            sentences=sentences,
            words=sum(words),
            tokens=tokens,
            unknown_tokens=unknown,
            bytes=temporary.stat().st_size,
            sha256=sha256_of(temporary),
            words_per_document=np.array(words, np.uint32),
        )


@contextlib.contextmanager
def _record_writer(temporary: Path, path: str | os.PathLike[str]) -> Iterator[Callable]:
    """Gives the `write` of an ArrayRecord file, whose every failure is a WriteError."""
    try:
        writer = ArrayRecordWriter(os.fspath(temporary), _WRITER_OPTIONS)
    except RuntimeError as error:
        raise _unwritten(path, error) from error
    failed = False

    def write(record: bytes) -> None:
        nonlocal failed
        try:
            writer.write(record)
        except RuntimeError as error:
            failed = True
            raise _unwritten(path, error) from error

    try:
        yield write
    finally:
        # Much is written only now. What failed before is reported already, and closing repeats it.
        try:
            writer.close()
        except RuntimeError as error:
            if not failed:
                raise _unwritten(path, error) from error


def _unwritten(path: str | os.PathLike[str], error: RuntimeError) -> WriteError:
    reason = str(error).partition("failed: ")[2] or str(error)
    return WriteError(
        f"{shown(path)}: could not be written ({reason.partition(';')[0]}). Make room, or choose "
        "another place, and give the same command again"
    )


def _check(document: TokenDocument, vocab_size: int) -> None:
    ids, starts = document.ids, document.sentence_starts
    if not len(ids) or not len(starts) or starts[0] != 0 or starts[-1] >= len(ids):
        raise ValueError(
            f"document {document.id!r}: {len(ids)} ids, sentences start at {starts.tolist()}; "
            "expected some of both, the first start 0 and all below the number of ids"
        )
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(
            f"document {document.id!r}: ids from {ids.min()} to {ids.max()}, expected 0 to "
            f"{vocab_size - 1}"
        )
