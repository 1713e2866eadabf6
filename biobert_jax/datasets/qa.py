"""The questions of a QA set from a local folder, as `config.dataset` describes it."""

import dataclasses
import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from biobert_jax.datasets.bioasq import (
    BioasqQuestion,
    question_id,
    read_official,
    read_passages,
    to_passages,
    without,
)
from biobert_jax.datasets.squad import Question, read_squad, split_by_article
from biobert_jax.errors import DataError, at
from biobert_jax.files import local, read_json

logger = logging.getLogger(__name__)

KINDS = ("span", "factoid", "list", "yesno")
BIOASQ = ("bioasq_4b", "bioasq_5b", "bioasq_6b", "bioasq_7b")

Gold = Mapping[str, tuple[tuple[str, ...], ...] | str]
"""The exact answer of each question, by its id."""


@dataclasses.dataclass
class QaSplits:
    """A QA set.

    Attributes:
      questions: of `train`, `validation` and `test`, the pairs of question and passage.
      gold: for BioASQ, of each split, the exact answers of each batch by its name.
      unanswerable: training questions left out, because no passage of theirs has the answer.
    """

    questions: dict[str, list[Question]]
    gold: dict[str, dict[str, Gold]] = dataclasses.field(default_factory=dict)
    unanswerable: int = 0


def load_splits(
    name: str,
    path: str = "",
    kind: str = "span",
    train: str = "",
    test_passages: str = "abstracts",
    validation_share: float = 0.0,
    split_seed: int = 0,
    limit: int = 0,
) -> QaSplits:
    """Loads a set.

    Args:
      name: one of `BIOASQ`, or any other for SQuAD-like files; `synthetic` without a path is
        generated.
      path: a folder. SQuAD-like: `train*.json`, `dev*.json` (or `validation*.json`) and perhaps
        `test*.json`, each in one file or several parts; with dev alone, it is split by article.
        BioASQ: BioBERT's files with the golden ones, or golden ones alone for lists and yes/no.
        Without a folder `squad` is downloaded through TFDS.
      kind: `span` (SQuAD's scores), `factoid`, `list` or `yesno` (BioASQ's).
      train: BioASQ: a file to train on instead, official or SQuAD-like, within `path` or elsewhere.
      test_passages: BioASQ factoids: `abstracts`, BioBERT's test files; or the golden `snippets`.
      validation_share: of the training questions, held out where no file is for validation.
      split_seed: of that choice.
      limit: pairs of each split to keep; 0 for all.

    Raises:
      DataError: a setting is unknown, a file is missing (says which) or bad.
    """
    if kind not in KINDS:
        raise DataError(f"dataset.kind is {kind!r}; expected one of {', '.join(KINDS)}")
    if test_passages not in ("abstracts", "snippets"):
        raise DataError(
            f"dataset.test_passages is {test_passages!r}; expected 'abstracts' or 'snippets'"
        )
    if name == "synthetic" and not path:
        from biobert_jax.datasets.synthetic.qa import qa_splits

        splits = QaSplits(*qa_splits(kind))
    elif not path and name == "squad":
        # Here, because TFDS takes a second to import, and most runs read a folder.
        from biobert_jax.datasets.squad_download import load_squad

        splits = QaSplits(load_squad())
    elif not path:
        raise DataError(_where_to_get(name))
    elif not (folder := local(path)).is_dir():
        raise DataError(f"{at(path)}: no such folder; expected one with the files of {name}.")
    elif name in BIOASQ:
        year = name.removeprefix("bioasq_")
        splits = _load_bioasq(
            folder, year, kind, train, test_passages, validation_share, split_seed
        )
    else:
        splits = _load_squad(folder, validation_share, split_seed)
    _check_answered(splits, kind, path or name)
    questions = {split: kept[: limit or None] for split, kept in splits.questions.items()}
    return dataclasses.replace(splits, questions=questions)


def _check_answered(splits: QaSplits, kind: str, where: str) -> None:
    """Raises DataError where nothing can be learnt, and warns where little can."""
    train = splits.questions["train"]
    if not train:
        raise DataError(
            f"{where}: none of the training questions has an answer ({splits.unanswerable} without "
            f"one) of the kind {kind!r}; expected marked answers in their passages. Check "
            "dataset.kind, and that the training file has answers"
        )
    if kind == "yesno":
        gold = splits.gold["train"]
        found = {answer for answers in gold.values() for answer in answers.values()}
        if len(found) == 1:
            logger.warning(
                "%s: every training question has the answer %r; a model learns to give no other",
                where,
                *found,
            )


def _load_squad(folder: Path, share: float, seed: int) -> QaSplits:
    train = _matching(folder, "train*.json")
    held_out = _matching(folder, "dev*.json") or _matching(folder, "validation*.json")
    test = _matching(folder, "test*.json")
    if not train and not held_out:
        raise DataError(
            f"{at(folder)}: found no train*.json and no dev*.json; expected SQuAD-like files. "
            "For SQuAD itself leave dataset.path empty, and it is downloaded."
        )
    if train and held_out:
        questions = {"train": read_squad(train), "validation": read_squad(held_out)}
    else:
        kept, out = split_by_article(read_squad(train or held_out), share, seed)
        logger.warning(
            "%s has %s only: %d questions of it to train on, %d of other articles to validate",
            folder,
            "a training file" if train else "a dev file",
            len(kept),
            len(out),
        )
        questions = {"train": kept, "validation": out}
    if test:
        questions["test"] = read_squad(test)
    answered = [question for question in questions["train"] if question.answers]
    dropped = len(questions["train"]) - len(answered)
    return QaSplits(questions | {"train": answered}, unanswerable=dropped)


def _load_bioasq(
    folder: Path, year: str, kind: str, train: str, test_passages: str, share: float, seed: int
) -> QaSplits:
    golden = [path for path in _matching(folder, "*_golden.json") if _is_of(path, year)]
    if not golden:
        raise DataError(
            f"{at(folder)}: found no golden file of {year}; expected {year.upper()}1_golden.json "
            f"to {year.upper()}5_golden.json (or {year.upper()}_golden.json). {_REGISTER}"
        )
    official = {path.name.removesuffix("_golden.json"): read_official(path) for path in golden}
    batches: dict[str, Gold] = {
        batch: gold_of(questions, kind) for batch, questions in official.items()
    }
    test_ids = {id_ for gold in batches.values() for id_ in gold}
    if kind == "factoid" and test_passages == "abstracts":
        files = _matching(folder, f"BioASQ-test-factoid-{year}*.json")
        if not files:
            raise DataError(
                f"{at(folder)}: found no BioASQ-test-factoid-{year}-1.json to -5.json; expected "
                "BioBERT's test files. Put them there, or set dataset.test_passages=snippets."
            )
        test = read_passages(files)
    else:
        asked = [q for questions in official.values() for q in questions if q.type == kind]
        test = to_passages(asked, training=False).questions
    questions, gold, unanswerable = _training(folder, year, kind, train)
    questions = without(questions, test_ids)
    questions, held_out = _hold_out(questions, share, seed)
    splits = QaSplits({"train": questions, "test": test}, {"test": batches}, unanswerable)
    if held_out:
        splits.questions["validation"] = held_out
    for split in splits.questions.keys() - {"test"}:
        splits.gold[split] = {split: {id_: gold[id_] for id_ in _ids(splits.questions[split])}}
    return splits


def _training(
    folder: Path, year: str, kind: str, train: str
) -> tuple[list[Question], dict[str, tuple | str], int]:
    """Returns the pairs to train on, their gold answers, and the questions without any pair."""
    own = folder / f"BioASQ-train-{kind}-{year}.json"
    others, goldens = [], _matching(folder, "*_golden.json")
    if train:
        files = [folder / train]  # an absolute path stays what it is
    elif own.is_file():
        files = [own]
    else:
        # Its replacement must not hold any year's test questions.
        others = _matching(folder, f"BioASQ-train-{kind}-*.json")
        files = others[-1:] or [path for path in goldens if not _is_of(path, year)]
        if not files:
            raise DataError(
                f"{at(folder)}: found no {own.name}; expected it, or dataset.train with the name "
                f"of another training file. {_REGISTER}"
            )
        logger.warning(
            "%s is not there: training on %s instead, without any question of %s",
            own.name,
            ", ".join(path.name for path in files),
            "a golden file" if others else "the test",
        )
    pairs, unanswerable, gold = [], 0, {}
    for path in files:
        content = read_json(path)
        if isinstance(content, dict) and "questions" in content:
            asked = [q for q in read_official(path) if q.type == kind and q.exact_answer]
            gold |= gold_of(asked, kind)
            made = to_passages(asked, training=kind != "yesno")
            pairs += made.questions
            unanswerable += len(made.unanswerable)
        else:
            read = read_passages(path)
            answered = [question for question in read if question.answers]
            gold |= _gold_of_passages(answered)
            pairs += answered
            unanswerable += len(_ids(read)) - len(_ids(answered))
    if not train and files == others[-1:]:
        tests = [read_official(path) for path in goldens]
        pairs = without(pairs, {question.id for questions in tests for question in questions})
    return pairs, gold, unanswerable


def _hold_out(
    questions: Sequence[Question], share: float, seed: int
) -> tuple[list[Question], list[Question]]:
    ids = list(_ids(questions))
    random.Random(f"questions {seed}").shuffle(ids)
    out = set(ids[: round(share * len(ids))])
    held_out = [question for question in questions if question_id(question.id) in out]
    return without(questions, out), held_out


def gold_of(questions: Iterable[BioasqQuestion], kind: str) -> dict[str, tuple | str]:
    # An empty list of answers stays: the official evaluator counts such a question as wrong.
    asked = [q for q in questions if q.type == kind]
    return {q.id: q.exact_answer for q in asked if q.exact_answer is not None}


def _gold_of_passages(questions: Iterable[Question]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Where only marked passages are known, whatever is marked in any of them is right."""
    texts: dict[str, dict[str, None]] = {}
    for question in questions:
        marked = texts.setdefault(question_id(question.id), {})
        marked.update(dict.fromkeys(answer.text for answer in question.answers))
    return {id_: (tuple(marked),) for id_, marked in texts.items()}


def _ids(questions: Iterable[Question]) -> dict[str, None]:
    """The questions' ids in order, without repetition."""
    return dict.fromkeys(question_id(question.id) for question in questions)


def _matching(folder: Path, pattern: str) -> list[Path]:
    # Not json*, which would take train.jsonl and train.json.part for parts of the set.
    return sorted([*folder.glob(pattern), *folder.glob(pattern + ".gz")])


def _is_of(path: Path, year: str) -> bool:
    return path.name.upper().startswith(year.upper())


_REGISTER = "BioASQ's files need a registration: http://participants-area.bioasq.org."


def _where_to_get(name: str) -> str:
    if name in BIOASQ:
        return (
            f"{name}: no dataset.path; expected a folder with BioBERT's BioASQ files and the "
            f"golden ones. {_REGISTER}"
        )
    return f"{name}: no dataset.path; expected a folder with train*.json and dev*.json."
