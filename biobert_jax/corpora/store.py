"""Tokenised documents on disk: ArrayRecord shards beside a manifest, read in any order.

A corpus is a folder:

    manifest.json                         counts, vocabulary hash and casing, one checksum per file
    vocab.txt                             what the ids mean
    words.npy                             uint32 [documents], each document's number of words
    shard-00000-of-00010.array_record     one record per document
    ...

The manifest is written last: a folder without one is not a corpus yet. `corpora.shards` has the
form of a record.
"""

import bisect
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource

from biobert_jax.corpora.shards import (
    ShardSummary,
    TokenDocument,
    decode_record,
    id_type,
    shard_name,
    write_shard,
)
from biobert_jax.errors import DataError, at
from biobert_jax.files import (
    atomic_writing,
    files_below,
    in_bucket,
    local,
    read_json,
    sha256_of,
    staging,
    to_path,
    write_json,
)
from biobert_jax.text.wordpiece import load_vocabulary
from biobert_jax.text.wordpiece_trainer import write_vocabulary

FORMAT = "biobert_jax.corpus/1"
MANIFEST, VOCABULARY, WORDS = "manifest.json", "vocab.txt", "words.npy"

# Read without threads 58,000 records per second, with them 45,000, and with an index that stays on
# disk 3,000.
_READER_OPTIONS = {"max_parallelism": "0"}
_COUNTS = ("documents", "sentences", "words", "tokens", "unknown_tokens")
_KINDS = {int: "a count", str: "a string", bool: "true or false"}


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
    folder = to_path(folder)
    write_vocabulary(folder / VOCABULARY, vocabulary)
    words = np.concatenate([np.zeros(0, np.uint32), *(s.words_per_document for s in summaries)])
    with atomic_writing(folder / WORDS) as temporary, open(temporary, "wb") as file:
        np.save(file, words)

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
    """Writes documents that are tokenised already as a corpus, one iterable per shard."""
    folder = to_path(folder)
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
        self.path = to_path(path)
        self.manifest = _read_manifest(self.path)
        self.lowercase: bool = self.manifest["vocabulary"]["lowercase"]
        self._dtype = id_type(self.manifest["vocabulary"]["size"])
        self._ends = list(accumulate(shard["documents"] for shard in self.manifest["shards"]))
        # In a bucket: the shards that are not known to be on this machine, by number.
        self._elsewhere = set(range(len(self._ends))) if in_bucket(self.path) else set()
        # One listing there, since a question per file would take minutes.
        listed = files_below(self.path) if in_bucket(self.path) else None
        for shard in self.manifest["shards"]:
            file = self.path / shard["file"]
            if listed is not None:
                found = listed[file].st_size if file in listed else "no such file"
            else:
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
        if self._elsewhere:
            self.make_local([index])
        try:
            return decode_record(self._records[index], self._dtype)
        except (RuntimeError, ValueError) as error:  # ArrayRecord's checksums; UnicodeDecodeError
            file = self.manifest["shards"][bisect.bisect_right(self._ends, index)]["file"]
            raise DataError(
                f"{at(self.path / file)}: document {index} cannot be read ({str(error)[:100]}); "
                "the shard is damaged: copy the folder again or rebuild it"
            ) from error

    def __iter__(self) -> Iterator[TokenDocument]:
        return (self[index] for index in range(len(self)))

    @cached_property
    def words(self) -> np.ndarray:
        """uint32 [documents]: each one's number of words, mapped from a file beside the shards."""
        path = self.path / WORDS
        try:
            words = np.load(local(path), mmap_mode="r")
            found = f"{words.dtype} {list(words.shape)}"
        except (OSError, ValueError, EOFError) as error:
            words, found = None, f"cannot be read ({error})"
        if words is None or words.dtype != np.uint32 or words.shape != (len(self),):
            raise DataError(
                f"{at(path)}: {found}, expected uint32 [{len(self)}] as the manifest says; copy "
                "the folder again or rebuild it"
            )
        return words

    def make_local(self, documents: Sequence[int] | np.ndarray) -> None:
        """Copies the shards of these documents to this machine, if the corpus is in a bucket.

        Otherwise each is copied when its first document is read.

        Raises:
          DataError: the disk has too little room, or a shard is not what the manifest says.
        """
        if not self._elsewhere:
            return
        numbers = np.unique(np.searchsorted(self._ends, documents, side="right")).tolist()
        wanted = [number for number in numbers if number in self._elsewhere]
        shards = [self.manifest["shards"][number] for number in wanted]
        staging.stage(
            [staging.Wanted(self.path / s["file"], s["bytes"], s["sha256"]) for s in shards],
            f"{self.path}: {len(shards)} of {len(self._ends)} shards",
        )
        self._elsewhere.difference_update(wanted)

    @cached_property
    def vocabulary(self) -> list[str]:
        """The tokens in id order.

        Raises:
          DataError: vocab.txt is not the file that the shards were made with.
        """
        self._check_sum(VOCABULARY, self.manifest["vocabulary"]["sha256"])
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
            self._check_sum(name, expected)

    def _check_sum(self, name: str, expected: str) -> None:
        if (found := sha256_of(self.path / name)) != expected:
            raise DataError(
                f"{at(self.path / name)}: sha256 {found}, expected {expected} as the manifest "
                "says; copy the folder again or rebuild it"
            )

    @cached_property
    def _records(self) -> ArrayRecordDataSource:
        # With the range given, a shard is not opened before its first record is read.
        folder = staging.place_of(self.path) if in_bucket(self.path) else self.path
        paths = [f"{folder / s['file']}[0:{s['documents']}]" for s in self.manifest["shards"]]
        return ArrayRecordDataSource(paths, reader_options=_READER_OPTIONS)


def _read_manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    if not path.exists():
        raise DataError(
            f"{at(path)}: no such file; expected a folder that `biobert corpus build` has finished"
        )
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise DataError(f"{at(path)}: format {found!r}, expected {FORMAT!r}; rebuild the corpus")
    if problem := _manifest_problem(manifest):
        raise DataError(f"{at(path)}: {problem}; copy the folder again or rebuild it")
    return manifest


def _manifest_problem(manifest: dict) -> str:
    """What is missing or of the wrong type in a manifest, "" if nothing is."""
    vocabulary, shards = manifest.get("vocabulary"), manifest.get("shards")
    if not isinstance(vocabulary, dict) or not isinstance(shards, list):
        return 'no "vocabulary" or no "shards", expected both'
    expected = [(manifest, dict.fromkeys(_COUNTS, int) | {"words_sha256": str}, "")]
    expected.append((vocabulary, {"size": int, "lowercase": bool, "sha256": str}, "vocabulary."))
    kinds = {"file": str, "documents": int, "bytes": int, "sha256": str}
    expected += [(shard, kinds, f"shards[{i}].") for i, shard in enumerate(shards)]
    for record, kinds, place in expected:
        for name, kind in kinds.items():
            value = record.get(name) if isinstance(record, dict) else None
            if type(value) is not kind or (isinstance(value, int) and value < 0):
                return f"{place}{name} is {value!r}, expected {_KINDS[kind]}"
    for i, shard in enumerate(shards):
        if shard["file"] != shard_name(i, len(shards)):  # a path would lead out of the folder
            return f"shards[{i}].file is {shard['file']!r}, expected {shard_name(i, len(shards))!r}"
    if (found := sum(shard["documents"] for shard in shards)) != manifest["documents"]:
        return f"the shards have {found} documents, expected {manifest['documents']} together"
    return ""
