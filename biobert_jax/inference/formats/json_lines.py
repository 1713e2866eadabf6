"""JSON lines: one object per line, for annotated texts, answers and relations."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from biobert_jax.inference.formats.document import AnnotatedText

if TYPE_CHECKING:
    from biobert_jax.datasets.relation_files import RelationExample
    from biobert_jax.inference.answer import Answer
    from biobert_jax.inference.questions import Asked
    from biobert_jax.inference.relations import Relation

_DECIMALS = 4
# Allowed in JSON as they are; but some steer terminals, and some readers end a line there.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029]")


def write_jsonl(documents: Iterable[AnnotatedText]) -> Iterator[str]:
    """A line for each document: id, text, and entities as objects of `Entity`'s fields."""
    for document in documents:
        entities = [
            entity._asdict() | {"score": round(entity.score, _DECIMALS)}
            for entity in document.entities
        ]
        yield _line({"id": document.id, "text": document.text, "entities": entities})


def write_answers(answered: Iterable[tuple["Asked", Sequence["Answer"]]]) -> Iterator[str]:
    """A line for each question: id, question, and answers as objects of `Answer`'s fields.

    Answers to yes/no questions have no place and lack `passage`, `start` and `end`.
    """
    for asked, answers in answered:
        found = [
            {
                name: round(value, _DECIMALS) if name == "score" else value
                for name, value in answer._asdict().items()
                if value is not None
            }
            for answer in answers
        ]
        yield _line({"id": asked.id, "question": asked.text, "answers": found})


def write_relations(classified: Iterable[tuple["RelationExample", "Relation"]]) -> Iterator[str]:
    """A line for each sentence: id, text as it was read, label, score, probabilities."""
    for sentence, relation in classified:
        probabilities = relation.probabilities.items()
        yield _line(
            {
                "id": sentence.id,
                "text": sentence.text,
                "label": relation.label,
                "score": round(relation.score, _DECIMALS),
                "probabilities": {name: round(value, _DECIMALS) for name, value in probabilities},
            }
        )


def _line(record: Mapping[str, Any]) -> str:
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", line) + "\n"
