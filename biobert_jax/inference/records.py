"""Answers and relations in files: JSON lines and TSV, a record a question or sentence."""

import json
from collections.abc import Iterable, Iterator, Sequence

from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.inference.answer import Answer
from biobert_jax.inference.questions import Asked
from biobert_jax.inference.relations import Relation

_DECIMALS = 4


def write_answers(answered: Iterable[tuple[Asked, Sequence[Answer]]]) -> Iterator[str]:
    """A line of JSON for each question: id, question, and answers as objects of `Answer`'s fields.

    Answers to yes/no questions have no place and lack `passage`, `start` and `end`.
    """
    for asked, answers in answered:
        record = {
            "id": asked.id,
            "question": asked.text,
            "answers": [
                {
                    name: round(value, _DECIMALS) if name == "score" else value
                    for name, value in answer._asdict().items()
                    if value is not None
                }
                for answer in answers
            ],
        }
        yield json.dumps(record, ensure_ascii=False) + "\n"


def write_relations_jsonl(
    classified: Iterable[tuple[RelationExample, Relation]],
) -> Iterator[str]:
    """A line of JSON for each sentence: id, text as it was read, label, score, probabilities."""
    for sentence, relation in classified:
        probabilities = relation.probabilities.items()
        record = {
            "id": sentence.id,
            "text": sentence.text,
            "label": relation.label,
            "score": round(relation.score, _DECIMALS),
            "probabilities": {name: round(value, _DECIMALS) for name, value in probabilities},
        }
        yield json.dumps(record, ensure_ascii=False) + "\n"


def write_relations_tsv(
    classified: Iterable[tuple[RelationExample, Relation]],
) -> Iterator[str]:
    """`id predicted` and a column a class with its probability, under a header that names them."""
    for number, (sentence, relation) in enumerate(classified):
        if not number:
            yield "\t".join(("id", "predicted", *relation.probabilities)) + "\n"
        values = (f"{value:.6f}" for value in relation.probabilities.values())
        yield "\t".join((sentence.id, relation.label, *values)) + "\n"
