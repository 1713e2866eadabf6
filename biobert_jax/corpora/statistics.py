"""The paper's table 1 for corpora that were built here."""

import os
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from biobert_jax.corpora.store import ShardedCorpus
from biobert_jax.reports.published import published

# Which row of table 1 a source is; plain text can be anything.
_ROW = {"pubmed": "PubMed Abstracts", "pmc": "PMC Full-text articles"}


def corpus_rows(folders: Sequence[str | os.PathLike[str]]) -> list[dict[str, object]]:
    """What each corpus holds, beside the published corpus of its kind.

    Returns:
      For each folder `folder`, `source`, `documents`, `sentences`, `words`, `tokens`,
      `unknown_share` (0 to 1), `pieces_per_word`, the `corpus` of table 1 that it corresponds to
      and its `published_words`, both None where there is none.

    Raises:
      DataError: a folder is no finished corpus.
    """
    words = {row["corpus"]: row["words"] for row in published("table_1")["rows"]}
    rows = []
    for folder in folders:
        manifest = ShardedCorpus(folder).manifest
        corpus = _ROW.get(manifest.get("source", ""))
        counts = ("documents", "sentences", "words", "tokens", "unknown_share")
        rows.append(
            {
                "folder": os.fspath(folder),
                "source": manifest.get("source"),
                **{name: manifest[name] for name in counts},
                "pieces_per_word": manifest["tokens"] / max(1, manifest["words"]),
                "corpus": corpus,
                "published_words": words.get(corpus) if corpus else None,
            }
        )
    return rows


def print_corpora(rows: Sequence[dict[str, Any]], console: Console | None = None) -> None:
    """Prints `corpus_rows`, and the published corpora that none of them corresponds to."""
    console = console or Console()
    table_1 = published("table_1")
    table = Table(title=f"Words, beside those of {table_1['source']}")
    table.add_column("corpus", overflow="fold")
    for name in ("here", "in the paper", "share"):
        table.add_column(name, justify="right")
    for row in rows:
        theirs = row["published_words"]
        table.add_row(
            f"{row['folder']} ({row['corpus']})" if row["corpus"] else str(row["folder"]),
            _rounded(row["words"]),
            _rounded(theirs) if theirs else "",
            f"{100 * row['words'] / theirs:.2g}%" if theirs else "",
        )
    ours = {row["corpus"] for row in rows}
    for row in table_1["rows"]:
        if row["corpus"] not in ours:
            table.add_row(row["corpus"], "", _rounded(row["words"]), "", style="dim")
    console.print(table)

    table = Table(title="What was built")
    table.add_column("corpus", overflow="fold")
    counts = ("documents", "sentences", "tokens")
    for name in (*counts, "tokens/word", "[UNK]"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["folder"]),
            *(_rounded(row[name]) for name in counts),
            f"{row['pieces_per_word']:.2f}",
            f"{100 * row['unknown_share']:.2f}%",
        )
    console.print(table)
    console.print("Words are blank-separated, titles included. --json gives exact counts.")


def _rounded(count: float) -> str:
    """Three digits, as the paper prints counts: 13.5B."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return f"{count:.0f}"
