"""BioC, as XML and as JSON.

See Comeau et al. (2013), BioC: a minimalist approach to interoperability.
"""

import json
from collections.abc import Iterable, Iterator

from lxml import etree

from biobert_jax.inference.formats.document import Document
from biobert_jax.inference.formats.markup import for_xml

SOURCE = "biobert_jax"


def write_bioc(documents: Iterable[Document]) -> Iterator[str]:
    """BioC XML: a collection of documents, each of one passage.

    Characters that XML cannot hold become U+FFFD.
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
            _sub(annotation, "infon", f"{entity.probability:.4f}", key="score")
            place = {"offset": str(entity.start), "length": str(entity.end - entity.start)}
            etree.SubElement(annotation, "location", place)
            _sub(annotation, "text", entity.text)
        yield etree.tostring(root, encoding="unicode") + "\n"
    yield "</collection>\n"


def _sub(parent: etree._Element, name: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, name, attributes).text = for_xml(text)


def write_bioc_json(documents: Iterable[Document]) -> Iterator[str]:
    """The same collection as `write_bioc`'s, in BioC's JSON."""
    head = {"source": SOURCE, "date": "", "key": f"{SOURCE}.key", "infons": {}}
    yield json.dumps(head)[:-1] + ', "documents": ['
    separator = "\n"
    for document in documents:
        annotations = [
            {
                "id": str(number),
                "infons": {"type": entity.type, "score": f"{entity.probability:.4f}"},
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
