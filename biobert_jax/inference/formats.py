"""Annotated text in the forms that other tools read.

A writer takes annotated documents one by one and gives pieces of the output file, so that a corpus
of any size passes through. All offsets count characters (code points) of the text as it was given.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from lxml import etree

from biobert_jax.inference.annotate import Entity
from biobert_jax.inference.display import write_html
from biobert_jax.text.basic import basic_words
from biobert_jax.text.sentences import split_sentences

SOURCE = "biobert_jax"

# What Unicode and the formats' readers take for the end of a line, and the separator of columns.
_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_LINE_BREAKS = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class AnnotatedText(NamedTuple):
    """A text and what was found in it."""

    id: str
    text: str
    entities: Sequence[Entity]  # in order, not overlapping


def write_jsonl(documents: Iterable[AnnotatedText]) -> Iterator[str]:
    """A line of JSON for each document: id, text, and entities as objects of `Entity`'s fields."""
    for document in documents:
        record = {
            "id": document.id,
            "text": document.text,
            "entities": [
                entity._asdict() | {"score": round(entity.score, 4)} for entity in document.entities
            ],
        }
        yield json.dumps(record, ensure_ascii=False) + "\n"


def write_conll(documents: Iterable[AnnotatedText]) -> Iterator[str]:
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
            return f"{'B' if start <= entity.start else 'I'}-{entity.type}"
    return "O"


def write_brat(documents: Iterable[AnnotatedText]) -> Iterator[str]:
    """Brat's standoff (.ann), to lie beside the text in a .txt of the same name.

    The score is an AnnotatorNotes of its entity. An entity that goes over a line break is given as
    the fragments on its lines, as brat wants it. Several documents would need a file each.
    """
    number = 0
    for document in documents:
        for entity in document.entities:
            number += 1
            fragments = _fragments(entity)
            where = ";".join(f"{start} {end}" for start, end in fragments)
            text = " ".join(document.text[start:end] for start, end in fragments)
            kind = re.sub(r"[^\w-]", "_", entity.type)
            yield f"T{number}\t{kind} {where}\t{_BREAKS.sub(' ', text)}\n"
            yield f"#{number}\tAnnotatorNotes T{number}\tscore {entity.score:.4f}\n"


def _fragments(entity: Entity) -> list[tuple[int, int]]:
    fragments, start = [], 0
    for gap in [*_LINE_BREAKS.finditer(entity.text), None]:
        end = gap.start() if gap else len(entity.text)
        if end > start:
            fragments.append((entity.start + start, entity.start + end))
        start = gap.end() if gap else end
    return fragments


def write_pubtator(documents: Iterable[AnnotatedText]) -> Iterator[str]:
    """PubTator: `id|t|title`, `id|a|abstract`, and a line of tabbed columns for each entity.

    The text becomes the title and the abstract is empty, so that offsets stay those of the text;
    line breaks and tabs in it become blanks. No concept identifier is known: `-`.
    """
    for document in documents:
        text = _BREAKS.sub(" ", document.text)
        lines = [f"{document.id}|t|{text}", f"{document.id}|a|"]
        for start, end, kind, _, _ in document.entities:
            lines.append(f"{document.id}\t{start}\t{end}\t{text[start:end]}\t{kind}\t-")
        yield "\n".join(lines) + "\n\n"


def write_bioc(documents: Iterable[AnnotatedText]) -> Iterator[str]:
    """BioC XML: a collection of documents, each of one passage. Not-XML characters become U+FFFD.

    See Comeau et al. (2013), BioC: a minimalist approach to interoperability.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'
    yield f"<collection><source>{SOURCE}</source><date></date><key>{SOURCE}.key</key>\n"
    for document in documents:
        root = etree.Element("document")
        _sub(root, "id", document.id)
        passage = etree.SubElement(root, "passage")
        _sub(passage, "offset", "0")
        _sub(passage, "text", document.text)
        for number, entity in enumerate(document.entities):
            annotation = etree.SubElement(passage, "annotation", id=str(number))
            _sub(annotation, "infon", entity.type, key="type")
            _sub(annotation, "infon", f"{entity.score:.4f}", key="score")
            place = {"offset": str(entity.start), "length": str(entity.end - entity.start)}
            etree.SubElement(annotation, "location", place)
            _sub(annotation, "text", entity.text)
        yield etree.tostring(root, encoding="unicode") + "\n"
    yield "</collection>\n"


def _sub(parent: etree._Element, name: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, name, attributes).text = _NOT_XML.sub("\ufffd", text)


def write_bioc_json(documents: Iterable[AnnotatedText]) -> Iterator[str]:
    """The same collection as `write_bioc`'s, in BioC's JSON."""
    head = {"source": SOURCE, "date": "", "key": f"{SOURCE}.key", "infons": {}}
    yield json.dumps(head)[:-1] + ', "documents": ['
    separator = "\n"
    for document in documents:
        annotations = [
            {
                "id": str(number),
                "infons": {"type": entity.type, "score": f"{entity.score:.4f}"},
                "text": entity.text,
                "locations": [{"offset": entity.start, "length": entity.end - entity.start}],
            }
            for number, entity in enumerate(document.entities)
        ]
        passage = {"offset": 0, "infons": {}, "text": document.text, "sentences": []}
        passage |= {"annotations": annotations, "relations": []}
        record = {"id": document.id, "infons": {}, "passages": [passage], "relations": []}
        yield separator + json.dumps(record, ensure_ascii=False)
        separator = ",\n"
    yield "\n]}\n"


Writer = Callable[[Iterable[AnnotatedText]], Iterator[str]]
FORMATS: dict[str, Writer] = {
    "jsonl": write_jsonl,
    "conll": write_conll,
    "brat": write_brat,
    "pubtator": write_pubtator,
    "bioc": write_bioc,
    "bioc-json": write_bioc_json,
    "html": write_html,
}
