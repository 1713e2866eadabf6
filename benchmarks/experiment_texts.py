"""The two arms' texts for the controlled experiment: general English, and PubMed with PMC.

    python -m benchmarks.experiment_texts --data ../shared/data --output texts

Writes general.jsonl.gz and biomedical.jsonl.gz, which `biobert corpus build` reads, and
benchmarks/*.txt: the test sentences of the relation sets for `biobert corpus decontaminate` (it
reads those of NER folders itself).

No document is much longer than 300 words, about an abstract, in either arm: a novel or an article
becomes several, cut between paragraphs.
"""

import argparse
import gzip
import io
import json
import re
import xml.etree.ElementTree
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.abstracts import COLLECTIONS, Abstract, members
from biobert_jax.corpora.readers.documents import rejected_to
from biobert_jax.corpora.readers.jats import read_jats
from biobert_jax.corpora.readers.pubmed import read_pubmed

WORDS = 300  # of a document, about, at most

Text = tuple[str, str, Iterable[str]]  # id, title, paragraphs


def blank_line_paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def line_paragraphs(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


# ---- General text.


def reuters(data: Path) -> Iterator[Text]:
    for name, text in members(data / "general/news/reuters_c50.tar.gz"):
        yield str(name), "", line_paragraphs(text)


def guardian(data: Path) -> Iterator[Text]:
    """Its source joined paragraphs without a blank: "... to get drunk.During the course ..."."""
    joint = re.compile(r"(?<=[a-z][.!?”])(?=[A-Z“])")
    for name, text in members(data / "general/news/guardian_not_crimes.tar.gz"):
        parts = [part for line in text.splitlines() for part in joint.split(line)]
        yield str(name), "", line_paragraphs("\n".join(parts))


def bbc(data: Path) -> Iterator[Text]:
    for name, text in members(data / "general/news/bbc_news.tar.gz"):
        title, *rest = blank_line_paragraphs(text)
        yield str(name), title, rest


def rural(data: Path) -> Iterator[Text]:
    """Stories follow each other without a mark; headlines are lines without a full stop."""
    lines = line_paragraphs(read(data / "general/news/abc_rural.txt.gz"))
    yield "abc_rural", "", [line for line in lines if line.endswith((".", "!", "?", '"'))]


def books(data: Path) -> Iterator[Text]:
    for path in sorted((data / "general/novels").glob("*.txt.gz")):
        yield path.name, "", blank_line_paragraphs(read(path))
    for path in sorted((data / "general/gutenberg").glob("*.txt.gz")):
        text = re.split(r"\*\*\* ?START OF[^\n]*\n", read(path))[-1]
        text = re.split(r"\*\*\* ?END OF|\nEnd of (?:the )?Project Gutenberg", text)[0]
        yield path.name, "", blank_line_paragraphs(text)


def speeches(data: Path) -> Iterator[Text]:
    for path in sorted((data / "general/speeches").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".txt") and not Path(name).name.lower().startswith("readme"):
                    text = archive.read(name).decode("utf-8", "replace")
                    yield name, "", blank_line_paragraphs(text)


def wikipedia(data: Path) -> Iterator[Text]:
    lines = read(data / "general/wikipedia/chentao_wikipedia.txt.gz").splitlines()
    for number, line in enumerate(lines, start=1):
        yield f"wikipedia#{number}", "", line_paragraphs(line)


def wikitext(data: Path) -> Iterator[Text]:
    """Tokenised; a paragraph with <unk> would teach nothing but gaps, so those are left out."""
    for part in ("valid", "test"):
        paragraphs: list[str] = []
        for line in line_paragraphs(read(data / f"general/wikitext-2/{part}.txt.gz")):
            if not line.startswith("=") and "<unk>" not in line:
                paragraphs.append(untokenised(line))
        yield f"wikitext-{part}", "", paragraphs


def untokenised(line: str) -> str:
    line = re.sub(r" @([-,.])@ ", r"\1", line)
    line = re.sub(r" ([,.;:!?%)\]]|'s\b|n't\b)", r"\1", line)
    line = re.sub(r"([(\[$]) ", r"\1", line)
    return re.sub(r'" ([^"]*) "', r'"\1"', line)


# ---- PubMed and PMC.


def abstracts(data: Path) -> Iterator[Text | Abstract]:
    for pattern, collection in COLLECTIONS:
        for path in sorted((data / "pubmed_text").glob(pattern)):
            yield from collection(path)
    for name, text in members(data / "pubmed_text/evidence_inference_abstracts.tar.gz"):
        if name.suffix == ".abst":
            yield name.stem, *sections(text)


def citations(data: Path, rejected: Path) -> Iterator[Abstract]:
    with rejected_to(rejected) as on_error:
        for path in sorted((data / "pubmed_xml").rglob("*.xml*")):
            if path.name.endswith((".xml", ".xml.gz")) and "bioperl" not in path.name:
                for document in read_pubmed(path, on_error=on_error):
                    text = "\n\n".join(document.paragraphs)
                    yield Abstract(document.id, document.title, text, document.id)


def articles(data: Path, rejected: Path) -> Iterator[Text]:
    with rejected_to(rejected) as on_error:
        for path in sorted((data / "pmc").iterdir()):
            if path.suffix == ".nxml" or path.name.startswith(("craft", "plos")):
                for document in read_jats(path, on_error=on_error):
                    yield document.id, document.title, document.paragraphs
    for name, text in members(data / "pmc/evidence_inference_fulltext.tar.gz"):
        if name.suffix == ".txt":
            yield name.stem, *sections(text)


def sections(text: str) -> tuple[str, list[str]]:
    """Title and paragraphs of evidence-inference's text; section labels are left out."""
    label = re.compile(r"\s*(TITLE|(?:ABSTRACT|BODY)[^a-z]*):\s*$")
    title, paragraphs, in_title = "", [], False
    for line in text.splitlines():
        if found := label.match(line):
            in_title = found[1] == "TITLE"
        elif line.strip():
            if in_title:
                title = " ".join(line.split())
            else:
                paragraphs.append(" ".join(line.split()))
    return title, paragraphs


# ---- Writing.


def read(path: Path) -> str:
    with gzip.open(path, "rb") as file:
        return io.TextIOWrapper(file, "utf-8-sig", errors="replace").read()


def pieces(text: Text | Abstract) -> Iterator[dict]:
    """Documents of about 300 words at most; abstracts as they are."""
    if isinstance(text, Abstract):
        joined = "\n\n".join(blank_line_paragraphs(text.text))
        if joined:
            yield text._replace(text=joined)._asdict()
        return
    name, title, paragraphs = text
    number, words, chosen = 0, 0, []
    for paragraph in [*paragraphs, None]:
        count = 0 if paragraph is None else paragraph.count(" ") + 1
        if chosen and (paragraph is None or words + count > WORDS):
            number += 1
            yield {"id": f"{name}#{number}", "title": title if number == 1 else "", "text": chosen}
            words, chosen = 0, []
        if paragraph is not None:
            chosen.append(paragraph)
            words += count


def write(path: Path, sources: Iterable[tuple[str, Iterable[Text | Abstract]]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=2) as output:
        for name, texts in sources:
            count = words = 0
            for text in texts:
                for document in pieces(text):
                    output.write(json.dumps(document) + "\n")
                    count += 1
                    said = document["text"]
                    words += len((said if isinstance(said, str) else " ".join(said)).split())
            print(f"{path.name:22} {name:12} {count:7,} documents {words:11,} words", flush=True)


def relation_tests(data: Path) -> Iterator[tuple[str, list[str]]]:
    """The test sentences of GAD, EU-ADR, ChemProt and DDI (the last from the corpus itself)."""
    for name in ("GAD", "euadr"):
        lines = [
            line.split("\t")[1]
            for path in sorted((data / "RE" / name).glob("*/test.tsv"))
            for line in path.read_text().splitlines()[1:]
        ]
        yield name, lines
    with gzip.open(data / "RE/CHEMPROT/bc6-masked/test.tsv.gz", "rt", encoding="utf-8") as file:
        yield "chemprot", [line.split("\t")[0] for line in file.read().splitlines()[1:]]
    with zipfile.ZipFile(data / "RE/DDI/DDICorpus-2013.zip") as archive:
        found = []
        for name in archive.namelist():
            if "Test for DDI" in name and name.endswith(".xml"):
                root = xml.etree.ElementTree.fromstring(archive.read(name))
                found += [one.get("text") for one in root.iter("sentence")]
        yield "ddi", found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    data, output = arguments.data, arguments.output
    (output / "benchmarks").mkdir(parents=True, exist_ok=True)
    for name, lines in relation_tests(data):
        text = "\n".join(dict.fromkeys(" ".join(line.split()) for line in lines))
        (output / f"benchmarks/{name}.txt").write_text(text + "\n", encoding="utf-8")
    general = (reuters, guardian, bbc, rural, books, speeches, wikipedia, wikitext)
    write(output / "general.jsonl.gz", [(one.__name__, one(data)) for one in general])
    biomedical = (
        ("abstracts", abstracts(data)),
        ("citations", citations(data, output / "rejected_citations.jsonl")),
        ("articles", articles(data, output / "rejected_articles.jsonl")),
    )
    write(output / "biomedical.jsonl.gz", biomedical)


if __name__ == "__main__":
    main()
