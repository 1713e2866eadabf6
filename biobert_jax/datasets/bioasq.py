"""BioASQ task b: its official JSON, BioBERT's SQuAD-like form of it, and the way between the two.

The official files hold questions with `body`, `type`, `snippets` and, where it is known, an
`exact_answer`. BioBERT's hold a paragraph for each pair of question and passage, whose id is that
of the question, 24 characters, with the passage's number: `_001`. `to_passages` turns the first
into the second; BioBERT's own converter was never released.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.datasets.squad import Answer, Question, member, read_placed
from biobert_jax.errors import DataError, at
from biobert_jax.files import read_json, write_text

TYPES = ("factoid", "list", "yesno", "summary")

_QUESTION_ID = re.compile(r"[0-9A-Za-z]{24}")
_PASSAGE_ID = re.compile(r"[0-9A-Za-z]{24}_[0-9]{3}")


class BioasqQuestion(NamedTuple):
    """A question of the official JSON.

    Attributes:
      id: 24 characters.
      text: its body.
      type: one of `TYPES`.
      exact_answer: for each entity its synonyms (factoid, list); "yes" or "no" (yesno); None for
        summaries, and in test sets.
      snippets: passages that experts marked; those without text are left out.
    """

    id: str
    text: str
    type: str
    exact_answer: tuple[tuple[str, ...], ...] | str | None
    snippets: tuple[str, ...]


class Passages(NamedTuple):
    """What `to_passages` made of official questions."""

    questions: list[Question]  # one for each pair of question and passage, and answer
    unanswerable: list[str]  # ids of questions whose exact answer is in none of their snippets
    skipped: int  # passages left out because no answer is in them


def read_official(path: str | Path) -> list[BioasqQuestion]:
    """Reads an official file: training, golden, or a test set without answers.

    Raises:
      DataError: it is no JSON or not of this form, an id is not 24 characters long or occurs
        twice, the type is unknown, or an exact answer does not fit its type; names the record.
    """
    places: dict[str, int] = {}
    questions = []
    for number, record in enumerate(member(read_json(path), "questions", list, at(path))):
        question = _official(record, f"{at(path)}: questions[{number}]")
        if question.id in places:
            raise DataError(
                f"{at(path)}: questions[{number}]: found the id {question.id!r}, which "
                f"questions[{places[question.id]}] has already; expected each question once. "
                "Remove one of them"
            )
        places[question.id] = number
        questions.append(question)
    return questions


def read_passages(paths: str | Path | Sequence[str | Path]) -> list[Question]:
    """Reads BioBERT's SQuAD-like form, one file or several.

    Raises:
      DataError: as `squad.read_squad`; or an id does not consist of a question's and a passage's.
    """
    questions = []
    for place, question in read_placed(paths):
        if not is_passage_id(question.id):
            raise DataError(
                f"{place}: found the id {question.id!r}; expected 24 letters and digits, an "
                "underscore and three digits for the passage, as in '56c073fcef6e394741000020_001'."
                " Rename it: passages are merged by the first 24 characters."
            )
        questions.append(question)
    return questions


def is_passage_id(id_: str) -> bool:
    """Whether an id consists of a question's and a passage's."""
    return _PASSAGE_ID.fullmatch(id_) is not None


def question_id(passage_id: str) -> str:
    """The question's part of a passage's id."""
    return passage_id[:-4]


def without(questions: Sequence[Question], ids: Collection[str]) -> list[Question]:
    """Leaves out the passages of some questions, such as those that a model will be tested on."""
    ids = set(ids)
    return [question for question in questions if question_id(question.id) not in ids]


def to_passages(questions: Sequence[BioasqQuestion], training: bool) -> Passages:
    """Pairs each question with each of its snippets, and finds its exact answer there.

    An answer is searched as whole words, in any case, and given as the snippet writes it: at its
    first place, the synonyms in their order. A list question gives one pair for every entity that
    is found, because the span head marks one answer at a time.

    Args:
      questions: factoid or list questions with exact answers; without `training`, any.
      training: leave out pairs in which no answer is found; otherwise every snippet gives one pair,
        without answers.

    Returns:
      The pairs, ids numbered from `_001` as BioBERT's are, and what was left out.
    """
    pairs: list[Question] = []
    unanswerable, skipped = [], 0
    for question in questions:
        entities = question.exact_answer if isinstance(question.exact_answer, tuple) else ()
        number, answerable = 0, False
        for snippet in question.snippets:
            found = find_answers(snippet, entities)
            answerable |= bool(found)
            skipped += not found
            # A factoid asks for one entity: the first that the snippet has.
            wanted = found if question.type == "list" else found[:1]
            for answers in [(answer,) for answer in wanted] if training else [()]:
                number += 1
                id_ = _numbered(question.id, number)
                pairs.append(Question(id_, question.text, snippet, answers))
        if entities and not answerable:
            unanswerable.append(question.id)
    return Passages(pairs, unanswerable, skipped)


def find_answers(text: str, entities: Sequence[Sequence[str]]) -> list[Answer]:
    """For each entity that a text names, the first place of the first synonym found.

    Args:
      text: a passage.
      entities: for each entity its synonyms.
    """
    found = []
    for synonyms in entities:
        places = (_find(text, synonym) for synonym in synonyms)
        answer = next(filter(None, places), None)
        if answer is not None and answer not in found:
            found.append(answer)
    return found


def _find(text: str, name: str) -> Answer | None:
    words = r"\s+".join(map(re.escape, name.split()))
    if not words:
        return None
    # Whole words only: "IL-2" is not in "IL-22". Not \b, which wants a letter at the edge.
    pattern = rf"(?<!\w){words}(?!\w)"
    match = re.search(pattern, text) or re.search(pattern, text, re.IGNORECASE)
    return Answer(match.start(), match[0]) if match else None


def _numbered(id_: str, number: int) -> str:
    if number > 999:
        raise DataError(
            f"question {id_!r} has more than 999 passages; expected a number of three digits. "
            "Leave some snippets out."
        )
    return f"{id_}_{number:03d}"


def _official(record: Any, place: str) -> BioasqQuestion:
    id_ = member(record, "id", str, place)
    place = f"{place} (id {id_!r})"
    if not _QUESTION_ID.fullmatch(id_):
        raise DataError(
            f"{place}: found an id of {len(id_)} characters; expected 24 letters and digits, as "
            "BioASQ's are. Correct the id."
        )
    type_ = member(record, "type", str, place)
    if type_ not in TYPES:
        raise DataError(
            f"{place}: found the type {type_!r}; expected one of {', '.join(TYPES)}. Correct it."
        )
    snippets = member(record, "snippets", list, place) if "snippets" in record else []
    texts = [member(s, "text", str, f"{place}.snippets[{i}]") for i, s in enumerate(snippets)]
    return BioasqQuestion(
        id=id_,
        text=member(record, "body", str, place),
        type=type_,
        exact_answer=_exact_answer(record.get("exact_answer"), type_, place),
        snippets=tuple(text for text in texts if text.strip()),
    )


def _exact_answer(value: Any, type_: str, place: str) -> tuple[tuple[str, ...], ...] | str | None:
    if value is None or type_ == "summary":
        return None
    if type_ == "yesno":
        answer = value.strip().lower() if isinstance(value, str) else value
        if answer not in ("yes", "no"):
            raise DataError(
                f"{place}: found the exact_answer {value!r}; expected 'yes' or 'no'. Correct it."
            )
        return answer
    if isinstance(value, str):  # the first two years wrote a bare string
        return ((value,),)
    entries = value if isinstance(value, list) else [None]
    lists = [[entry] if isinstance(entry, str) else entry for entry in entries]
    if not all(isinstance(e, list) and all(isinstance(name, str) for name in e) for e in lists):
        raise DataError(
            f"{place}: found the exact_answer {value!r}; expected a list of entities, each a list "
            "of its synonyms. Correct it."
        )
    return tuple(tuple(entry) for entry in lists if entry is not None)


def write_submission(
    path: str | Path, type_: str, answers: Mapping[str, Sequence[str] | str]
) -> None:
    """Writes answers in the form that BioASQ's participants submit and its evaluator reads.

    The evaluator leaves questions out of its means that a file does not mention; so a question
    without an answer belongs in `answers`, with an empty list. It reads files in the encoding of
    the machine that it runs on; ASCII with escapes, as the golden files have it, is right on any.

    Args:
      path: the file; its folder is created.
      type_: of all the questions.
      answers: by question id, best first; "yes" or "no" for yesno questions.
    """
    entries = [
        {
            "id": id_,
            "type": type_,
            "ideal_answer": "",
            "exact_answer": answer if isinstance(answer, str) else [[text] for text in answer],
        }
        for id_, answer in answers.items()
    ]
    write_text(path, json.dumps({"questions": entries}, indent=1) + "\n")
