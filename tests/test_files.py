"""What every reader and writer relies on: limits, messages, all or nothing."""

import gzip
import io
import json
import os
import resource
import signal

import pytest

from biobert_jax import files
from biobert_jax.errors import DataError, WriteError
from biobert_jax.file_kinds import CONLL, HTML, JSON, MEDLINE, PUBTATOR, TEXT, XML, kind_of


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"good\nb\xe4d\n", ":2", "0xe4"),
        (b"\xff\xfea\0b\0", "", "UTF-16"),
        (b"%PDF-1.7\n", "", "PDF"),
        (b"PK\x03\x04rest", "", "zip"),
        (b"PAR1rest", "", "Parquet"),
        (b"a\0b", "", "binary"),
        (gzip.compress(gzip.compress(b"text", mtime=0), mtime=0), "", "gzip"),
        (gzip.compress(b"text" * 99, mtime=0)[:-5], "", "damaged"),
        (b"\x1f\x8bnot gzip", "", "damaged"),
    ],
)
def test_read_text_names_the_file_and_what_it_found(tmp_path, content, line, said):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    for read in (files.read_text, lambda p: list(files.read_lines(p))):
        with pytest.raises(DataError, match=said) as error:
            read(path)
        assert str(error.value).startswith(f"{path}{line}:")


def test_read_text_takes_off_gzip_and_the_byte_order_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfa\r\nb\n\n", mtime=0))
    assert files.read_text(path) == "a\r\nb\n\n"
    assert list(files.read_lines(path)) == [(1, "a"), (2, "b"), (3, "")]


@pytest.mark.parametrize("path", ["no/such/file", ".", "a\0b"])
def test_what_is_no_file(path):
    for read in (files.read_text, files.read_json, lambda p: list(files.read_lines(p))):
        with pytest.raises(DataError):
            read(path)


def test_memory_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a\n" * 10_000, mtime=0))
    with pytest.raises(DataError, match="more than 9,999 bytes"):
        files.read_text(path, limit=9_999)
    monkeypatch.setattr(files.reading, "MAX_FILE_BYTES", 19_999)
    with pytest.raises(DataError, match="more than 19,999 bytes"):
        files.read_text(path)
    monkeypatch.setattr(files.reading, "MAX_LINE_BYTES", 6)
    with pytest.raises(DataError, match=r"standard input:2: .* more than 6 bytes"):
        list(files.decode_lines(io.BytesIO(b"short\nmuch longer\n"), "standard input"))


def test_carriage_returns_alone_are_refused(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"a\tO\rb\tO\r")
    with pytest.raises(DataError, match=r"a\.tsv:1: a carriage return"):
        list(files.read_lines(path))
    with pytest.raises(DataError, match=r"a\.tsv:2: a carriage return"):
        list(files.split_lines("x\r\na\rb\n", "a.tsv"))
    assert list(files.split_lines("a\r\n\u2028\r\r\n", "a")) == ["a", "\u2028", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": NaN}', "NaN"),
        ('{"a": [-Infinity]}', "-Infinity"),
        ('{"a": 1e999}', "1e999, a number too large"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ('{"q": [{"s": "\\ud800"}]}', r"q\[0\]\.s: half a surrogate pair \(U\+D800\)"),
        ('{"\\udfff": 1}', r"a key: half"),
        ('{"a": "b', "ends in the middle"),
        ('{"a": 1', "ends in the middle"),
        ('{"a": x}', "not JSON .* column 7"),
        ("[" * 100_000, "nested too deeply|ends in the middle"),
        ("9" * 5_000, "digits|plain JSON"),
        ("", "ends in the middle"),
    ],
)
def test_json_that_python_would_take_or_that_is_broken(text, said):
    with pytest.raises(DataError, match=said) as error:
        files.parse_json(text, "a.jsonl", 7)
    assert str(error.value).startswith("a.jsonl:7")


def test_json_that_is_right():
    text = '{"a": "\\ud83d\\ude00", "b": [1e5, null], "c": "\\\\ud800", "d": 1e-999}'
    assert files.parse_json(text, "a") == json.loads(text)


def test_a_json_files_errors_have_lines(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a":\n x}')
    with pytest.raises(DataError, match=r"a\.json:2: "):
        files.read_json(path)
    path.write_text("<html></html>")
    with pytest.raises(DataError, match="looks like HTML, expected JSON"):
        files.read_json(path)


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        (XML, '<?xml version="1.0"?>\n<a/>'),
        (XML, "\ufeff\n<!DOCTYPE article>\n"),
        (XML, "<PubmedArticleSet>\n<PubmedArticle><PMID>1</PMID>"),
        (HTML, "<!doctype html><html>"),
        (HTML, '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "">'),
        (JSON, '{"data": []}'),
        (JSON, "[\n {"),
        (PUBTATOR, "123|t|A title\n"),
        (MEDLINE, "\nPMID- 123\nTI  - A title\n"),
        (CONLL, "It\tO\nwas\tO\n\nAPC2\tB-Gene\nof\tO\n.\tO\n"),
        (CONLL, "It O\nwas O\n\nAPC2 B\nof O\n. O\n"),
        (TEXT, "[Vaccines are drugs].\nText.\n"),
        (TEXT, "<unk>\tO\nof\tO\n"),
        (TEXT, "<GENE> KRT1 </GENE> raises <DISEASE> fever </DISEASE>.\t1\n"),
        (TEXT, "<< KRT1 >> raises [[ fever ]].\n"),
        (TEXT, "[[ KRT1 ]] raises << fever >>.\n"),
        (XML, "<article><body><p>Text.</p>"),
        (JSON, "[[1, 2]]"),
        ("a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"),
        (TEXT, "p < 0.05 was seen.\n"),
        (TEXT, "Blood group is O\n" * 9),
        (TEXT, ""),
    ],
)
def test_kinds(kind, head):
    assert kind_of(head.encode()) == kind


def test_writing_is_all_or_nothing(tmp_path):
    path = tmp_path / "new" / "a.txt"
    files.write_text(path, "one\n")
    path.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)

    def interrupted():
        yield "tw"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.write_text(link, interrupted())
    assert path.read_text() == "one\n"
    files.write_json(link, {"é": [float("nan"), 1.5]})
    assert path.read_text("utf-8") == '{\n  "é": [\n    null,\n    1.5\n  ]\n}\n'
    assert path.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_full_disk_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(WriteError, match=r"a\.txt: could not be written"):
            files.write_text(path, "x" * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "a", "/proc/no/such"):
        with pytest.raises(WriteError):
            files.write_text(path, "x")
    with pytest.raises(WriteError, match=r"U\+D800"):
        files.write_json(tmp_path / "a.json", {"a": "\ud800"})
    assert os.listdir(tmp_path) == ["file"]
    files.write_text("/dev/null", "x")


def test_names_that_are_not_utf8():
    assert files.shown(os.fsdecode(b"a\xff.txt")) == "a\\xff.txt"
