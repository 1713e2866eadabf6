"""Labels and scores of texts: JSON lines, tab-separated values, and lines for a terminal."""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from biobert_jax.errors import printable
from biobert_jax.inference.formats.columns import cell
from biobert_jax.inference.formats.json_lines import DECIMALS, json_line
from biobert_jax.inference.formats.terminal import COLOURS

if TYPE_CHECKING:
    from biobert_jax.datasets.text_records import Record
    from biobert_jax.inference.classify import Classified

_SHOWN = 100  # characters of a text on a terminal


def labels_jsonl(found: Iterable[tuple["Record", "Classified"]], several: bool) -> Iterator[str]:
    """A line for each text: id, text, perhaps second, label (or labels), probabilities."""
    for record, said in found:
        labels = {"labels": list(said.labels)} if several else {"label": said.labels[0]}
        probabilities = {name: round(p, DECIMALS) for name, p in said.probabilities.items()}
        yield json_line(_base(record) | labels | {"probabilities": probabilities})


def labels_tsv(found: Iterable[tuple["Record", "Classified"]]) -> Iterator[str]:
    """`id predicted` and each label's probability, under a header; labels with | between them."""
    for number, (record, said) in enumerate(found):
        if not number:
            yield "\t".join(("id", "predicted", *map(cell, said.probabilities))) + "\n"
        values = (f"{value:.6f}" for value in said.probabilities.values())
        yield "\t".join((cell(record.id), cell("|".join(said.labels)), *values)) + "\n"


def labels_text(record: "Record", said: "Classified") -> Text:
    """A text behind its labels and their probabilities."""
    out = Text()
    for label in said.labels:
        out.append(printable(label), style=f"bold {COLOURS[0]}")
        out.append(f" {said.probabilities[label]:.2f}  ")
    if not said.labels:
        out.append("no label  ", style="dim")
    return _append_texts(out, record)


def scores_jsonl(found: Iterable[tuple["Record", float]]) -> Iterator[str]:
    """A line for each pair: id, text, second, score."""
    for record, score in found:
        yield json_line(_base(record) | {"score": round(score, DECIMALS)})


def scores_tsv(found: Iterable[tuple["Record", float]]) -> Iterator[str]:
    """`id score`, under a header."""
    for number, (record, score) in enumerate(found):
        if not number:
            yield "id\tscore\n"
        yield f"{cell(record.id)}\t{score:.6f}\n"


def scores_text(record: "Record", score: float) -> Text:
    """A pair behind its score."""
    return _append_texts(Text(f"{score:.2f}  ", style=f"bold {COLOURS[0]}"), record)


def _base(record: "Record") -> dict:
    pair = {} if record.second is None else {"second": record.second}
    return {"id": record.id, "text": record.text, **pair}


def _append_texts(out: Text, record: "Record") -> Text:
    texts = [record.text, *([] if record.second is None else [record.second])]
    for number, text in enumerate(texts):
        squeezed = re.sub(r"\s+", " ", text)
        shown = squeezed if len(squeezed) <= _SHOWN else squeezed[: _SHOWN - 2] + " …"
        out.append("  |  " if number else "", style="dim not bold")
        out.append(printable(shown), style="not bold default")
    return out
