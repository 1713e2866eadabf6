"""What is read as a text, and what its offsets are into."""

import gzip
import io
import json
import sys

import pytest

from biobert_jax.errors import DataError
from biobert_jax.inference.texts import Text, read_texts

LINES = "Gold is a metal.\n\n\ufeff[Vaccines are drugs].\n<5 mg of tin, x, y\r\n"


def read(tmp_path, content, name="a.txt", whole=False):
    path = tmp_path / name
    path.write_bytes(content)
    return list(read_texts(str(path), whole))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_text_a_line(tmp_path, pack, mark):
    assert read(tmp_path, pack(mark + LINES.encode())) == [
        Text("1", "Gold is a metal."),
        Text("3", "\ufeff[Vaccines are drugs]."),
        Text("4", "<5 mg of tin, x, y"),
    ]


def test_a_whole_file_keeps_its_line_ends(tmp_path):
    text = "Gold.\r\n\rTin.\n"
    assert read(tmp_path, text.encode(), "\u03b2 x.y.txt", whole=True) == [Text("\u03b2 x.y", text)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_json_lines_are_known_by_their_content(tmp_path, name):
    records = [
        {"id": "x", "text": "Gold."},
        {"id": 7, "title": "Metals", "text": "Gold\r\n\x00.", "year": 1999},
        {"title": "", "text": ""},
    ]
    content = "\n\n".join(map(json.dumps, records)).encode()
    assert read(tmp_path, content, name) == [
        Text("x", "Gold."),
        Text("7", "Metals\n\nGold\r\n\x00."),
        Text("5", ""),
    ]


def test_standard_input_is_read_alike(monkeypatch):
    for content, wanted in ((b"Gold.\n", "1"), (b'{"id": "x", "text": "Gold."}\n', "x")):
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))
        monkeypatch.setattr(sys, "stdin", stream)
        assert list(read_texts("-")) == [Text(wanted, "Gold.")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n \n",
        "Title, with a comma\nand another, here\nand so, on\n",
        "name\n",
        "In 1999, we saw.\tThen not.\n",
        "id of the text\n",
        "| a | b |\n",
    ],
)
def test_prose_is_not_taken_for_a_table(tmp_path, text):
    wanted = [line for line in text.split("\n") if line.strip()]
    assert [found.text for found in read(tmp_path, text.encode())] == wanted


def test_a_title_is_no_reason_to_lose_an_abstract(tmp_path):
    with pytest.raises(DataError, match="abstract"):
        read(tmp_path, b'{"title": "x", "abstract": "y"}\n')
