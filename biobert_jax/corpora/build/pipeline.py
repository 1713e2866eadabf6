"""Builds a corpus: documents to sentences to WordPiece to shards, on all cores or a cluster.

Three stages, each of which continues where it was interrupted:

1. PubMed only: which records of which files later revisions and deletions leave standing.
2. Each unit of files becomes a part in the folder `.build` (`build.units`), whatever the order.
3. Duplicates are found over the hashes of all parts, the first in file order wins, and the parts
   become shards, linked or, where a document is dropped, copied.

What comes out depends on the files, the vocabulary and the options only.
"""

import dataclasses
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from biobert_jax.corpora.build.deduplication import make_shards
from biobert_jax.corpora.build.executors import ENGINES
from biobert_jax.corpora.build.units import (
    DAMAGED,
    Part,
    PartStatistics,
    UnitTask,
    complete_parts,
    damaged_build,
    make_part,
    opened,
    read_exclusions,
    read_part,
)
from biobert_jax.corpora.readers.inputs import (
    UNIT_BYTES,
    InputFile,
    ReaderOptions,
    digest,
    find_inputs,
    group_files,
)
from biobert_jax.corpora.readers.pubmed import CitationIndex, index_pubmed_file, surviving_citations
from biobert_jax.corpora.store import MANIFEST, ShardedCorpus, write_manifest
from biobert_jax.errors import DataError, at
from biobert_jax.files import (
    atomic_writing,
    read_json,
    remove_folder,
    to_path,
    write_json,
    write_text,
    writing,
)
from biobert_jax.text.wordpiece import casing_from_vocabulary, load_vocabulary
from biobert_jax.text.wordpiece_trainer import write_vocabulary

logger = logging.getLogger(__name__)

MIN_WORDS = 10
BUILD, REJECTED = ".build", "rejected.jsonl"


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """What a corpus's content depends on, besides its input files."""

    reader: ReaderOptions
    vocabulary: str  # path of vocab.txt
    lowercase: bool | None = None  # None: as the vocabulary is
    min_words: int = MIN_WORDS  # shorter documents are dropped
    keep_duplicates: bool = False
    exclude: str = ""  # path of a list of document ids or PMIDs
    skip_errors: bool = False  # what cannot be read goes to rejected.jsonl
    unit_bytes: int = UNIT_BYTES  # see `group_files`


def build_corpus(
    inputs: Sequence[str],
    output: str | os.PathLike[str],
    options: BuildOptions,
    *,
    workers: int = 1,
    engine: str = "local",
) -> ShardedCorpus:
    """Builds a corpus, or resumes a build that was interrupted.

    Args:
      inputs: file names or patterns.
      output: the corpus's folder, new or of an interrupted run.
      options: what to do with them.
      workers: processes (`local`) or tasks at a time (`ray`).
      engine: of `ENGINES`.

    Raises:
      DataError: no input; a folder that holds another corpus, or was begun with other options; a
        file that cannot be read; no document is left.
    """
    output = to_path(output).absolute()
    tokens = list(load_vocabulary(options.vocabulary))
    lowercase = _lowercase(options, tokens)
    files = find_inputs(inputs, options.reader.source)
    inside = [file.path for file in files if to_path(file.path).is_relative_to(output)]
    if inside:
        raise DataError(
            f"{inside[0]}: an input is in the output folder {output}; name another --output, or "
            "an --input that leaves it out"
        )
    exclusions = read_exclusions(options.exclude) if options.exclude else []
    settings = {
        **options.reader._asdict(),
        "lowercase": lowercase,
        "min_words": options.min_words,
        "keep_duplicates": options.keep_duplicates,
        "skip_errors": options.skip_errors,
        "unit_bytes": options.unit_bytes,
        "vocabulary": digest(tokens),
        "exclude": digest(sorted(exclusions)),
    }
    inputs_key = digest([settings, files])
    if (output / MANIFEST).exists():
        return _finished(output, inputs_key)
    folder = output / BUILD
    _begin(folder, settings, tokens, exclusions)

    def run(function: Callable, tasks: Sequence, what: str) -> Iterator:
        with Progress(console=Console(stderr=True), disable=not tasks) as progress:
            results = ENGINES[engine](function, tasks, workers)
            yield from progress.track(results, total=len(tasks), description=what)

    fates = _fates(files, folder, run) if options.reader.source == "pubmed" else {}
    tasks = [
        UnitTask(
            name=digest([settings, unit, [fates.get(file.path) for file in unit]])[:24],
            options=digest(settings),
            folder=os.fspath(folder),
            files=unit,
            fates=[fates[file.path] for file in unit] if fates else [],
            reader=options.reader,
            lowercase=lowercase,
            min_words=options.min_words,
            skip_errors=options.skip_errors,
        )
        for unit in group_files(files, options.unit_bytes)
    ]
    complete = complete_parts(folder)
    for _ in run(make_part, [t for t in tasks if t.name not in complete], "reading"):
        pass

    parts = [read_part(folder, task.name) for task in tasks]
    summaries, statistics = make_shards(parts, output, options.keep_duplicates, run)
    if not summaries:
        raise DataError(
            f"{at(output)}: no document is left of {statistics.records} records in {len(files)} "
            f"files ({_counts(statistics)}); expected some, check --source, --input and --exclude"
        )
    _write_rejected(output / REJECTED, parts)
    write_manifest(
        output,
        summaries,
        tokens,
        lowercase,
        source=options.reader.source,
        options={k: v for k, v in settings.items() if k not in ("vocabulary", "exclude")},
        excluded_ids=len(exclusions),
        input_bytes=sum(file.bytes for file in files),
        read=statistics.as_dict(),
        inputs_key=inputs_key,
    )
    remove_folder(folder)
    return ShardedCorpus(output)


def _lowercase(options: BuildOptions, tokens: Sequence[str]) -> bool:
    is_uncased = not casing_from_vocabulary(tokens)
    if options.lowercase is None:
        return is_uncased
    if options.lowercase != is_uncased:
        logger.warning(
            "%s looks %s, but the text is %s because you said so",
            options.vocabulary,
            "uncased" if is_uncased else "cased",
            "lower-cased" if options.lowercase else "not lower-cased",
        )
    return options.lowercase


def _finished(output: Path, inputs_key: str) -> ShardedCorpus:
    corpus = ShardedCorpus(output)
    if corpus.manifest.get("inputs_key") != inputs_key:
        raise DataError(
            f"{at(output)}: holds a finished corpus of other input files or options; expected a "
            "new folder, or the command that built it. Name another --output, or remove it"
        )
    logger.info("%s: is finished, nothing to do", output)
    return corpus


def _begin(folder: Path, settings: dict, tokens: Sequence[str], exclusions: Sequence[str]) -> None:
    """Lays out the folder that workers read from, or checks that of the interrupted run."""
    marker = folder / "options.json"
    if marker.exists():
        before = read_json(marker)
        if not isinstance(before, dict):
            raise damaged_build(folder, marker.name)
        changed = [name for name, value in settings.items() if before.get(name) != value]
        if changed:
            raise DataError(
                f"{at(folder.parent)}: was begun with other options ({', '.join(changed)}); "
                "expected the same. Repeat them to resume, or remove the folder to begin anew"
            )
        return
    if folder.parent.exists() and not folder.parent.is_dir():
        raise DataError(f"{at(folder.parent)}: is a file; name a new --output folder")
    if folder.parent.exists() and {path.name for path in folder.parent.iterdir()} - {BUILD}:
        raise DataError(f"{at(folder.parent)}: holds something else; name a new --output folder")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(folder / "vocab.txt", tokens)
    if exclusions:
        write_text(folder / "exclude.txt", "\n".join(exclusions) + "\n")
    write_json(marker, settings)


def _fates(files: Sequence[InputFile], folder: Path, run: Callable) -> dict[str, str]:
    """Finds which citations of each file still stand; returns file names in `folder` by path.

    The names are hashes of the content: a part whose citations a new updatefile does not touch is
    still right.
    """
    names = {file.path: f"index-{digest(file)[:24]}.npz" for file in files}
    there = {path.name for path in folder.glob("index-*.npz")}
    missing = [file.path for file in files if names[file.path] not in there]
    for path, index in run(_indexed, missing, "indexing"):
        with atomic_writing(folder / names[path]) as temporary, open(temporary, "wb") as out:
            np.savez(out, **index._asdict())
    indices = []
    for file in files:
        try:
            with np.load(opened(folder / names[file.path])) as arrays:
                indices.append(CitationIndex(**{k: arrays[k] for k in CitationIndex._fields}))
        except DAMAGED as error:
            raise damaged_build(folder, f"{names[file.path]} ({error})") from error
    found = {}
    for file, fate in zip(files, surviving_citations(indices), strict=True):
        found[file.path] = f"fates-{digest(fate.tobytes().hex())[:24]}.npy"
        with atomic_writing(folder / found[file.path]) as temporary, open(temporary, "wb") as out:
            np.save(out, fate)
    return found


def _indexed(path: str) -> tuple[str, CitationIndex]:
    return path, index_pubmed_file(path)


def _write_rejected(path: Path, parts: Iterable[Part]) -> None:
    rejected = [rejection for part in parts for rejection in part.rejected]
    if rejected:
        lines = (json.dumps(r._asdict(), ensure_ascii=False) + "\n" for r in rejected)
        write_text(path, lines)


def _counts(statistics: PartStatistics) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in statistics.as_dict().items() if count)
