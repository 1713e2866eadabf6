"""The plan of a sharded annotation: which documents make up which part, and what it is made of.

It is made by one reading of the whole input, which finds what is damaged and ids that are there
twice before hours of work. A command that resumes compares its own with the plan that is there.
"""

import array
import dataclasses
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from biobert_jax.errors import DataError, UserError
from biobert_jax.files import in_bucket, read_json, shown, to_path, write_json
from biobert_jax.inference.formats.document import Document
from biobert_jax.inference.inputs import kind_of_input, read_documents
from biobert_jax.inference.several import Annotators, load_annotators
from biobert_jax.inference.texts import name_of

PART_DOCUMENTS = 1000
PART_CHARACTERS = 2_000_000
"""A part has at most so many documents, or characters, but at least one document."""

PLAN = "plan.json"


@dataclasses.dataclass(frozen=True)
class Request:
    """What is applied; arguments of `several.load_annotators`."""

    models: tuple[str, ...]
    entity_type: str = ""
    relations: str | None = None
    overlaps: str = "longest"
    dtype: str = "float32"

    def load(self) -> Annotators:
        return load_annotators(
            self.models,
            entity_type=self.entity_type,
            relations=self.relations,
            overlaps=self.overlaps,
            dtype=self.dtype,
        )


class Source(NamedTuple):
    """What is read; arguments of `inputs.read_documents`."""

    path: str
    kind: str | None = None
    whole: bool = False

    def documents(self) -> Iterator[Document]:
        return read_documents(self.path, self.kind, self.whole, unique=False)


def make_plan(folder: Path, source: Source, made: Mapping[str, Any]) -> dict[str, Any]:
    """Reads plan.json, or reads the input and writes it."""
    path = folder / PLAN
    if path.exists():
        plan = read_json(path)
        for name, value in made.items():
            if plan.get(name) != value:
                raise DataError(
                    f"{shown(path)}: was begun with {name} {plan.get(name)!r}; found {value!r} "
                    "now. Name a new --output, or give the same command on the same files"
                )
        return plan
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{shown(folder)}: exists and is no folder of --shards (it has no {PLAN}); name a new "
            "one"
        )
    plan = dict(made) | _counted(source, made["shards"])
    write_json(path, plan)
    return plan


def _counted(source: Source, shards: int) -> dict[str, Any]:
    """Reads all of the input: its totals, and the numbers of the documents that begin parts."""
    digests, starts, characters, in_part = array.array("Q"), [0], 0, 0
    sizes = array.array("L")
    for document in source.documents():
        digest = hashlib.blake2b(document.id.encode(), digest_size=8).digest()
        digests.append(int.from_bytes(digest, "little"))
        sizes.append(len(document.text))
    _refuse_repeats(source, np.frombuffer(digests, np.uint64))
    # So many documents that there is a part for each shard.
    most = max(1, min(PART_DOCUMENTS, -(-len(sizes) // shards)))
    for number, size in enumerate(sizes):
        if number - starts[-1] >= most or (
            number > starts[-1] and in_part + size > PART_CHARACTERS
        ):
            starts.append(number)
            in_part = 0
        in_part += size
        characters += size
    return {"documents": len(sizes), "characters": characters, "parts": starts if sizes else []}


def _refuse_repeats(source: Source, digests: np.ndarray) -> None:
    """Raises DataError where an id is there twice; 8 bytes a document say whether one may be."""
    values, counts = np.unique(digests, return_counts=True)
    suspected = set(map(int, values[counts > 1]))
    if not suspected:
        return
    seen = set()
    for number, document in enumerate(source.documents(), start=1):
        digest = hashlib.blake2b(document.id.encode(), digest_size=8).digest()
        if int.from_bytes(digest, "little") in suspected:
            if document.id in seen:
                raise DataError(
                    f"{name_of(source.path)}: document {number} has the id {document.id!r}, which "
                    "one before it has, too; expected ids that differ"
                )
            seen.add(document.id)


def made_of(
    source: Source, request: Request, annotators: Annotators, shards: int, form: str
) -> dict[str, Any]:
    """What must be the same when the command is given again."""
    path = to_path(source.path)
    files = [path] if path.is_file() else sorted(path.glob("*.*"))
    found = [(f.name, f.stat().st_size, f.stat().st_mtime) for f in files]
    models = [*annotators.models, *([annotators.relater] if annotators.relater else [])]
    return {
        "input": shown(path if in_bucket(path) else path.absolute()),
        "input_format": source.kind or (kind_of_input(source.path) if path.is_file() else "brat"),
        "whole": source.whole,
        "files": hashlib.sha256(repr(found).encode("utf-8", "replace")).hexdigest()[:16],
        "shards": shards,
        "format": form,
        "settings": {k: v for k, v in dataclasses.asdict(request).items() if k != "models"},
        "models": list(request.models),
        "weights": [_fingerprint(model.checkpoint.params) for model in models],
    }


def _fingerprint(params: Any) -> str:
    """A checksum of all weights: a run that has gone on has others under the same name."""
    value = 0
    for leaf in jax.tree.leaves(params):
        value = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), value)
    return f"{value:08x}"
