"""2010 i2b2/VA: the concepts of clinical records, from the challenge's official files.

The licence lets nobody pass the records on, so they come from https://portal.dbmi.hms.harvard.edu
(n2c2 NLP research data sets, 2010) as three archives, unpacked side by side:

    concept_assertion_relation_training_data/{beth,partners}/{txt,concept}/
    test_data/
    reference_standard_for_test_data/concepts/

A record is NAME.txt, one sentence per line with blanks between tokens, and NAME.con, one concept
per line: `c="chest pain" 12:3 12:4||t="problem"`, lines counted from 1 and tokens from 0 (the
challenge's "Annotation File Formatting").
"""

import logging
import re
from collections import defaultdict
from pathlib import Path

from biobert_jax.datasets.conll import Sentence
from biobert_jax.datasets.spans import Span, tags_of_spans
from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import TEXT
from biobert_jax.files import local, read_text, split_lines

TYPES = ("problem", "test", "treatment")
DEVEL_EVERY = 10

_CONCEPT = re.compile(r'c="(.*)" (\d{1,9}):(\d{1,9}) (\d{1,9}):(\d{1,9})\|\|t="([^"]+)"')
_log = logging.getLogger(__name__)


def read_i2b2_folder(folder: str | Path) -> dict[str, list[Sentence]]:
    """Reads the unpacked archives, wherever below `folder` they are.

    What has "test" in a folder's name is the test split. The challenge has no development split:
    every tenth training record in the order of names is taken for it.

    Returns:
      The sentences of "train", "devel" and "test".

    Raises:
      DataError: no records, a record without its text, or a concept file that does not fit it.
    """
    folder = local(folder)
    texts = {_key(folder, path): path for path in sorted(folder.rglob("*.txt"))}
    concepts = {_key(folder, path): path for path in sorted(folder.rglob("*.con"))}
    splits: dict[str, list[Sentence]] = {"train": [], "devel": [], "test": []}
    read = {"train": 0, "test": 0}
    for key in sorted(concepts):
        part, name = key
        if key not in texts:
            raise DataError(
                f"{at(concepts[key])}: found no {name}.txt among the {part} files below {folder}; "
                "expected the record that it belongs to. Unpack all three archives there."
            )
        read[part] += 1
        split = "devel" if part == "train" and read[part] % DEVEL_EVERY == 0 else part
        splits[split] += read_record(texts[key], concepts[key])
    empty = [split for split, sentences in splits.items() if not sentences]
    if empty:
        raise DataError(
            f"{at(folder)}: found {read['train']} training and {read['test']} test records (.con "
            f"with .txt); expected at least {DEVEL_EVERY} and 1. Unpack the archives of the 2010 "
            "i2b2/VA challenge there: concept_assertion_relation_training_data, test_data and "
            "reference_standard_for_test_data."
        )
    return splits


def read_record(text_path: Path, concept_path: Path) -> list[Sentence]:
    """Reads one record; empty lines give no sentence.

    A concept that runs over several lines becomes one entity on each. Of overlapping concepts the
    longest is kept. Both, and a concept whose text differs from the note's, are logged as
    warnings.
    """
    lines = [line.split() for line in split_lines(read_text(text_path, TEXT), at(text_path))]
    spans: dict[int, list[Span]] = defaultdict(list)
    concepts = split_lines(read_text(concept_path, TEXT), at(concept_path))
    for number, line in enumerate(concepts, start=1):
        if not line.strip():
            continue
        where = at(concept_path, number)
        found = _CONCEPT.match(line)
        if not found:
            raise DataError(
                f"{where}: found {line[:80]!r}; expected a concept of the form "
                'c="chest pain" 12:3 12:4||t="problem". Unpack the archive again.'
            )
        concept, type_ = found[1], found[6]
        first_line, first, last_line, last = map(int, found.groups()[1:5])
        if not (
            1 <= first_line <= last_line <= len(lines)
            and first < len(lines[first_line - 1])
            and last < len(lines[last_line - 1])
            and (first_line, first) <= (last_line, last)
        ):
            raise DataError(
                f"{where}: the concept {concept!r} is at {found[2]}:{found[3]} "
                f"{found[4]}:{found[5]}, which {text_path} does not have; expected lines from 1 "
                "and tokens from 0, within the record. Unpack both archives again."
            )
        tokens = []
        for row in range(first_line - 1, last_line):
            start = first if row == first_line - 1 else 0
            end = last + 1 if row == last_line - 1 else len(lines[row])
            if start < end:
                spans[row].append(Span(start, end, type_))
            tokens += lines[row][start:end]
        if first_line != last_line:
            _log.warning("%s: %r runs over several lines, one entity on each", where, concept)
        if "".join(tokens).lower() != "".join(concept.split()).lower():
            _log.warning("%s: the text at %r is %r", where, concept, " ".join(tokens))
    sentences = []
    for row, words in enumerate(lines):
        tags, dropped = tags_of_spans(len(words), spans[row])
        for span in dropped:
            _log.warning("%s: %s overlaps a longer concept, left out", at(text_path, row + 1), span)
        if words:
            sentences.append(Sentence(tuple(words), tuple(tags), row + 1))
    return sentences


def _key(folder: Path, path: Path) -> tuple[str, str]:
    """Returns the part ("train" or "test") and the name of a record."""
    parents = path.relative_to(folder).parts[:-1]
    return "test" if any("test" in part.lower() for part in parents) else "train", path.stem
