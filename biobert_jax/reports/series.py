"""The points of Figures 2, 3 and 4 and of training curves, from runs."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from biobert_jax.errors import DataError
from biobert_jax.files import read_lines
from biobert_jax.reports.comparison import Row
from biobert_jax.reports.paper import examples
from biobert_jax.reports.pretrained import origin, words_read
from biobert_jax.reports.published import published
from biobert_jax.reports.runs import Run, settings
from biobert_jax.reports.systems import System

MAX_POINTS = 300  # of a drawn curve


class Line(NamedTuple):
    """Points of a line or cloud.

    Attributes:
      label: for the legend.
      x, y: of each point.
      low, high: ends of each point's error bar; equal to y where there is none.
      names: of each point; empty where they have none.
    """

    label: str
    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]
    names: list[str]


def by_corpus_size(found: Sequence[System], runs: Sequence[Run]) -> list[Line]:
    """Figure 2: scores against the words of the pre-training corpus, runs of equal steps."""
    groups: dict[tuple[str, str], dict[int, System]] = {}
    for system, run, step in _with_origin(found, runs):
        words = words_read(run)
        if words and step == run.results.get("step"):
            # Subsets of one mixture, as dataset.max_words makes them; others are other lines.
            mixture = repr(run.section("dataset").get("corpora"))
            key = f"{system.dataset}, {step:,} steps", mixture
            groups.setdefault(key, {})[words] = system
    return [_line(label, points) for (label, _), points in groups.items() if len(points) > 1]


def on_the_way(system: System, runs: Sequence[Run]) -> bool:
    """Whether a system began with a checkpoint on the way, or with a part of a corpus.

    Such are points of Figures 2 and 3, no columns of tables, and no comparisons to correct for.
    """
    start = origin(str(system.runs[0].config.get("init", "")), runs)
    if start is None or system.runs[0].name:
        return False
    run, step = start
    return step != run.results.get("step") or bool(run.section("dataset").get("max_words"))


def by_steps(found: Sequence[System], runs: Sequence[Run]) -> list[Line]:
    """Figure 3: scores against the steps of pre-training at a run's checkpoints; 0: its init."""
    groups: dict[tuple[str, Path], dict[int, System]] = {}
    for system, run, step in _with_origin(found, runs):
        groups.setdefault((system.dataset, run.path), {})[step] = system
    out = []
    for (dataset, path), points in groups.items():
        run = next(run for run in runs if run.path == path)
        first = next(iter(points.values()))
        for system in found:
            same_set = (system.task, system.dataset) == (first.task, dataset)
            init = system.runs[0].config.get("init")
            if same_set and init == run.config.get("init") and _alike(system, first):
                points.setdefault(0, system)
        if len(points) > 1:
            out.append(_line(f"{dataset}, {path.name}", points))
    return sorted(out, key=lambda line: -len(line.x))


def gains(found: Sequence[System], rows: Sequence[Row]) -> list[Line]:
    """Figure 4: what a system gains over the baseline, against the training examples of the set.

    The paper's is that of BioBERT (+ PubMed + PMC) over BERT, from its Tables 3 to 6.
    """
    sizes = {row["ours"]: row["train"] for row in published("table_3")["rows"]}
    paper: list[tuple[float, float, str]] = []
    for number, measure in ((4, "f1"), (5, "f1"), (6, "mrr")):
        for row in published(f"table_{number}")["rows"]:
            scores = row["scores"][measure]
            if row["ours"]:
                gain = scores["biobert_pubmed_pmc"] - scores["bert_wiki_books"]
                paper.append((sizes[row["ours"]], gain, row["dataset"]))
    x, y, names = map(list, zip(*sorted(paper), strict=True))
    out = [Line("paper: BioBERT (+ PubMed + PMC) over BERT", x, y, y, y, names)]
    ours: dict[str, list[tuple[float, float, float, float, str]]] = {}
    for row in rows:
        size = examples(row.system).get("train") or sizes.get(row.system.dataset)
        if size and row.system.task != "pretraining":
            gain = row.scores[1].mean - row.scores[0].mean
            c = row.comparison
            low = high = gain
            if c is not None and c.low is not None and c.high is not None:
                low, high = c.low, c.high
            label = row.system.label
            name = "" if row.system.dataset in sizes else row.system.dataset  # the paper's has it
            ours.setdefault(label, []).append((size, gain, low, high, name))
    for label, points in ours.items():
        columns = map(list, zip(*sorted(points), strict=True))
        out.append(Line(label, *columns))
    return out


def curve(run: Run, file: str, name: str, problems: list[str]) -> tuple[list[float], list[float]]:
    """Steps and values of a measure in metrics.jsonl or throughput.jsonl, at most MAX_POINTS.

    A last line that is cut belongs to a run in progress, and is left out; any other line that is
    no record is added to `problems`.
    """
    path = run.parts[0] / file
    if not path.is_file():
        return [], []
    points: list[tuple[float, float]] = []
    try:
        lines = list(read_lines(path))
    except DataError as error:
        problems.append(str(error))
        return [], []
    for number, line in lines:
        try:
            record = json.loads(line)
            step = record["step"]
            value = record.get(name)
        except (ValueError, KeyError, TypeError, AttributeError):
            if number < len(lines):
                problems.append(f"{path}:{number}: {line!r:.60}; expected a JSON object with step")
            continue
        numbers = all(isinstance(v, int | float) and math.isfinite(v) for v in (step, value))
        if value is not None and numbers:
            points.append((step, value))
    every = math.ceil(len(points) / MAX_POINTS) if points else 1
    kept = points[::every]
    return [x for x, _ in kept], [y for _, y in kept]


def _with_origin(found: Sequence[System], runs: Sequence[Run]):
    for system in found:
        if system.task != "pretraining" and system.main_measure("test"):
            start = origin(str(system.runs[0].config.get("init", "")), runs)
            if start:
                yield system, *start


def _alike(a: System, b: System) -> bool:
    """Whether two systems differ in what they began with only."""
    first, second = (settings(s.runs[0]) for s in (a, b))
    return {**first, "init": ""} == {**second, "init": ""}


def _line(label: str, points: dict[int, System]) -> Line:
    x, y, low, high = [], [], [], []
    for position in sorted(points):
        system = points[position]
        summary = system.summary(system.main_measure("test") or "", "test")
        spread = summary.deviation or 0.0
        x.append(position)
        y.append(summary.mean)
        low.append(summary.mean - spread)
        high.append(summary.mean + spread)
    return Line(label, x, y, low, high, [])
