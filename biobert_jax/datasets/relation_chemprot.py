"""ChemProt from its official files: candidate pairs of the entities in a sentence.

The BioCreative VI corpus (track 5) comes as ChemProt_Corpus.zip, which holds a folder, or a zip, a
part. A part has three files without headers (and a gold_standard file, which repeats those of the
relations that count):

    abstracts   PMID title abstract
    entities    PMID T1 CHEMICAL|GENE-Y|GENE-N start end text
    relations   PMID CPR:3 "Y " ACTIVATOR Arg1:T13 Arg2:T57

Offsets are characters into title + one separator + abstract. Only the five groups whose flag is Y
are evaluated; the others, CPR:0 among them, count as `false` here as they do in the preprocessed
forms that the paper and BLUE use.
"""

import bisect
import dataclasses
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from biobert_jax.datasets.archive import read_member
from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.errors import DataError, at
from biobert_jax.files import local, split_lines
from biobert_jax.text.entity_marking import METHODS, Entity, Span
from biobert_jax.text.sentences import split_sentences

PARTS = {"train": "training", "validation": "development", "test": "test"}
SCORED = ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9")
NEGATIVE = "false"

_SUFFIXES = ("", "_gs")  # the test files' names end in _gs, for gold standard
_OFFSET = re.compile(r"[0-9]{1,9}")
logger = logging.getLogger(__name__)


@dataclasses.dataclass
class ChemProtPart:
    """A part of the corpus as pairs.

    Attributes:
      examples: every chemical with every gene of the same sentence; `PMID.T1.T2`, chemical first.
      abstracts, relations: how many were read; `relations` counts the evaluated ones.
      unreached: for each class, evaluated relations that no example represents.
      crossing: those of them whose entities are in different sentences.
      second: those of them whose pair has another relation before them in the file.
    """

    examples: list[RelationExample]
    abstracts: int = 0
    relations: int = 0
    unreached: Counter[str] = dataclasses.field(default_factory=Counter)
    crossing: int = 0
    second: int = 0


def read_chemprot(path: str | Path, marking: str = "anonymise") -> dict[str, ChemProtPart]:
    """Reads training, development and test from ChemProt_Corpus.zip or the folder it unpacks to.

    Args:
      path: the zip or the folder.
      marking: `anonymise` (`@CHEMICAL$`, `@GENE$`, and `@CHEM-GENE$` where the two overlap) or
        `wrap`.

    Raises:
      DataError: a file is missing or damaged, or a line is not of its form.
    """
    return {split: read_part(local(path), part, marking) for split, part in PARTS.items()}


def read_part(path: Path, part: str, marking: str = "anonymise") -> ChemProtPart:
    """Reads one of `training`, `development`, `test` and `sample`; see `read_chemprot`."""
    texts: dict[str, tuple[str, list[Span]]] = {}
    for where, (pmid, title, abstract) in _rows(path, part, "abstracts", 3):
        if pmid in texts:
            raise DataError(f"{where}: found abstract {pmid} again; expected each once")
        texts[pmid] = (f"{title} {abstract}", _sentences(title, abstract))
    mentions = _read_mentions(path, part, texts)
    out = ChemProtPart([], len(texts))
    gold: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for where, row in _rows(path, part, "relations", 6):
        pmid, group, flag, _, *arguments = row
        pair = [argument.partition(":")[2] for argument in arguments]
        known = mentions.get(pmid, {})
        if not all(name in known for name in pair):
            raise DataError(
                f"{where}: found arguments {' and '.join(arguments)} of abstract {pmid}, which has "
                f"{len(known)} entities, not both of these; expected Arg1:T.. and Arg2:T.. of the "
                "entities file. Use files of the same release"
            )
        groups = gold[pmid, pair[0], pair[1]]
        # The flag has a trailing blank there; two kinds of one group are one relation.
        if flag.strip() == "Y" and group not in groups:
            groups.append(group)
            out.relations += 1
    for pmid, (text, sentences) in texts.items():
        _add_pairs(out, at(path), pmid, text, sentences, mentions.get(pmid, {}), gold, marking)
    for groups in gold.values():  # what no pair has taken out
        out.crossing += len(groups)
        out.unreached.update(groups)
    logger.info(
        "ChemProt %s: %d abstracts, %d pairs, %d relations; not a pair's class: %d between "
        "sentences, %d second relations of a pair",
        part,
        out.abstracts,
        len(out.examples),
        out.relations,
        out.crossing,
        out.second,
    )
    return out


def join_sentences(sentences: Sequence[Span], mentions: Sequence[Span]) -> list[Span]:
    """Joins neighbouring sentences wherever a mention runs over the boundary between them.

    Args:
      sentences: [start, end) in order, blanks between them allowed.
      mentions: [start, end) within the same text, in any order.
    """
    starts = [start for start, _ in sentences]
    joined = set()  # sentences that are one with the next
    for start, end in mentions:
        first = max(0, bisect.bisect_right(starts, start) - 1)
        last = bisect.bisect_left(starts, end) - 1
        joined.update(range(first, last))
    out: list[Span] = []
    for number, (start, end) in enumerate(sentences):
        if number and number - 1 in joined:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out


def _sentences(title: str, abstract: str) -> list[Span]:
    shift = len(title) + 1
    return split_sentences(title) + [
        (start + shift, end + shift) for start, end in split_sentences(abstract)
    ]


def _read_mentions(
    path: Path, part: str, texts: dict[str, tuple[str, list[Span]]]
) -> dict[str, dict[str, Entity]]:
    mentions: dict[str, dict[str, Entity]] = defaultdict(dict)
    for where, (pmid, name, type_, start, end, written) in _rows(path, part, "entities", 6):
        text = texts.get(pmid, ("", []))[0]
        is_place = _OFFSET.fullmatch(start) and _OFFSET.fullmatch(end)
        if not is_place or text[int(start) : int(end)] != written:
            raise DataError(
                f"{where}: found {written!r} at {start}:{end} of abstract {pmid}, where the text "
                f"of {len(text)} characters does not have it; expected offsets in characters into "
                "title + one blank + abstract. Use files of the same release"
            )
        # The test files distinguish GENE-Y (normalisable) from GENE-N; the pair does not.
        kind = "CHEMICAL" if type_ == "CHEMICAL" else "GENE"
        mentions[pmid][name] = Entity(int(start), int(end), kind)
    return mentions


def _add_pairs(
    out: ChemProtPart,
    where: str,
    pmid: str,
    text: str,
    sentences: list[Span],
    mentions: dict[str, Entity],
    gold: dict[tuple[str, str, str], list[str]],
    marking: str,
) -> None:
    """Appends the pairs of an abstract, and takes what they reach out of `gold`."""
    whole = join_sentences(sentences, [(e.start, e.end) for e in mentions.values()])
    starts = [start for start, _ in whole]
    within: dict[int, list[tuple[str, Entity]]] = defaultdict(list)
    for name, entity in mentions.items():
        number = bisect.bisect_right(starts, entity.start) - 1
        shift = starts[number]
        moved = Entity(entity.start - shift, entity.end - shift, entity.type)
        within[number].append((name, moved))
    for number, (start, end) in enumerate(whole):
        chemicals = [m for m in within[number] if m[1].type == "CHEMICAL"]
        genes = [m for m in within[number] if m[1].type == "GENE"]
        for chemical, at_chemical in chemicals:
            for gene, at_gene in genes:
                first, *others = gold.pop((pmid, chemical, gene), None) or [NEGATIVE]
                out.second += len(others)
                out.unreached.update(others)
                marked = METHODS[marking](text[start:end], at_chemical, at_gene, "CHEM-GENE")
                id_ = f"{pmid}.{chemical}.{gene}"
                out.examples.append(
                    RelationExample(id_, marked.text, first, marked.marks, f"{where}: {id_}")
                )


def _rows(path: Path, part: str, kind: str, columns: int) -> Iterator[tuple[str, list[Any]]]:
    names = [f"chemprot_{part}_{kind}{suffix}.tsv" for suffix in _SUFFIXES]
    where, text = read_member(path, names)
    for number, line in enumerate(split_lines(text, where), start=1):
        if not line:
            continue
        row = line.split("\t")
        if len(row) != columns:
            raise DataError(
                f"{at(where, number)}: found {len(row)} columns in {line[:80]!r}; expected "
                f"{columns}, separated by tabs. Copy the corpus again"
            )
        yield at(where, number), row
