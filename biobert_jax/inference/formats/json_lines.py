"""JSON lines: one object per line, for annotated texts, answers and relations."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from biobert_jax.inference.formats.document import Document

if TYPE_CHECKING:
    from biobert_jax.datasets.relation_files import RelationExample
    from biobert_jax.inference.answer import Answer
    from biobert_jax.inference.questions import Asked
    from biobert_jax.inference.relations import Relation

DECIMALS = 4
# Allowed in JSON as they are; but some steer terminals, and some readers end a line there.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029]")


def write_jsonl(documents: Iterable[Document]) -> Iterator[str]:
    """A line for each document: id, text, and entities as objects of `Entity`'s fields."""
    for document in documents:
        yield json_line(document_record(document))


def document_record(document: Document) -> dict[str, Any]:
    """A document as JSON: `id`, `text`, `entities` and, if there are any, `relations`.

    An entity is an object with start, end, type, text, score, and model if it has a name. A
    relation has first and second (numbers of entities, from 0), label, score and perhaps model.
    """
    record = {
        "id": document.id,
        "text": document.text,
        "entities": [
            {
                "start": entity.start,
                "end": entity.end,
                "type": entity.type,
                "text": entity.text,
                "score": round(entity.probability, DECIMALS),
            }
            | _named(entity.model)
            for entity in document.entities
        ],
    }
    if document.relations:
        record["relations"] = [
            {
                "first": pair.first,
                "second": pair.second,
                "label": pair.label,
                "score": round(pair.probability, DECIMALS),
            }
            | _named(pair.model)
            for pair in document.relations
        ]
    return record


def answer_record(answer: "Answer") -> dict[str, Any]:
    """An answer as JSON: `text`, `score`, and its place as `passage`, `start`, `end` if any."""
    record = {"text": answer.text, "score": round(answer.probability, DECIMALS)}
    place = {"passage": answer.passage, "start": answer.start, "end": answer.end}
    return record | {name: value for name, value in place.items() if value is not None}


def relation_record(relation: "Relation") -> dict[str, Any]:
    """A relation as JSON: `label`, `score`, `probabilities`."""
    probabilities = relation.probabilities.items()
    return {
        "label": relation.label,
        "score": round(relation.probability, DECIMALS),
        "probabilities": {name: round(value, DECIMALS) for name, value in probabilities},
    }


def _named(model: str) -> dict[str, str]:
    return {"model": model} if model else {}


def write_answers(answered: Iterable[tuple["Asked", Sequence["Answer"]]]) -> Iterator[str]:
    """A line for each question: id, question, and answers as objects of `Answer`'s fields.

    Answers to yes/no questions have no place and lack `passage`, `start` and `end`.
    """
    for asked, answers in answered:
        found = list(map(answer_record, answers))
        yield json_line({"id": asked.id, "question": asked.text, "answers": found})


def write_relations(classified: Iterable[tuple["RelationExample", "Relation"]]) -> Iterator[str]:
    """A line for each sentence: id, text as it was read, label, score, probabilities."""
    for sentence, relation in classified:
        yield json_line({"id": sentence.id, "text": sentence.text} | relation_record(relation))


def json_line(record: Mapping[str, Any]) -> str:
    """An object as a line; characters that some readers take for a line's end are escaped."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", line) + "\n"
