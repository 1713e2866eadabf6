"""Annotated text to look at: a page that needs nothing else, and coloured text for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import count
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from biobert_jax.datasets.relation_files import RelationExample
    from biobert_jax.inference.annotate import Entity
    from biobert_jax.inference.answer import Answer
    from biobert_jax.inference.formats import AnnotatedText
    from biobert_jax.inference.questions import Asked
    from biobert_jax.inference.relations import Relation

# The terminal's colour and the page's hue of each type, in the order in which types turn up.
TERMINAL = ("magenta", "cyan", "green", "yellow", "blue", "red")
HUES = (330, 195, 110, 45, 250, 10)
AROUND = 60  # characters shown on either side of an answer

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Annotated text</title>
<style>
:root { color-scheme: light dark; --l: 88%; }
@media (prefers-color-scheme: dark) { :root { --l: 28%; } }
body { font: 17px/1.9 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
article { padding: .6rem 0 1rem; border-bottom: 1px solid #8884; }
h2 { font: 600 .75rem/1.4 system-ui, sans-serif; opacity: .6; margin: 0; }
p { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; }
mark { color: inherit; background: hsl(var(--h) 75% var(--l)); border-radius: .25em;
  padding: .1em .25em; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
mark small { font: 600 .62em system-ui, sans-serif; opacity: .75; margin-left: .4em;
  white-space: nowrap; user-select: none; }
</style>
</head>
<body>
"""


def write_html(documents: Iterable["AnnotatedText"]) -> Iterator[str]:
    """A page with each entity on the colour of its type; its score shows under the pointer."""
    yield _HEAD
    order = _Order()
    for document in documents:
        parts = [f'<article><h2>{escape(document.id)}</h2><p dir="auto">']
        position = 0
        for entity in document.entities:
            hue = HUES[order[entity.type] % len(HUES)]
            parts.append(escape(document.text[position : entity.start]))
            parts.append(
                f'<mark style="--h:{hue}" title="{escape(entity.type)}, score {entity.score:.2f}">'
                f"{escape(entity.text)}<small>{escape(entity.type)}</small></mark>"
            )
            position = entity.end
        parts.append(escape(document.text[position:]) + "</p></article>\n")
        yield "".join(parts)
    yield "</body>\n</html>\n"


def terminal_text(text: str, entities: Sequence["Entity"], types: Sequence[str] = ()) -> Text:
    """Returns a text with its entities in bold on their types' colours, for `rich` to print.

    Args:
      text: what the entities' offsets are into.
      entities: in order, not overlapping.
      types: all types there are, so that colours are the same from text to text.
    """
    order = _Order(types)
    out = Text()
    position = 0
    for entity in entities:
        colour = TERMINAL[order[entity.type] % len(TERMINAL)]
        out.append(text[position : entity.start])
        out.append(entity.text, style=f"bold {colour}")
        out.append(f" {entity.type}", style=f"dim {colour}")
        position = entity.end
    return out.append(text[position:])


def answers_text(asked: "Asked", answers: Sequence["Answer"]) -> Text:
    """Returns a question and its answers, each with its score and the words around it."""
    out = Text(asked.text, style="bold")
    if not answers:
        out.append("\n  no answer found", style="dim")
    for answer in answers:
        out.append(f"\n  {answer.score:.2f}  ", style="not bold")
        out.append(answer.text, style=f"bold {TERMINAL[0]}")
        if answer.passage is not None:
            passage = asked.passages[answer.passage]
            before = passage[max(0, answer.start - AROUND) : answer.start]
            after = passage[answer.end : answer.end + AROUND]
            shown = " ".join(f"{before}[{answer.text}]{after}".split())
            out.append(f"\n        passage {answer.passage + 1}: … {shown} …", style="dim not bold")
    return out


def relation_text(sentence: "RelationExample", relation: "Relation") -> Text:
    """Returns a sentence with its marks in colour, behind its class and that one's probability."""
    out = Text(f"{relation.label} ", style="bold").append(f"{relation.score:.2f}  ", "not bold")
    start = len(out)
    out.append(sentence.text, style="not bold")
    for first, last in sentence.marks:
        out.stylize(TERMINAL[0], start + first, start + last)
    return out


class _Order(dict[str, int]):
    """Numbers types as they turn up."""

    def __init__(self, types: Sequence[str] = ()):
        super().__init__(zip(types, count(), strict=False))

    def __missing__(self, kind: str) -> int:
        self[kind] = len(self)
        return self[kind]
