"""Reading brat's folders: NAME.txt, and NAME.ann beside it."""

import re
from collections.abc import Iterator
from pathlib import Path

from biobert_jax.errors import DataError, at
from biobert_jax.files import decode, local, read_bytes, shown, to_path
from biobert_jax.inference.formats.document import GIVEN, Document, Entity, checked_entity

NAMES = "documents.tsv"
"""Where our writer says which names are not the documents' ids."""

_ENTITY = re.compile(r"T\S*\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
_NOTE = re.compile(r"#\S*\tAnnotatorNotes (T\S*)\tscore ([01]\.\d+)(?: model (.*))?")
_OTHER = ("R", "E", "A", "M", "N", "#", "*", "T")  # relations, events, attributes, ...


def read_brat(folder: str) -> Iterator[tuple[str, Document]]:
    """Reads the texts of a folder with their entities, in the order of their names.

    An entity of several fragments goes from the first to the last. Other annotations than entities
    are passed over.

    Returns:
      Each document with its place, for messages.

    Raises:
      DataError: a file cannot be read, or an annotation is not of its text; names file and line.
    """
    root = local(folder)
    ids = _ids(root / NAMES)
    for path in sorted(root.glob("*.txt")):
        text = decode(read_bytes(path), shown(path))
        annotations = path.with_suffix(".ann")
        entities = _entities(annotations, text) if annotations.is_file() else ()
        name = shown(path.stem)
        yield shown(path), Document(ids.get(name, name), text, tuple(entities))


def is_brat(folder: str) -> bool:
    """Whether there is a text in a folder."""
    return any(to_path(folder).glob("*.txt"))


def _ids(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = [line.split("\t") for line in decode(read_bytes(path), shown(path)).split("\n")[1:]]
    return {row[0]: row[1] for row in rows if len(row) == 2}


def _entities(path: Path, text: str) -> list[Entity]:
    found, notes = {}, {}
    for number, line in enumerate(decode(read_bytes(path), shown(path)).split("\n"), start=1):
        line = line.rstrip("\r")
        if match := _ENTITY.fullmatch(line):
            pairs = [tuple(map(int, part.split(" "))) for part in match[2].split(";")]
            start, end = pairs[0][0], pairs[-1][1]
            fragments = " ".join(text[a:b] for a, b in pairs)
            if re.sub(r"\s", " ", fragments) != re.sub(r"\s", " ", match[3]):
                raise DataError(
                    f"{at(path, number)}: an entity {match[3][:60]!r}, where the text has "
                    f"{fragments[:60]!r}; expected offsets in characters of {path.stem}.txt. "
                    "Put the text back that was annotated"
                )
            entity = Entity(start, end, match[1], text[start:end], GIVEN)
            found[line.split("\t")[0]] = checked_entity(entity, text, at(path, number))
        elif match := _NOTE.fullmatch(line):
            notes[match[1]] = (float(match[2]), match[3] or "")
        elif line.strip() and (not line.startswith(_OTHER) or line.startswith("T")):
            raise DataError(
                f"{at(path, number)}: found {line[:80]!r}; expected brat's standoff, such as "
                "`T1<TAB>Disease 0 5<TAB>fever`"
            )
    entities = []
    for name, entity in found.items():
        score, model = notes.get(name, (GIVEN, ""))
        entities.append(Entity(entity.start, entity.end, entity.type, entity.text, score, model))
    return sorted(entities, key=lambda e: (e.start, -e.end))
