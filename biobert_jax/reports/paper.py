"""Tables 1 to 6 of the paper, ours beside them; blank where nothing ran."""

from collections.abc import Mapping, Sequence
from typing import Any

from biobert_jax.reports.collected import interval
from biobert_jax.reports.comparison import Row, p_value, shown
from biobert_jax.reports.pretrained import corpora, words_read
from biobert_jax.reports.published import published
from biobert_jax.reports.render import Table
from biobert_jax.reports.runs import as_object, label_of_init
from biobert_jax.reports.systems import MEASURES, System, better

AVERAGE = "Average"  # the row of the paper's tables 4 to 6
LETTERS = {"precision": "P", "recall": "R", "f1": "F", "strict_accuracy": "S"} | {
    "lenient_accuracy": "L",
    "mrr": "M",
}


def table_1(found: Sequence[System]) -> Table:
    """Corpora: the paper's, and those that our pre-training runs read."""
    paper = published("table_1")
    rows = [[r["corpus"], r["domain"], _billions(r["words"]), ""] for r in paper["rows"]]
    ours = {}
    for system in _pretraining(found):
        for corpus in corpora(system.runs[0]):
            ours[corpus.name] = corpus
    for name, corpus in sorted(ours.items()):
        source = corpus.manifest.get("source", "")
        rows.append([f"ours: {name}", str(source), "", _thousands(corpus.words)])
    header = ["corpus", "domain or source", "words (paper)", "words (ours)"]
    return Table(_title(1, paper), header, rows, left=2, notes=[_source(paper)])


def table_2(found: Sequence[System]) -> Table:
    """Combinations of corpora: the paper's, and our pre-training runs with their losses."""
    paper = published("table_2")
    rows = [[r["corpus"], r["domain"], *[""] * 5] for r in paper["rows"]]
    for system in _pretraining(found):
        run, scores = system.runs[0], system.measures("validation")
        names = " + ".join(corpus.name for corpus in corpora(run)) or "generated corpus"
        init = label_of_init(str(run.config.get("init", "")))
        measured = [
            shown(system.summary(name, "validation")) if name in scores else ""
            for name in ("mlm_loss", "mlm_accuracy")
        ]
        step = run.results.get("step")
        steps = _thousands(step if isinstance(step, int) else None)
        rows.append(
            [f"ours: {system.label}", f"{init} + {names}", _thousands(words_read(run)), steps]
            + [*measured, ", ".join(str(r.seed) for r in system.runs)]
        )
    header = ["corpora", "domain, or from what and with what", "words", "steps"]
    header += ["held-out MLM loss", "MLM accuracy", "seeds"]
    return Table(_title(2, paper), header, rows, left=2, notes=[_source(paper)])


def table_3(found: Sequence[System]) -> Table:
    """Sizes of the sets: the paper's, and those of our runs."""
    paper = published("table_3")
    rows = []
    for row in paper["rows"]:
        ours = [s for s in found if s.dataset == row["ours"]]
        counts = examples(ours[0]) if ours else {}
        cells = [row["task"], row["dataset"], row["entity_type"]]
        for split in ("train", "validation", "test"):
            cells += [_thousands(row[split]), _thousands(counts.get(split))]
        rows.append(cells)
    header = ["task", "set", "entity type", "train", "ours", "valid", "ours", "test", "ours"]
    notes = [_source(paper), "Ours: sentences, pairs or questions that a run read."]
    return Table(_title(3, paper), header, rows, left=3, notes=notes)


def examples(system: System) -> Mapping[str, int]:
    """Examples of each split, as far as results.json says."""
    results = system.runs[0].results
    counts = as_object(as_object(results.get("data")).get("examples"))
    out = {split: n for split, n in counts.items() if isinstance(n, int)}
    for split in ("validation", "test"):
        scores = system.runs[0].scores(split)
        counts = as_object(scores.get("counts"))
        for name in ("sentences", "pairs"):
            if isinstance(counts.get(name), int):
                out.setdefault(split, counts[name])
        if isinstance(scores.get("questions"), int):
            out.setdefault(split, scores["questions"])
    return out


def scores_table(
    number: int,
    found: Sequence[System],
    rows: Sequence[Row],
    confidence: float,
    problems: list[str],
) -> Table:
    """Tables 4, 5 and 6: a row per set and measure, the paper's columns, then ours.

    Args:
      number: of the table.
      found: our systems, of any task.
      rows: comparisons with the baseline, corrected.
      confidence: of intervals.
      problems: gets a message for each system whose predictions are not in order.
    """
    paper = published(f"table_{number}")
    named = {row["ours"]: row for row in paper["rows"] if row["ours"]}
    mine = [s for s in found if s.task == paper["task"]]
    labels = list(dict.fromkeys(s.label for s in mine))
    compared = {(row.system.dataset, row.system.label): row for row in rows}
    out, bold = [], set()

    def add(cells: Sequence[str], best: Sequence[int] = ()) -> None:
        bold.update((len(out), column) for column in best)
        out.append(list(cells))

    others = sorted({s.dataset for s in mine if s.dataset not in named})
    blank: dict[str, Any] = {"entity_type": None, "scores": {}}
    sets = [*paper["rows"], *({"dataset": o, "ours": o} | blank for o in others)]
    shared = _shared(mine, labels, named)
    for row in sets:
        if row["dataset"] == AVERAGE:
            for average in _averages(paper, mine, labels, shared):
                add(average)
            continue
        ours = {s.label: s for s in mine if row["ours"] and s.dataset == row["ours"]}
        name = _set_name(row)
        measures = [*paper["measures"], *_more(ours.values(), paper["measures"], row)]
        for measure in measures:
            theirs = row["scores"].get(measure, {})
            cells = [name, LETTERS.get(measure, MEASURES.get(measure, measure))]
            cells += [_two(theirs.get(key)) for key in paper["columns"]]
            means = {}
            for label in labels:
                system = ours.get(label)
                summary = None
                if system is not None and measure in system.measures("test"):
                    summary = system.summary(measure, "test")
                cells.append(shown(summary) if summary else "")
                if summary:
                    means[len(cells) - 1] = summary.mean
            add(cells, [*_best(theirs, list(paper["columns"])), *_best_of(measure, means)])
            name = ""
        if ours:
            _add_statistics(
                add, ours, labels, len(paper["columns"]), compared, confidence, problems
            )
    header = ["set", "", *(f"{label} [paper]" for label in paper["columns"].values()), *labels]
    notes = [_source(paper) + " Ours: mean ± standard deviation (seeds). Best in bold."]
    if 0 < len(shared) < len(named):
        over = ", ".join(_set_name(named[dataset]) for dataset in shared)
        notes.append(f"Average of {len(shared)}, ours and the paper's: over {over}.")
    if rows:
        baseline = ", ".join(sorted({row.baseline.label for row in rows}))
        notes.append(f"p: against {baseline}, two-sided, Holm-corrected over the whole report.")
    return Table(_title(number, paper), header, out, 2, notes, frozenset(bold))


def _shared(mine: Sequence[System], labels: Sequence[str], named: Mapping[str, Any]) -> list[str]:
    """The paper's sets on which all our systems were tested, in the paper's order."""
    tested = {(s.dataset, s.label) for s in mine if s.measures("test")}
    return [d for d in named if labels and all((d, label) in tested for label in labels)]


def _averages(
    paper: Mapping[str, Any], mine: Sequence[System], labels: Sequence[str], shared: Sequence[str]
) -> list[list[str]]:
    """Rows of averages over sets: the paper's own, and over the sets that ours share with it."""
    whole = next(row for row in paper["rows"] if row["dataset"] == AVERAGE)
    named = {row["ours"]: row for row in paper["rows"] if row["ours"]}
    complete = len(shared) == len(named)
    by_set = {(s.dataset, s.label): s for s in mine}

    def ours(measure: str) -> list[str]:
        out = []
        for label in labels:
            systems = [by_set[dataset, label] for dataset in shared]
            known = all(measure in system.measures("test") for system in systems)
            means = [system.summary(measure, "test").mean for system in systems if known]
            out.append(_two(sum(means) / len(means)) if means else "")
        return out

    rows, name = [], AVERAGE
    for measure in paper["measures"]:
        theirs = [_two(whole["scores"][measure].get(key)) for key in paper["columns"]]
        mean = ours(measure) if complete else [""] * len(labels)
        rows.append([name, LETTERS[measure], *theirs, *mean])
        name = ""
    if complete or not shared:
        return rows
    name = f"{AVERAGE} of {len(shared)}"
    for measure in paper["measures"]:
        scores = [named[dataset]["scores"][measure] for dataset in shared]
        theirs = []
        for key in paper["columns"]:
            known = [one[key] for one in scores if one.get(key) is not None]
            theirs.append(_two(sum(known) / len(known)) if len(known) == len(scores) else "")
        rows.append([name, LETTERS[measure], *theirs, *ours(measure)])
        name = ""
    return rows


def _add_statistics(add, ours, labels, skip, compared, confidence, problems) -> None:
    limits, tests = [], []
    for label in labels:
        system = ours.get(label)
        main = system.main_measure("test") if system else None
        found = interval(system, main, "test", confidence, problems) if main else None
        limits.append(f"{found[0]:.2f} to {found[1]:.2f}" if found else "")
        row = compared.get((system.dataset, label)) if system else None
        tests.append("" if row is None or row.corrected is None else p_value(row.corrected))
    main = next((s.main_measure("test") for s in ours.values()), None)
    letter = LETTERS.get(main, MEASURES.get(main, "")) if main else ""
    if any(limits):
        add(["", f"{100 * confidence:g}% interval of {letter}", *[""] * skip, *limits])
    if any(tests):
        add(["", "p", *[""] * skip, *tests])


def _more(ours, measures: Sequence[str], row: Mapping[str, Any]) -> list[str]:
    """Other measures of sets that the paper does not have, such as SQuAD's."""
    if row["scores"]:
        return []
    return [
        name
        for name in MEASURES
        if name not in measures and any(name in s.measures("test") for s in ours)
    ]


def _best(scores: Mapping[str, float], columns: Sequence[str]) -> list[int]:
    best = max(scores.values(), default=None)
    return [2 + columns.index(key) for key, value in scores.items() if value == best]


def _best_of(measure: str, means: Mapping[int, float]) -> list[int]:
    if len(means) < 2:
        return []
    return [c for c, m in means.items() if not any(better(measure, o, m) for o in means.values())]


def _pretraining(found: Sequence[System]) -> list[System]:
    return [system for system in found if system.task == "pretraining"]


def _title(number: int, paper: Mapping[str, Any]) -> str:
    return f"Table {number}. {paper['title']}"


def _source(paper: Mapping[str, Any]) -> str:
    return f"Published: {paper['source']}."


def _set_name(row: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (row["dataset"], _bracketed(row["entity_type"]))))


def _bracketed(text: str | None) -> str:
    return f"({text})" if text else ""


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _thousands(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _billions(value: float) -> str:
    return f"{value / 1e9:.1f} B"
