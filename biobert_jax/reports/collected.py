"""Runs collected into one table: each method on each set, with seeds, spread and interval."""

from collections.abc import Sequence

from biobert_jax.errors import DataError
from biobert_jax.evaluation.significance import Summary, method_interval
from biobert_jax.reports.comparison import load, shown
from biobert_jax.reports.predictions import Unscored
from biobert_jax.reports.render import Table
from biobert_jax.reports.systems import MEASURES, System

CSV_HEADER = (
    *("task", "dataset", "system", "split", "measure", "mean", "standard_deviation", "runs"),
    *("low", "high", "test_units", "seeds", "steps", "folders"),
)


def interval(
    system: System, measure: str, split: str, confidence: float, problems: list[str]
) -> tuple[float, float, int] | None:
    """Confidence limits of a system's score and the test units they come from.

    Over test units, and seeds where there are several (`significance.method_interval`). None where
    the task has no predictions per unit, or they are not in order, which is added to `problems`.
    """
    try:
        found = load(system, measure, split)
    except Unscored:
        return None
    except DataError as error:
        problems.append(str(error))
        return None
    return (*method_interval(found.outcomes, confidence), found.units)


def wide(found: Sequence[System], split: str, confidence: float, problems: list[str]) -> Table:
    """A row per method and set: all measures, and the main measure's interval.

    Args:
      found: what to list.
      split: `test` or `validation`; of pre-training it is always the latter.
      confidence: of the interval.
      problems: gets a message for each system whose predictions are not in order.
    """
    has = {name for one in found for name in one.measures(one.split(split))}
    names = [name for name in MEASURES if name in has]
    limits = f"{100 * confidence:g}% interval"
    header = ["task", "set", "system", *(MEASURES[name] for name in names), limits, "seeds"]
    rows = []
    for system in found:
        of = system.split(split)
        cells = [
            _mean(system.summary(name, of)) if name in system.measures(of) else "" for name in names
        ]
        main = system.main_measure(of)
        low_high = interval(system, main, of, confidence, problems) if main else None
        about = (
            f"{MEASURES[main]} {low_high[0]:.2f} to {low_high[1]:.2f}" if main and low_high else ""
        )
        seeds = ", ".join(str(run.seed) for run in system.runs)
        rows.append([system.task, system.dataset, system.label, *cells, about, seeds])
    notes = [f"{split} split: mean ± standard deviation over seeds. Percentages, 0-100."]
    return Table("Results", header, rows, left=3, notes=notes)


def long(found: Sequence[System], split: str, confidence: float, problems: list[str]) -> Table:
    """A row per method, set and measure, with all digits, for other programs to read."""
    rows = []
    for system in found:
        of = system.split(split)
        for measure in system.measures(of):
            mean, deviation, count = system.summary(measure, of)
            limits = interval(system, measure, of, confidence, problems)
            low, high, units = limits if limits else ("", "", "")
            spread = "" if deviation is None else deviation
            row = [system.task, system.dataset, system.label, of, measure, mean, spread, count]
            row += [low, high, units, _joined(run.seed for run in system.runs)]
            row += [_joined(run.results.get("step", "") for run in system.runs)]
            row += [_joined(run.path for run in system.runs)]
            rows.append([str(value) for value in row])
    problems[:] = dict.fromkeys(problems)  # each once, not once a measure
    return Table("Results", CSV_HEADER, rows, left=5)


def _mean(summary: Summary) -> str:
    return shown(summary).rpartition(" ")[0]


def _joined(values) -> str:
    return " ".join(map(str, values))
