"""Between tags and spans: entities as ranges of words."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """An entity; its last word is `end - 1`."""

    start: int
    end: int
    type: str


def spans_of_tags(tags: Sequence[str]) -> list[Span]:
    """Returns the entities of a sentence's IOB2 tags, the type of bare tags being ""."""
    spans = []
    start = None
    for position, tag in enumerate([*tags, "O"]):
        if start is not None and tag[0] != "I":
            spans.append(Span(start, position, tags[start][2:]))
            start = None
        if tag[0] == "B":
            start = position
    return spans


def tags_of_spans(length: int, spans: Iterable[Span]) -> tuple[list[str], list[Span]]:
    """Returns a sentence's IOB2 tags, and the entities that they have no room for.

    One word has one tag: of entities that overlap, the longest is kept, of equally long ones the
    first to begin, then the first given.

    Args:
      length: words in the sentence; every span is within it.
      spans: entities, in any order.
    """
    tags = ["O"] * length
    dropped = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        if any(tag != "O" for tag in tags[span.start : span.end]):
            dropped.append(span)
            continue
        ending = f"-{span.type}" if span.type else ""
        tags[span.start : span.end] = ["B" + ending] + ["I" + ending] * (span.end - span.start - 1)
    return tags, dropped
