"""Files of marked sentences with a label: TSV in its public variants, and JSON lines.

TSV, with or without a header, gzipped or not: `sentence label` or `id sentence label`. BioBERT's
GAD and EU-ADR, both masked forms of ChemProt and most people's own files are of that kind.

JSON lines, one object per line: `{"text": ..., "label": ...}` with marks in the text (SciBERT), or
raw text with offsets, `{"text": ..., "entities": [{"start": 0, "end": 4, "type": "GENE"}, ...],
"label": ...}`. With more than two entities, `"pair": [i, j]` says which two are meant.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import JSON, TEXT
from biobert_jax.files import parse_json, read_text, split_lines, to_path
from biobert_jax.text.entity_marking import METHODS, Entity, Span, find_marks

_STEMS = {"train": ("train",), "validation": ("devel", "dev", "valid"), "test": ("test",)}
_SUFFIXES = (".tsv", ".txt", ".jsonl", ".json")
_NAMES = {"sentence": "text", "text": "text", "label": "label", "index": "id", "id": "id"}
_EXPECTED = "expected `sentence<TAB>label` or `id<TAB>sentence<TAB>label`"


class RelationExample(NamedTuple):
    """A sentence with its pair of entities marked.

    Attributes:
      id: what predictions call it.
      text: the sentence, marked.
      label: its class; what ChemProt's variants write as False, and DDI's as
        DDI-false, is `false`; "" where it is unknown.
      marks: [start, end) of each mark in the text; none where the marks are of no known kind.
      where: file and line, for messages.
    """

    id: str
    text: str
    label: str
    marks: tuple[Span, ...]
    where: str


def find_splits(folder: Path) -> dict[str, Path]:
    """Finds the files of `train`, `validation` (devel, dev or valid; there may be none) and `test`.

    Raises:
      DataError: a file is missing, or there are two for a split.
    """
    if not folder.is_dir():
        raise DataError(
            f"{at(folder)}: no such folder; expected one with train.tsv and test.tsv, perhaps "
            "dev.tsv. Check dataset.path"
        )
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    found = {}
    for split, stems in _STEMS.items():
        wanted = {s + x + z for s in stems for x in _SUFFIXES for z in ("", ".gz")}
        matches = [name for name in names if name in wanted]
        if len(matches) > 1:
            raise DataError(
                f"{at(folder)}: {', '.join(matches)} could each be the {split} split; expected one "
                "file for it. Keep the right one there and move the others away"
            )
        if matches:
            found[split] = folder / matches[0]
    missing = [split for split in ("train", "test") if split not in found]
    if missing:
        raise DataError(
            f"{at(folder)}: found {', '.join(names[:20]) or 'no files'}; expected also "
            f"{', '.join(f'{split}.tsv' for split in missing)} (or .txt, .jsonl, each also with "
            ".gz). Add the file, or name the folder it is in"
        )
    return found


def read_relations(
    path: str | Path, marking: str = "anonymise", may_be_empty: bool = False
) -> list[RelationExample]:
    """Reads a file; its first character distinguishes JSON lines from TSV.

    Args:
      path: the file.
      marking: `anonymise` or `wrap`, for entities that are given by offsets.
      may_be_empty: whether a file without any example is right (BioBERT's dev.tsv are).

    Raises:
      DataError: a line that is not of the form above; names the file and the line.
    """
    path = to_path(path)
    examples = parse_relations(read_text(path, TEXT, JSON), at(path), marking)
    if not examples and not may_be_empty:
        raise DataError(
            f"{at(path)}: no example in this file; {_EXPECTED}, or JSON lines. Put the examples "
            "there, or point dataset.path to another folder"
        )
    return examples


def parse_relations(
    text: str, where: str, marking: str = "anonymise", labelled: bool = True
) -> list[RelationExample]:
    """Reads a file's text; see `read_relations`.

    Args:
      text: of the file.
      where: what messages call the file.
      marking: as in `read_relations`.
      labelled: whether every example must have a label. If not, a line of TSV may be a sentence
        alone, or have the columns that a header names.
    """
    numbered = enumerate(split_lines(text, where), start=1)
    lines = [(number, line) for number, line in numbered if line.strip()]
    if lines and lines[0][1].lstrip().startswith(("{", '[{"')):
        return [_from_json(where, number, line, marking, labelled) for number, line in lines]
    return _from_tsv(where, lines, labelled)


def _from_tsv(file: str, lines: Sequence[tuple[int, str]], labelled: bool) -> list[RelationExample]:
    columns = _header(file, lines, labelled)
    if columns:
        lines = lines[1:]
    without_header = {2: ("text", "label"), 3: ("id", "text", "label")}
    if not labelled:
        without_header[1] = ("text",)
    examples = []
    for number, line in lines:
        values = line.split("\t")
        names = columns or without_header.get(len(values), ())
        if len(values) != len(names):
            raise DataError(
                f"{at(file, number)}: found {len(values)} column{'s' * (len(values) > 1)} in "
                f"{line[:80]!r}; {_EXPECTED}{' as in the header' if columns else ''}. Add what is "
                "missing, or replace tabs within the sentence by blanks"
            )
        row = dict(zip(names, map(str.strip, values), strict=True))
        for name in ("text", "label") if labelled else ("text",):
            if not row[name]:
                raise DataError(
                    f"{at(file, number)}: found no {'sentence' if name == 'text' else name} in "
                    f"{line[:80]!r}; {_EXPECTED}. Fill the column, or remove the line"
                )
        id_ = row.get("id", str(len(examples)))
        examples.append(
            RelationExample(
                id_,
                row["text"],
                canonical_label(row.get("label", "")),
                find_marks(row["text"]),
                at(file, number),
            )
        )
    return examples


def _header(file: str, lines: Sequence[tuple[int, str]], labelled: bool) -> tuple[str, ...] | None:
    """The columns that the first line names; None where it is no header."""
    if not lines:
        return None
    number, header = lines[0]
    names = [name.strip().lower() for name in header.split("\t")]
    is_header = names[-1] == "label" or set(names) <= _NAMES.keys()
    if not is_header:
        return None
    columns = tuple(_NAMES.get(name, "?") for name in names)
    allowed = [["label", "text"], ["id", "label", "text"]]
    if not labelled:
        allowed += [["text"], ["id", "text"]]
    if sorted(columns) not in allowed:
        raise DataError(
            f"{at(file, number)}: found the header {header[:80]!r}; {_EXPECTED}, under "
            "those names. Rename the columns, and leave others out"
        )
    return columns


def _from_json(file: str, number: int, line: str, marking: str, labelled: bool) -> RelationExample:
    record, where = parse_json(line, file, number), at(file, number)
    if not isinstance(record, dict):
        raise DataError(f'{where}: found {line[:80]!r}; expected an object with "text" and "label"')
    text, label = record.get("text"), record.get("label", None if labelled else "")
    if (
        not isinstance(text, str)
        or not text.strip()
        or not isinstance(label, str | int)
        or (labelled and not str(label).strip())
        or not isinstance(record.get("id", ""), str | int)
    ):
        raise DataError(
            f'{where}: found {line[:80]!r}; expected a "text" and a "label" that are not '
            'empty, and perhaps an "id", a string or number. Add what is missing, or remove the '
            "line"
        )
    id_ = str(record.get("id", number - 1))
    label = canonical_label(str(label))
    if "entities" not in record:
        return RelationExample(id_, text, label, find_marks(text), where)
    first, second = _pair(record, where)
    try:
        marked = METHODS[marking](text, first, second)
    except DataError as error:
        raise DataError(f"{where}: record {id_!r}: {error}") from error
    return RelationExample(id_, marked.text, label, marked.marks, where)


def _pair(record: dict[str, Any], where: str) -> tuple[Entity, Entity]:
    entities, pair = record["entities"], record.get("pair", [0, 1])
    try:
        if "pair" not in record and len(entities) != 2:
            raise ValueError(f"{len(entities)} entities and no pair")
        i, j = pair
        if i == j or min(i, j) < 0:
            raise ValueError(f"the pair {pair}")
        found = [entities[k] for k in (i, j)]
        offsets = [value for e in found for value in (e["start"], e["end"])]
        if not all(type(value) is int for value in offsets):
            raise ValueError(f"offsets {offsets}")
        first, second = (Entity(e["start"], e["end"], str(e["type"]).upper()) for e in found)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            f"{where}: found {str(entities)[:80]} ({type(error).__name__}: {error}); expected "
            '"entities", a list of {"start": 0, "end": 4, "type": "GENE"}, and, with more than '
            'two of them, "pair": [i, j], counted from 0. Correct this record'
        ) from error
    return first, second


def canonical_label(label: str) -> str:
    """`false` for every spelling of it, and for DDI's name of it."""
    return "false" if label.lower() in ("false", "ddi-false") else label
