"""Words/s per core of each stage of corpus building, and peak memory for 1x and 10x the input.

    D=../shared/data
    python -m benchmarks.corpus --data $D --vocab $D/vocab/bert-base-cased-vocab.txt

The text is --documents different PubMed abstracts (of the Cohen reviews, up to 12,000; 220 words
each), once as PubMed XML of the form and the proportions of NLM's files (history and references
come from a real record) and once as JSONL, both gzipped. Stages are timed one after another over
lists in memory, in one process; the tokenizer starts cold, as for every worker. `whole` is
`build_corpus` in another process, with its index (PubMed), start, checksums and manifest, and its
peak memory. Times are CPU time of one core. Words are blank-separated. Input x10 is ten such files
with other ids.
"""

import argparse
import csv
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

from biobert_jax.corpora.build.pipeline import BuildOptions, build_corpus
from biobert_jax.corpora.build.units import PartStatistics, count_words, sentences_of, tokenise
from biobert_jax.corpora.readers.documents import ReadStatistics, raise_rejected
from biobert_jax.corpora.readers.inputs import ReaderOptions, read_documents
from biobert_jax.corpora.shards import write_shard
from biobert_jax.text.wordpiece import WordPieceTokenizer

STAGES = ("read", "split", "tokenise", "write")
SUFFIX = {"pubmed": ".xml.gz", "text": ".jsonl.gz"}


def abstracts(data: Path, count: int) -> Iterator[tuple[str, str]]:
    """Yields (title, abstract), each abstract once."""
    seen = set()
    for path in sorted((data / "pubmed_text" / "cohen_2006").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if len(row["abstract"]) > 50 and row["abstract"] not in seen:
                    seen.add(row["abstract"])
                    yield row["title"], row["abstract"]
                    if len(seen) == count:
                        return


def record_around(data: Path) -> tuple[str, str, str]:
    """What precedes the PMID, the article and what follows it in a real record."""
    path = data / "pubmed_xml" / "baseline" / "pubmed26n1334.xml.gz"
    content = gzip.decompress(path.read_bytes()).decode("utf-8")
    records = content.split("<PubmedArticle>")[1:]
    record = sorted(records, key=len)[len(records) // 2].partition("</PubmedArticle>")[0]
    before, _, after = record.partition("<PMID")
    between = after.partition("</PMID>")[2].partition("<Article ")[0]
    return before, between, record.partition("</Article>")[2]


def make_file(kind: str, data: Path, path: Path, first: int, count: int) -> None:
    before, between, behind = record_around(data)
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=2) as file:
        file.write("<PubmedArticleSet>\n" if kind == "pubmed" else "")
        for number, (title, text) in enumerate(abstracts(data, count), start=first):
            if kind == "text":
                file.write(json.dumps({"id": number, "title": title, "text": text}) + "\n")
                continue
            file.write(
                f'<PubmedArticle>{before}<PMID Version="1">{number}</PMID>{between}<Article>'
                f"<ArticleTitle>{escape(title)}</ArticleTitle><Abstract><AbstractText>"
                f"{escape(text)}</AbstractText></Abstract></Article>{behind}</PubmedArticle>\n"
            )
        file.write("</PubmedArticleSet>\n" if kind == "pubmed" else "")


def measure_stages(kind: str, folder: Path, vocab: str) -> None:
    """Prints words, and CPU seconds of each of `STAGES`."""
    path = sorted(folder.glob("*" + SUFFIX[kind]))[0]
    clock = [time.process_time()]
    read = read_documents(str(path), ReaderOptions(kind), None, ReadStatistics(), raise_rejected)
    documents = list(read)
    clock.append(time.process_time())
    for document in documents:
        sentences_of(document)
    clock.append(time.process_time())
    tokenizer = WordPieceTokenizer.from_vocabulary(vocab, lowercase=False)
    tokens = [tokens for tokens, _ in tokenise(documents, tokenizer, PartStatistics())]
    clock.append(time.process_time())
    with tempfile.TemporaryDirectory() as out:
        write_shard(Path(out) / "shard", tokens, tokenizer.vocabulary)
    clock.append(time.process_time())
    read_, split, tokenise_, write = (b - a for a, b in pairwise(clock))
    # `tokenise` splits as well, and hashes.
    print(sum(map(count_words, documents)), read_, split, tokenise_ - split, write)


def measure_whole(kind: str, folder: Path, vocab: str, files: int) -> None:
    """Prints words, CPU seconds and peak megabytes of this process."""
    paths = sorted(folder.glob("*" + SUFFIX[kind]))[:files]
    started = time.process_time()
    with tempfile.TemporaryDirectory() as out:
        options = BuildOptions(ReaderOptions(kind), vocab, keep_duplicates=True)
        words = build_corpus(list(map(str, paths)), out, options).manifest["words"]
    seconds = time.process_time() - started
    print(words, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run(*arguments: str) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.corpus", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return [float(value) for value in done.stdout.splitlines()[-1].split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder of real corpora")
    parser.add_argument("--vocab", required=True)
    parser.add_argument("--documents", type=int, default=6000)
    parser.add_argument("--scale", type=int, default=10, help="files of the larger input")
    parser.add_argument("--kinds", nargs="+", choices=SUFFIX, default=list(SUFFIX))
    parser.add_argument("--runs", type=int, default=3, help="the fastest of so many counts")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        kind, folder, files = arguments.measure
        if files == "0":
            measure_stages(kind, Path(folder), arguments.vocab)
        else:
            measure_whole(kind, Path(folder), arguments.vocab, int(files))
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind in arguments.kinds:
            for number in range(arguments.scale):
                path = Path(folder) / f"{number}{SUFFIX[kind]}"
                first = 1 + number * arguments.documents
                make_file(kind, arguments.data, path, first, arguments.documents)
            task = ("--vocab", arguments.vocab, "--measure", kind, folder)
            words, *seconds = map(
                min, zip(*(run(*task, "0") for _ in range(arguments.runs)), strict=True)
            )
            for stage, spent in zip(STAGES, seconds, strict=True):
                print(f"{kind:7} {stage:9} {words / spent:12,.0f} words/s", flush=True)
            for files in (1, arguments.scale):
                words, spent, memory = run(*task, str(files))
                speed = f"{words / spent:12,.0f} words/s {memory:6.0f} MB"
                print(f"{kind:7} whole x{files:<2} {speed}", flush=True)


if __name__ == "__main__":
    main()
