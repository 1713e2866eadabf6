"""Coloured text for a terminal.

Texts come from anywhere: what would steer the terminal is escaped.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from biobert_jax.errors import printable
from biobert_jax.inference.formats.colours import Order
from biobert_jax.inference.formats.document import Entity

if TYPE_CHECKING:
    from biobert_jax.datasets.relation_files import RelationExample
    from biobert_jax.inference.answer import Answer
    from biobert_jax.inference.questions import Asked
    from biobert_jax.inference.relations import Relation

# The colour of each type, in the order in which types turn up.
COLOURS = ("magenta", "cyan", "green", "yellow", "blue", "red")
AROUND = 60  # characters shown on either side of an answer


def terminal_text(text: str, entities: Sequence[Entity], types: Sequence[str] = ()) -> Text:
    """Returns a text with its entities in bold on their types' colours, for `rich` to print.

    Args:
      text: what the entities' offsets are into.
      entities: in order, not overlapping.
      types: all types there are, so that colours are the same from text to text.
    """
    order = Order(types)
    out = Text()
    position = 0
    for entity in entities:
        colour = COLOURS[order[entity.type] % len(COLOURS)]
        out.append(printable(text[position : entity.start]))
        # Of entities that overlap, the later one gets what the earlier one left.
        out.append(printable(text[max(position, entity.start) : entity.end]), f"bold {colour}")
        out.append(printable(f" {entity.type}"), style=f"dim {colour}")
        position = max(position, entity.end)
    return out.append(printable(text[position:]))


def answers_text(asked: "Asked", answers: Sequence["Answer"]) -> Text:
    """Returns a question and its answers, each with its score and the words around it."""
    out = Text(printable(asked.text), style="bold")
    if not answers:
        out.append("\n  no answer found", style="dim")
    for answer in answers:
        out.append(f"\n  {answer.probability:.2f}  ", style="not bold")
        out.append(printable(answer.text), style=f"bold {COLOURS[0]}")
        if answer.passage is not None:
            passage = asked.passages[answer.passage]
            start, end = answer.start or 0, answer.end or 0
            before = passage[max(0, start - AROUND) : start]
            after = passage[end : end + AROUND]
            shown = printable(" ".join(f"{before}[{answer.text}]{after}".split()))
            out.append(f"\n        passage {answer.passage + 1}: … {shown} …", style="dim not bold")
    return out


def relation_text(sentence: "RelationExample", relation: "Relation") -> Text:
    """Returns a sentence with its marks in colour, behind its class and that one's probability."""
    out = Text(printable(f"{relation.label} "), style="bold")
    out.append(f"{relation.probability:.2f}  ", "not bold")
    position = 0
    for first, last in sentence.marks:
        out.append(printable(sentence.text[position:first]), style="not bold")
        out.append(printable(sentence.text[first:last]), style=f"not bold {COLOURS[0]}")
        position = last
    return out.append(printable(sentence.text[position:]), style="not bold")
