"""Words/s and peak memory of the corpus readers, for a file and for one ten times as long.

    python -m benchmarks.corpus_readers --data ../shared/data

Each measurement is a process of its own that reads one file made of real records: a PubMed file
with one sample's citations 30 and 300 times over, a bundle with the PMC articles once and ten
times, and text with one abstract a line. Times are CPU time of the process, gunzip included; words
are blank-separated words of the paragraphs that come out. Speeds at x1 are the best of five.
"""

import argparse
import gzip
import io
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from biobert_jax.corpora.readers.documents import Document
from biobert_jax.corpora.readers.jats import read_jats
from biobert_jax.corpora.readers.plain import read_lines
from biobert_jax.corpora.readers.pubmed import index_pubmed_file, read_pubmed
from biobert_jax.text.sentences import split_sentences

READERS: dict[str, Callable[[Path], Iterator[Document]]] = {
    "pubmed": read_pubmed,
    "pmc": read_jats,
    "text": read_lines,
}


def make_pubmed(data: Path, path: Path, times: int) -> None:
    content = gzip.decompress((data / "baseline" / "pubmed26n1334.xml.gz").read_bytes())
    start, end = content.index(b"<PubmedArticle>"), content.rindex(b"</PubmedArticleSet>")
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(content[:start])
        for _ in range(times):
            file.write(content[start:end])
        file.write(content[end:])


def make_pmc(data: Path, path: Path, times: int) -> None:
    with (
        tarfile.open(data / "craft_articles.tar.gz") as source,
        tarfile.open(path, "w:gz", compresslevel=6) as target,
    ):
        articles = [
            (member, source.extractfile(member).read())
            for member in source
            if member.name.endswith(".nxml")
        ]
        for _ in range(times):
            for member, content in articles:
                target.addfile(member, io.BytesIO(content))


def make_text(data: Path, path: Path, times: int) -> None:
    content = gzip.decompress((data / "PubMedAbstract_1MB.txt.gz").read_bytes())
    with gzip.open(path, "wb", compresslevel=6) as file:
        for _ in range(times):
            file.write(content.rstrip(b"\n") + b"\n")


def measure(kind: str, path: Path, is_split: bool) -> None:
    """Prints words, CPU seconds and peak megabytes of this process."""
    started, words = time.process_time(), 0
    for document in READERS[kind](path):
        for paragraph in document.paragraphs:
            words += paragraph.count(" ") + 1
            if is_split:
                split_sentences(paragraph)
    seconds = time.process_time() - started
    print(words, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def best(runs: int, kind: str, path: Path, what: str) -> list[float]:
    """The fastest of several processes: others that share the machine only ever add time."""
    return min((run("--measure", kind, str(path), what) for _ in range(runs)), key=lambda r: r[1])


def run(*arguments: str) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.corpus_readers", *arguments]
    return [
        float(x) for x in subprocess.run(command, capture_output=True, check=True).stdout.split()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder of real corpora")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        kind, path, is_split = arguments.measure
        measure(kind, Path(path), is_split == "split")
        return
    cases = [
        ("pubmed", make_pubmed, arguments.data / "pubmed_xml", 30),
        ("pmc", make_pmc, arguments.data / "pmc", 1),
        ("text", make_text, arguments.data / "pubmed_text", 10),
    ]
    print(f"{'file':12} {'gz MB':>6} {'words':>12} {'read':>7} {'+ split':>8}  M words/s  peak MB")
    with tempfile.TemporaryDirectory() as folder:
        for kind, make, data, once in cases:
            for scale in (1, 10):
                path = Path(folder) / f"{kind}.gz"
                make(data, path, once * scale)
                runs = 5 if scale == 1 else 1
                words, seconds, memory = best(runs, kind, path, "read")
                _, both, _ = best(runs, kind, path, "split")
                megabytes = path.stat().st_size / 1e6
                print(
                    f"{kind:7} x{scale:<3} {megabytes:7.1f} {words:12,.0f} "
                    f"{words / seconds / 1e6:7.2f} {words / both / 1e6:8.2f} {memory:18.0f}"
                )
                if kind == "pubmed":
                    started = time.process_time()
                    index_pubmed_file(path)
                    seconds = time.process_time() - started
                    print(f"  its index: {words / seconds / 1e6:.2f} M words/s")


if __name__ == "__main__":
    main()
