"""CoNLL: a word and its tag a line."""

from collections.abc import Iterable, Iterator, Sequence

from biobert_jax.inference.formats.columns import cell
from biobert_jax.inference.formats.document import Document, Entity
from biobert_jax.text.basic import basic_words
from biobert_jax.text.sentences import split_sentences


def write_conll(documents: Iterable[Document]) -> Iterator[str]:
    """`word TAB tag` lines (IOB2), blank lines after sentences, -DOCSTART- before documents.

    Words are those of the basic tokenizer; `datasets.conll` reads the file.
    """
    for document in documents:
        yield "-DOCSTART-\tO\n\n"
        for start, end in split_sentences(document.text):
            lines = []
            for word in basic_words(document.text[start:end], lowercase=False):
                first, last = start + word.starts[0], start + word.ends[-1]
                lines.append(f"{word.text}\t{_tag(document.entities, first, last)}\n")
            if lines:
                yield "".join(lines) + "\n"


def _tag(entities: Sequence[Entity], start: int, end: int) -> str:
    for entity in entities:
        if start < entity.end and entity.start < end:
            return f"{'B' if start <= entity.start else 'I'}-{cell(entity.type, also=' ')}"
    return "O"
