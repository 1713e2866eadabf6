"""Marks the two entities that a relation is asked about, in the paper's two ways (section 3.2.2).

Anonymised, each becomes a placeholder, `@GENE$`; wrapped, each keeps its name between `<GENE>` and
`</GENE>`. All other entities stay as they are written. To WordPiece the marks are ordinary text.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from biobert_jax.errors import DataError

Span = tuple[int, int]

# Marks that datasets come with: the two ways above, those of the preprocessed ChemProt that the
# BioCreative VI participants passed on, and SciBERT's.
_MARKS = re.compile(
    r"@[A-Z][A-Z0-9_-]*\$"
    r"|<(?P<tag>[A-Z][A-Z0-9_-]*)>.*?</(?P=tag)>"
    r"|BC6ENT[CG]"
    r"|<< .*? >>"
    r"|\[\[ .*? \]\]"
)


class Entity(NamedTuple):
    """A mention: `text[start:end]`, in characters."""

    start: int
    end: int
    type: str


class Marked(NamedTuple):
    """A text with its marks, and where they are: [start, end) of each, in the order of the text."""

    text: str
    marks: tuple[Span, ...]


def anonymise(text: str, first: Entity, second: Entity, overlap: str = "") -> Marked:
    """Replaces two entities by placeholders of their types.

    Args:
      text: a sentence.
      first, second: the pair, in any order of the text.
      overlap: the type of the one placeholder for entities that overlap, or are one
        and the same; by default both types, as in `@CHEMICAL-GENE$`.

    Raises:
      DataError: an entity is empty or not within the text.
    """
    return _replace(text, first, second, overlap, lambda name, type_: f"@{type_}$")


def wrap(text: str, first: Entity, second: Entity, overlap: str = "") -> Marked:
    """Puts two entities between tags of their types; arguments and errors as in `anonymise`.

    Entities that overlap are wrapped together, from where one begins to where the last one ends.
    """
    return _replace(
        text, first, second, overlap, lambda name, type_: f"<{type_}> {name} </{type_}>"
    )


METHODS = {"anonymise": anonymise, "wrap": wrap}


def find_marks(text: str) -> tuple[Span, ...]:
    """Finds the marks in a text that was marked elsewhere.

    Known are `@GENE$`, `<GENE> ... </GENE>`, `BC6ENTC` and `BC6ENTG`, `<< ... >>`, `[[ ... ]]`.
    """
    return tuple(match.span() for match in _MARKS.finditer(text))


def kind_of_mark(mark: str) -> str:
    """What a mark says of its entity: `@GENE$` or `<GENE>`; for those without a type, `<<`.

    Args:
      mark: as `find_marks` finds it.
    """
    if mark[0] in "@B":
        return mark
    found = re.match(r"<<|\[\[|<[^>]*>", mark)
    assert found is not None, mark  # one of the forms that find_marks finds
    return found[0]


def _replace(
    text: str, first: Entity, second: Entity, overlap: str, mark: Callable[[str, str], str]
) -> Marked:
    for entity in (first, second):
        if not 0 <= entity.start < entity.end <= len(text):
            raise DataError(
                f"found an entity of type {entity.type!r} at {entity.start}:{entity.end} in a text "
                f"of {len(text)} characters ({text[:60]!r}); expected 0 <= start < end <= "
                f"{len(text)}. Count offsets in characters, from the beginning of this text"
            )
    if first.start < second.end and second.start < first.end:
        type_ = overlap or f"{first.type}-{second.type}"
        both = Entity(min(first.start, second.start), max(first.end, second.end), type_)
        entities = [both]
    else:
        entities = sorted((first, second))
    out, marks, position = "", [], 0
    for entity in entities:
        out += text[position : entity.start]
        marked = mark(text[entity.start : entity.end], entity.type)
        marks.append((len(out), len(out) + len(marked)))
        out += marked
        position = entity.end
    return Marked(out + text[position:], tuple(marks))
