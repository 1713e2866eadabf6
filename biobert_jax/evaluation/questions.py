"""The file of predictions of question answering: what each question has for an answer, and earned.

A submission in BioASQ's form has no gold answers; with them beside it, a run can be compared with
another without the data that it was tested on, as those of the other tasks can.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from biobert_jax.errors import DataError, at
from biobert_jax.evaluation.qa import factoid_scores, list_scores, squad_scores
from biobert_jax.files import parse_json, read_lines, write_text

SCORERS = {"span": squad_scores, "factoid": factoid_scores, "list": list_scores}
KINDS = (*SCORERS, "yesno")


class AnsweredQuestion(NamedTuple):
    """A line of the file.

    Attributes:
      id: of the question.
      batch: which of BioASQ's rounds it is from; "" elsewhere.
      kind: one of `KINDS`.
      gold: the right answers, as `evaluation.qa` takes them.
      predicted: the answers given, in that form; None where there is none.
      values: its measures, 0-1, whose means are the scores; empty for yes/no questions.
    """

    id: str
    batch: str
    kind: str
    gold: object
    predicted: object
    values: dict[str, float]


def answered(
    kind: str, batches: Mapping[str, Mapping[str, object]], predicted: Mapping[str, object]
) -> list[AnsweredQuestion]:
    """Scores the questions of each batch one by one.

    Args:
      kind: one of `KINDS`.
      batches: the gold answers by batch and question id.
      predicted: answers by question id, as `evaluation.qa` takes them for this kind.
    """
    out = []
    for batch, gold in batches.items():
        for id_, answers in gold.items():
            found = {id_: predicted[id_]} if id_ in predicted else {}
            scores = SCORERS[kind]({id_: answers}, found) if kind in SCORERS else {}
            values = {
                name: value / 100
                for name, value in scores.items()
                if name not in ("questions", "unanswered")
            }
            out.append(AnsweredQuestion(id_, batch, kind, answers, found.get(id_), values))
    return out


def write_questions(path: str | Path, questions: Iterable[AnsweredQuestion]) -> None:
    """Writes a JSON object per line."""
    write_text(path, (json.dumps(q._asdict(), ensure_ascii=False) + "\n" for q in questions))


def read_questions(path: str | Path) -> list[AnsweredQuestion]:
    """Reads what `write_questions` wrote.

    Raises:
      DataError: a line is something else.
    """
    out = []
    for number, line in read_lines(path):
        record = parse_json(line, at(path, number)) if line else None
        if not isinstance(record, dict) or set(record) != set(AnsweredQuestion._fields):
            raise DataError(
                f"{at(path, number)}: expected an object with {', '.join(AnsweredQuestion._fields)}"
                "; is the file cut? Score the run again: repeat the command that made it"
            )
        question = AnsweredQuestion(**record)
        numbers = isinstance(question.values, dict) and all(
            isinstance(value, int | float) for value in question.values.values()
        )
        if question.kind not in KINDS or not numbers:
            raise DataError(
                f"{at(path, number)}: kind {question.kind!r} with values {question.values!r}; "
                f"expected one of {', '.join(KINDS)} and numbers"
            )
        out.append(question)
    return out
