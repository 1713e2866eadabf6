"""BLURB's table (Gu et al., 2021), ours beside it; blank where nothing ran."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from biobert_jax.errors import DataError
from biobert_jax.evaluation.significance import Comparison, method_estimate, weighted
from biobert_jax.reports.comparison import load, shown
from biobert_jax.reports.predictions import Unscored
from biobert_jax.reports.published import published
from biobert_jax.reports.render import Table
from biobert_jax.reports.systems import MEASURES, System

TASKS = ("classification", "similarity")  # those whose sets are in no other table
OWN = ("jnlpba_blurb", "ebm_pico", "ddi", "gad_blurb")  # sets of other tasks that the paper lacks


class Scores(NamedTuple):
    """A method's mean scores on some sets.

    Attributes:
      means: by set.
      estimates: with their variance, of those sets that have predictions for each test unit.
    """

    means: dict[str, float]
    estimates: dict[str, Comparison]


def blurb_score(kinds: Sequence[str], scores: Sequence[float | None]) -> float | None:
    """BLURB's score: the mean over the kinds of tasks of the mean over a kind's sets.

    Args:
      kinds: of each set.
      scores: of each set; None where there is none.

    Returns:
      None where a set has no score: a mean over other sets would be another number.
    """
    weights = weights_of(kinds)
    if any(score is None for score in scores):
        return None
    return float(np.dot(weights, np.array(scores, np.float64)))


def weights_of(kinds: Sequence[str]) -> np.ndarray:
    """What each set counts in BLURB's score; they add up to 1."""
    counts = {kind: list(kinds).count(kind) for kind in kinds}
    return np.array([1 / counts[kind] / len(counts) for kind in kinds])


def table(found: Sequence[System], confidence: float, problems: list[str]) -> Table | None:
    """A row per set, per kind of task and for the score.

    None where nothing ran that is not in the paper's tables: four NER sets are in both.

    Args:
      found: our systems, of any task.
      confidence: of intervals.
      problems: gets a message for each system whose predictions are not in order.
    """
    paper = published("blurb")
    rows: Sequence[Mapping[str, Any]] = paper["rows"]
    named = {(row["task"], row["ours"]): row for row in rows}
    ours = [s for s in found if (s.task, s.dataset) in named or s.task in TASKS]
    if not any(s.task in TASKS or s.dataset in OWN for s in ours):
        return None
    labels = list(dict.fromkeys(system.label for system in ours))
    by_set = {(s.task, s.dataset, s.label): s for s in ours}
    scores = {label: Scores({}, {}) for label in labels}
    out: list[list[str]] = []
    bold: set[tuple[int, int]] = set()
    columns = list(paper["columns"])
    kinds = [row["kind"] for row in rows]
    skipped = [""] * len(columns)
    for number, row in enumerate(rows):
        cells = [_named(row), *(f"{row['scores'][key]:.2f}" for key in columns)]
        limits = []
        for label in labels:
            system = by_set.get((row["task"], row["ours"], label))
            cell, estimate = _of(system, row["measure"], confidence, problems)
            cells.append(cell)
            limits.append(_limits(estimate))
            if system is not None and cell:
                mean = system.summary(row["measure"], "test").mean
                scores[label].means[row["dataset"]] = mean
                if estimate is not None:
                    scores[label].estimates[row["dataset"]] = estimate
        out.append(cells)
        if any(limits):
            out.append([f"  {100 * confidence:g}% interval", *skipped, *limits])
        if kinds.count(row["kind"]) > 1 and row["kind"] not in kinds[number + 1 :]:
            of_kind = [one for one in rows if one["kind"] == row["kind"]]
            out.append(_mean(f"{row['kind']}, mean", of_kind, columns, labels, scores, ""))
            bold.update((len(out) - 1, column) for column in range(len(out[-1])))
    for suffix in ("", f"{100 * confidence:g}% interval"):
        line = _mean(suffix or "BLURB score", rows, columns, labels, scores, suffix, confidence)
        if not suffix or any(line[1:]):
            out.append(line)
            bold.update((len(out) - 1, column) for column in range(len(line)))
    others = sorted({(s.task, s.dataset) for s in ours} - named.keys())
    for task, dataset in others:
        systems = [by_set.get((task, dataset, label)) for label in labels]
        measure = next((s.main_measure("test") for s in systems if s is not None), None)
        if measure is not None:
            cells = [_of(system, measure, confidence, problems)[0] for system in systems]
            out.append([f"{dataset} ({MEASURES[measure]}), not BLURB's", *skipped, *cells])
    header = ["set", *(f"{name} [BLURB]" for name in paper["columns"].values()), *labels]
    notes = [f"Published: {paper['source']}. Ours: mean ± standard deviation (seeds)."]
    notes += [
        f"{label}: {len(of.means)} of {len(rows)} sets, so no BLURB score."
        for label, of in scores.items()
        if len(of.means) < len(rows)
    ]
    for label in labels:
        own = [s for s in ours if s.label == label and (s.task, s.dataset) in named]
        notes += [f"{label}: {said}." for said in _departures(own)]
    title = f"{paper['title']}: the mean over kinds of tasks of the mean over a kind's sets"
    return Table(title, header, out, 1, notes, frozenset(bold))


def _departures(found: Sequence[System]) -> list[str]:
    """In what runs are not trained as BLURB's were, and on which sets."""
    out: dict[str, list[str]] = {}
    for system in found:
        dataset = system.runs[0].section("dataset")
        limit, part = dataset.get("train_limit"), dataset.get("limit")
        if limit:
            out.setdefault(f"trained on {limit} examples", []).append(system.dataset)
        if part:
            out.setdefault(f"{part} examples of each split, the test split too", []).append(
                system.dataset
            )
        if dataset.get("train_on") == "train+devel":
            out.setdefault("trained on dev, too", []).append(system.dataset)
    return [f"{said} ({', '.join(sets)})" for said, sets in out.items()]


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['dataset']} ({MEASURES.get(row['measure'], row['measure'])})"


def _of(
    system: System | None, measure: str, confidence: float, problems: list[str]
) -> tuple[str, Comparison | None]:
    """A cell, and the score with its variance where the test units say it."""
    if system is None or measure not in system.measures("test"):
        return "", None
    cell = shown(system.summary(measure, "test"))
    try:
        return cell, method_estimate(load(system, measure, "test").outcomes, confidence)
    except Unscored:
        return cell, None
    except DataError as error:
        problems.append(str(error))
        return cell, None


def _limits(estimate: Comparison | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{max(0.0, estimate.low):.2f} to {min(100.0, estimate.high):.2f}"


def _mean(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    labels: Sequence[str],
    scores: Mapping[str, Scores],
    interval: str,
    confidence: float = 0.95,
) -> list[str]:
    """A row of means over sets, or of their intervals."""
    kinds = [row["kind"] for row in rows]
    cells = [f"  {title}" if interval else title]
    for key in columns:
        score = blurb_score(kinds, [row["scores"][key] for row in rows])
        cells.append("" if interval or score is None else f"{score:.2f}")
    for label in labels:
        own = scores[label]
        estimates = [own.estimates.get(row["dataset"]) for row in rows]
        known = [one for one in estimates if one is not None]
        if interval:
            complete = len(known) == len(rows)
            cells.append(
                _limits(weighted(known, weights_of(kinds), confidence)) if complete else ""
            )
        else:
            score = blurb_score(kinds, [own.means.get(row["dataset"]) for row in rows])
            cells.append("" if score is None else f"{score:.2f}")
    return cells
