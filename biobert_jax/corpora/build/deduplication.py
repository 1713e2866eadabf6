"""From parts to shards: drops documents that an earlier file, or the same one, holds already."""

import functools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader

from biobert_jax.corpora.build.units import Part, PartStatistics
from biobert_jax.corpora.shards import (
    ShardSummary,
    TokenDocument,
    decode_record,
    id_type,
    shard_name,
    write_shard,
)
from biobert_jax.errors import DataError, at
from biobert_jax.files import atomic_writing, in_bucket, local, staging, writing
from biobert_jax.text.wordpiece import load_vocabulary

_RECORDS_PER_READ = 256


class ShardTask(NamedTuple):
    """What a worker needs to copy a part without its duplicates."""

    part: Path
    shard: Path
    dropped: list[int]  # duplicates, by their number in the part
    vocabulary: Path


def find_duplicates(hashes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Finds, part by part, the positions of hashes that occurred before in this or earlier parts.

    Args:
      hashes: uint64 [documents of the part], of each part in order.

    Returns:
      For each part an ascending int64 array of positions.

    Memory: about 32 bytes per document, 1.3 GB for 40 million.
    """
    flat = np.concatenate([np.zeros(0, np.uint64), *hashes])
    is_first = np.zeros(len(flat), bool)
    is_first[np.unique(flat, return_index=True)[1]] = True
    ends = np.cumsum([len(part) for part in hashes])
    return [np.flatnonzero(~part) for part in np.split(is_first, ends[:-1])] if len(hashes) else []


def make_shards(
    parts: Sequence[Part], output: Path, keep_duplicates: bool, run: Callable
) -> tuple[list[ShardSummary], PartStatistics]:
    """Makes a shard of every part that has a document left.

    Args:
      parts: in file order.
      output: the folder to put shards in.
      keep_duplicates: whether repeated documents stay.
      run: runs (function, tasks, what it does) and yields the results.

    Returns:
      The shards' summaries in order, and the counts of all parts.
    """
    statistics = PartStatistics()
    for part in parts:
        statistics.add(part.statistics)
    if keep_duplicates:
        dropped = [np.zeros(0, np.int64)] * len(parts)
    else:
        dropped = find_duplicates([part.hashes for part in parts])
    statistics.duplicates = sum(map(len, dropped))
    left = [(p, d) for p, d in zip(parts, dropped, strict=True) if p.summary.documents > len(d)]
    shards = [output / shard_name(index, len(left)) for index in range(len(left))]
    with writing(output):
        # Shards of other numbers, and what a killed process had begun.
        for stale in {*output.glob("shard-*.array_record")} - {*shards} | {*output.glob(".*.tmp")}:
            stale.unlink(missing_ok=True)

    summaries = {}
    copies = []
    for shard, (part, positions) in zip(shards, left, strict=True):
        if len(positions):
            vocabulary = part.path.parent / "vocab.txt"
            copies.append(ShardTask(part.path, shard, positions.tolist(), vocabulary))
        else:
            _link(part.path, shard)
            summaries[shard] = part.summary
    for shard, summary in run(_make_shard, copies, "removing duplicates"):
        summaries[shard] = summary
    return [summaries[shard] for shard in shards], statistics


def _link(path: Path, to: Path) -> None:
    if in_bucket(to):
        with writing(to):
            cast(Any, to).copy_from(path)
        return
    # Linked, not moved: an interrupted run finds the part again. Some file systems have no links.
    with atomic_writing(to) as temporary:
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)


def _make_shard(task: ShardTask) -> tuple[Path, ShardSummary]:
    vocabulary = _vocabulary(task.vocabulary)
    documents = _read_without(task.part, task.dropped, id_type(len(vocabulary)))
    return task.shard, write_shard(task.shard, documents, vocabulary)


@functools.lru_cache(maxsize=1)
def _vocabulary(path: Path) -> list[str]:
    return list(load_vocabulary(path))


def _read_without(path: Path, dropped: Iterable[int], dtype: np.dtype) -> Iterator[TokenDocument]:
    reader = ArrayRecordReader(os.fspath(local(path)))
    try:
        kept = np.delete(np.arange(reader.num_records()), list(dropped)).tolist()
        for start in range(0, len(kept), _RECORDS_PER_READ):
            for record in reader.read(kept[start : start + _RECORDS_PER_READ]):
                yield decode_record(record, dtype)
    except RuntimeError as error:
        raise DataError(
            f"{at(path)}: damaged ({str(error)[:100]}); remove {path.parent} and give the command "
            "again"
        ) from error
    finally:
        reader.close()
        if in_bucket(path):
            staging.remove([os.fspath(path)])
