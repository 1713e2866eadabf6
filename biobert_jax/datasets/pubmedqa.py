"""PubMedQA (Jin et al., 2019): a question and an abstract without its conclusion; yes, no or maybe.

Its 1,000 labelled questions are one file, ori_pqal.json, and a rule that splits them
(pubmedqa/preprocess/split_dataset.py): per label they are shuffled by Python's generator with seed
0 and cut into halves, of which the second is the test set; the first is shuffled again per label
and cut into ten folds of which one is validation. BLURB has 450, 50 and 500 questions of it, and
does not say which fold its 50 are: `fold` chooses.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import DataError, at
from biobert_jax.files import read_json

LABELS = ("yes", "no", "maybe")  # in this order they are shuffled
FILE = "ori_pqal.json"
FOLDS = 10

Questions = Mapping[str, Mapping[str, Any]]


def read_pubmedqa(path: Path, fold: int = 0) -> dict[str, list[Record]]:
    """Reads the file and splits it.

    Args:
      path: ori_pqal.json (gzipped or not, of any name), or the folder that it is in.
      fold: which of the ten folds of the first half is validation.

    Raises:
      DataError: the file is not there or not in order.
    """
    if path.is_dir():
        path = next((path / n for n in (FILE, f"{FILE}.gz") if (path / n).is_file()), path / FILE)
    questions = read_json(path)
    if not isinstance(questions, dict) or not questions:
        raise DataError(f"{at(path)}: expected an object of questions by PMID, as {FILE} is")
    records = {id_: _record(id_, question, at(path)) for id_, question in questions.items()}
    train, validation, test = split(records, fold, at(path))
    named = {"train": train, "validation": validation, "test": test}
    return {name: [records[id_] for id_ in ids] for name, ids in named.items()}


def split(
    records: Mapping[str, Record], fold: int, where: str
) -> tuple[list[str], list[str], list[str]]:
    """The ids of train, validation and test."""
    if not 0 <= fold < FOLDS:
        raise DataError(f"dataset.fold is {fold}; expected 0 to {FOLDS - 1}")
    if len(records) < 2 * FOLDS:
        raise DataError(f"{where}: {len(records)} questions; expected at least {2 * FOLDS}")
    generator = random.Random(0)
    by_label = {id_: record.labels[0] for id_, record in records.items()}
    first, second = _parts(by_label, list(by_label), 2, generator)
    folds = _parts(by_label, first, FOLDS, generator)
    train = [id_ for i, part in enumerate(folds) if i != fold for id_ in part]
    return train, folds[fold], second


def _parts(
    by_label: Mapping[str, str], ids: Sequence[str], count: int, generator: random.Random
) -> list[list[str]]:
    """Cuts ids into parts that have each label as often; those left over go to the last part."""
    parts: list[list[str]] = [[] for _ in range(count)]
    for label in LABELS:
        own = [id_ for id_ in ids if by_label[id_] == label]
        generator.shuffle(own)
        size = -(-len(own) // count)
        for i, part in enumerate(parts):
            part += own[i * size : (i + 1) * size]
    # Rounded up, the first parts are larger than the last: it gets one of each of them.
    if len(parts[-1]) != len(parts[0]):
        for part in parts[:-1]:
            parts[-1].append(part.pop(part.index(generator.choice(part))))
    return parts


def _record(id_: str, question: Any, where: str) -> Record:
    asked = question.get("QUESTION") if isinstance(question, dict) else None
    contexts = question.get("CONTEXTS") if isinstance(question, dict) else None
    label = question.get("final_decision") if isinstance(question, dict) else None
    if (
        not isinstance(asked, str)
        or not asked.strip()
        or not isinstance(contexts, list)
        or not all(isinstance(one, str) for one in contexts)
        or not " ".join(contexts).strip()
        or label not in LABELS
    ):
        raise DataError(
            f"{where}: question {id_!r:.60} is {str(question)[:60]!r}; expected QUESTION, CONTEXTS "
            f"(a list of texts) and a final_decision of {', '.join(LABELS)}. Fetch the file again"
        )
    return Record(
        id_, asked, " ".join(contexts), (label,), False, float("nan"), "", f"{where}: {id_}"
    )
