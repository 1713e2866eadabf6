"""Turns public collections of PubMed abstracts, each in a layout of its own, into JSONL.

    python -m benchmarks.abstracts --data ../shared/data/pubmed_text --output abstracts.jsonl.gz

What `biobert corpus build` reads: an id, a title, a text, and the PMID where the collection has it.
Collections whose files are missing are reported and left out. Duplicates between collections stay;
the build drops them.
"""

import argparse
import csv
import gzip
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

csv.field_size_limit(2**24)


class Abstract(NamedTuple):
    id: str
    title: str
    text: str
    pmid: str = ""


def reviews(path: Path) -> Iterator[Abstract]:
    """CSV of a systematic review: Cohen's fifteen, Bannach-Brown's."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = f"{path.name}#{row['record_id']}"
            yield Abstract(name, row["title"], row["abstract"], row.get("pubmedID", ""))


def columns(path: Path, text: str) -> Iterator[Abstract]:
    """CSV with the abstract in one column and no title."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            yield Abstract(f"{path.name}#{number}", "", row[text])


def members(path: Path) -> Iterator[tuple[PurePosixPath, str]]:
    """The regular files of an archive, which is read but never unpacked."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and (file := archive.extractfile(member)) is not None:
                yield PurePosixPath(member.name), file.read().decode("utf-8", "replace")


def titles_and_abstracts(path: Path) -> Iterator[Abstract]:
    """citation-screening: a folder of titles and one of abstracts for each review."""
    titles, texts = {}, {}
    for name, text in members(path):
        if "Titles" in name.parts:
            titles[name.parts[-3], name.name] = text
        elif "Abstracts" in name.parts:
            texts[name.parts[-3], name.name] = text
    for (review, number), text in texts.items():
        yield Abstract(f"{review}#{number}", titles.get((review, number), ""), text)


def a_title_and_sentences(path: Path) -> Iterator[Abstract]:
    """OHSUMED: the title, then one sentence per line."""
    for name, text in members(path):
        title, _, rest = text.strip().partition("\n")
        yield Abstract(f"ohsumed#{name.name}", title.strip(), rest)


def tokenised(path: Path) -> Iterator[Abstract]:
    """A file per PMID, words and punctuation apart, one sentence per line."""
    for name, text in members(path):
        if name.suffix == ".txt" and name.stem.isdigit():
            yield Abstract(f"{path.name}#{name.stem}", "", text, name.stem)


def pubmedqa(path: Path) -> Iterator[Abstract]:
    """Questions, their abstract in parts, and its conclusion."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for pmid, item in json.load(file).items():
            yield Abstract(
                pmid, item["QUESTION"], " ".join([*item["CONTEXTS"], item["LONG_ANSWER"]])
            )


def lines(path: Path) -> Iterator[Abstract]:
    """An abstract a line."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            yield Abstract(f"{path.name}#{number}", "", line)


COLLECTIONS = (
    ("cohen_2006/*.csv.gz", reviews),
    ("Bannach-Brown_2019.csv.gz", reviews),
    ("citation-screening.tar.gz", titles_and_abstracts),
    ("ohsumed_single_23.tar.gz", a_title_and_sentences),
    ("chemical-exposure-information.tar.gz", tokenised),
    ("hallmarks-of-cancer.tar.gz", tokenised),
    ("usc_03_pubmed.csv.gz", lambda path: columns(path, "abstract")),
    ("medical_tc_test.csv.gz", lambda path: columns(path, "medical_abstract")),
    ("pubmedqa_ori_pqal.json.gz", pubmedqa),
    ("PubMedAbstract_1MB.txt.gz", lines),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    with gzip.open(arguments.output, "wt", encoding="utf-8", compresslevel=2) as output:
        for pattern, read in COLLECTIONS:
            paths = sorted(arguments.data.glob(pattern))
            count = words = 0
            for path in paths:
                for abstract in read(path):
                    # A blank line would end a paragraph, which no abstract means by it.
                    text = " ".join(abstract.text.split())
                    if text:
                        record = abstract._replace(text=text)._asdict()
                        output.write(json.dumps(record) + "\n")
                        count += 1
                        words += text.count(" ") + 1
            print(f"{pattern:40} {len(paths):3} files {count:7,} abstracts {words:10,} words")


if __name__ == "__main__":
    main()
