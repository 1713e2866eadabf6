"""PubTator: a title, an abstract, and a line of columns for each entity."""

from collections.abc import Iterable, Iterator

from biobert_jax.inference.formats.columns import BREAKS, cell
from biobert_jax.inference.formats.document import Document


def write_pubtator(documents: Iterable[Document]) -> Iterator[str]:
    """`id|t|title`, `id|a|abstract`, and a line of tabbed columns for each entity.

    The text becomes the title and the abstract is empty, so that offsets stay those of the text;
    line breaks and tabs in it become blanks. No concept identifier is known: `-`.
    """
    for document in documents:
        name = cell(document.id, also="|")
        text = BREAKS.sub(" ", document.text)
        lines = [f"{name}|t|{text}", f"{name}|a|"]
        for entity in document.entities:
            start, end = entity.start, entity.end
            lines.append(f"{name}\t{start}\t{end}\t{text[start:end]}\t{cell(entity.type)}\t-")
        yield "\n".join(lines) + "\n\n"
