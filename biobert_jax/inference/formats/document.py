"""Annotated text: what `biobert_jax.load(...).annotate` returns and the writers here are given."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from biobert_jax.errors import DataError, UserError

if TYPE_CHECKING:
    import pandas  # pyright: ignore[reportMissingImports]

GIVEN = 1.0
"""The probability of an entity that a file gives without one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entity:
    """An entity of a text."""

    start: int  # in characters (code points); `text == source[start:end]`
    end: int
    type: str  # "entity" where the labels are bare B and I
    text: str
    probability: float  # of its least certain word's label, 0-1; `score` in files
    model: str = ""  # the name of the model that found it; "" where none was given


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """What a text says of two of its entities."""

    first: int  # numbers of `Document.entities`
    second: int
    label: str  # a class of the relation model
    probability: float  # of the label, 0-1; `score` in files
    model: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A text and what was found in it."""

    id: str
    text: str
    entities: Sequence[Entity] = ()  # in order; only of several models may they overlap
    relations: Sequence[Pair] = ()

    def _repr_html_(self) -> str:
        return Documents([self])._repr_html_()


class Documents(Sequence[Document]):
    """Documents in a row: a sequence that a notebook shows in colour."""

    def __init__(self, documents: Iterable[Document]):
        self._documents = tuple(documents)

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> "Documents": ...
    def __getitem__(self, index):
        found = self._documents[index]
        return Documents(found) if isinstance(index, slice) else found

    def __len__(self) -> int:
        return len(self._documents)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Documents) and self._documents == other._documents

    def __hash__(self) -> int:
        return hash(self._documents)

    def __repr__(self) -> str:
        return f"Documents({list(self._documents)!r})"

    def to_pandas(self) -> "pandas.DataFrame":
        """A row for each entity: document (its id), start, end, type, text, probability, model.

        Raises:
          UserError: pandas is not installed.
        """
        columns = ["document", *(field.name for field in dataclasses.fields(Entity))]
        rows = [
            (document.id, *dataclasses.astuple(entity))
            for document in self
            for entity in document.entities
        ]
        return _pandas().DataFrame(rows, columns=columns)

    def relations_to_pandas(self) -> "pandas.DataFrame":
        """A row for each pair: document, both entities' texts and types, label, probability, model.

        Raises:
          UserError: pandas is not installed.
        """
        columns = ("document", "first", "first_type", "second", "second_type")
        rows = []
        for document in self:
            for pair in document.relations:
                first, second = (document.entities[i] for i in (pair.first, pair.second))
                of_pair = (first.text, first.type, second.text, second.type)
                rows.append((document.id, *of_pair, pair.label, pair.probability, pair.model))
        return _pandas().DataFrame(rows, columns=[*columns, "label", "probability", "model"])

    def _repr_html_(self) -> str:
        from biobert_jax.inference.formats.html import fragment

        return fragment(self)


def checked_entity(entity: Entity, text: str, where: str) -> Entity:
    """An entity that a file gives, after a look at its text.

    Raises:
      DataError: its offsets are not of this text, or lead to other characters.
    """
    found = text[entity.start : entity.end]
    if not 0 <= entity.start < entity.end <= len(text) or found != entity.text:
        raise DataError(
            f"{where}: an entity {entity.text[:60]!r} at {entity.start}:{entity.end}, where the "
            f"text has {found[:60]!r}; expected offsets in characters (code points) from the "
            "beginning of the document. Correct the file, or write it again"
        )
    return entity


@functools.cache
def _pandas() -> Any:
    try:
        import pandas  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            "to_pandas: pandas is not installed. Install it: pip install pandas"
        ) from error
    return pandas
