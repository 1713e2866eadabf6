"""Annotating input of any size into shards, so that a kill loses minutes and repeats nothing.

The input is read twice. The first reading counts documents, finds what is damaged and ids that are
there twice before hours of work, and writes plan.json: which documents make up which part. A part
is annotated by one process and written whole or not at all, `parts/00000012.jsonl`. When all parts
of a shard are there they become the shard, whole or not at all, and only then go. So a document is
in one part, a part in one shard, and the same command resumes where the last one was stopped.

    OUTPUT/plan.json                            what is annotated with what; totals
    OUTPUT/annotations-00003-of-00016.jsonl     a shard: documents in the order of the input
    OUTPUT/parts/                               what is done of unfinished shards
"""

import functools
import itertools
import multiprocessing
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from biobert_jax.corpora.build.executors import ENGINES
from biobert_jax.errors import DataError, UserError
from biobert_jax.files import atomic_writing, in_bucket, to_path, write_text, writing
from biobert_jax.inference.formats.document import Document
from biobert_jax.inference.formats.json_lines import write_jsonl
from biobert_jax.inference.formats.registry import FORMATS
from biobert_jax.inference.inputs import read_annotated
from biobert_jax.inference.part_plan import Request, Source, made_of, make_plan
from biobert_jax.inference.progress import with_progress
from biobert_jax.inference.several import Annotators
from biobert_jax.inference.texts import STANDARD_INPUT, name_of

SUFFIXES = {"jsonl": "jsonl", "conll": "conll", "pubtator": "pubtator", "bioc": "xml"}
SUFFIXES |= {"bioc-json": "json", "html": "html"}
"""The forms of shards, and how their names end."""


class Task(NamedTuple):
    """A part to annotate, with all that a worker on another machine needs."""

    request: Request
    documents: list[tuple[str, str]]
    path: str
    workers: int  # processes of this machine that share its cores; 1: it has them all


class Done(NamedTuple):
    """A part that was written."""

    path: str
    documents: int
    entities: int


def annotate_sharded(
    source: Source,
    output: str,
    shards: int,
    request: Request,
    form: str = "jsonl",
    workers: int = 1,
    engine: str = "local",
) -> None:
    """Annotates into a folder, or resumes what was begun there.

    Args:
      source: what to read; a file or a folder, since it is read twice.
      output: a new folder, or that of the same command.
      shards: how many files.
      request: the models.
      form: of `SUFFIXES`.
      workers, engine: see `corpora.build.executors`; each worker loads the models.

    Raises:
      DataError: the input is damaged, or has an id twice; it or the models have changed since the
        command was begun. UserError: a model cannot be used; see `load_annotators`.
    """
    if source.path == STANDARD_INPUT:
        raise UserError("--shards reads the input twice; expected --input FILE or a folder")
    annotators = request.load()
    folder = to_path(output)
    made = made_of(source, request, annotators, shards, form)
    plan = make_plan(folder, source, made)
    starts, parts = plan["parts"], folder / "parts"
    with writing(folder):
        parts.mkdir(parents=True, exist_ok=True)
    groups = [
        range(len(starts) * s // shards, len(starts) * (s + 1) // shards) for s in range(shards)
    ]
    names = [
        folder / f"annotations-{s:05d}-of-{shards:05d}.{SUFFIXES[form]}" for s in range(shards)
    ]
    ends = [*starts[1:], plan["documents"]]
    wanted = [
        number
        for group, name in zip(groups, names, strict=True)
        if not name.exists()
        for number in group
        if not _part(parts, number).exists()
    ]
    total = sum(ends[number] - starts[number] for number in wanted)
    if workers == 1 and engine == "local":
        _loaded.keep(request, annotators)
    del annotators
    share = workers if engine == "local" else 1
    tasks = (
        Task(request, texts, os.fspath(_absolute(_part(parts, number))), share)
        for number, texts in _read_parts(source, starts, ends, wanted)
    )
    assemble = functools.partial(_assemble, groups, names, parts, form)
    assemble()
    done = ENGINES[engine](annotate_part, tasks, workers)
    if wanted:
        where = name_of(source.path)
        for _ in with_progress(done, "documents", where, lambda one: one.documents, total):
            assemble()
    _clear(folder)


def annotate_part(task: Task) -> Done:
    """Annotates a part and writes it, whole or not at all."""
    if task.workers > 1:
        _share_cores(task.workers)
    annotators = _loaded(task.request)
    found = list(annotators.documents(itertools.starmap(Document, task.documents)))
    write_text(task.path, write_jsonl(found))
    return Done(task.path, len(found), sum(len(document.entities) for document in found))


def _clear(folder: Path) -> None:
    """Removes the folder of parts, and what a killed process left of files it was writing."""
    parts = folder / "parts"
    with writing(parts):
        # Not iterdir: in a bucket there is no folder when the last part is gone.
        for path in [*folder.glob(".*.tmp"), *parts.glob("*")]:
            path.unlink(missing_ok=True)
        if not in_bucket(parts):  # there are no folders there
            parts.rmdir()


class _Loaded:
    """The models of the last request: a worker loads them once."""

    def __init__(self):
        self._kept: tuple[Request, Annotators] | None = None

    def keep(self, request: Request, annotators: Annotators) -> None:
        self._kept = (request, annotators)

    def __call__(self, request: Request) -> Annotators:
        if self._kept is None or self._kept[0] != request:
            self._kept = (request, request.load())
        return self._kept[1]


_loaded = _Loaded()


@functools.cache
def _share_cores(workers: int) -> None:
    """Takes this worker's share of the cores, before JAX starts as many threads as there are."""
    number = re.search(r"\d+$", multiprocessing.current_process().name)
    if number is None or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    own = cores[int(number[0]) % workers :: workers]
    os.sched_setaffinity(0, own or cores)


def _absolute(path: Path) -> Path:
    return path if in_bucket(path) else path.absolute()


def _part(parts: Path, number: int) -> Path:
    return parts / f"{number:08d}.jsonl"


def _read_parts(
    source: Source, starts: Sequence[int], ends: Sequence[int], wanted: Sequence[int]
) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The texts of the wanted parts, one part at a time."""
    if not wanted:
        return
    documents, position = source.documents(), 0
    for number in wanted:
        some = itertools.islice(documents, starts[number] - position, ends[number] - position)
        texts = [(document.id, document.text) for document in some]
        position = ends[number]
        if len(texts) != ends[number] - starts[number]:
            raise _changed(source.path)
        yield number, texts


def _assemble(groups: Sequence[range], names: Sequence[Path], parts: Path, form: str) -> None:
    """Makes shards of finished parts, and removes the parts of finished shards."""
    for group, name in zip(groups, names, strict=True):
        files = [_part(parts, number) for number in group]
        if not name.exists():
            if not all(file.exists() for file in files):
                continue
            if form == "jsonl":
                with atomic_writing(name) as temporary, temporary.open("wb") as out:
                    for file in files:
                        with file.open("rb") as read:
                            shutil.copyfileobj(read, out)
            else:
                found = itertools.chain.from_iterable(read_annotated(str(f)) for f in files)
                write_text(name, FORMATS[form](found))
        for file in files:
            file.unlink(missing_ok=True)


def _changed(path: str) -> DataError:
    return DataError(
        f"{name_of(path)}: has fewer documents than when it was counted; expected the same file. "
        "Name a new --output"
    )
