"""Brat's standoff: a text (.txt) and its annotations (.ann) beside it.

See https://brat.nlplab.org/standoff.html. A file of annotations is of one text, so several
documents are a folder.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from biobert_jax.errors import DataError
from biobert_jax.inference.formats.columns import BREAKS, cell
from biobert_jax.inference.formats.document import Document, Entity

_LINE_BREAKS = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# Characters of file names that are safe on any system and in a shell.
_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)
_LONGEST_NAME = 100
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)  # on Windows


def write_brat(documents: Iterable[Document]) -> Iterator[str]:
    """The annotations of one text.

    The score is an AnnotatorNotes of its entity. An entity that goes over a line break is given as
    the fragments on its lines, as brat wants it.

    Raises:
      DataError: a second document.
    """
    for count, document in enumerate(documents):
        if count:
            raise DataError(
                "found a second document; brat has a file of annotations for each text. Write "
                "them to a folder"
            )
        for number, entity in enumerate(document.entities, start=1):
            fragments = _fragments(entity)
            where = ";".join(f"{start} {end}" for start, end in fragments)
            text = " ".join(document.text[start:end] for start, end in fragments)
            yield f"T{number}\t{_type(entity.type)} {where}\t{BREAKS.sub(' ', text)}\n"
            by = f" model {cell(entity.model)}" if entity.model else ""
            yield f"#{number}\tAnnotatorNotes T{number}\tscore {entity.probability:.4f}{by}\n"
        for number, pair in enumerate(document.relations, start=1):
            arguments = f"Arg1:T{pair.first + 1} Arg2:T{pair.second + 1}"
            yield f"R{number}\t{_type(pair.label)} {arguments}\n"


def write_brat_folder(documents: Iterable[Document], types: Sequence[str], folder: Path) -> None:
    """Writes a folder that brat serves: NAME.txt and NAME.ann of each document, annotation.conf.

    Names are made of ids: characters that are not safe in file names become `_`, and names that
    are taken (in whatever case) get a number. Where a name is not its id, documents.tsv says which
    is whose.

    Args:
      documents: with ids of any kind.
      types: the entity types that there may be.
      folder: exists and is empty.
    """
    taken: Counter[str] = Counter()
    renamed = []
    for document in documents:
        name = _free_name(document.id, taken)
        if name != document.id:
            renamed.append(f"{name}\t{cell(document.id)}\n")
        _write(folder / f"{name}.txt", [document.text])
        _write(folder / f"{name}.ann", write_brat([document]))
    if renamed:
        _write(folder / "documents.tsv", ["name\tid\n", *renamed])
    _write(folder / "annotation.conf", [configuration(types)])


def configuration(types: Sequence[str]) -> str:
    """The annotation.conf for entities of these types."""
    lines = "".join(f"{kind}\n" for kind in dict.fromkeys(map(_type, types)))
    return f"[entities]\n{lines}\n[relations]\n\n[events]\n\n[attributes]\n"


def _free_name(id_: str, taken: Counter[str]) -> str:
    """Makes a file name of an id; `taken` are the names before it, in lower case."""
    base = _UNSAFE.sub("_", id_)[:_LONGEST_NAME].strip(".") or "document"
    if base.startswith("-") or _RESERVED.fullmatch(base):
        base = f"_{base}"
    name = base
    while taken[name.lower()]:
        taken[base.lower()] += 1
        name = f"{base}-{taken[base.lower()]}"
    taken[name.lower()] = 1
    return name


def _type(name: str) -> str:
    return re.sub(r"[^\w-]", "_", name, flags=re.ASCII) or "_"


def _write(path: Path, pieces: Iterable[str]) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        file.writelines(pieces)


def _fragments(entity: Entity) -> list[tuple[int, int]]:
    fragments, start = [], 0
    for gap in [*_LINE_BREAKS.finditer(entity.text), None]:
        end = gap.start() if gap else len(entity.text)
        if end > start:
            fragments.append((entity.start + start, entity.start + end))
        start = gap.end() if gap else end
    return fragments
