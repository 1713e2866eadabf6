"""A page that shows annotated text and needs nothing else."""

from collections.abc import Iterable, Iterator
from html import escape

from biobert_jax.inference.formats.colours import Order
from biobert_jax.inference.formats.document import Document
from biobert_jax.inference.formats.markup import for_xml

# The hue of each type, in the order in which types turn up.
HUES = (330, 195, 110, 45, 250, 10)

# Every rule is about .annotated, so that a notebook keeps its own looks around it.
STYLE = """<style>
.annotated { color-scheme: light dark; --l: 88%; font: 17px/1.9 Georgia, serif; }
@media (prefers-color-scheme: dark) { .annotated { --l: 28%; } }
.annotated article { padding: .6rem 0 1rem; border-bottom: 1px solid #8884; }
.annotated h2 { font: 600 .75rem/1.4 system-ui, sans-serif; opacity: .6; margin: 0; }
.annotated p { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; }
.annotated mark { color: inherit; background: hsl(var(--h) 75% var(--l)); border-radius: .25em;
  padding: .1em .25em; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.annotated mark small { font: 600 .62em system-ui, sans-serif; opacity: .75; margin-left: .4em;
  white-space: nowrap; user-select: none; }
.annotated ul { font: .8rem/1.6 system-ui, sans-serif; margin: .2rem 0; padding-left: 1.2rem; }
</style>
"""

_HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Annotated text</title>
{STYLE}<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
</style>
</head>
<body class="annotated">
"""

_SHOWN = 50
"""Documents that a notebook shows."""


def write_html(documents: Iterable[Document]) -> Iterator[str]:
    """A page with each entity on the colour of its type; its score shows under the pointer."""
    yield _HEAD
    order = Order()
    for document in documents:
        yield article(document, order)
    yield "</body>\n</html>\n"


def fragment(documents: Iterable[Document]) -> str:
    """The first documents as a part of a page, for notebooks."""
    documents, order = list(documents), Order()
    parts = [article(document, order) for document in documents[:_SHOWN]]
    more = len(documents) - _SHOWN
    rest = f"<p>and {more:,} more documents</p>" if more > 0 else ""
    return f'{STYLE}<div class="annotated">{"".join(parts)}{rest}</div>'


def article(document: Document, order: Order) -> str:
    """One document as an element; everything that comes from texts is escaped.

    An entity within another one's characters, which only several models find, stands within its
    mark; one that overlaps another in part begins where that one ends.

    Args:
      document: with entities in order.
      order: numbers types; the same for all documents of a page.
    """
    parts = [f'<article><h2>{_escaped(document.id)}</h2><p dir="auto">']
    position = 0
    open_ = []  # entities whose marks have not ended, the innermost last

    def close(upto: int) -> None:
        nonlocal position
        while open_ and open_[-1].end <= upto:
            entity = open_.pop()
            parts.append(_escaped(document.text[position : entity.end]))
            position = max(position, entity.end)
            parts.append(f"<small>{_escaped(entity.type)}</small></mark>")

    for entity in sorted(document.entities, key=lambda e: (e.start, -e.end)):
        close(entity.start)
        while open_ and entity.end > open_[-1].end:
            close(open_[-1].end)
        start = max(position, entity.start)
        if start >= entity.end:
            continue
        parts.append(_escaped(document.text[position:start]))
        position = start
        hue = HUES[order[entity.type] % len(HUES)]
        by = f", {entity.model}" if entity.model else ""
        title = f"{entity.type}, score {entity.probability:.2f}{by}"
        parts.append(f'<mark style="--h:{hue}" title="{_escaped(title)}">')
        open_.append(entity)
    close(len(document.text))
    parts.append(_escaped(document.text[position:]) + "</p>")
    if document.relations:
        parts.append("<ul>")
        for pair in document.relations:
            first, second = (document.entities[i].text for i in (pair.first, pair.second))
            says = f"{first} – {second}: {pair.label} ({pair.probability:.2f})"
            parts.append(f"<li>{_escaped(says)}</li>")
        parts.append("</ul>")
    parts.append("</article>\n")
    return "".join(parts)


def _escaped(text: str) -> str:
    return escape(for_xml(text))
