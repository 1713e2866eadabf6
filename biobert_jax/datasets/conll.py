"""The reader of CoNLL-style files that all named entity recognition sets go through.

One word per line, its columns separated by tabs or spaces: the first is the word, the last its tag,
what stands between is ignored. Sentences are separated by blank lines; `-DOCSTART-` lines begin
documents. Tags come in as IOB1, IOB2 (BIO), BIOES or BILOU, with types (`B-Disease`) or bare (`B`),
and leave as IOB2 with the types they came with.
"""

import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import CONLL, TEXT
from biobert_jax.files import local, read_text, split_lines

SPLITS = ("train", "devel", "test")
SUFFIXES = (".tsv", ".txt", ".conll")

_STEMS = {"devel": ("devel", "dev", "valid")}
_TAG = re.compile(r"O|[BIESLU](-.+)?")
_BIOES_OF_BILOU = {"L": "E", "U": "S"}
_HINT = "convert it to lines of a word, a tab and its tag, with blank lines between sentences"


class Sentence(NamedTuple):
    """A sentence and its tags; word number i is on line `line + i` of its file."""

    words: tuple[str, ...]
    tags: tuple[str, ...]  # IOB2, one per word
    line: int  # where its first word stands, from 1


class ConllFile(NamedTuple):
    """What `read_conll` found in a file."""

    path: str
    sentences: list[Sentence]
    words: int
    entities: dict[str, int]  # entities per type; the type of bare tags is ""
    scheme: str  # the scheme of the file itself: "IOB1", "IOB2" or "BIOES"
    repaired: int  # tags that continued no entity of their type, and were made to begin one
    documents: int  # -DOCSTART- lines


def read_conll(path: str | Path, scheme: str | None = None) -> ConllFile:
    """Reads one file; `.gz` files and those with Windows line ends or a BOM are read as they are.

    Args:
      path: the file.
      scheme: "IOB1", "IOB2" or "BIOES"; None asks `detect_scheme`. Only the counts of repaired tags
        depend on it, never the tags.

    Raises:
      DataError: another form of file, not UTF-8, a line with one column, a tag of unknown form, or
        no sentence at all.
    """
    raw, documents = _read_raw(local(path))
    return _normalise(local(path), raw, documents, scheme or detect_scheme([s.tags for s in raw]))


def read_folder(path: str | Path) -> dict[str, ConllFile]:
    """Reads a folder in the public layout: train.tsv, devel.tsv, test.tsv, perhaps train_dev.tsv.

    `.txt` and `.conll`, `dev` and `valid`, and gzipped files will do. The scheme is detected over
    all files together. Without a train_dev file, "train_dev" is train followed by devel, as the
    distributed ones are.

    Returns:
      The files of "train", "devel", "test" and "train_dev".

    Raises:
      DataError: a split has no file, or more than one; and whatever `read_conll` finds.
    """
    paths = _find_splits(local(path))
    raw = {split: _read_raw(file) for split, file in paths.items()}
    scheme = detect_scheme([s.tags for sentences, _ in raw.values() for s in sentences])
    files = {split: _normalise(paths[split], *raw[split], scheme) for split in paths}
    if "train_dev" not in files:
        files["train_dev"] = _concatenate(files["train"], files["devel"])
    return files


def detect_scheme(tags: Iterable[Sequence[str]]) -> str:
    """Tells "IOB1", "IOB2" and "BIOES" apart by all the tag sequences of a set.

    An E, S, L or U anywhere means BIOES (BILOU is the same with other letters). Otherwise IOB1 and
    IOB2 differ in how an entity begins that does not touch another of its type: with B in IOB2,
    with I in IOB1. One such B makes the set IOB2, and then an I in that place is an error to
    repair; a set with no such B but with such an I is IOB1, and a set with neither is called IOB2.
    A set of IOB2 in which every single entity lost its B would pass for IOB1: the resulting tags
    are the same, and only the count of repairs differs.
    """
    begins_with_i = False
    begins_with_b = False
    for sequence in tags:
        previous = "O"
        for tag in sequence:
            prefix = tag[0]
            if prefix in "ESLU":
                return "BIOES"
            if prefix != "O" and (previous == "O" or tag_type(previous) != tag_type(tag)):
                begins_with_b |= prefix == "B"
                begins_with_i |= prefix == "I"
            previous = tag
    return "IOB1" if begins_with_i and not begins_with_b else "IOB2"


def tag_type(tag: str) -> str:
    """Returns the entity type of a tag, "" for O and bare tags."""
    return tag[2:]


def to_bio(tags: Sequence[str]) -> list[str]:
    """Converts a sentence's tags of any scheme to IOB2.

    As conlleval reads them: an I (or E) begins an entity where it follows O, another type, or the
    end that E or S mark, and there becomes B. What counts as an entity stays the same.
    """
    return _to_bio(tags)[0]


def to_bioes(tags: Sequence[str]) -> list[str]:
    """Converts a sentence's tags of any scheme to BIOES: S for one word, B I* E for more."""
    bio = to_bio(tags)
    result = []
    for tag, following in zip(bio, [*bio[1:], "O"], strict=False):
        goes_on = following[0] == "I"
        prefix = tag[0] if goes_on else {"B": "S", "I": "E"}.get(tag[0], tag[0])
        result.append(prefix + tag[1:])
    return result


def to_io(tags: Sequence[str]) -> list[str]:
    """Converts a sentence's tags of any scheme to I and O: which words are in an entity of a type.

    Where one ends and the next of its type begins is lost.
    """
    return [tag if tag == "O" else "I" + tag[1:] for tag in tags]


def label_set(sentences: Iterable[Sentence], scheme: str = "BIO") -> list[str]:
    """Returns the labels that sentences need: "O", then each type's, the types in sorted order.

    Args:
      sentences: the training sentences (IOB2).
      scheme: "BIO" for B and I per type; "BIOES" for B, I, E and S, to go with `to_bioes`;
        "IO" for I alone, to go with `to_io`.
    """
    prefixes = {"BIO": "BI", "BIOES": "BIES", "IO": "I"}.get(scheme)
    if prefixes is None:
        raise ValueError(f"scheme is {scheme!r}; expected 'BIO', 'BIOES' or 'IO'")
    endings = sorted({tag[1:] for sentence in sentences for tag in sentence.tags if tag != "O"})
    return ["O"] + [prefix + ending for ending in endings for prefix in prefixes]


def check_labels(labels: Sequence[str], file: ConllFile) -> None:
    """Raises DataError for the first tag of a file whose entity type the labels do not know.

    Args:
      labels: what `label_set` returned for the training sentences.
      file: a file that the trained model will be scored on.
    """
    known = {label[1:] for label in labels if label != "O"}
    for sentence in file.sentences:
        for number, tag in enumerate(sentence.tags):
            if tag != "O" and tag[1:] not in known:
                raise DataError(
                    f"{at(file.path, sentence.line + number)}: the label {tag!r} does not occur in "
                    f"the training file; expected one of {', '.join(labels)}. A model cannot learn "
                    "it: rename the label, or add training sentences that have it."
                )


def _read_raw(path: Path) -> tuple[list[Sentence], int]:
    """Returns the sentences with their tags as they stand, and the number of documents."""
    sentences, documents = [], 0
    words: list[str] = []
    tags: list[str] = []
    lines = split_lines(read_text(path, CONLL, TEXT, hint=_HINT), at(path))
    for number, line in enumerate(itertools.chain(lines, [""]), start=1):
        line = line.rstrip(" \t")
        starts_document = line.startswith("-DOCSTART-")
        if starts_document or not line:
            if words:
                sentences.append(Sentence(tuple(words), tuple(tags), number - len(words)))
                words, tags = [], []
            documents += starts_document
            continue
        word, tag = _columns(line, path, number)
        words.append(sys.intern(word))  # a large set repeats its words: a fifth of the memory
        tags.append(sys.intern(tag))
    if not sentences:
        raise DataError(
            f"{at(path)}: no sentence in this file; expected lines of a word and its tag, with a "
            "blank line after each sentence. Put the examples there, or point to another folder."
        )
    return sentences, documents


def _columns(line: str, path: Path, number: int) -> tuple[str, str]:
    """Returns the word and the tag of a line."""
    # A word may hold blanks where tabs separate the columns. Not str.split(), which also splits at
    # the no-break spaces that are words of their own in some corpora.
    columns = line.split("\t") if "\t" in line else line.lstrip(" ").split(" ")
    word, tag = columns[0].strip(" "), columns[-1].strip(" ")
    if len(columns) < 2 or not word:
        raise DataError(
            f"{at(path, number)}: found {'one column' if len(columns) < 2 else 'no word'} in "
            f"{line[:80]!r}; expected a word and its tag, separated by a tab or a space. Add what "
            "is missing, or make the line blank if a sentence ends there."
        )
    if not _TAG.fullmatch(tag):
        raise DataError(
            f"{at(path, number)}: found the tag {tag[:80]!r} in the last column; expected O, or "
            "one of the letters B I (also E S L U), alone or with a type as in B-Disease. Correct "
            "the tag, or make the tags the last column."
        )
    return word, tag


def _normalise(path: Path, raw: Sequence[Sentence], documents: int, scheme: str) -> ConllFile:
    """Converts the tags to IOB2 and counts."""
    sentences, repaired = [], 0
    entities: Counter[str] = Counter()
    for sentence in raw:
        tags, begun = _to_bio(sentence.tags)
        # In IOB1 that is simply how entities begin.
        repaired += begun if scheme != "IOB1" else 0
        entities.update(tag_type(tag) for tag in tags if tag[0] == "B")
        sentences.append(sentence._replace(tags=tuple(tags)))
    return ConllFile(
        path=str(path),
        sentences=sentences,
        words=sum(len(sentence.words) for sentence in sentences),
        entities=dict(sorted(entities.items())),
        scheme=scheme,
        repaired=repaired,
        documents=documents,
    )


def _to_bio(tags: Sequence[str]) -> tuple[list[str], int]:
    """Returns IOB2 tags, and how many I, E or L among `tags` began an entity."""
    result, begun = [], 0
    open_ending = None  # what follows the prefix in the entity that the next tag may continue
    for tag in tags:
        prefix, ending = _BIOES_OF_BILOU.get(tag[0], tag[0]), tag[1:]
        if prefix == "O":
            result.append(tag)
            open_ending = None
            continue
        continues = prefix in "IE" and open_ending == ending
        begun += prefix in "IE" and not continues
        result.append(("I" if continues else "B") + ending)
        open_ending = ending if prefix in "BI" else None
    return result, begun


def _concatenate(first: ConllFile, second: ConllFile) -> ConllFile:
    entities = Counter(first.entities) + Counter(second.entities)
    return ConllFile(
        path=f"{first.path} + {second.path}",
        sentences=first.sentences + second.sentences,
        words=first.words + second.words,
        entities=dict(sorted(entities.items())),
        scheme=first.scheme,
        repaired=first.repaired + second.repaired,
        documents=first.documents + second.documents,
    )


def _find_splits(folder: Path) -> Mapping[str, Path]:
    """Returns the file of each split, "train_dev" only where there is one."""
    if not folder.is_dir():
        raise DataError(
            f"{at(folder)}: no such folder; expected one with train.tsv, devel.tsv and test.tsv. "
            "Check the path."
        )
    names = sorted(file.name for file in folder.iterdir())
    found = {}
    for split in (*SPLITS, "train_dev"):
        stems = _STEMS.get(split, (split,))
        wanted = {s + x + z for s in stems for x in SUFFIXES for z in ("", ".gz")}
        matches = [name for name in names if name in wanted]
        # Some copies of the public archives have dev.tsv as well, from older code.
        if f"{split}.tsv" in matches:
            matches = [f"{split}.tsv"]
        if len(matches) > 1:
            raise DataError(
                f"{at(folder)}: {', '.join(matches)} could each be the split {split!r}; expected "
                "one file for it. Keep the right one there and move the others away."
            )
        if matches:
            found[split] = folder / matches[0]
    missing = [split for split in SPLITS if split not in found]
    if missing:
        raise DataError(
            f"{at(folder)}: found {', '.join(names[:20]) or 'nothing'}; expected also "
            + ", ".join(f"{'/'.join(_STEMS.get(split, (split,)))}.tsv" for split in missing)
            + " (or .txt, .conll, each also with .gz). Add the file, or name the folder it is in."
        )
    return found
