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
from biobert_jax.reports.runs import Run, settings, short_names
from biobert_jax.reports.systems import System, alike, differences

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
    groups: dict[tuple[str, ...], dict[int, System]] = {}
    for system, run, step in _with_origin(found, runs):
        words = words_read(run)
        if words and step == run.results.get("step"):
            # Subsets of one mixture, as dataset.max_words makes them; others are other lines.
            mixture = repr(run.section("dataset").get("corpora"))
            key = f"{system.dataset}, {step:,} steps", mixture, _fine_tuning(system)
            groups.setdefault(key, {})[words] = system
    return _lines([(label, points) for (label, *_), points in groups.items() if len(points) > 1])


def on_the_way(system: System, runs: Sequence[Run]) -> bool:
    """Whether a system began with a checkpoint on the way, or with a part of a corpus.

    Such are points of Figures 2 and 3, no columns of tables, and no comparisons to correct for.
    """
    start = origin(system.init, runs)
    if start is None or system.runs[0].name:
        return False
    run, step = start
    return step != run.results.get("step") or bool(run.section("dataset").get("max_words"))


def by_steps(found: Sequence[System], runs: Sequence[Run]) -> list[Line]:
    """Figure 3: scores against the steps of pre-training at a run's checkpoints; 0: its init."""
    groups: dict[tuple[str, Path, str], dict[int, System]] = {}
    for system, run, step in _with_origin(found, runs):
        groups.setdefault((system.dataset, run.path, _fine_tuning(system)), {})[step] = system
    for (dataset, path, _), points in groups.items():
        run = next(run for run in runs if run.path == path)
        first = next(iter(points.values()))
        for system in found:
            same_set = (system.task, system.dataset) == (first.task, dataset)
            if same_set and system.init == run.config.get("init") and alike(system, first):
                points.setdefault(0, system)
    drawn = {key: points for key, points in groups.items() if len(points) > 1}
    names = short_names(str(path) for _, path, _ in drawn)
    out = _lines([(f"{key[0]}, {names[str(key[1])]}", points) for key, points in drawn.items()])
    return sorted(out, key=lambda line: -len(line.x))


def gains(found: Sequence[System], rows: Sequence[Row]) -> list[Line]:
    """Figure 4: what a system gains over the baseline, against the training examples of the set.

    The paper's is that of BioBERT (+ PubMed + PMC) over BERT, from its Tables 3 to 6. Sets that are
    scored otherwise than by F1 or MRR are left out: their points are others.
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
        # What other settings gain with the same encoder is not what pre-training gains.
        other_encoder = row.system.init != row.baseline.init
        if size and other_encoder and row.measure in ("f1", "mrr"):
            gain = row.scores[1].mean - row.scores[0].mean
            c = row.comparison
            low = high = gain
            if c is not None and c.low is not None and c.high is not None:
                low, high = c.low, c.high
            label = row.system.encoder or row.system.label
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
            start = origin(system.init, runs)
            if start:
                yield system, *start


def _fine_tuning(system: System) -> str:
    """Its settings but the encoder: points of one line have the same."""
    return repr(sorted({**settings(system.runs[0]), "init": ""}.items()))


def _lines(groups: Sequence[tuple[str, dict[int, System]]]) -> list[Line]:
    """A line of each group; those of one label have the settings in which they differ besides."""
    out = []
    for label, points in groups:
        same = [next(iter(others.values())) for other, others in groups if other == label]
        own = same.index(next(iter(points.values())))
        extra = differences(same)[own] if len(same) > 1 else ""
        out.append(_line(", ".join(filter(None, (label, extra))), points))
    return out


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
