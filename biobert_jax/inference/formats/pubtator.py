"""PubTator: a title, an abstract, and a line of columns for each entity."""

import re
from collections.abc import Iterable, Iterator

from biobert_jax.errors import DataError, at
from biobert_jax.inference.formats.columns import BREAKS, cell
from biobert_jax.inference.formats.document import GIVEN, Document, Entity, checked_entity

_TEXT = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_ENTITY_COLUMNS = (5, 6, 7)  # without and with a concept; with the parts of a composite mention
_RELATION_COLUMNS = 4
_EXPECTED = "`id|t|title`, `id|a|abstract`, or `id<TAB>start<TAB>end<TAB>text<TAB>type`"


def write_pubtator(documents: Iterable[Document]) -> Iterator[str]:
    """`id|t|title`, `id|a|abstract`, and a line of tabbed columns for each entity.

    The text becomes the title and the abstract is empty, so that offsets stay those of the text;
    line breaks and tabs in it become blanks. No concept identifier is known: `-`. Relations, which
    PubTator has between concepts, are left out.
    """
    for document in documents:
        name = cell(document.id, also="|")
        text = BREAKS.sub(" ", document.text)
        lines = [f"{name}|t|{text}", f"{name}|a|"]
        for entity in document.entities:
            start, end = entity.start, entity.end
            lines.append(f"{name}\t{start}\t{end}\t{text[start:end]}\t{cell(entity.type)}\t-")
        yield "\n".join(lines) + "\n\n"


def read_pubtator(lines: Iterable[tuple[int, str]], where: str) -> Iterator[tuple[str, Document]]:
    """Reads documents, one at a time; title and abstract become one text, a line break between.

    Args:
      lines: with their numbers.
      where: what messages call the file.

    Returns:
      Each document with its place, for messages. Relations are passed over.

    Raises:
      DataError: a line of another form, an entity that is not in its text; names the line.
    """
    place, name, parts, entities = "", "", {}, []

    def finished() -> Iterator[tuple[str, Document]]:
        if parts:
            text = "\n".join(part for part in (parts.get("t"), parts.get("a")) if part)
            found = [checked_entity(one, text, at(where, n)) for n, one in entities]
            yield place, Document(name, text, tuple(sorted(found, key=lambda e: (e.start, -e.end))))

    for number, line in lines:
        if not line.strip():
            continue
        if match := _TEXT.fullmatch(line):
            if match[1] != name or match[2] in parts:
                yield from finished()
                place, name, parts, entities = at(where, number), match[1].strip(), {}, []
            parts[match[2]] = match[3]
            continue
        columns = line.split("\t")
        if columns[0].strip() == name and parts and len(columns) == _RELATION_COLUMNS:
            continue
        offsets = columns[1:3]
        if (
            columns[0].strip() != name
            or len(columns) not in _ENTITY_COLUMNS
            or not all(offset.strip().isdecimal() for offset in offsets)
        ):
            raise DataError(f"{at(where, number)}: found {line[:80]!r}; expected {_EXPECTED}")
        start, end = map(int, offsets)
        entities.append((number, Entity(start, end, columns[4], columns[3], GIVEN)))
    yield from finished()
