"""Boundary F1 and speed of sentence splitting, on sentences that others have split.

    python -m benchmarks.sentence_boundaries --data ../shared/data [--part dev] [--errors 20]

The gold is rebuilt from corpora that have one sentence per line (docs/corpora.md says which and how
good they are): sentences are put back into running text, one blank between them, and each boundary
between two sentences of a document counts, its end excluded. Rules were only ever tuned on `dev`.
Installs that have `sentencex` see it beside ours.
"""

import argparse
import gzip
import random
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from biobert_jax.text.sentences import split_sentences

Splitter = Callable[[str], set[int]]  # text to the offsets where sentences but the last end
BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"'}


def detokenised(line: str) -> str:
    """Puts a line of blank-separated tokens back into prose, as well as rules can."""
    for token, character in BRACKETS.items():
        line = line.replace(token, character)
    line = re.sub(r"\s+([,;:?!%.])(?=\s|$)", r"\1", line)
    line = re.sub(r"([(\[{])\s+", r"\1", line)
    line = re.sub(r"\s+([)\]}])", r"\1", line)
    line = re.sub(r"\s+('s|n't|'re|'ve)\b", r"\1", line)
    line = re.sub(r'" ([^"]*?) ?"', r'"\1"', " ".join(line.split()))
    return " ".join(line.split())


def jnlpba(folder: Path, splits: list[str]) -> Iterator[list[str]]:
    """The GENIA corpus's abstracts: sentences marked by people. Titles are left out."""
    for split in splits:
        with gzip.open(folder / "NER_MTL" / "JNLPBA" / f"{split}.tsv.gz", "rt") as file:
            content = "".join(line.split("\t")[0].rstrip("\n") + "\n" for line in file)
        for document in content.split("-DOCSTART-\n"):
            sentences = [" ".join(s.split("\n")) for s in document.strip().split("\n\n")]
            yield [detokenised(sentence) for sentence in sentences[1:]]


def bundle(path: Path, is_tokenised: bool) -> Iterator[list[str]]:
    """Archives of one file per document, one sentence per line; OHSUMED's first is the title."""
    with tarfile.open(path) as archive:
        for member in sorted((m for m in archive if m.isreg()), key=lambda m: m.name):
            lines = archive.extractfile(member).read().decode("utf-8", "replace").splitlines()
            lines = lines if is_tokenised else lines[1:]
            clean = detokenised if is_tokenised else lambda line: " ".join(line.split())
            yield [clean(line) for line in lines if line.strip()]


def gold(data: Path, part: str) -> dict[str, list[list[str]]]:
    """Name to documents to sentences; `dev` and `held-out` share no document."""
    is_dev = part == "dev"
    every_other = slice(0 if is_dev else 1, None, 2)
    texts = data / "pubmed_text"
    documents = {
        "JNLPBA (people)": list(jnlpba(data, ["train"] if is_dev else ["devel", "test"])),
        "hallmarks of cancer": list(bundle(texts / "hallmarks-of-cancer.tar.gz", True)),
        "chemical exposure": list(bundle(texts / "chemical-exposure-information.tar.gz", True)),
        "OHSUMED": list(bundle(texts / "ohsumed_single_23.tar.gz", False)),
    }
    for name in list(documents)[1:]:
        documents[name] = documents[name][every_other]
    return {name: [d for d in found if len(d) > 1] for name, found in documents.items()}


def ours(text: str) -> set[int]:
    return {end for _, end in split_sentences(text)[:-1]}


def sentencex(text: str) -> set[int]:
    import sentencex

    ends, position = set(), 0
    for sentence in sentencex.segment("en", text):
        sentence = sentence.strip()
        position = text.index(sentence, position) + len(sentence)
        ends.add(position)
    return ends - {len(text)}


def score(split: Splitter, documents: list[list[str]], errors: int) -> str:
    right = wrong = missed = 0
    examples = []
    for sentences in documents:
        text, true, position = " ".join(sentences), set(), -1
        for sentence in sentences[:-1]:
            position += len(sentence) + 1
            true.add(position)
        found = split(text)
        right, wrong, missed = (
            right + len(found & true),
            wrong + len(found - true),
            missed + len(true - found),
        )
        for end in found ^ true:
            kind = "wrong " if end in found else "missed"
            examples.append(f"  {kind} {text[max(0, end - 50) : end]} | {text[end : end + 40]}")
    for example in random.Random(0).sample(examples, min(errors, len(examples))):
        print(example)
    precision, recall = right / (right + wrong), right / (right + missed)
    f1 = 2 * precision * recall / (precision + recall)
    return f"{100 * precision:6.2f} {100 * recall:6.2f} {100 * f1:6.2f} {right + missed:9,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of real corpora")
    parser.add_argument("--part", choices=["dev", "held-out"], default="held-out")
    parser.add_argument("--errors", type=int, default=0, help="how many to print of each corpus")
    arguments = parser.parse_args()
    splitters: dict[str, Splitter] = {"ours": ours}
    try:
        sentencex("A. b.")
        splitters["sentencex"] = sentencex
    except ImportError:
        print("sentencex is not installed")
    corpora = gold(arguments.data, arguments.part)
    print(f"{'':32} {'P':>6} {'R':>6} {'F1':>6} boundaries")
    for name, documents in corpora.items():
        for splitter, split in splitters.items():
            print(f"{name:20} {splitter:11} {score(split, documents, arguments.errors)}")
    texts = [" ".join(sentences) for documents in corpora.values() for sentences in documents]
    words = sum(len(text.split()) for text in texts)
    for splitter, split in splitters.items():
        started = time.process_time()
        for text in texts:
            split(text)
        print(f"{splitter}: {words / (time.process_time() - started) / 1e6:.2f} million words/s")


if __name__ == "__main__":
    main()
