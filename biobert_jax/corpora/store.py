"""Tokenised documents on disk: ArrayRecord shards beside a manifest, read in any order.

A corpus is a folder:

    manifest.json                         counts, vocabulary hash and casing, a checksum a file
    vocab.txt                             what the ids mean
    words.npy                             uint32 [documents], each document's number of words
    shard-00000-of-00010.array_record     one record a document
    ...

The manifest is written last: a folder without one is not a corpus yet. A record is, little-endian,

    uint32 [4]        bytes of the id, tokens, sentences, words
    uint32 [sentences]          where in the tokens each sentence starts; the first is 0
    uint16 or uint32 [tokens]   vocabulary ids, without [CLS] and [SEP]; uint32 from 65,537 tokens
    the id in UTF-8
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter

from biobert_jax.errors import DataError, at
from biobert_jax.text.wordpiece import load_vocabulary
from biobert_jax.text.wordpiece_trainer import write_vocabulary

FORMAT = "biobert_jax.corpus/1"
MANIFEST, VOCABULARY, WORDS = "manifest.json", "vocab.txt", "words.npy"

# One record a chunk, or every random read would decompress its neighbours as well. Compression (the
# default) takes 15% off abstracts; it writes 65,000 of them a second and hardly slows reading. Read
# without threads 58,000 a second, with them 45,000, and with an index that stays on disk 3,000.
_WRITER_OPTIONS = "group_size:1"
_READER_OPTIONS = {"max_parallelism": "0"}
_HEADER = np.dtype("<u4")
_HEADER_BYTES = 4 * _HEADER.itemsize
_COUNTS = ("documents", "sentences", "words", "tokens", "unknown_tokens")


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

    The bytes depend on the documents and their order only. Memory: 4 bytes a document.

    Raises:
      ValueError: a document is empty, does not begin with a sentence, or holds an id outside the
        vocabulary.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype, unknown_id = id_type(len(vocabulary)), list(vocabulary).index("[UNK]")
    words: list[int] = []
    sentences = tokens = unknown = 0
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        writer = ArrayRecordWriter(os.fspath(temporary), _WRITER_OPTIONS)
        try:
            for document in documents:
                _check(document, len(vocabulary))
                writer.write(encode_record(document, dtype))
                words.append(document.words)
                sentences += len(document.sentence_starts)
                tokens += len(document.ids)
                unknown += int(np.count_nonzero(document.ids == unknown_id))
        finally:
            writer.close()
        summary = ShardSummary(
            documents=len(words),
            sentences=sentences,
            words=sum(words),
            tokens=tokens,
            unknown_tokens=unknown,
            bytes=temporary.stat().st_size,
            sha256=sha256_of(temporary),
            words_per_document=np.array(words, np.uint32),
        )
        _sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return summary


def write_manifest(
    folder: str | os.PathLike[str],
    summaries: Sequence[ShardSummary],
    vocabulary: Sequence[str],
    lowercase: bool,
    **more: object,
) -> dict[str, object]:
    """Makes a folder of shards a corpus: writes vocab.txt, words.npy and, last, manifest.json.

    Args:
      folder: holds shard i of n as `shard_name(i, n)`.
      summaries: of the shards in their order.
      vocabulary: the tokens in id order.
      lowercase: whether the tokenizer lower-cased the text.
      more: goes into the manifest as it is (sources, options, what was skipped).

    Returns:
      The manifest.
    """
    folder = Path(folder)
    write_vocabulary(folder / VOCABULARY, vocabulary)
    words = np.concatenate([np.zeros(0, np.uint32), *(s.words_per_document for s in summaries)])
    temporary = folder / f".{WORDS}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        np.save(file, words)
    os.replace(temporary, folder / WORDS)

    totals = {name: sum(getattr(s, name) for s in summaries) for name in _COUNTS}
    shards = []
    for index, summary in enumerate(summaries):
        entry = summary._asdict()
        del entry["words_per_document"]
        shards.append({"file": shard_name(index, len(summaries)), **entry})
    manifest = {
        "format": FORMAT,
        **totals,
        "unknown_share": totals["unknown_tokens"] / max(1, totals["tokens"]),
        "vocabulary": {
            "size": len(vocabulary),
            "lowercase": lowercase,
            "sha256": sha256_of(folder / VOCABULARY),
        },
        "words_sha256": sha256_of(folder / WORDS),
        **more,
        "shards": shards,
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def write_corpus(
    folder: str | os.PathLike[str],
    shards: Sequence[Iterable[TokenDocument]],
    vocabulary: Sequence[str],
    lowercase: bool,
) -> "ShardedCorpus":
    """Writes documents that are tokenised already as a corpus, one iterable a shard."""
    folder = Path(folder)
    summaries = [
        write_shard(folder / shard_name(index, len(shards)), documents, vocabulary)
        for index, documents in enumerate(shards)
    ]
    write_manifest(folder, summaries, vocabulary, lowercase)
    return ShardedCorpus(folder)


class ShardedCorpus:
    """Random access to the documents of a corpus folder, in the order of its shards.

    Opens shards when they are first read, in each process anew: it can be pickled, and handed to
    threads and workers. A Grain data source as it is.

    Attributes:
      path: the folder.
      manifest: the content of manifest.json.
      lowercase: whether the text was lower-cased before it was tokenised.

    Raises:
      DataError: the folder is not a complete corpus, or a shard is missing or cut short. Only sizes
        are looked at; `verify` compares checksums.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.manifest = _read_manifest(self.path)
        self.lowercase: bool = self.manifest["vocabulary"]["lowercase"]
        self._dtype = id_type(self.manifest["vocabulary"]["size"])
        for shard in self.manifest["shards"]:
            file = self.path / shard["file"]
            found = file.stat().st_size if file.exists() else "no such file"
            if found != shard["bytes"]:
                raise DataError(
                    f"{at(file)}: {found}, expected {shard['bytes']:,} bytes as the manifest says; "
                    "copy the folder again or rebuild it"
                )

    def __reduce__(self):
        return type(self), (self.path,)

    def __len__(self) -> int:
        return self.manifest["documents"]

    def __getitem__(self, index: int) -> TokenDocument:
        """Reads one document; IndexError unless 0 <= index < len(self)."""
        if not 0 <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        return decode_record(self._records[index], self._dtype)

    def __iter__(self) -> Iterator[TokenDocument]:
        return (self[index] for index in range(len(self)))

    @cached_property
    def words(self) -> np.ndarray:
        """uint32 [documents]: each one's number of words, mapped from a file beside the shards."""
        words = np.load(self.path / WORDS, mmap_mode="r")
        if words.shape != (len(self),):
            raise DataError(
                f"{at(self.path / WORDS)}: shape {words.shape}, expected ({len(self)},) as the "
                "manifest says; copy the folder again or rebuild it"
            )
        return words

    @cached_property
    def vocabulary(self) -> list[str]:
        """The tokens in id order."""
        return list(load_vocabulary(self.path / VOCABULARY))

    def verify(self) -> None:
        """Compares every file with its checksum in the manifest.

        Raises:
          DataError: names the first file that differs.
        """
        sums = {shard["file"]: shard["sha256"] for shard in self.manifest["shards"]}
        sums[VOCABULARY] = self.manifest["vocabulary"]["sha256"]
        sums[WORDS] = self.manifest["words_sha256"]
        for name, expected in sums.items():
            if (found := sha256_of(self.path / name)) != expected:
                raise DataError(
                    f"{at(self.path / name)}: sha256 {found}, expected {expected} as the manifest "
                    "says; copy the folder again or rebuild it"
                )

    @cached_property
    def _records(self) -> ArrayRecordDataSource:
        # With the range given, a shard is not opened before its first record is read.
        paths = [f"{self.path / s['file']}[0:{s['documents']}]" for s in self.manifest["shards"]]
        return ArrayRecordDataSource(paths, reader_options=_READER_OPTIONS)


def sha256_of(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: object) -> None:
    """Writes a JSON file that appears complete or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _sync(temporary)
    os.replace(temporary, path)


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


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


def _read_manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            f"{at(path)}: no such file; expected a folder that `biobert corpus build` has finished"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{at(path)}: cannot be read ({error}); rebuild the corpus") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise DataError(f"{at(path)}: format {found!r}, expected {FORMAT!r}; rebuild the corpus")
    return manifest
