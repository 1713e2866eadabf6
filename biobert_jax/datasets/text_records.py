"""Files of texts, or pairs of texts, with a label, a set of labels or a score: TSV and JSON lines.

TSV, gzipped or not, has a header that names its columns, in any order:

    text    also sentence, sent1, sentence1, question        the text, or the first of a pair
    second  also sent2, sentence2, context                   the other text of the pair
    label   also answer                                      one class
    labels                                                   several, or none, with | between them
    score                                                    a number
    id      also index, pair_id                              what predictions call it
    group   also document                                    what is scored together, as sentences
                                                             of one abstract are

Without a header a line is `text label`, or `id text second label` (BLURB's BioASQ). JSON lines are
objects of the same names; `labels` is a list there.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import JSON, TEXT
from biobert_jax.files import parse_json, read_text, split_lines, to_path

_NAMES = {
    "text": ("text", "sentence", "sent1", "sentence1", "question"),
    "second": ("second", "sent2", "sentence2", "context"),
    "label": ("label", "answer"),
    "labels": ("labels",),
    "score": ("score",),
    "id": ("id", "index", "pair_id"),
    "group": ("group", "document"),
}
_COLUMNS = {name: column for column, names in _NAMES.items() for name in names}
_HALLMARKS = re.compile(r"\d+_[01](,\d+_[01])*")  # 0_0,1_1,...: the form of BLURB's HoC
BETWEEN_LABELS = "|"

TARGETS = {
    "label": "`label` (one class) or `labels` (several, with | between them)",
    "score": "`score` (a number)",
}
"""What a reader may want to know of each text, and how a file says it."""


class Record(NamedTuple):
    """A text, or a pair of texts, and what is known of it.

    Attributes:
      id: what predictions call it.
      text: the text, or the first of a pair.
      second: the other text of a pair; None for a text alone.
      labels: its classes; none where they are unknown, or where it has none of several.
      several: whether its file says which of several labels it has, not its one class.
      score: its number; NaN where it is unknown.
      group: of what it is a part; "" where it stands for itself.
      where: file and line, for messages.
    """

    id: str
    text: str
    second: str | None
    labels: tuple[str, ...]
    several: bool
    score: float
    group: str
    where: str


def read_records(path: str | Path, target: str = "", may_be_empty: bool = False) -> list[Record]:
    """Reads a file; its first character distinguishes JSON lines from TSV.

    Args:
      path: the file.
      target: `label`, `score`, or "" where neither is needed.
      may_be_empty: whether a file without any text is right.

    Raises:
      DataError: a line that is not of the form above; names the file, the line and what to do.
    """
    path = to_path(path)
    records = parse_records(read_text(path, TEXT, JSON), at(path), target)
    if not records and not may_be_empty:
        raise DataError(
            f"{at(path)}: no text in this file; {_expected(target)}. Put the texts there, or point "
            "to another file"
        )
    return records


def parse_records(text: str, where: str, target: str = "") -> list[Record]:
    """Reads a file's text; see `read_records`."""
    numbered = enumerate(split_lines(text, where), start=1)
    lines = [(number, line) for number, line in numbered if line.strip()]
    if lines and lines[0][1].lstrip().startswith("{"):
        rows = [(number, _object(line, where, number)) for number, line in lines]
    else:
        rows = _table(where, lines, target)
    records = [_record(row, at(where, n), str(i), target) for i, (n, row) in enumerate(rows)]
    for record in records:
        if (record.second is None) != (records[0].second is None):
            raise DataError(
                f"{record.where}: found {'one text' if record.second is None else 'a pair'}, and "
                f"{'a pair' if record.second is None else 'one text'} at {records[0].where}; "
                "expected one kind in a file. Split the file"
            )
        if record.several != records[0].several and target == "label":
            raise DataError(
                f"{record.where}: found `{'labels' if record.several else 'label'}`, and "
                f"`{'label' if record.several else 'labels'}` at {records[0].where}; expected one "
                "of them throughout"
            )
    return records


def _expected(target: str) -> str:
    known = f", {TARGETS[target]}" if target else ""
    return (
        f"expected a header that names the columns: `text`{known}, and perhaps `second`, `id`, "
        "`group`; or JSON lines with these names"
    )


def _table(
    where: str, lines: Sequence[tuple[int, str]], target: str
) -> list[tuple[int, dict[str, Any]]]:
    if not lines:
        return []
    number, first = lines[0]
    names = [name.strip().lower() for name in first.split("\t")]
    if set(names) <= _COLUMNS.keys():
        columns = [_COLUMNS[name] for name in names]
        lines = lines[1:]
        wanted = [target] if target == "score" else ["label", "labels"] if target else []
        twice = len(set(columns)) < len(columns)
        if twice or "text" not in columns or (wanted and not set(wanted) & set(columns)):
            raise DataError(
                f"{at(where, number)}: found the header {first[:80]!r}; {_expected(target)}, each "
                "once. Correct the header"
            )
    elif len(names) > 1 and (known := [name for name in names if name in _COLUMNS]):
        others = ", ".join(repr(name[:40]) for name in names if name not in _COLUMNS)
        raise DataError(
            f"{at(where, number)}: found {known[0]!r}, as in a header, beside {others}; "
            f"{_expected(target)}. Rename the columns, and leave others out"
        )
    elif target == "label" and len(names) == 2:
        columns = ["text", "label"]
    elif target == "label" and len(names) == 4:
        columns = ["id", "text", "second", "label"]
    elif not target and len(names) < 3:
        columns = ["text", "second"][: len(names)]
    else:
        raise DataError(
            f"{at(where, number)}: found {len(names)} columns without a header in {first[:80]!r}; "
            f"{_expected(target)}. Put the header in the first line"
        )
    rows = []
    for number, line in lines:
        values = line.split("\t")
        if len(values) != len(columns):
            raise DataError(
                f"{at(where, number)}: found {len(values)} columns in {line[:80]!r}; expected "
                f"{len(columns)}: {', '.join(columns)}. Add what is missing, or replace tabs "
                "within a text by blanks"
            )
        row: dict[str, Any] = dict(zip(columns, map(str.strip, values), strict=True))
        if "labels" in row:
            row["labels"] = _labels_of_cell(row["labels"])
        rows.append((number, row))
    return rows


def _labels_of_cell(cell: str) -> list[str]:
    if _HALLMARKS.fullmatch(cell):
        return [one.split("_")[0] for one in cell.split(",") if one.endswith("_1")]
    return [label.strip() for label in cell.split(BETWEEN_LABELS) if label.strip()]


def _object(line: str, where: str, number: int) -> dict[str, Any]:
    found = parse_json(line, where, number)
    if not isinstance(found, dict):
        raise DataError(f"{at(where, number)}: found {line[:80]!r}; expected an object")
    row: dict[str, Any] = {}
    for name, value in found.items():
        column = _COLUMNS.get(name.lower())
        if column is None:  # what else a file says of a text is its own business
            continue
        if column in row:
            raise DataError(
                f"{at(where, number)}: found {name!r} and another name for {column!r}; expected one"
            )
        row[column] = value
    return row


def _record(row: Mapping[str, Any], where: str, number: str, target: str) -> Record:
    texts = {}
    for column, default in (("text", ""), ("second", None), ("id", number), ("group", "")):
        value = row.get(column, default)
        if isinstance(value, int) and not isinstance(value, bool) and column in ("id", "group"):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise DataError(f"{where}: {column} is {value!r:.60}; expected text")
        texts[column] = value
    for column, called in (("text", "no text"), ("second", "no second text")):
        if texts[column] is not None and not texts[column].strip():
            raise DataError(
                f"{where}: found {called}; expected something to read on each side. Fill the "
                "column, or remove the line"
            )
    several, labels = "labels" in row, ()
    if target == "label":
        labels = _labels(row, where)
    score = _score(row.get("score"), where) if target == "score" else math.nan
    return Record(
        texts["id"], texts["text"], texts["second"], labels, several, score, texts["group"], where
    )


def _labels(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    found = row.get("labels", [row["label"]] if "label" in row else None)
    if not isinstance(found, list) or not all(
        isinstance(one, str | int) and not isinstance(one, bool) and str(one).strip()
        for one in found
    ):
        raise DataError(
            f"{where}: its label is {found!r:.60}; expected {TARGETS['label']}, not empty. Add it, "
            "or remove the line"
        )
    labels = tuple(dict.fromkeys(str(one).strip() for one in found))
    broken = [label for label in labels if set(label) & set("\t\n\r" + BETWEEN_LABELS)]
    if broken:
        raise DataError(
            f"{where}: found the label {broken[0]!r:.60}; expected one without tabs, line ends and "
            f"{BETWEEN_LABELS}, which separate labels in files of predictions. Rename it"
        )
    return labels


def _score(value: Any, where: str) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise DataError(
            f"{where}: its score is {value!r:.60}; expected a number such as 2.5. Correct it, or "
            "remove the line"
        )
    return score
