import contextlib
import io
import json
import os
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest

from biobert_jax import cli
from biobert_jax.inference import commands
from biobert_jax.inference.formats.registry import FORMATS
from biobert_jax.interop.huggingface import read_huggingface, write_huggingface
from biobert_jax.interop.workdir import read_workdir
from biobert_jax.text.wordpiece import WordPieceTokenizer

TEXTS = "Gold is a metal.\n\nTavoramab relieved Brackow fever.\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory, checkpoint):
    folder = tmp_path_factory.mktemp("models") / "tagger"
    write_huggingface(
        folder,
        checkpoint.config,
        checkpoint.params,
        checkpoint.vocabulary,
        checkpoint.lowercase,
        checkpoint.labels,
    )
    return folder


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text(TEXTS, "utf-8")
    return path


def biobert(*arguments):
    cli.main([str(argument) for argument in arguments])


def fails(capsys, *arguments):
    """Runs a command that must end with a message, and returns it."""
    with pytest.raises(SystemExit) as exit_:
        biobert(*arguments)
    assert exit_.value.code == 1
    return capsys.readouterr().err


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from biobert_jax.cli import make_parser; make_parser().format_help();"
        "print(sorted({'jax', 'numpy', 'flax', 'tokenizers', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_commands_of_two_words_form_groups(monkeypatch):
    ran = []
    more = cli.Command(
        "invented one", "counts", lambda p: p.add_argument("folder"), lambda a: ran.append(a.folder)
    )
    monkeypatch.setattr(
        cli, "COMMANDS", (*cli.COMMANDS, more, more._replace(name="invented other"))
    )
    biobert("invented", "one", "here")
    assert ran == ["here"]


def test_the_formats_on_offer_are_those_there_are():
    assert ("terminal", *FORMATS) == commands.FORMATS


def standard_input(content: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(content))


@pytest.mark.parametrize("kind", commands.FORMATS)
def test_annotate_writes_every_format(model, texts, tmp_path, kind):
    if kind == "brat":
        pytest.skip("several files; see below")
    out = tmp_path / "deep" / "out"
    biobert("annotate", "--model", model, "--input", texts, "--format", kind, "--output", out)
    assert "Tavoramab" in out.read_text("utf-8")
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_annotate_takes_lines_for_texts(model, texts, tmp_path):
    out = tmp_path / "out.jsonl"
    biobert("annotate", "--model", model, "--input", texts, "--output", out)
    records = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [(r["id"], r["text"]) for r in records] == [
        ("1", "Gold is a metal."),
        ("3", "Tavoramab relieved Brackow fever."),
    ]
    assert sum(len(r["entities"]) for r in records) > 0


def test_brat_offsets_are_into_the_whole_file(model, texts, tmp_path):
    out = tmp_path / "texts.ann"
    biobert("annotate", "--model", model, "--input", texts, "--format", "brat", "--output", out)
    lines = [line.split("\t") for line in out.read_text("utf-8").splitlines() if line[0] == "T"]
    for _, where, text in lines:
        _, start, end = where.split(" ")
        assert TEXTS[int(start) : int(end)] == text
    assert max(int(where.split(" ")[2]) for _, where, _ in lines) > len("Gold is a metal.\n\n")


def test_a_brat_file_has_its_text_beside(model, texts, tmp_path):
    out = tmp_path / "new" / "a.ann"
    command = ("annotate", "--model", model, "--input", texts, "--format", "brat", "--output", out)
    biobert(*command)
    biobert(*command)  # the same text may be there already
    assert {path.name for path in out.parent.iterdir()} == {"a.ann", "a.txt"}
    assert out.with_suffix(".txt").read_bytes() == texts.read_bytes()


def test_several_brat_documents_are_a_folder(model, tmp_path):
    path, out = tmp_path / "in.jsonl", tmp_path / "new" / "brat"
    records = [{"id": "../x", "text": TEXTS}, {"id": "y", "title": "Gold", "text": TEXTS}]
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    biobert("annotate", "--model", model, "--input", path, "--format", "brat", "--output", out)
    names = {"_x.txt", "_x.ann", "y.txt", "y.ann", "documents.tsv", "annotation.conf"}
    assert {file.name for file in out.iterdir()} == names
    assert (out / "y.txt").read_text("utf-8") == f"Gold\n\n{TEXTS}"
    assert [file.name for file in out.parent.iterdir()] == ["brat"]


WORDS = "Tavoramab relieved Brackow fever"
ODD = {
    "a long word": "x" * 100_000 + f" {WORDS}.",
    "controls": f"a\x00b\x1b[2J {WORDS}\x7f\x85\x9b.",
    "line ends": f"Gold\ris\r\na metal\u2028{WORDS}\x0b{WORDS}.",
    "emoji": f"\U0001f469\u200d\U0001f52c likes \U0001f1e9\U0001f1ea {WORDS} \U0001d400.",
    "right to left": f"\u05d6\u05d4\u05d1 \u202e{WORDS}\u202c \u0630\u0647\u0628 {WORDS}.",
    "accents": "Z\u0341\u0315\u035c\u0345 go\u0308ld \u0130.",
    "blank": " \n\t",
    "empty": "",
}


@pytest.mark.parametrize("kind", commands.FORMATS)
def test_odd_texts_are_annotated_in_every_format(model, tmp_path, kind):
    path, out = tmp_path / "in.jsonl", tmp_path / "out"
    lines = (json.dumps({"id": id_, "text": text}) for id_, text in ODD.items())
    path.write_text("\n".join(lines), "utf-8")
    biobert("annotate", "--model", model, "--input", path, "--format", kind, "--output", out)
    if kind != "jsonl":
        return
    records = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert {record["id"]: record["text"] for record in records} == ODD
    for record in records:
        for entity in record["entities"]:
            assert record["text"][entity["start"] : entity["end"]] == entity["text"]
    assert sum(len(record["entities"]) for record in records) > 0


@pytest.mark.parametrize("kind", ["jsonl", "conll", "pubtator", "bioc-json", "terminal"])
def test_nothing_to_read_is_said_and_no_failure(model, tmp_path, caplog, kind):
    path, out = tmp_path / "in.txt", tmp_path / "out"
    path.write_bytes(b"\n \n")
    biobert("annotate", "--model", model, "--input", path, "--format", kind, "--output", out)
    assert f"{path}: nothing to read" in caplog.text
    assert json.loads(out.read_text())["documents"] == [] if kind == "bioc-json" else True
    assert kind == "bioc-json" or out.read_bytes() == b""


def test_an_output_that_is_no_file_is_written_to(model, texts, tmp_path):
    """Or root would replace /dev/null by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")))
    read: list[str] = []
    reader.start()
    biobert("annotate", "--model", model, "--input", texts, "--output", pipe)
    reader.join(timeout=60)
    assert read[0].count("\n") == 2
    assert pipe.is_fifo()


def test_annotate_reads_standard_input_and_json(model, tmp_path, monkeypatch):
    stdin = io.TextIOWrapper(standard_input("Gold is \u03b1 metal.\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(out):
        biobert("annotate", "--model", model, "--format", "jsonl")
    (line,) = out.buffer.getvalue().decode("utf-8").splitlines()
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"id": "x", "text": "Gold is \u03b1 metal."}) + "\n", "utf-8")
    biobert("annotate", "--model", model, "--input", path, "--output", tmp_path / "out.jsonl")
    from_json = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert json.loads(line) | {"id": "x"} == from_json


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.txt", b"fine\n\xff\n", r"a.txt:2: byte 1 of the line (0xff)"),
        ("a.jsonl", b'{"text": "fine"}\n{"txt": 1}\n', r"a.jsonl:2: found"),
        ("a.jsonl", b"no\n", "a.jsonl:1: found 'no'; expected one JSON object"),
    ],
)
def test_bad_texts_are_reported_by_file_and_line(model, tmp_path, capsys, name, content, found):
    path, out = tmp_path / name, tmp_path / "out"
    path.write_bytes(content)
    message = fails(capsys, "annotate", "--model", model, "--input", path, "--output", out)
    assert found in message
    assert sorted(file.name for file in tmp_path.iterdir()) == [name]


def test_missing_files_and_models_are_reported(model, tmp_path, capsys):
    missing = tmp_path / "none"
    assert "No such file" in fails(capsys, "annotate", "--model", model, "--input", missing)
    assert "names no checkpoint" in fails(capsys, "annotate", "--model", missing)
    assert "names no trained model" in fails(capsys, "annotate", "--model", "random")


@pytest.mark.parametrize("pooling", ["cls", "mean", "none"])
def test_embed(model, texts, tmp_path, checkpoint, pooling):
    long = "Tavoramab relieved severe Brackow fever of the knee in 12 patients " * 6
    lines = ["Gold is a metal.", long.strip(), "\u200b x"]
    texts.write_text("\n".join(lines), "utf-8")
    out = tmp_path / "out.npz"
    biobert("embed", "--model", model, "--input", texts, "--output", out, "--pooling", pooling)
    arrays = np.load(out)
    assert arrays["ids"].tolist() == ["1", "2", "3"]
    vectors = arrays["embeddings"]
    tokenizer = WordPieceTokenizer(checkpoint.vocabulary, checkpoint.lowercase)
    pieces = [len(encoding.ids) for encoding in tokenizer.encode_batch(lines)]
    assert pieces[1] > checkpoint.config.max_position_embeddings  # read in stretches
    rows = sum(pieces) if pooling == "none" else 3
    assert vectors.shape == (rows, checkpoint.config.hidden_size)
    assert np.isfinite(vectors).all()
    if pooling == "none":
        assert arrays["starts"].tolist() == [0, *np.cumsum(pieces)]
        start, end = arrays["offsets"][0]
        assert lines[0].startswith(lines[0][start:end])


def test_pooling_is_of_the_pieces_vectors(model, texts, tmp_path):
    arrays = {}
    for pooling in ("none", "mean"):
        out = tmp_path / f"{pooling}.npz"
        biobert("embed", "--model", model, "--input", texts, "--output", out, "--pooling", pooling)
        arrays[pooling] = np.load(out)
    a, b = arrays["none"]["starts"][:2]
    expected = arrays["none"]["embeddings"][a:b].mean(0)
    np.testing.assert_allclose(arrays["mean"]["embeddings"][0], expected, atol=1e-5)


@pytest.mark.slow
def test_convert_there_and_back_changes_nothing(model, tmp_path, capsys):
    workdir, back = tmp_path / "workdir", tmp_path / "back"
    biobert("convert", "--from", model, "--to", workdir, "--format", "workdir")
    biobert("convert", "--from", workdir, "--to", back)
    for folder in (workdir, back):
        assert "# Model card" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    before, between, after = read_huggingface(model), read_workdir(workdir), read_huggingface(back)
    for other in (between, after):
        assert other.config == before.config
        assert other.vocabulary == before.vocabulary
        assert (other.labels, other.lowercase) == (before.labels, before.lowercase)
        for group in ("encoder", "classifier"):
            for one, two in zip(
                _leaves(before.params[group]), _leaves(other.params[group]), strict=True
            ):
                np.testing.assert_array_equal(one, two)
    assert "not an empty folder" in fails(capsys, "convert", "--from", model, "--to", back)
    arguments = ("convert", "--from", model, "--to", workdir, "--format", "workdir")
    assert "not an empty folder" in fails(capsys, *arguments)


def _leaves(tree):

    return jax.tree.leaves(tree)
