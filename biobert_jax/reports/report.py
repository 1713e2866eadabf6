"""biobert report: the paper's tables and figures with ours: Markdown, LaTeX, one HTML page."""

import importlib.resources
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from biobert_jax.errors import DataError
from biobert_jax.files import atomic_writing, write_text
from biobert_jax.reports import blurb, comparison, paper, series
from biobert_jax.reports.figures import Figure, curves_figure, lines_figure
from biobert_jax.reports.render import (
    Table,
    escape,
    latex,
    markdown,
    to_html,
    to_latex,
    to_markdown,
)
from biobert_jax.reports.runs import Run
from biobert_jax.reports.systems import System, alike

TITLE = "BioBERT: the paper's results and ours"
MAX_CURVES = 24  # figures of training curves in a report

_CURVES = (
    ("loss", "metrics.jsonl", "loss"),
    ("learning rate", "metrics.jsonl", "learning_rate"),
    ("gradient norm", "metrics.jsonl", "grad_norm"),
    ("real tokens per second", "throughput.jsonl", "real_tokens_per_second"),
)


class Report(NamedTuple):
    """What a report holds.

    Attributes:
      summary: sentences.
      tables: in order.
      figures: of the paper.
      curves: of training.
      problems: what was left out, and why.
    """

    summary: list[str]
    tables: list[Table]
    figures: list[Figure]
    curves: list[Figure]
    problems: list[str]


def choose_baseline(found: Sequence[System], runs: Sequence[Run], asked: str | None) -> str | None:
    """The system that others are compared with.

    The one asked for; else that which pre-training began with; else that with most sets and runs.

    Raises:
      DataError: no system is called so.
    """
    scored = [s for s in found if s.task != "pretraining"]
    labels = sorted({s.label for s in scored})
    if asked is not None:
        if asked not in labels:
            raise DataError(f"--baseline {asked}: expected one of {', '.join(labels) or 'none'}")
        return asked
    if len(labels) < 2:
        return None
    inits = {run.config.get("init") for run in runs if run.task == "pretraining"}

    def rank(label: str) -> tuple[bool, int, int]:
        own = [s for s in scored if s.label == label]
        origin = any(s.runs[0].config.get("init") in inits for s in own)
        return origin, len(own), sum(len(s.runs) for s in own)

    return max(labels, key=rank)


def compare_all(
    found: Sequence[System], baseline: str | None, confidence: float, problems: list[str]
) -> list[comparison.Row]:
    """Every system against the baseline on every set that both have; p-values corrected.

    Where the baseline's encoder was fine-tuned with a system's own settings, too, that is what the
    system is compared with: 1,000 training sentences with 1,000.
    """
    rows = []
    reference = {(s.task, s.dataset): s for s in found if s.label == baseline}
    inits = {system.init for system in reference.values()}
    for system in found:
        place = (system.task, system.dataset)
        if system.task == "pretraining" or place not in reference:
            continue
        same = [s for s in found if (s.task, s.dataset) == place and alike(s, system)]
        own = next((s for s in same if s.init in inits and s is not system), reference[place])
        if system is reference[place] or system is own:
            continue
        try:
            rows.append(comparison.compare(own, system, confidence=confidence))
        except DataError as error:
            problems.append(str(error))
    return comparison.correct(rows)


def make_report(
    found: Sequence[System],
    runs: Sequence[Run],
    problems: Sequence[str],
    baseline: str | None = None,
    confidence: float = 0.95,
    with_figures: bool = True,
) -> Report:
    """Makes the tables and draws the figures.

    Args:
      found: our systems.
      runs: all runs, pre-training included.
      problems: what was left out so far.
      baseline: a label; see `choose_baseline`.
      confidence: of intervals.
      with_figures: False where matplotlib is not installed.
    """
    left_out = list(problems)
    main = [system for system in found if not series.on_the_way(system, runs)]
    chosen = choose_baseline(main, runs, baseline)
    rows = compare_all(main, chosen, confidence, left_out)
    tables = [paper.table_1(found), paper.table_2(found), paper.table_3(found)]
    tables += [paper.scores_table(n, main, rows, confidence, left_out) for n in (4, 5, 6)]
    if (of_blurb := blurb.table(main, confidence, left_out)) is not None:
        tables.append(of_blurb)
    if rows:
        differences = comparison.table(rows, "test", confidence)
        tables.append(
            differences._replace(
                title=f"Differences from the baseline, {chosen}",
                header=_without(differences.header, 2),
                rows=[_without(row, 2) for row in differences.rows],
                left=3,
            )
        )
    tasks = sorted({s.task for s in found})
    summary = [
        f"{len(runs)} runs of {len(found)} combinations of method and set "
        f"({', '.join(tasks) or 'none'}). Blank cells: nothing ran.",
        "Scores are percentages on the test split: mean ± standard deviation over seeds, with the "
        "number of seeds in brackets. Intervals and p-values count the chance of the test set "
        "and, with two seeds or more, of the seeds.",
        f"Baseline of the comparisons: {chosen}." if chosen else "One system: nothing to compare.",
    ]
    figures = _paper_figures(found, runs, rows) if with_figures else []
    curves = _curves(found, left_out) if with_figures else []
    if len(main) < len(found):
        summary.append(
            "Systems that began with a checkpoint on the way, or with a part of a corpus, are in "
            "Figures 2 and 3 only."
        )
    return Report(summary, tables, figures, curves, list(dict.fromkeys(left_out)))


def write_report(report: Report, folder: Path) -> None:
    """Writes index.html, report.md, report.tex and figures/*.svg, *.png.

    Raises:
      WriteError: the folder cannot be written.
    """
    for figure in [*report.figures, *report.curves]:
        write_text(folder / "figures" / f"{figure.name}.svg", figure.svg)
        with atomic_writing(folder / "figures" / f"{figure.name}.png") as temporary:
            temporary.write_bytes(figure.png)
    write_text(folder / "report.md", as_markdown(report))
    write_text(folder / "report.tex", as_latex(report))
    write_text(folder / "index.html", as_html(report))


def as_markdown(report: Report) -> str:
    parts = [f"# {markdown(TITLE)}", *map(markdown, report.summary)]
    parts += [to_markdown(table).strip() for table in report.tables]
    for title, figures in (("Figures", report.figures), ("Training", report.curves)):
        if figures:
            parts.append(f"## {title}")
        for figure in figures:
            caption = markdown(figure.caption)
            parts.append(f"![{caption}](figures/{figure.name}.png)\n\n{caption}")
    if report.problems:
        parts.append("## Left out")
        parts.append("\n".join(f"- {markdown(problem)}" for problem in report.problems))
    return "\n\n".join(parts) + "\n"


def as_latex(report: Report) -> str:
    """A document for pdflatex, lualatex or xelatex; each table can be copied out of it."""
    parts = [
        r"\documentclass{article}",
        r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage{textcomp,booktabs,graphicx}",
        rf"\title{{{latex(TITLE)}}}\date{{}}",
        r"\begin{document}\maketitle",
        *map(latex, report.summary),
    ]
    # As wide as the page, since ours are any number of columns.
    wide = [r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"]
    for table in report.tables:
        text = to_latex(table)
        begin, end = text.index(r"\begin{tabular}"), text.index(r"\end{tabular}")
        end += len(r"\end{tabular}")
        parts.append(text[:begin] + wide[0] + "\n" + text[begin:end] + "}" + text[end:])
    for figure in [*report.figures, *report.curves]:
        parts.append(
            r"\begin{figure}[ht]\centering"
            rf"\includegraphics[width=0.6\linewidth]{{figures/{figure.name}.png}}"
            rf"\caption{{{latex(figure.caption)}}}\end{{figure}}"
        )
    return "\n\n".join([*parts, r"\end{document}"]) + "\n"


def as_html(report: Report) -> str:
    """One page that needs no network and no other file."""
    style = importlib.resources.files("biobert_jax.reports") / "report.css"
    sections = [("tables", "Tables", "".join(map(to_html, report.tables)))]
    for key, title, figures in (
        ("figures", "Figures", report.figures),
        ("training", "Training", report.curves),
    ):
        if figures:
            sections.append((key, title, "".join(map(_html_figure, figures))))
    if report.problems:
        items = "".join(f"<li>{escape(problem)}</li>" for problem in report.problems)
        sections.append(("left-out", "Left out", f"<ul>{items}</ul>"))
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in sections)
    body = "".join(
        f'<section id="{key}"><h2>{title}</h2>{content}</section>\n'
        for key, title, content in sections
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(TITLE)}</title>\n<style>\n"
        f"{style.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(TITLE)}</h1>"
        f"{''.join(f'<p>{escape(sentence)}</p>' for sentence in report.summary)}</header>\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n'
        "</body>\n</html>\n"
    )


def _without(cells: Sequence[str], column: int) -> list[str]:
    return [*cells[:column], *cells[column + 1 :]]


def _html_figure(figure: Figure) -> str:
    svg = figure.svg.replace("<svg", f'<svg role="img" aria-label="{escape(figure.caption)}"', 1)
    return f"<figure>{svg}<figcaption>{escape(figure.caption)}</figcaption></figure>\n"


def _paper_figures(
    found: Sequence[System], runs: Sequence[Run], rows: Sequence[comparison.Row]
) -> list[Figure]:
    spread = "Mean and standard deviation over seeds."
    printed = "The paper draws this figure and prints no numbers of it."
    figures = []
    if lines := series.by_corpus_size(found, runs):
        caption = f"Figure 2. Scores against the size of the pre-training corpus. {spread}"
        axes = ("words of the pre-training corpus", "score")
        words = [x for line in lines for x in line.x]
        wide = max(words) > 20 * min(words)
        figure = lines_figure("figure-2", f"{caption} {printed}", lines, *axes, logarithmic=wide)
        figures.append(figure)
    if lines := series.by_steps(found, runs):
        caption = f"Figure 3. Scores against the steps of pre-training. {spread}"
        axes = ("steps of pre-training", "score")
        figures.append(lines_figure("figure-3", f"{caption} {printed}", lines, *axes))
    lines = series.gains(found, rows)
    baseline = next((f", {row.baseline.label}," for row in rows), "")
    caption = (
        f"Figure 4. Gain over the baseline{baseline} against the size of the fine-tuning set. "
        "The paper's points are from its Tables 3 to 6; our bars are confidence intervals."
    )
    axes = ("training examples", "gain (points of F1 or MRR)")
    figures.append(lines_figure("figure-4", caption, lines, *axes, logarithmic=True, connect=False))
    return figures


def _curves(found: Sequence[System], problems: list[str]) -> list[Figure]:
    by_set: dict[tuple[str, str], list[System]] = {}
    for system in found:
        by_set.setdefault((system.task, system.dataset), []).append(system)
    figures = []
    for (task, dataset), systems in by_set.items():
        panels = []
        for title, file, name in _CURVES:
            lines = [
                (s.label, [series.curve(run, file, name, problems) for run in s.runs])
                for s in systems
            ]
            if drawn := [line for line in lines if any(x for x, _ in line[1])]:
                panels.append((title, drawn))
        if not panels:
            continue
        if len(figures) == MAX_CURVES:
            problems.append(f"curves of more than {MAX_CURVES} sets: the others are not drawn")
            break
        caption = f"Training of {task}{f' on {dataset}' if dataset else ''}, a line per seed."
        figures.append(curves_figure(f"training-{len(figures) + 1}", caption, panels))
    return figures
