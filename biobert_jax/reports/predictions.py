"""What a run got right on each test unit, from its files of predictions."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from biobert_jax.errors import DataError, at
from biobert_jax.evaluation import units
from biobert_jax.evaluation.ner import read_predictions
from biobert_jax.evaluation.questions import read_questions
from biobert_jax.files import read_lines
from biobert_jax.reports.runs import Run

NEGATIVES = ("0", "false")
"""Classes of relations that are not scored unless the config says so."""

_AGREE = 1e-6  # percentage points that a score may differ from what results.json says


class Scored(NamedTuple):
    """Outcomes of a run and a fingerprint of what it was tested on: units and gold answers."""

    outcomes: units.Outcomes
    fingerprint: str
    size: int


class Unscored(DataError):
    """A run whose task leaves no counts per test unit, so that seeds alone can be compared."""


def load_scored(run: Run, measure: str, split: str = "test") -> Scored:
    """Reads the predictions of a run, or of its folds, for one measure.

    Raises:
      Unscored: the task has none that could be resampled.
      DataError: a file is missing, cut or foreign, or does not give the score of results.json.
    """
    if run.task not in _READERS:
        raise Unscored(f"{at(run.path)}: {run.task} has no predictions per test unit")
    parts = [
        _READERS[run.task](run, folder / "predictions", measure, split) for folder in run.parts
    ]
    outcomes = units.join([p.outcomes for p in parts]) if len(parts) > 1 else parts[0].outcomes
    fingerprint = _hash(part.fingerprint for part in parts)
    found, reported = float(outcomes.scores()[0]), run.scores(split).get(measure)
    if not isinstance(reported, int | float) or abs(found - reported) > _AGREE:
        raise DataError(
            f"{at(run.path)}: the predictions give a {measure} of {found:.4f}, results.json says "
            f"{reported!r}; they are not of one run, or a file is cut. Repeat the run's command"
        )
    return Scored(outcomes, fingerprint, sum(part.size for part in parts))


def _entities(run: Run, folder: Path, measure: str, split: str) -> Scored:
    file = folder / f"{split}.conll"
    words, gold, predicted = read_predictions(_existing(file))
    lines = (
        "\n".join(f"{w} {t}" for w, t in zip(*s, strict=True))
        for s in zip(words, gold, strict=True)
    )
    if measure == "macro_f1":
        tags = {tag for tags in (*gold, *predicted) for tag in tags} - {"O"}
        counts = units.word_counts(gold, predicted, sorted({tag[2:] for tag in tags}))
        return _scored(counts, units.macro_f1_of_types, lines)
    return _scored(units.entity_counts(gold, predicted), _counted(run, measure), lines)


def _relations(run: Run, folder: Path, measure: str, split: str) -> Scored:
    file = folder / f"{split}.tsv"
    lines = read_lines(_existing(file))
    _, header = next(lines, (1, ""))
    labels = header.split("\t")[3:]
    if header.split("\t")[:3] != ["id", "gold", "predicted"] or not labels:
        raise DataError(f"{at(file, 1)}: {header!r:.60}; expected id, gold, predicted and classes")
    rows = []
    for number, line in lines:
        columns = line.split("\t")
        if len(columns) != 3 + len(labels) or not {columns[1], columns[2]} <= set(labels):
            raise DataError(
                f"{at(file, number)}: expected {3 + len(labels)} columns with classes of the "
                "header; is the file cut? Repeat the run's command"
            )
        rows.append(columns[:3])
    chosen = run.section("dataset").get("scored") or ()
    scored = list(chosen) or [label for label in labels if label not in NEGATIVES]
    _, gold, predicted = zip(*rows, strict=True) if rows else ((), (), ())
    counts = units.relation_counts(gold, predicted, scored)
    return _scored(counts, _counted(run, measure), ("\t".join(row[:2]) for row in rows))


def _questions(run: Run, folder: Path, measure: str, split: str) -> Scored:
    file = folder / f"{split}_questions.jsonl"
    questions = read_questions(_existing(file))
    gold = (f"{q.id}\t{q.gold!r}" for q in questions)
    kinds = {q.kind for q in questions}
    if kinds == {"yesno"} and measure == "macro_f1":
        counts = units.yesno_counts(*zip(*((q.gold, q.predicted) for q in questions), strict=True))
        return _scored(counts, units.macro_f1, gold)
    if kinds == {"yesno"} and measure == "accuracy":
        values = [float(q.gold == q.predicted) for q in questions]
    elif all(measure in q.values for q in questions):
        values = [q.values[measure] for q in questions]
    else:
        raise Unscored(f"{at(file)}: the questions have no {measure}")
    scored = _scored(units.question_counts(values), units.mean, gold)
    if kinds == {"factoid"}:  # the paper's scores are means over batches
        _, batches = np.unique([q.batch for q in questions], return_inverse=True)
        scored = scored._replace(outcomes=scored.outcomes._replace(groups=batches))
    return scored


def _labels(run: Run, folder: Path, measure: str, split: str) -> Scored:
    file = folder / f"{split}.tsv"
    rows = _columns(file)
    gold, predicted = ([row[i].split("|") if row[i] else [] for row in rows] for i in (1, 2))
    units_of = ("\t".join(row[:2]) for row in rows)
    if "f1" in run.scores(split):
        return _scored(units.label_counts(gold, predicted), _counted(run, measure), units_of)
    if measure != "accuracy":
        raise Unscored(f"{at(run.path)}: {measure} of {run.task} is not a sum over test units")
    right = [float(g == p) for g, p in zip(gold, predicted, strict=True)]
    return _scored(units.question_counts(right), units.mean, units_of)


def _pairs(run: Run, folder: Path, measure: str, split: str) -> Scored:
    if measure != "pearson":
        raise Unscored(f"{at(run.path)}: {measure} of {run.task} is not a sum over test units")
    file = folder / f"{split}.tsv"
    rows = _columns(file)
    try:
        gold, predicted = ([float(row[i]) for row in rows] for i in (1, 2))
    except ValueError as error:
        raise DataError(
            f"{at(file)}: {error}; expected numbers. Repeat the run's command"
        ) from error
    counts = units.pair_counts(gold, predicted)
    return _scored(counts, units.pearson, ("\t".join(row[:2]) for row in rows))


def _columns(file: Path) -> list[list[str]]:
    """The first three columns, `id gold predicted`, of a table of predictions."""
    lines = read_lines(_existing(file))
    _, header = next(lines, (1, ""))
    width = header.count("\t") + 1
    if header.split("\t")[:3] != ["id", "gold", "predicted"]:
        raise DataError(f"{at(file, 1)}: {header!r:.60}; expected id, gold, predicted")
    rows = []
    for number, line in lines:
        columns = line.split("\t")
        if len(columns) != width:
            raise DataError(
                f"{at(file, number)}: expected {width} columns; is the file cut? Repeat the run's "
                "command"
            )
        rows.append(columns[:3])
    return rows


_READERS = {
    "ner": _entities,
    "relation": _relations,
    "qa": _questions,
    "classification": _labels,
    "similarity": _pairs,
}


def _counted(run: Run, measure: str) -> units.Measure:
    if measure not in units.MEASURES:
        raise Unscored(f"{at(run.path)}: {measure} of {run.task} is not a sum over test units")
    return units.MEASURES[measure]


def _scored(counts: np.ndarray, measure: units.Measure, gold: Iterable[str]) -> Scored:
    groups = np.zeros(len(counts), int)
    return Scored(units.Outcomes(counts[None], measure, groups), _hash(gold), len(counts))


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise DataError(
            f"{at(file)}: missing; a comparison needs the predictions of each run. Repeat the "
            "run's command: it scores the finished run again"
        )
    return file
