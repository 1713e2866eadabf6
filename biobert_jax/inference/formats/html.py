"""A page that shows annotated text and needs nothing else."""

from collections.abc import Iterable, Iterator
from html import escape

from biobert_jax.inference.formats.colours import Order
from biobert_jax.inference.formats.document import AnnotatedText
from biobert_jax.inference.formats.markup import for_xml

# The hue of each type, in the order in which types turn up.
HUES = (330, 195, 110, 45, 250, 10)

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


def write_html(documents: Iterable[AnnotatedText]) -> Iterator[str]:
    """A page with each entity on the colour of its type; its score shows under the pointer."""
    yield _HEAD
    order = Order()
    for document in documents:
        parts = [f'<article><h2>{_escaped(document.id)}</h2><p dir="auto">']
        position = 0
        for entity in document.entities:
            hue = HUES[order[entity.type] % len(HUES)]
            parts.append(_escaped(document.text[position : entity.start]))
            kind = _escaped(entity.type)
            parts.append(
                f'<mark style="--h:{hue}" title="{kind}, score {entity.score:.2f}">'
                f"{_escaped(entity.text)}<small>{kind}</small></mark>"
            )
            position = entity.end
        parts.append(_escaped(document.text[position:]) + "</p></article>\n")
        yield "".join(parts)
    yield "</body>\n</html>\n"


def _escaped(text: str) -> str:
    return escape(for_xml(text))
