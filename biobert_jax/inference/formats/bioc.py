"""BioC, as XML and as JSON.

See Comeau et al. (2013), BioC: a minimalist approach to interoperability.
"""

import json
from collections.abc import Iterable, Iterator

from lxml import etree

from biobert_jax.inference.formats.document import Document, Entity, Pair
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
            for key, value in _infons(entity).items():
                _sub(annotation, "infon", value, key=key)
            place = {"offset": str(entity.start), "length": str(entity.end - entity.start)}
            etree.SubElement(annotation, "location", place)
            _sub(annotation, "text", entity.text)
        for number, pair in enumerate(document.relations):
            relation = etree.SubElement(passage, "relation", id=f"R{number}")
            for key, value in _relation_infons(pair).items():
                _sub(relation, "infon", value, key=key)
            for role, index in (("first", pair.first), ("second", pair.second)):
                etree.SubElement(relation, "node", refid=str(index), role=role)
        yield etree.tostring(root, encoding="unicode") + "\n"
    yield "</collection>\n"


def _infons(entity: Entity) -> dict[str, str]:
    infons = {"type": entity.type, "score": f"{entity.probability:.4f}"}
    return infons | ({"model": entity.model} if entity.model else {})


def _relation_infons(pair: Pair) -> dict[str, str]:
    infons = {"type": pair.label, "score": f"{pair.probability:.4f}"}
    return infons | ({"model": pair.model} if pair.model else {})


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
                "infons": _infons(entity),
                "text": entity.text,
                "locations": [{"offset": entity.start, "length": entity.end - entity.start}],
            }
            for number, entity in enumerate(document.entities)
        ]
        passage = {"offset": 0, "infons": {}, "text": document.text, "sentences": []}
        relations = [
            {
                "id": f"R{number}",
                "infons": _relation_infons(pair),
                "nodes": [
                    {"refid": str(pair.first), "role": "first"},
                    {"refid": str(pair.second), "role": "second"},
                ],
            }
            for number, pair in enumerate(document.relations)
        ]
        passage |= {"annotations": annotations, "relations": relations}
        record = {"id": document.id, "infons": {}, "passages": [passage], "relations": []}
        yield separator + json.dumps(record, ensure_ascii=False)
        separator = ",\n"
    yield "\n]}\n"
