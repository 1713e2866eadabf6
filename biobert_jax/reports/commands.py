"""biobert results, compare and report: what finished runs say."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from biobert_jax.errors import DataError

if TYPE_CHECKING:
    from biobert_jax.reports.render import Table
    from biobert_jax.reports.systems import System

RUNS_HELP = (
    "a run's workdir, or a folder of workdirs at any depth (seeds, folds, trials, sweeps); "
    "NAME=PATH gives its runs a name in tables"
)


def declare_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="[NAME=]RUNS", help=RUNS_HELP)
    _declare_table(parser)


def results(args: argparse.Namespace) -> None:
    """Prints a row per method and set; CSV has a row per measure, too, with all digits."""
    from biobert_jax.reports.collected import long, wide

    found, problems = _systems(args.runs, args.split)
    make = long if args.format == "csv" else wide
    _print(make(found, args.split, args.confidence, problems), args)
    _report(problems)


def declare_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("baseline", metavar="[NAME=]BASELINE", help=RUNS_HELP)
    parser.add_argument("systems", nargs="+", metavar="[NAME=]RUNS", help="what to compare with it")
    parser.add_argument("--measure", help="the task's own by default: f1, mrr, ...")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling")
    _declare_table(parser)


def compare(args: argparse.Namespace) -> None:
    """Prints scores, difference, interval, p and corrected p of each system on each set."""
    from biobert_jax.reports.comparison import compare as compare_systems
    from biobert_jax.reports.comparison import correct, table
    from biobert_jax.reports.systems import differing_settings

    baseline, problems = _systems([args.baseline], args.split)
    rows, differing = [], {}
    for argument in args.systems:
        others, more = _systems([argument], args.split)
        problems += more
        shared = {_set(one) for one in baseline} & {_set(one) for one in others}
        if not shared:
            raise DataError(
                f"{args.baseline} and {argument} have no set in common: "
                f"{_sets(baseline)} there, {_sets(others)} here. Compare runs of one set"
            )
        ours = _one_per_set(argument, others, shared)
        for key, a in _one_per_set(args.baseline, baseline, shared).items():
            b = ours[key]
            if a.label == b.label:  # the folders are all that tells them apart
                a, b = a._replace(label=args.baseline), b._replace(label=argument)
            rows.append(compare_systems(a, b, args.split, args.measure, args.confidence, args.seed))
            for name, first, second in differing_settings(a.runs[0], b.runs[0]):
                differing.setdefault(f"{b.label}: {name}", (first, second))
    made = table(correct(rows), args.split, args.confidence)
    settings = [f"{name} {b!r:.60}, not {a!r:.60}" for name, (a, b) in differing.items()]
    notes = [*made.notes, *(["What differs: " + "; ".join(settings)] if settings else [])]
    _print(made._replace(notes=notes), args)
    _report(problems)


def declare_report(parser: argparse.ArgumentParser) -> None:
    runs = f"{RUNS_HELP}; several may be named"
    parser.add_argument("--runs", nargs="+", required=True, metavar="[NAME=]DIR", help=runs)
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the report")
    parser.add_argument(
        "--baseline",
        metavar="LABEL",
        help="what others are compared with, as `biobert results` calls it; by default the system "
        "with most sets",
    )
    parser.add_argument("--confidence", type=_share, default=0.95, help="of intervals")
    parser.add_argument("--no-figures", action="store_true", help="needs no matplotlib")


def report(args: argparse.Namespace) -> None:
    """Writes the paper's tables and figures beside ours: index.html, report.md, report.tex."""
    from biobert_jax.reports.figures import require_matplotlib
    from biobert_jax.reports.report import make_report, write_report
    from biobert_jax.reports.runs import find_runs, without_searches
    from biobert_jax.reports.systems import systems

    if not args.no_figures:
        require_matplotlib()  # before anything is read
    runs, problems = without_searches(find_runs(args.runs))
    made = make_report(
        *(systems(runs), runs, problems, args.baseline, args.confidence),
        with_figures=not args.no_figures,
    )
    from biobert_jax.files import to_path

    folder = to_path(args.output)
    write_report(made, folder)
    _report(made.problems)
    print(f"{folder / 'index.html'}: {len(runs)} runs", file=sys.stderr)


def _declare_table(parser: argparse.ArgumentParser) -> None:
    from biobert_jax.reports.render import FORMATS

    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--confidence", type=_share, default=0.95, help="of intervals")
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.add_argument("--output", metavar="FILE", help="instead of standard output")


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}; expected a number between 0 and 1")
    return value


def _systems(arguments: Sequence[str], split: str) -> "tuple[list[System], list[str]]":
    from biobert_jax.reports.runs import find_runs, without_searches
    from biobert_jax.reports.systems import systems

    found = find_runs(arguments)
    if split == "test":
        found = without_searches(found)
    if not found.runs:
        why = f" ({found.problems[0]})" if found.problems else ""
        raise DataError(
            f"{', '.join(arguments)}: no finished run{why}; expected folders with a results.json"
        )
    return systems(found.runs), found.problems


def _one_per_set(
    argument: str, found: "Sequence[System]", sets: set[tuple[str, str]]
) -> "dict[tuple[str, str], System]":
    """Returns the system on each of the sets.

    Raises:
      DataError: the folder holds two methods on one of them: which one is meant?
    """
    by_set: dict[tuple[str, str], System] = {}
    for system in found:
        before = by_set.setdefault(_set(system), system)
        if before is not system and _set(system) in sets:
            raise DataError(
                f"{argument}: runs of {system.dataset or system.task} with different settings: "
                f"{before.label!r} ({before.runs[0].path}) and {system.label!r} "
                f"({system.runs[0].path}); expected seeds of one. Name one of the folders"
            )
    return {key: system for key, system in by_set.items() if key in sets}


def _set(system: "System") -> tuple[str, str]:
    return system.task, system.dataset


def _sets(found: "Sequence[System]") -> str:
    return ", ".join(sorted({system.dataset or system.task for system in found}))


def _print(table: "Table", args: argparse.Namespace) -> None:
    from biobert_jax.files import write_text
    from biobert_jax.reports.render import render

    if args.output:
        # Wide enough for any table: a file has no window.
        write_text(args.output, render(table, args.format, width=240))
    else:
        width = None if sys.stdout.isatty() else 240
        sys.stdout.write(render(table, args.format, width))


def _report(problems: Sequence[str]) -> None:
    """What was left out, after the table, so that it is seen."""
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
