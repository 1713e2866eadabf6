"""Questions and the passages to answer them from, in the forms that people have them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from biobert_jax.datasets.bioasq import is_passage_id, question_id, read_official
from biobert_jax.datasets.squad import read_squad
from biobert_jax.errors import DataError, at
from biobert_jax.files import read_json, to_path
from biobert_jax.inference.texts import (
    Record,
    id_of,
    name_of,
    read_records,
    read_texts,
    without_repeats,
)

_FORM = (
    'an object such as {"id": "1", "question": "What relieves pain?", "contexts": ["Aspirin '
    'relieves pain."]}'
)

_SURROGATE = re.compile("[\ud800-\udfff]")


class Asked(NamedTuple):
    """A question with its passages.

    Attributes:
      id: of a plain file `1`; of JSON lines without `id` the number of the line.
      text: the question.
      passages: each as written.
      type: BioASQ's type of question; "" where the file does not say.
    """

    id: str
    text: str
    passages: tuple[str, ...]
    type: str = ""


def read_questions(path: str, question: str | None = None) -> Iterator[Asked]:
    """Reads questions from a file.

    Args:
      path: with `question`, the passages to answer it from, as `texts.read_texts` reads them.
        Without, `.json` is BioASQ's official JSON (each snippet is a passage) or SQuAD-like; any
        other file, and `-` for standard input, has JSON lines with `question` and `contexts` (a
        list) or `context`, and perhaps `id`.
      question: one question for all passages.

    Raises:
      DataError: the file is not of that form, or a question or a passage is empty; names the
        record.
    """
    if question is not None:
        if not question.strip():
            raise DataError("the question is empty; expected text after --question")
        if _SURROGATE.search(question):
            raise DataError("--question is not UTF-8; expected text in UTF-8")
        passages = tuple(text for _, text in read_texts(path))
        if not passages:
            raise DataError(f"{at(name_of(path))}: no passage in it; expected one per line")
        if not all(passage.strip() for passage in passages):
            raise DataError(f"{at(name_of(path))}: a passage is empty. Remove it")
        yield Asked("1", question, passages)
    elif path.endswith((".json", ".json.gz")):
        yield from _from_json(to_path(path))
    else:
        records = read_records(path)
        yield from without_repeats((record.place, _from_record(record)) for record in records)


def _from_json(path: Path) -> Iterator[Asked]:
    content = read_json(path)
    if isinstance(content, dict) and "questions" in content:
        for question in read_official(path):
            yield Asked(question.id, question.text, question.snippets, question.type)
        return
    asked: dict[str, Asked] = {}
    for pair in read_squad(path):
        # BioBERT's files of BioASQ have a pair for each passage; the ids say which belong together.
        id_ = question_id(pair.id) if is_passage_id(pair.id) else pair.id
        before = asked.get(id_, Asked(id_, pair.text, ()))
        asked[id_] = before._replace(passages=(*before.passages, pair.context))
    yield from asked.values()


def _from_record(record: Record) -> Asked:
    place, _, values = record
    text = values.get("question")
    passages = values.get("contexts", [values["context"]] if "context" in values else None)
    strings = isinstance(passages, list) and all(isinstance(p, str) for p in passages)
    if not isinstance(text, str) or not strings:
        raise DataError(f"{place}: found {str(values)[:80]!r}; expected {_FORM}")
    id_ = id_of(record)
    if not text.strip():
        raise DataError(f"{place} (id {id_!r}): the question is empty; expected {_FORM}")
    for p, passage in enumerate(passages):
        if not passage.strip():
            raise DataError(
                f"{place} (id {id_!r}): contexts[{p}] is empty; expected text to answer from. "
                "Remove it, or put its text back"
            )
    return Asked(id_, text, tuple(passages), str(values.get("type", "")))
