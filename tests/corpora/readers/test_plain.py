"""Google's form, one document a line, JSONL."""

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobert_jax.corpora.readers import plain
from biobert_jax.corpora.readers.documents import ReadStatistics
from biobert_jax.corpora.readers.plain import read_jsonl, read_lines, read_sentences
from biobert_jax.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(content, name="notes.txt"):
        path = tmp_path / name
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return path

    return write


def test_sentences_of_googles_form(write):
    path = write("\ufeff\n\nOne  here.\nTwo.\n \n\nThree.\r\nFour.", "notes.txt.gz")
    statistics = ReadStatistics()
    first, second = read_sentences(path, statistics=statistics)
    assert first == ("notes.txt.gz#1", "", ("One here.", "Two."), str(path), "", True)
    assert second.paragraphs == ("Three.", "Four.")
    assert statistics == ReadStatistics(files=1, records=2, documents=2)


def test_lines(write):
    documents = list(read_lines(write("One. Two.\n\n Three.\n")))
    assert [d.paragraphs for d in documents] == [("One. Two.",), ("Three.",)]
    assert [d.id for d in documents] == ["notes.txt#1", "notes.txt#2"]
    assert not documents[0].is_split


def test_jsonl_with_paragraphs_titles_and_own_keys(write):
    lines = [
        {"id": 7, "title": " A\ttitle ", "text": "One\nline.\n \n\nNext.\n", "more": [1]},
        {"text": ["One.", "", "Two."]},
        {"id": None, "title": None, "text": " "},
    ]
    path = write("\n".join(map(json.dumps, lines)))
    statistics = ReadStatistics()
    first, second = read_jsonl(path, statistics=statistics)
    assert first[:3] == ("7", "A title", ("One line.", "Next."))
    assert second[:3] == ("notes.txt#2", "", ("One.", "Two."))
    assert statistics == ReadStatistics(files=1, records=3, documents=2, empty=1)
    path = write('{"PMID": "5", "ti": "T", "abstract": "A."}')
    (document,) = read_jsonl(path, id_key="PMID", title_key="ti", text_key="abstract")
    assert document[:3] == ("5", "T", ("A.",))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{oops", "JSON ends in the middle"),
        ("[1]", "a JSON list, expected an object"),
        ('{"abstract": "A."}', "'text': expected a string or a list of them, no such key found"),
        ('{"text": 5}', "5 found"),
        ('{"text": "A", "id": [1]}', "'id' and 'pmid' strings or numbers"),
        ('{"text": "A", "title": 1}', "'title' must be a string"),
        ("[" * 100_000, "nested too deeply"),
        (b'{"text": "\xe9"}', "byte 11 of the line (0xe9) is not UTF-8"),
    ],
)
def test_a_broken_line_is_located_and_passed_over(write, line, reason):
    good = b'{"text": "Good."}'
    path = write(b"\n".join([good, line.encode() if isinstance(line, str) else line, good]))
    with pytest.raises(DataError, match=rf"^{path}: line 2: ") as caught:
        list(read_jsonl(path))
    assert reason in str(caught.value)
    rejected, statistics = [], ReadStatistics()
    documents = list(read_jsonl(path, statistics=statistics, on_error=rejected.append))
    assert [d.id for d in documents] == ["notes.txt#1", "notes.txt#3"]
    assert statistics == ReadStatistics(files=1, records=3, documents=2, rejected=1)
    assert len(rejected) == 1


def test_a_document_with_a_broken_line_is_rejected_whole(write):
    path, rejected = write(b"One.\nTwo \xff.\nThree.\n\nFour.\n"), []
    (document,) = read_sentences(path, on_error=rejected.append)
    assert document.paragraphs == ("Four.",)
    assert document.id == "notes.txt#2"
    assert rejected[0].position == "line 2"


def test_endless_lines_and_documents_are_bounded(write, monkeypatch):
    monkeypatch.setattr(plain, "MAX_LINE_BYTES", 100)
    path, rejected = write("short\n" + "x" * 1000 + "\n\nshort again"), []
    assert len(list(read_lines(path, on_error=rejected.append))) == 2
    assert "longer than 100 bytes" in rejected[0].reason
    path, rejected = write("x" * 90 + "\n" + "y" * 90 + "\n\nshort"), []
    assert [d.paragraphs for d in read_sentences(path, on_error=rejected.append)] == [("short",)]
    assert "no blank line" in rejected[0].reason


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt.*cannot be read .No such file"):
        list(read_lines(tmp_path / "none.txt"))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200), cut=st.integers(0, 30))
@pytest.mark.parametrize("reader", [read_lines, read_sentences, read_jsonl])
def test_any_bytes_give_documents_or_a_data_error(tmp_path, reader, content, cut):
    for data in (content, gzip.compress(content, mtime=0)[: -cut or None]):
        path = tmp_path / "any"
        path.write_bytes(data)
        statistics, rejected = ReadStatistics(), []
        documents = list(reader(path, statistics=statistics, on_error=rejected.append))
        assert len(documents) == statistics.documents
        assert all(all(d.paragraphs) for d in documents)
        assert statistics.rejected + statistics.rejected_files == len(rejected)
