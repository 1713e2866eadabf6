"""Bad corpora and commands: one line each that names file and record; nothing saved is lost."""

import functools
import gzip
import hashlib
import io
import json
import os
import re
import resource
import shutil
import signal
import tarfile

import numpy as np
import pytest

from biobert_jax.cli import main
from biobert_jax.corpora import mixture
from biobert_jax.corpora.build import units
from biobert_jax.corpora.shards import TokenDocument
from biobert_jax.corpora.store import ShardedCorpus, write_corpus
from biobert_jax.text.wordpiece import WordPieceTokenizer
from tests.support.messages import only_message

SENTENCES = (
    "Treatment lowered plasma glucose in twelve of forty obese rats.\nNo animal died at all.\n"
)
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz."]
VOCABULARY += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
PUBMED = (
    '<?xml version="1.0"?>\n<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID>'
    f"<Article><Abstract><AbstractText>{SENTENCES}</AbstractText></Abstract></Article>"
    "</MedlineCitation></PubmedArticle></PubmedArticleSet>\n"
)
JATS = f"<article><body><p>{SENTENCES}</p></body></article>"
JSONL = json.dumps({"id": "1", "text": SENTENCES}) + "\n"
CONLL = "Treatment\tO\nlowered\tO\nplasma\tB-X\nglucose\tI-X\n.\tO\n"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return tmp_path


def build(place, *more, name="in.txt"):
    arguments = ["--input", str(place / name), "--vocab", str(place / "vocab.txt")]
    main(["corpus", "build", *arguments, "--output", str(place / "out"), "--workers", "1", *more])


def bundle(name, content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        pytest.param(content, options.split(), says, id=name)
        for name, content, options, *says in [
            ("PubMed as text", PUBMED, "", "looks like XML", "--source"),
            ("PubMed as lines", PUBMED, "--text-format lines", "looks like XML"),
            ("JATS as text", JATS, "", "looks like XML"),
            ("XML without declaration", PUBMED[22:], "", "looks like XML"),
            ("HTML", "<!DOCTYPE html><html>", "", "looks like HTML", "download"),
            ("JSONL as sentences", JSONL, "--text-format sentences", "looks like JSON", "jsonl"),
            ("JSON as text", json.dumps([{"text": "a"}]), "", "looks like JSON"),
            ("CoNLL as text", CONLL, "", "looks like CoNLL"),
            ("PubTator as text", "12|t|Title\n12|a|Text\n", "", "looks like PubTator"),
            ("MEDLINE as text", "PMID- 12\nTI  - Title\n", "", "looks like MEDLINE"),
            ("PDF as text", b"%PDF-1.4\n", "", "looks like PDF"),
            ("Parquet as text", b"PAR1\x15", "", "looks like Parquet"),
            ("zip as text", b"PK\x03\x04", "", "zip"),
            ("tar as text", gzip.decompress(bundle("a", b"b")), "", "tar"),
            ("zeros as text", bytes(100), "", "binary"),
            ("UTF-16 as text", SENTENCES.encode("utf-16"), "", "UTF-16"),
            ("Latin-1 as text", b"Good.\nNa\xefve.\n", "", "line 2: byte 3", "0xef"),
            ("CR as text", "One.\rTwo.\r", "", "line 1: carriage returns"),
            ("gzip cut", gzip.compress(SENTENCES.encode(), mtime=0)[:-9], "", "damaged"),
            ("gzip twice", gzip.compress(gzip.compress(b"a", mtime=0)), "", "looks like gzip"),
            ("nothing left", "Short.\n", "", "no document is left"),
            ("empty", "", "", "no document is left of 0 records"),
            ("text as PubMed", SENTENCES, "--source pubmed", "malformed XML"),
            ("JATS as PubMed", JATS, "--source pubmed", "its root is <article>"),
            ("JSON as PubMed", JSONL, "--source pubmed", "looks like JSON, expected XML"),
            ("HTML as PubMed", "<html></html>", "--source pubmed", "looks like HTML"),
            ("PubMed cut", PUBMED[:-80], "--source pubmed", "line 2", "no end"),
            ("PubMed as JATS", PUBMED, "--source pmc", "root is <PubmedArticleSet>"),
            ("text as JATS", SENTENCES, "--source pmc", "malformed XML in line 1"),
            ("JSON as JATS", JSONL, "--source pmc", "looks like JSON"),
            ("PDF as JATS", b"%PDF-1.4\n", "--source pmc", "looks like PDF"),
            ("JATS cut", JATS[:-9], "--source pmc", "malformed XML"),
            (
                "bundle of HTML",
                bundle("a.nxml", b"<p>"),
                "--source pmc",
                "in.txt/a.nxml",
                "malformed",
            ),
            ("bundle cut", bundle("a.nxml", JATS.encode())[:-20], "--source pmc", "damaged"),
            ("text as JSONL", SENTENCES, "--text-format jsonl", "line 1: not JSON"),
            ("surrogate", '{"text": "\\ud800"}', "--text-format jsonl", "line 1: text", "U+D800"),
            ("NaN", '{"text": "a", "x": NaN}', "--text-format jsonl", "line 1", "NaN"),
            ("a key twice", '{"text": "a", "text": ""}', "--text-format jsonl", "'text' twice"),
            ("no text", JSONL + '{"body": "a"}', "--text-format jsonl", "line 2", "no such key"),
            ("id of two lines", '{"id": "a\\nb", "text": "c"}', "--text-format jsonl", "one line"),
            ("id true", '{"id": true, "text": "c"}', "--text-format jsonl", "'id' is True"),
            ("labels of text", SENTENCES, "--labels", "--labels is for --source pubmed"),
            (
                "format of XML",
                PUBMED,
                "--source pubmed --text-format lines",
                "--text-format is for",
            ),
        ]
    ],
)
def test_input(place, capsys, content, options, says):
    path = place / "in.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    message = only_message(capsys, lambda: build(place, *options))
    assert str(path) in message or says[0].startswith(("--", "no document")), message
    for words in says:
        assert words in message, message
    assert not (place / "out" / "manifest.json").exists()
    # What is put right is built with the same command.
    good = PUBMED if "pubmed" in options else JATS if "pmc" in options else SENTENCES
    path.write_text(JSONL if "jsonl" in options else good)
    if not says[0].startswith("--"):
        build(place, *options)
        assert len(ShardedCorpus(place / "out")) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workers", "0"),
        ("--workers", "-1"),
        ("--workers", "two"),
        ("--min-words", "-1"),
        ("--unit-megabytes", "0"),
        ("--unit-megabytes", "nan"),
        ("--unit-megabytes", "inf"),
        ("--source", "pubmedcentral"),
    ],
)
def test_numbers_have_ranges(place, capsys, arguments):
    with pytest.raises(SystemExit) as end:
        build(place, *arguments)
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("--every", "0"), ("--every", "-2"), ("--size", "6"), ("--size", "1e4")]
)
def test_numbers_of_vocab_train_have_ranges(place, arguments):
    command = ["vocab", "train", "--input", "in", "--output", str(place / "v.txt")]
    with pytest.raises(SystemExit) as end:
        main([*command, *arguments])
    assert end.value.code == 2


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "nan"])
def test_a_share_is_one(share):
    with pytest.raises(SystemExit) as end:
        main(["corpus", "decontaminate", "--input", "in", "--share", share])
    assert end.value.code == 2


@pytest.mark.parametrize("how", ["the same name", "another name", "a link", "the comparison"])
def test_vocab_train_does_not_replace_its_input(place, capsys, how):
    path = place / "in.txt"
    path.write_text(SENTENCES * 50)
    (place / "link").symlink_to(path)
    output = {"a link": "link", "another name": "x/../in.txt"}.get(how, "in.txt")
    (place / "x").mkdir()
    if how == "the comparison":
        output = "vocab.txt"
    before = contents(place)
    command = ["vocab", "train", "--input", str(path), "--output", str(place / output)]
    command += ["--compare", str(place / "vocab.txt")]
    message = only_message(capsys, lambda: main(command))
    assert "is an input, too" in message
    assert contents(place) == before


@pytest.mark.parametrize("option", ["--report", "--exclusions"])
def test_decontaminate_does_not_replace_its_input(place, capsys, option):
    (place / "in.txt").write_text(SENTENCES)
    (place / "test.txt").write_text(SENTENCES)
    for name in ("in.txt", "test.txt"):
        command = ["corpus", "decontaminate", "--input", str(place / "in.txt"), "--workers", "1"]
        command += ["--benchmarks", str(place / "test.txt"), option, str(place / name)]
        before = contents(place)
        assert "is an input, too" in only_message(capsys, functools.partial(main, command))
        assert contents(place) == before


@pytest.mark.parametrize(
    ("benchmark", "says"),
    [(CONLL, "looks like CoNLL"), (PUBMED, "looks like XML"), (b"\xff\n", ":1: byte 1")],
)
def test_bad_benchmarks(place, capsys, benchmark, says):
    (place / "in.txt").write_text(SENTENCES)
    path = place / "test.txt"
    path.write_bytes(benchmark.encode() if isinstance(benchmark, str) else benchmark)
    command = ["corpus", "decontaminate", "--input", str(place / "in.txt"), "--workers", "1"]
    message = only_message(capsys, lambda: main([*command, "--benchmarks", str(path)]))
    assert message.startswith(str(path))
    assert says in message


@pytest.fixture
def corpus(tmp_path):
    rng = np.random.default_rng(0)
    documents = [
        TokenDocument(f"d{n}", rng.integers(5, 31, 500).astype(np.int32), np.array([0, 9]), 20)
        for n in range(40)
    ]
    return write_corpus(tmp_path / "corpus", [documents[:20], documents[20:]], VOCABULARY, True)


def manifest(**changes):
    def change(content):
        return json.dumps(json.loads(content) | changes).encode()

    return change


def flipped(content):
    content = bytearray(content)
    content[100] ^= 16
    return bytes(content)


def shards(**changes):
    def change(content):
        value = json.loads(content)
        value["shards"][1] |= changes
        return json.dumps(value).encode()

    return change


SHARD = "shard-00000-of-00002.array_record"


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("manifest.json", None, "no such file"),
        ("manifest.json", lambda content: content[:-30], "in the middle"),
        ("manifest.json", lambda content: b"", "in the middle"),
        ("manifest.json", lambda content: b"[]", "format 'list'"),
        ("manifest.json", lambda content: b"\xff" + content, "is not UTF-8"),
        ("manifest.json", manifest(format="other/9"), "format 'other/9'"),
        ("manifest.json", manifest(documents="40"), "documents is '40'"),
        ("manifest.json", manifest(documents=-1), "documents is -1"),
        ("manifest.json", manifest(documents=39), "have 40 documents, expected 39"),
        ("manifest.json", manifest(shards={}), 'no "vocabulary" or no "shards"'),
        ("manifest.json", manifest(shards=[5]), "shards[0].file is None"),
        ("manifest.json", manifest(vocabulary={}), "vocabulary.size is None"),
        ("manifest.json", manifest(tokens=float("nan")), "NaN"),
        ("manifest.json", shards(file="../x.array_record"), "shards[1].file is '../x"),
        ("manifest.json", shards(sha256=5), "shards[1].sha256 is 5"),
        (SHARD, None, "no such file"),
        (SHARD, lambda content: content[:-7], "as the manifest says"),
        (SHARD, flipped, "document 0 cannot be read"),
        (SHARD, lambda content: bytes(len(content)), "document 0 cannot be read"),
        ("words.npy", None, "cannot be read"),
        ("words.npy", lambda content: b"", "cannot be read"),
        ("words.npy", lambda content: b"x" * len(content), "cannot be read"),
        ("words.npy", lambda content: content[:-4], "cannot be read"),
        ("words.npy", lambda content: content.replace(b"<u4", b"<f4"), "float32"),
        ("vocab.txt", None, "cannot be read"),
        ("vocab.txt", lambda content: content.replace(b"\nb\n", b"\nB\n"), "sha256"),
        ("vocab.txt", lambda content: content + b"new\n", "sha256"),
    ],
)
def test_a_damaged_corpus(corpus, capsys, name, change, says):
    path = corpus.path / name
    content = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change(content))

    def read():
        (again,) = mixture.open_corpora([corpus.path], WordPieceTokenizer(VOCABULARY, True))
        assert again.words.sum() == 800
        again[39], again[0]

    message = only_message(capsys, read)
    assert re.match(rf"{re.escape(str(path))}(:\d+)?: ", message)
    assert says in message


@pytest.mark.parametrize("name", [SHARD, "words.npy", "vocab.txt"])
def test_verify_finds_what_opening_does_not(corpus, capsys, name):
    path = corpus.path / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    command = ["corpus", "stats", "--verify", str(corpus.path)]
    message = only_message(capsys, lambda: main(command))
    assert message.startswith(f"{path}: sha256")


@pytest.mark.parametrize(
    ("pattern", "change"),
    [
        ("*.json", lambda content: content[:-20]),
        ("*.npz", lambda content: content[:-20]),
        ("*.npz", lambda content: b""),
        ("options.json", lambda content: b"[]"),
        ("vocab.txt", lambda content: b"\xff"),
    ],
)
def test_a_damaged_build_folder(place, capsys, monkeypatch, pattern, change):
    (place / "in.txt").write_text(SENTENCES)

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("biobert_jax.corpora.build.pipeline.make_shards", interrupted)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            build(place)
    for path in (place / "out" / ".build").glob(pattern):
        path.write_bytes(change(path.read_bytes()))
    if pattern == "vocab.txt":  # is read for parts that are not made yet only
        units._tokenizer.cache_clear()
        for path in (place / "out" / ".build").glob("[0-9a-f]*.json"):
            path.unlink()
    message = only_message(capsys, lambda: build(place))
    assert message.startswith(str(place / "out" / ".build"))
    shutil.rmtree(place / "out" / ".build")
    build(place)
    assert len(ShardedCorpus(place / "out")) == 1


@pytest.mark.parametrize("source", ["text", "pubmed"])
@pytest.mark.parametrize("limit", [60, 3_000, 20_000])
def test_a_disk_that_fills(place, capsys, source, limit):
    """A limit on files' sizes stands for the disk; where it strikes depends on it."""
    rng = np.random.default_rng(0)
    texts = [" ".join(map(str, rng.integers(10**6, size=900))) + "." for _ in range(8)]
    body = PUBMED if source == "pubmed" else SENTENCES
    text = (
        "".join(body.replace(SENTENCES, text) for text in texts[:1]) if source == "pubmed" else ""
    )
    (place / "in.txt").write_text(text or "\n\n".join(texts))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        message = only_message(capsys, lambda: build(place, "--source", source))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(place / "out") in message
    assert "could not be written (File too large)" in message
    assert not list((place / "out").rglob("*.tmp"))
    build(place, "--source", source)
    resumed = contents(place / "out")
    shutil.rmtree(place / "out")
    build(place, "--source", source)
    assert contents(place / "out") == resumed


def test_what_is_in_the_way_of_the_output(place, capsys):
    (place / "in.txt").write_text(SENTENCES)
    (place / "out").write_text("mine")
    assert "is a file" in only_message(capsys, lambda: build(place))
    (place / "out").unlink()
    (place / "out").mkdir()
    (place / "out" / "in.txt").write_text(SENTENCES)
    assert "holds something else" in only_message(capsys, lambda: build(place))
    message = only_message(capsys, lambda: build(place, name="out/in.txt"))
    assert message.startswith(f"{place}/out/in.txt: an input is in the output folder")
    assert list(contents(place / "out")) == ["in.txt"]


@pytest.mark.parametrize(
    ("name", "says"), [("no*.txt", "no file matches"), ("a\0b", "no file matches")]
)
def test_inputs_that_are_not_there(place, capsys, name, says):
    assert says in only_message(capsys, lambda: build(place, name=name))


def test_a_file_of_two_names_is_read_once(place, caplog):
    (place / "a.txt").write_text(SENTENCES)
    os.link(place / "a.txt", place / "b.txt")
    (place / "c.txt").symlink_to(place / "a.txt")
    build(place, "--keep-duplicates", name="*.txt")
    assert len(ShardedCorpus(place / "out")) == 2  # vocab.txt is the other
    assert caplog.text.count("by another name") == 2


@pytest.mark.parametrize("source", ["text", "pubmed", "pmc"])
def test_names_that_are_not_utf8(place, source):
    """Such a name is an id, a rejected source and part of a key; none of them can hold it as is."""
    good = os.fsdecode(os.fsencode(place) + b"/good\xff.in")
    bad = os.fsdecode(os.fsencode(place) + b"/bad\xff.in")
    content = {"text": SENTENCES, "pubmed": PUBMED, "pmc": JATS}[source]
    with open(good, "w") as file:
        file.write(content)
    with open(bad, "wb") as file:
        file.write(b"\xff\xff")
    build(place, "--source", source, "--on-error", "skip", name="*.in")
    corpus = ShardedCorpus(place / "out")
    ids = {"text": "good\\xff.in#1", "pubmed": "1", "pmc": f"{place}/good\\xff.in"}
    assert corpus[0].id == ids[source]
    (rejected,) = (place / "out" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected)["source"] == f"{place}/bad\\xff.in"


def test_the_bytes_of_a_small_corpus_are_what_they_were(place):
    """Where reading and writing go through other code, what is built must not change."""
    (place / "in.txt").write_text(SENTENCES + "\n" + SENTENCES.upper() + "\nOther words.\n" * 5)
    build(place, "--min-words", "2")
    made = contents(place / "out")
    shard = next(value for name, value in made.items() if name.endswith("array_record"))
    assert hashlib.sha256(shard).hexdigest().startswith("4f05246a14b368b1")
