"""Systems against a baseline, set by set: differences, intervals, p-values."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from biobert_jax.errors import DataError
from biobert_jax.evaluation import significance
from biobert_jax.evaluation.significance import Comparison, Summary
from biobert_jax.evaluation.units import Outcomes, stack
from biobert_jax.reports.predictions import Unscored, load_scored
from biobert_jax.reports.render import Table
from biobert_jax.reports.systems import System


class Row(NamedTuple):
    """A system beside the baseline on one set.

    Attributes:
      baseline, system: on the set.
      measure: what was compared.
      scores: mean and spread of each over its seeds.
      units: of the test set; 0 where the task has no predictions per unit.
      comparison: what the test says; None where one run each leaves nothing to test.
      corrected: the p-value after Holm's correction over the table.
    """

    baseline: System
    system: System
    measure: str
    scores: tuple[Summary, Summary]
    units: int
    comparison: Comparison | None
    corrected: float | None = None


class Loaded(NamedTuple):
    """A system's outcomes on its test set and the set's fingerprint."""

    outcomes: Outcomes
    fingerprint: str
    units: int


def load(system: System, measure: str, split: str) -> Loaded:
    """Reads the outcomes of all runs of a system.

    Raises:
      DataError: a file of predictions is not in order, or the runs' test sets differ.
      Unscored: the task has no predictions per unit.
    """
    scored = [load_scored(run, measure, split) for run in system.runs]
    for run, one in zip(system.runs, scored, strict=True):
        if one.fingerprint != scored[0].fingerprint:
            raise _other_test_set(system.runs[0].path, scored[0].size, run.path, one.size)
    outcomes = stack([one.outcomes for one in scored])
    return Loaded(outcomes, scored[0].fingerprint, scored[0].size)


def compare(
    baseline: System,
    system: System,
    split: str = "test",
    measure: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Row:
    """Compares two systems on their set.

    With at least two seeds each: `significance.compare_methods`. With one run each: approximate
    randomisation, and the interval of the paired bootstrap, which speak of these two runs. With one
    run of one and several of the other: the paired bootstrap. For tasks without predictions per
    unit: Welch's t-test over seeds, with at least two each.

    Raises:
      DataError: the runs have no such score, or were tested on different data.
    """
    split = system.split(split)
    measure = measure or baseline.main_measure(split) or ""
    for one in (baseline, system):
        if measure not in one.measures(split):
            raise DataError(
                f"{one.runs[0].path}: no {measure or 'score'} of {split} in results.json; it has "
                f"{', '.join(one.measures(split)) or 'none'}. Name another --measure or --split"
            )
    scores = (baseline.summary(measure, split), system.summary(measure, split))
    try:
        a, b = load(baseline, measure, split), load(system, measure, split)
    except Unscored:
        found = _over_seeds(baseline.values(measure, split), system.values(measure, split))
        return Row(baseline, system, measure, scores, 0, found)
    if a.fingerprint != b.fingerprint:
        raise _other_test_set(baseline.runs[0].path, a.units, system.runs[0].path, b.units)
    found = fitting_test(a.outcomes, b.outcomes, confidence, seed)
    return Row(baseline, system, measure, scores, a.units, found)


def fitting_test(a: Outcomes, b: Outcomes, confidence: float, seed: int) -> Comparison:
    """The test that fits the numbers of runs; see `compare`."""
    runs = (len(a.counts), len(b.counts))
    if min(runs) > 1:
        return significance.compare_methods(a, b, confidence)
    drawn = significance.paired_bootstrap(a, b, confidence, seed=seed)
    if runs != (1, 1):
        return drawn
    swapped = significance.approximate_randomisation(a, b, seed=seed)
    return swapped._replace(low=drawn.low, high=drawn.high)


def correct(rows: Sequence[Row]) -> list[Row]:
    """Adds Holm's correction over all rows that have a p-value."""
    found = {i: row.comparison for i, row in enumerate(rows) if row.comparison is not None}
    tested = list(found)
    corrected = significance.holm([comparison.p_value for comparison in found.values()])
    out = list(rows)
    for i, p_value in zip(tested, corrected, strict=True):
        out[i] = rows[i]._replace(corrected=p_value)
    return out


def table(rows: Sequence[Row], split: str, confidence: float = 0.95) -> Table:
    """The table of a paper: scores, difference, interval, p and corrected p."""
    header = ["set", "measure", "baseline", "system", "baseline's score", "system's score"]
    header += ["difference", f"{100 * confidence:g}% interval", "p", "p (Holm)", "test"]
    cells = [
        [
            row.system.dataset,
            row.measure,
            row.baseline.label,
            row.system.label,
            *(shown(s) for s in row.scores),
            *compared(row),
            row.comparison.test if row.comparison else "one run each: none",
        ]
        for row in rows
    ]
    notes = _over_sets(rows, confidence)
    notes.append(f"Scores of the {split} split: mean ± standard deviation (seeds).")
    if any(row.comparison and row.units and row.comparison.variance is None for row in rows):
        notes.append(
            "Approximate randomisation and the paired bootstrap speak of these runs only; another "
            "seed may give another winner. Two seeds or more of each make it a test of methods."
        )
    return Table("Comparison", header, cells, left=4, notes=notes)


def shown(summary: Summary) -> str:
    """A mean, its spread and the number of seeds."""
    if summary.deviation is None:
        return f"{summary.mean:.2f} (1)"
    return f"{summary.mean:.2f} ± {summary.deviation:.2f} ({summary.count})"


def compared(row: Row) -> list[str]:
    """Difference, interval, p and corrected p as text; what is not known is blank."""
    difference = signed(row.scores[1].mean - row.scores[0].mean)
    found = row.comparison
    if found is None:
        return [difference, "", "", ""]
    limits = ""
    if found.low is not None and found.high is not None:
        limits = f"{signed(found.low)} to {signed(found.high)}"
    corrected = "" if row.corrected is None else p_value(row.corrected)
    return [difference, limits, p_value(found.p_value), corrected]


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def p_value(value: float) -> str:
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _over_sets(rows: Sequence[Row], confidence: float) -> list[str]:
    """For each pair of systems on several sets what its sets say together."""
    pairs: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        pairs.setdefault((row.baseline.label, row.system.label), []).append(row)
    notes = []
    for (baseline, system), together in pairs.items():
        found = [row.comparison for row in together if row.comparison and row.units]
        if len(found) < 2:
            continue
        parts = [f"{system} against {baseline} over {len(found)} sets:"]
        if all(c.variance is not None for c in found):
            mean = significance.over_sets(found, confidence)
            assert mean.low is not None
            assert mean.high is not None
            parts.append(
                f"mean difference {signed(mean.difference)} ({signed(mean.low)} to "
                f"{signed(mean.high)}, p {p_value(mean.p_value)} for just these sets),"
            )
        p = significance.wilcoxon_over_sets([c.difference for c in found])
        least = "" if len(found) > 5 else "; fewer than six sets cannot reach 0.05"
        notes.append(f"{' '.join(parts)} Wilcoxon's signed-rank test p {p_value(p)}{least}.")
    return notes


def _over_seeds(a: Sequence[float], b: Sequence[float]) -> Comparison | None:
    if min(len(a), len(b)) < 2 or not (np.ptp(a) or np.ptp(b)):
        return None
    from scipy import stats

    found: Any = stats.ttest_ind(b, a, equal_var=False)
    low, high = found.confidence_interval()
    difference = float(np.mean(b) - np.mean(a))
    p = float(found.pvalue) if math.isfinite(found.pvalue) else 1.0
    return Comparison(difference, float(low), float(high), p, "t-test over seeds only")


def _other_test_set(path, units, other_path, other_units) -> DataError:
    return DataError(
        f"{path} and {other_path}: different test sets ({units:,} and {other_units:,} units, whose "
        "tokens or gold answers differ); expected one. Compare runs that were tested on the same "
        "files, with the same dataset.limit"
    )
