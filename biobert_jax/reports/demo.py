"""What experiments.demo prints."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from biobert_jax.evaluation.baselines import entities, recall_by_familiarity
from biobert_jax.evaluation.ner import TaggedSentence, score

# The colour of each type, in the order of the types.
COLOURS = ("magenta", "cyan", "green", "yellow", "blue", "red")


def abstracts(folder: Path, shards: Path, console: Console | None = None) -> None:
    """Prints what there is to read: the PubMed files, and the shards that they became.

    Args:
      folder: of the PubMed files.
      shards: of the corpus that was built of them.
      console: where to; standard output by default.
    """
    console = console or _console()
    manifest = json.loads((shards / "manifest.json").read_text(encoding="utf-8"))
    first = min(folder.glob("*.xml.gz"))
    console.rule("[bold]1. PubMed files, invented on the spot, become shards", align="left")
    console.print(
        f"{folder}: {manifest['documents']:,} abstracts of {manifest['words']:,} words that nobody "
        f"has labelled, in the form that PubMed comes in ({first.name}, ...). In the shards, "
        f"{manifest['tokens']:,} pieces of a vocabulary of {manifest['vocabulary']['size']:,} that "
        "was made from the same text.\n"
    )
    console.rule("[bold]2. A small BERT reads them, guessing masked pieces", align="left")


def sentences(train: Sequence[TaggedSentence], console: Console | None = None) -> None:
    """Prints how much there is to learn names from, and three sentences of it."""
    console = console or _console()
    found = [entity for s in train for entity in entities(s.words, s.tags)]
    types = sorted({type_ for _, type_ in found})
    console.print()
    console.rule("[bold]3. It learns names from a few sentences with labels", align="left")
    console.print(
        f"{len(train):,} training sentences with {len(found):,} entities ({len(set(found)):,} "
        f"names) of the types {', '.join(types)}. Once from random parameters, once from those "
        "that have read.\n"
    )
    for sentence in train[:3]:
        console.print(Padding(_tagged(sentence.words, sentence.tags, types), (0, 0, 0, 2)))
    console.print()


def comparison(
    train: Sequence[TaggedSentence],
    words: Sequence[Sequence[str]],
    gold: Sequence[Sequence[str]],
    predictions: Mapping[str, Sequence[Sequence[str]]],
    read: str,
    console: Console | None = None,
) -> None:
    """Prints the entity-level scores of several ways to tag the test sentences.

    Args:
      train: what names are known from.
      words, gold: the test sentences and their tags.
      predictions: for each way its tags; the last is the model's.
      read: what the model has read before, in lower case.
      console: where to; standard output by default.
    """
    console = console or _console()
    known = {entity for s in train for entity in entities(s.words, s.tags)}
    rows: dict[str, Any] = {
        name: (score(gold, tags), recall_by_familiarity(known, zip(words, gold, tags, strict=True)))
        for name, tags in predictions.items()
    }
    share = next(iter(rows.values()))[1]["unseen_share"]
    console.print()
    console.rule("[bold]4. How well it does on sentences it has not seen", align="left")
    found = [entity for pair in zip(words, gold, strict=True) for entity in entities(*pair)]
    new = sum(e not in known and " ".join(e[0]) not in read for e in found) / max(1, len(found))
    console.print(
        f"{len(gold):,} test sentences; {share:.0f}% of their entities never occur in the "
        f"sentences with labels, {100 * new:.0f}% not in the abstracts either.\n"
    )
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("exact entities, %", no_wrap=True)
    for name in ("precision", "recall", "F1", "recall: known names", "new names"):
        table.add_column(name, justify="right")
    last = list(rows)[-1]
    for name, (scores, recall) in rows.items():
        values = [scores["precision"], scores["recall"], scores["f1"]]
        values += [recall["known"], recall["unseen"]]
        style = "bold green" if name == last else ""
        table.add_row(name, *(f"{value:.1f}" for value in values), style=style)
    for type_, scores in rows[last][0]["per_type"].items():
        values = [f"{scores[key]:.1f}" for key in ("precision", "recall", "f1")]
        table.add_row(f"  {type_}", *values, "", "", style="dim")
    console.print(table)


def annotations(texts: Sequence[Text], workdir: Path, console: Console | None = None) -> None:
    """Prints annotated sentences, and what to try next."""
    console = console or _console()
    console.print()
    console.rule("[bold]5. It reads new text", align="left")
    console.print()
    for text in texts:
        console.print(Padding(text, (0, 0, 1, 2)))
    console.print(
        "Your own sentences, in colour, or as jsonl, conll, brat, pubtator, bioc, html:\n",
        style="dim",
    )
    console.print(
        f"  echo 'Melivumab relieved chronic nephrosis.' | {_command()} annotate --model {workdir}",
        highlight=False,
        soft_wrap=True,
    )


def _command() -> str:
    """How this environment's console script is called from here."""
    script = Path(sys.executable).with_name("biobert")
    return os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)


def _console() -> Console:
    return Console(highlight=False)


def _tagged(words: Sequence[str], tags: Sequence[str], types: Sequence[str]) -> Text:
    """A tokenised sentence with its entities in colour."""
    out = Text()
    for i, (word, tag) in enumerate(zip(words, tags, strict=True)):
        following = tags[i + 1] if i + 1 < len(tags) else "O"
        if tag == "O":
            out.append(f"{word} ")
            continue
        colour = COLOURS[types.index(tag[2:]) % len(COLOURS)]
        out.append(word, style=f"bold {colour}")
        if following[0] != "I":
            out.append(f" {tag[2:]}", style=f"dim {colour}")
        out.append(" ")
    return out
