"""Building: the same bytes whatever the workers and interruptions, and every document counted."""

import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from biobert_jax.corpora.build import pipeline as build
from biobert_jax.corpora.build.deduplication import find_duplicates
from biobert_jax.corpora.build.pipeline import BuildOptions, build_corpus
from biobert_jax.corpora.readers.inputs import InputFile, ReaderOptions, find_inputs, group_files
from biobert_jax.corpora.store import ShardedCorpus
from biobert_jax.errors import DataError
from biobert_jax.text.wordpiece import WordPieceTokenizer
from biobert_jax.text.wordpiece_trainer import train_vocabulary, write_vocabulary

WORDS = """receptor kinase tumour growth was measured in forty patients whose plasma levels fell
after treatment with lithium carbonate and no relapse occurred during follow-up""".split()  # noqa: SIM905


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(6, 14))).capitalize() + "."


def write_documents(path: Path, seed: int, count: int) -> list[list[str]]:
    """One sentence per line, a blank line between documents."""
    rng = random.Random(seed)
    made = [[sentence(rng) for _ in range(rng.randint(2, 5))] for _ in range(count)]
    path.write_text("\n\n".join("\n".join(lines) for lines in made) + "\n", encoding="utf-8")
    return made


@pytest.fixture
def vocabulary(tmp_path) -> str:
    path = tmp_path / "vocab.txt"
    rng = random.Random(99)
    write_vocabulary(path, train_vocabulary((sentence(rng) for _ in range(50)), 150, False))
    return os.fspath(path)


@pytest.fixture
def texts(tmp_path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(5):
        write_documents(folder / f"{number}.txt", number, 20)
    return folder


def options(vocabulary: str, **more) -> BuildOptions:
    more = {"unit_bytes": 1, **more}
    return BuildOptions(ReaderOptions("text"), vocabulary, **more)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_one_and_three_workers_give_the_same_bytes(tmp_path, texts, vocabulary):
    (texts / "5.txt").write_bytes((texts / "1.txt").read_bytes())  # all duplicates
    both = (texts / "0.txt").read_text() + "\n" + "Some other words that make up a document here.\n"
    (texts / "6.txt").write_text(both + "and so on\n")
    pattern = [f"{texts}/*.txt"]
    alone = build_corpus(pattern, tmp_path / "alone", options(vocabulary), workers=1)
    build_corpus(pattern, tmp_path / "three", options(vocabulary), workers=3)
    assert contents(tmp_path / "alone") == contents(tmp_path / "three")
    assert len(alone) == 101
    assert alone.manifest["read"]["duplicates"] == 40
    # A shard a file that has anything left.
    assert [s["documents"] for s in alone.manifest["shards"]] == [20, 20, 20, 20, 20, 1]
    alone.verify()


def test_documents_are_what_the_files_say(tmp_path, texts, vocabulary):
    corpus = build_corpus([f"{texts}/*.txt"], tmp_path / "out", options(vocabulary))
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase=False)
    assert corpus.vocabulary == tokenizer.vocabulary
    expected = [
        (f"{number}.txt#{index}", lines)
        for number in range(5)
        for index, lines in enumerate(write_documents(tmp_path / "again", number, 20), start=1)
    ]
    for document, (name, lines) in zip(corpus, expected, strict=True):
        assert document.id == name
        assert document.words == sum(len(line.split()) for line in lines)
        found = np.split(document.ids, document.sentence_starts[1:])
        assert [f.tolist() for f in found] == [tokenizer.encode(x).ids.tolist() for x in lines]
    assert corpus.manifest["words"] == sum(len(x.split()) for _, lines in expected for x in lines)
    assert corpus.words.sum() == corpus.manifest["words"]
    unknown = sum(int((document.ids == tokenizer.unk_id).sum()) for document in corpus)
    assert corpus.manifest["unknown_tokens"] == unknown


def test_unknown_share_counts_what_the_vocabulary_lacks(tmp_path, vocabulary):
    (tmp_path / "a.txt").write_text("Ωmega " * 3 + "growth " * 9 + "\n", encoding="utf-8")
    corpus = build_corpus([f"{tmp_path}/a.txt"], tmp_path / "out", options(vocabulary))
    assert corpus.manifest["unknown_tokens"] == 3
    assert corpus.manifest["unknown_share"] == 3 / len(corpus[0].ids)


def test_every_document_is_counted_once(tmp_path, vocabulary):
    rng = random.Random(0)
    long = " ".join(sentence(rng) for _ in range(4))
    lines = [
        {"id": "1", "title": "A title", "text": long},
        {"id": "2", "title": "Another", "text": long.replace(".", " ;").upper()},
        {"id": "3", "text": "Too short."},
        {"id": "4", "text": " ".join(sentence(rng) for _ in range(3))},
        {"id": "5", "text": ["\u200b" * 3]},
        {"id": "6", "text": " ".join(["\ue000"] * 12)},
        {"id": "7", "text": " ".join(sentence(rng) for _ in range(3))},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(x) + "\n" for x in lines) + "no json\n")
    (tmp_path / "drop.txt").write_text("# told to\n4\n99\n")
    wanted = options(vocabulary, exclude=os.fspath(tmp_path / "drop.txt"), skip_errors=True)
    corpus = build_corpus([os.fspath(source)], tmp_path / "out", wanted)
    assert [document.id for document in corpus] == ["1", "7"]
    read = corpus.manifest["read"]
    expected = {
        "files": 1, "records": 8, "documents": 6, "empty": 1, "rejected": 1,
        "duplicates": 1, "too_short": 1, "excluded": 1, "without_tokens": 1,
    }  # fmt: skip
    assert {name: count for name, count in read.items() if count} == expected
    (rejection,) = (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(rejection)["position"] == "line 8"
    with pytest.raises(DataError, match="line 8: not JSON"):
        build_corpus([os.fspath(source)], tmp_path / "raises", options(vocabulary))


def _command(texts: Path, output: Path, vocabulary: str) -> list[str]:
    code = (
        "import sys, time\n"
        "from biobert_jax.corpora.build import pipeline as build\n"
        "from biobert_jax.corpora.readers.inputs import ReaderOptions\n"
        "real = build.make_part\n"
        "def slow(task):\n"
        "    time.sleep(0.3)\n"
        "    return real(task)\n"
        "build.make_part = slow\n"
        "wanted = build.BuildOptions(ReaderOptions('text'), sys.argv[3], unit_bytes=1)\n"
        "build.build_corpus([sys.argv[1] + '/*.txt'], sys.argv[2], wanted)\n"
    )
    return [sys.executable, "-c", code, os.fspath(texts), os.fspath(output), vocabulary]


def test_continues_after_a_kill(tmp_path, texts, vocabulary, monkeypatch):
    pattern = [f"{texts}/*.txt"]
    build_corpus(pattern, tmp_path / "whole", options(vocabulary))
    output = tmp_path / "killed"
    process = subprocess.Popen(_command(texts, output, vocabulary))
    parts = output / ".build"
    deadline = time.monotonic() + 120
    while len(list(parts.glob("[0-9a-f]*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.stem for path in parts.glob("[0-9a-f]*.json")}
    assert 2 <= len(done) < 5
    assert not (output / "manifest.json").exists()

    made = []
    real = build.make_part
    monkeypatch.setattr(build, "make_part", lambda task: made.append(task.name) or real(task))
    build_corpus(pattern, output, options(vocabulary))
    assert len(made) == 5 - len(done)
    assert done.isdisjoint(made)
    assert contents(output) == contents(tmp_path / "whole")

    made.clear()
    build_corpus(pattern, output, options(vocabulary))
    assert made == []


def test_changed_options_and_inputs_are_refused(tmp_path, texts, vocabulary, monkeypatch):
    pattern = [f"{texts}/*.txt"]
    output = tmp_path / "out"

    def fails(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(build, "make_shards", fails)
        with pytest.raises(KeyboardInterrupt):
            build_corpus(pattern, output, options(vocabulary))
    with pytest.raises(DataError, match=r"other options \(min_words\)"):
        build_corpus(pattern, output, options(vocabulary, min_words=3))
    build_corpus(pattern, output, options(vocabulary))
    with pytest.raises(DataError, match="finished corpus of other input files or options"):
        build_corpus(pattern, output, options(vocabulary, min_words=3))
    write_documents(texts / "0.txt", 77, 20)
    with pytest.raises(DataError, match="finished corpus of other input files or options"):
        build_corpus(pattern, output, options(vocabulary))
    with pytest.raises(DataError, match="an input is in the output folder"):
        build_corpus(pattern, texts, options(vocabulary))


def test_a_changed_file_is_read_again(tmp_path, texts, vocabulary, monkeypatch):
    pattern = [f"{texts}/*.txt"]
    with monkeypatch.context() as context:
        context.setattr(build, "make_shards", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build_corpus(pattern, tmp_path / "out", options(vocabulary))
    write_documents(texts / "3.txt", 77, 21)
    corpus = build_corpus(pattern, tmp_path / "out", options(vocabulary))
    assert [shard["documents"] for shard in corpus.manifest["shards"]] == [20, 20, 20, 21, 20]
    build_corpus(pattern, tmp_path / "fresh", options(vocabulary))
    assert contents(tmp_path / "fresh") == contents(tmp_path / "out")


def test_later_revisions_and_deletions_hold_across_files(tmp_path, vocabulary):
    def citation(pmid: int, text: str, version: int = 1) -> str:
        return (
            f'<PubmedArticle><MedlineCitation><PMID Version="{version}">{pmid}</PMID><Article>'
            f"<ArticleTitle>Title.</ArticleTitle><Abstract><AbstractText>{text}</AbstractText>"
            "</Abstract></Article></MedlineCitation></PubmedArticle>"
        )

    rng = random.Random(3)
    text = [" ".join(sentence(rng) for _ in range(3)) for _ in range(5)]
    files = {
        "pubmed26n0001.xml.gz": citation(1, text[0]) + citation(2, text[1]) + citation(3, text[2]),
        "pubmed26n0002.xml.gz": citation(2, text[3])
        + citation(4, text[4])
        + "<DeleteCitation><PMID>3</PMID></DeleteCitation>",
    }
    for name, body in files.items():
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file:
            file.write(f"<PubmedArticleSet>{body}</PubmedArticleSet>")
    wanted = BuildOptions(ReaderOptions("pubmed"), vocabulary, unit_bytes=1)
    corpus = build_corpus([f"{tmp_path}/*.xml.gz"], tmp_path / "out", wanted)
    assert [document.id for document in corpus] == ["1", "2", "4"]
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, lowercase=False)
    assert corpus[1].ids.tolist() == tokenizer.encode("Title. " + text[3]).ids.tolist()
    assert corpus.manifest["read"]["superseded"] == corpus.manifest["read"]["deleted"] == 1


def test_nothing_to_build_from_is_said(tmp_path, vocabulary):
    with pytest.raises(DataError, match="no file matches"):
        build_corpus([f"{tmp_path}/*.xml"], tmp_path / "out", options(vocabulary))
    (tmp_path / "a.txt").write_text("Too short.\n")
    with pytest.raises(DataError, match=r"no document is left of 1 records .*too_short 1"):
        build_corpus([f"{tmp_path}/a.txt"], tmp_path / "out", options(vocabulary))


def test_small_files_share_a_shard():
    files = [InputFile(str(n), size, 0) for n, size in enumerate([4, 5, 2, 20, 1, 1])]
    sizes = [[file.bytes for file in unit] for unit in group_files(files, 10)]
    assert sizes == [[4, 5], [2], [20], [1, 1]]


def test_inputs_come_once_and_in_order(tmp_path):
    for name in ("b.xml", "a.xml", "pubmed26n0002.xml", "pubmed26n0001.xml", "pubmed25n0009.xml"):
        (tmp_path / name).write_text("x")
    patterns = [f"{tmp_path}/*.xml", f"{tmp_path}/a.xml"]
    names = [Path(file.path).name for file in find_inputs(patterns, "text")]
    assert names == sorted(names)
    assert len(names) == 5
    names = [Path(file.path).name for file in find_inputs(patterns, "pubmed")]
    assert names[2:] == ["pubmed25n0009.xml", "pubmed26n0001.xml", "pubmed26n0002.xml"]


def test_first_of_equal_hashes_stays():
    hashes = [np.array(x, np.uint64) for x in ([5, 7, 5], [], [2**64 - 1, 7, 8], [8, 9])]
    assert [x.tolist() for x in find_duplicates(hashes)] == [[2], [], [1], [0]]


def test_real_pubmed_files(tmp_path, shared_data):
    names = ("baseline/pubmed26n1334.xml.gz", "updatefiles/pubmed26n1335.xml.gz")
    wanted = BuildOptions(
        ReaderOptions("pubmed"),
        os.fspath(shared_data / "vocab" / "bert-base-cased-vocab.txt"),
        unit_bytes=1,
    )
    inputs = [os.fspath(shared_data / "pubmed_xml" / name) for name in names]
    corpus = build_corpus(inputs, tmp_path / "out", wanted)
    assert isinstance(corpus, ShardedCorpus)
    assert corpus.lowercase is False
    read = corpus.manifest["read"]
    assert read["records"] == 60
    assert len(corpus) == read["documents"] - read["duplicates"] - read["too_short"]
    assert 0 < corpus.manifest["unknown_share"] < 0.01
    # Abstracts of English prose: some 1.2 to 2 pieces a word with the stock vocabulary.
    assert 1.2 < corpus.manifest["tokens"] / corpus.manifest["words"] < 2.2
