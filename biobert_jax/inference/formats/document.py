"""What the writers of this package are given."""

from collections.abc import Sequence
from typing import NamedTuple


class Entity(NamedTuple):
    """An entity of a text."""

    start: int  # in characters (code points); `text == source[start:end]`
    end: int
    type: str  # "entity" where the labels are bare B and I
    text: str
    score: float  # the probability of its least certain word's label, 0-1


class AnnotatedText(NamedTuple):
    """A text and what was found in it."""

    id: str
    text: str
    entities: Sequence[Entity]  # in order, not overlapping
