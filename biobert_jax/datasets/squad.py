"""Questions on passages, and the reader of SQuAD-like JSON.

    {"data": [{"title": "...", "paragraphs": [{"context": "...", "qas": [
        {"id": "...", "question": "...", "answers": [{"text": "...", "answer_start": 0}]}]}]}]}

So come SQuAD v1.1, BioBERT's files of BioASQ (there with one question per paragraph, `title` and
`answers` at times absent), and users' own data.
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.errors import DataError, at
from biobert_jax.files import read_json, to_path


class Answer(NamedTuple):
    """An answer in the passage: `context[start : start + len(text)] == text`."""

    start: int
    text: str

    @property
    def end(self) -> int:
        """Where it ends, exclusive."""
        return self.start + len(self.text)


class Question(NamedTuple):
    """A question and one passage to answer it from.

    Attributes:
      id: unique in its file.
      text: the question.
      context: the passage, as written.
      answers: what annotators marked; empty where that is unknown, or where there is none.
      title: of the article, "" where the file has none.
    """

    id: str
    text: str
    context: str
    answers: tuple[Answer, ...] = ()
    title: str = ""


def read_squad(paths: str | Path | Sequence[str | Path]) -> list[Question]:
    """Reads one file, or several parts of one set, in order; gzipped ones too.

    Raises:
      DataError: a file is no JSON or not of this form, a passage or question is empty, an answer
        is not at its offset, or two questions have the same id; names the record.
    """
    return [question for _, question in read_placed(paths)]


def read_placed(paths: str | Path | Sequence[str | Path]) -> Iterable[tuple[str, Question]]:
    """Yields what `read_squad` returns, each question with its file and place for messages."""
    paths = [paths] if isinstance(paths, str | Path) else paths
    places: dict[str, str] = {}
    for path in paths:
        for place, question in _read_file(to_path(path)):
            if question.id in places:
                raise DataError(
                    f"{place}: found the id {question.id!r}, which {places[question.id]} has "
                    "already; expected ids that differ. Give it another, or read each file once."
                )
            places[question.id] = place
            yield place, question


def split_by_article(
    questions: Sequence[Question], share: float, seed: int = 0
) -> tuple[list[Question], list[Question]]:
    """Holds out whole articles, so that no passage of theirs is trained on.

    Args:
      questions: with titles.
      share: of the questions to hold out, as nearly as whole articles allow.
      seed: of the choice of articles.

    Returns:
      The questions that are left, and those held out, both in the given order.

    Raises:
      DataError: there are fewer than two articles.
    """
    titles = list(dict.fromkeys(question.title for question in questions))
    if len(titles) < 2:
        raise DataError(
            f"found {len(titles)} article titles in {len(questions)} questions; expected two or "
            "more to hold some out. Give each article its title, or add a validation file."
        )
    random.Random(f"articles {seed}").shuffle(titles)
    sizes = dict.fromkeys(titles, 0)
    for question in questions:
        sizes[question.title] += 1
    held_out, count = set(), 0
    for title in titles[:-1]:
        if held_out and count + sizes[title] / 2 > share * len(questions):
            break
        held_out.add(title)
        count += sizes[title]
    return (
        [question for question in questions if question.title not in held_out],
        [question for question in questions if question.title in held_out],
    )


def member(record: Any, key: str, kind: type, place: str) -> Any:
    """Returns `record[key]` after checking that it is there and of the kind.

    Raises:
      DataError: it is not; names the record.
    """
    value = record.get(key) if isinstance(record, Mapping) else None
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    names = {str: "a string", list: "a list", int: "a whole number"}
    if not isinstance(record, Mapping):
        found = f"{type(record).__name__} instead of an object"
    elif key in record:
        found = f"{key!r}: {json.dumps(value)[:60]}"
    else:
        found = f"no {key!r} among {', '.join(map(repr, record)) or 'nothing'}"
    raise DataError(
        f"{place}: found {found}; expected {key!r} with {names[kind]}. Correct the record."
    )


def _read_file(path: Path) -> Iterable[tuple[str, Question]]:
    """Yields each question with its place for messages."""
    for a, article in enumerate(member(read_json(path), "data", list, at(path))):
        where = f"{at(path)}: data[{a}]"
        has_title = isinstance(article, Mapping) and article.get("title") is not None
        title = member(article, "title", str, where) if has_title else ""
        for p, paragraph in enumerate(member(article, "paragraphs", list, where)):
            place = f"{where}.paragraphs[{p}]"
            context = member(paragraph, "context", str, place)
            if not context.strip():
                raise DataError(
                    f"{place}: the passage is empty; expected text to answer from. Remove the "
                    "paragraph, or put its text back."
                )
            for q, record in enumerate(member(paragraph, "qas", list, place)):
                here = f"{place}.qas[{q}]"
                yield here, _question(record, context, title, here)


def _question(record: Any, context: str, title: str, place: str) -> Question:
    id_ = member(record, "id", str, place)
    place = f"{place} (id {id_!r})"
    text = member(record, "question", str, place)
    if not text.strip():
        raise DataError(f"{place}: the question is empty; expected text. Correct the record.")
    marked = member(record, "answers", list, place) if "answers" in record else []
    answers = [_answer(answer, context, f"{place}.answers[{i}]") for i, answer in enumerate(marked)]
    return Question(id_, text, context, tuple(answers), title)


def _answer(record: Any, context: str, place: str) -> Answer:
    text = member(record, "text", str, place)
    start = member(record, "answer_start", int, place)
    if not text.strip():
        raise DataError(
            f"{place}: the answer is empty; expected text. A question without an answer has "
            '"answers": [].'
        )
    if start < 0 or context[start : start + len(text)] != text:
        there = context[max(start, 0) : max(start, 0) + len(text)]
        position = context.find(text)
        hint = f"it is at {position}" if position >= 0 else "the passage does not contain it"
        raise DataError(
            f"{place}: the passage has {there!r} at character {start}; expected {text!r} there "
            f"({hint}). Correct answer_start; it counts characters from 0, not bytes."
        )
    return Answer(start, text)
