"""Bad input to the commands that apply a model: one line that names the fact, and nothing lost."""

import dataclasses
import gzip
import json
import os
import sys
import zipfile

import jax
import numpy as np
import pytest

from biobert_jax import cli
from biobert_jax.interop.huggingface import write_huggingface

GOOD = b"Gold is a metal.\n\nTavoramab relieved Brackow fever.\n"
XML = b'<?xml version="1.0"?>\n<PubmedArticleSet><PubmedArticle/></PubmedArticleSet>\n'
BIOC = {"source": "x", "documents": [{"id": "1", "passages": [{"offset": 0, "text": "Gold."}]}]}
TAGS = b"".join(b"%s\tO\n" % word for word in GOOD.split())
WRITTEN = (
    '"entities": [{"start": %d, "end": %d, "type": "gene"}, {"start": 5, "end": 7, "type": "gene"}]'
)


def jsonl(*records) -> bytes:
    """JSON lines of objects, or of lines as they are."""
    lines = (one if isinstance(one, str) else json.dumps(one) for one in records)
    return "".join(f"{line}\n" for line in lines).encode()


def asked(**values) -> dict:
    return {"question": "Which?", "contexts": ["Gold is a metal."]} | values


def official(**values) -> bytes:
    record = {"id": "a" * 24, "type": "list", "body": "Which?", "snippets": [{"text": "Gold."}]}
    return json.dumps({"questions": [record | values]}).encode()


ANNOTATE = {
    # Files that cannot be read, or are of another form than text.
    "missing": (None, ["in.txt", "No such file"]),
    "a folder": ("folder", ["in.txt", "directory"]),
    "not UTF-8": (b"fine\n\xe9t\xe9\n", ["in.txt:2", "0xe9", "UTF-8"]),
    "UTF-16": ("Gold is a metal.".encode("utf-16"), ["in.txt", "UTF-16"]),
    "UTF-16 without a mark": ("Gold is a metal.".encode("utf-16-le"), ["in.txt", "binary"]),
    "other XML": (b"<?xml version='1.0'?><TEI><p>Gold</p></TEI>", ["in.txt", "looks like XML"]),
    "cut PubMed XML": (XML[:-30], ["in.txt", "malformed XML"]),
    "cut BioC": (b"<collection><document><id>1</id>", ["in.txt", "malformed XML"]),
    "cut JATS": (b"\xef\xbb\xbf<!DOCTYPE article>\n<article>", ["in.txt", "malformed"]),
    "HTML": (b"<!doctype html><html><body>Gold</body></html>", ["in.txt", "looks like HTML"]),
    "XML in gzip": (gzip.compress(b"<a><b/></a>", mtime=0), ["in.txt", "looks like XML"]),
    "cut gzip": (gzip.compress(GOOD * 99, mtime=0)[:-9], ["in.txt", "truncated or damaged"]),
    "gzip in gzip": (gzip.compress(gzip.compress(GOOD, mtime=0)), ["in.txt", "looks like gzip"]),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\n", ["in.txt", "looks like PDF"]),
    "RTF": (b"{\\rtf1\\ansi Gold}", ["in.txt", "looks like RTF"]),
    "Office": (b"PK\x03\x04\x14\x00", ["in.txt", "zip"]),
    "Parquet": (b"PAR1\x15\x04", ["in.txt", "Parquet"]),
    "NUL": (b"Gold\x00 is\n", ["in.txt", "binary"]),
    "PubTator": (b"123|t|Gold\n123|a|Is a metal.\n123\t0\t4\tTin\tChemical\t-\n", ["in.txt:3"]),
    "MEDLINE": (b"\nPMID- 123\nTI  - Gold\n", ["in.txt", "MEDLINE"]),
    "CoNLL": (TAGS, ["in.txt", "CoNLL"]),
    "CSV": (b'id,text\n1,"Gold is a metal."\n', ["in.txt:1", "looks like CSV"]),
    "quoted CSV": (b'"pmid","title","abstract"\n"1","a","b"\n', ["in.txt:1", "looks like CSV"]),
    "TSV": (b"1\tGold.\n2\tTin.\n3\tIron.\n", ["in.txt:1", "looks like TSV"]),
    "TSV with a header": (b"text\tlabel\nGold.\t1\n", ["in.txt:1", "looks like TSV"]),
    "old line ends": (b"Gold.\rTin.\rIron.\r", ["in.txt:1", "carriage return"]),
    # JSON lines.
    "a cut line": (jsonl({"text": "Gold."}, '{"text": "Go'), ["in.txt:2", "ends in the middle"]),
    "no JSON": (jsonl({"text": "Gold."}, "Tin."), ["in.txt:2", "'Tin.'", "object"]),
    "a list": (jsonl('["Gold.", "Tin."]'), ["in.txt:1", "object"]),
    "many lines": (b'{\n "text": "Gold"\n}\n', ["in.txt:1", "several lines"]),
    "BioC JSON": (jsonl(BIOC)[:-6], ["in.txt:1", "ends in the middle"]),
    "BioC of no documents": (jsonl({"source": "", "documents": [1]}), ["in.txt", "document 1"]),
    "no text": (jsonl({"text": "Gold."}, {"id": "2"}), ["in.txt:2", "'id'", "`text`"]),
    "nothing": (jsonl({"text": "Gold."}, {}), ["in.txt:2", "empty object"]),
    "a number for text": (jsonl({"text": 3}), ["in.txt:1", "`text`"]),
    "a list for text": (jsonl({"text": ["Gold."]}), ["in.txt:1", "`text`"]),
    "a number for title": (jsonl({"title": 3, "text": "Gold."}), ["in.txt:1", "`title`"]),
    "other text": (jsonl({"title": "x", "text": "y", "abstract": "z"}), ["in.txt:1", "abstract"]),
    "half a pair": (jsonl({"text": "a"}, r'{"text": "x \ud800 y"}'), ["in.txt:2", "U+D800"]),
    "half a pair in an id": (jsonl(r'{"id": "\udfff", "text": "x"}'), ["in.txt:1", "U+DFFF"]),
    "NaN": (jsonl('{"text": "x", "score": NaN}'), ["in.txt:1", "NaN"]),
    "a key twice": (jsonl('{"text": "x", "text": "y"}'), ["in.txt:1", "'text'", "twice"]),
    "nested": (jsonl('{"text": ' + "[" * 200_000), ["in.txt:1"]),
    "digits": (jsonl('{"text": "x", "id": ' + "9" * 5000 + "}"), ["in.txt:1"]),
    "not UTF-8 in JSON": (b'{"text": "\xff"}\n', ["in.txt:1", "0xff"]),
    "a tab in an id": (jsonl({"id": "a\tb", "text": "x"}), ["in.txt:1", r"'a\tb'", "control"]),
    "lines in an id": (jsonl({"id": "a\n2|t|x", "text": "x"}), ["in.txt:1", "control"]),
    "ESC in an id": (jsonl({"id": "\x1b[2J", "text": "x"}), ["in.txt:1", r"\x1b[2J", "control"]),
    "an empty id": (jsonl({"id": " ", "text": "x"}), ["in.txt:1", "id"]),
    "a list for an id": (jsonl({"id": [1], "text": "x"}), ["in.txt:1", "[1]"]),
    "null for an id": (jsonl({"id": None, "text": "x"}), ["in.txt:1", "None"]),
    "an id twice": (jsonl({"id": 7, "text": "x"}, {"id": "7", "text": ""}), ["in.txt:2", ":1 has"]),
    "the id of a line": (jsonl({"id": "2", "text": "x"}, {"text": "y"}), ["in.txt:2", "'2'"]),
}  # fmt: skip
ANSWER = {
    "no object": (b"Gold.\n", ["in.txt:1", "object"]),
    "no contexts": (jsonl({"question": "Which?"}), ["in.txt:1", "contexts"]),
    "no question": (jsonl({"contexts": ["x"]}), ["in.txt:1", "question"]),
    "an empty question": (jsonl(asked(question=" ")), ["in.txt:1", "question is empty"]),
    "an empty passage": (jsonl(asked(contexts=["x", ""])), ["in.txt:1", "contexts[1]"]),
    "a number for a passage": (jsonl(asked(contexts=[1])), ["in.txt:1", "contexts"]),
    "a string for passages": (jsonl(asked(contexts="x")), ["in.txt:1", "contexts"]),
    "half a pair": (jsonl(asked(), r'{"question": "\ud83d"}'), ["in.txt:2", "U+D83D"]),
    "an id twice": (jsonl(asked(id=1), asked(id=1)), ["in.txt:2", "in.txt:1"]),
    "XML": (XML, ["in.txt", "looks like XML"]),
}
ANSWER_JSON = {
    "cut": (official()[:-5], ["in.json", "ends in the middle"]),
    "an id too short": (official(id="x"), ["in.json", "questions[0]", "24"]),
    "a type": (official(type="maybe"), ["in.json", "questions[0]", "'maybe'"]),
    "half a pair": (official(body="\ud800"), ["in.json", "U+D800"]),
    "no questions": (b'{"versions": 1}', ["in.json"]),
}
RELATIONS = {
    "XML": (XML, ["in.txt", "looks like XML"]),
    "PubTator": (b"1|t|Gold\n1|a|x\n", ["in.txt", "PubTator"]),
    "CSV": (b"id,sentence\n1,@GENE$ x\n", ["in.txt:1", "looks like CSV", "tab"]),
    "columns": (b"1\tx @GENE$\ttrue\n2\ta\tb\tc\td\n", ["in.txt:2", "5 columns"]),
    "an empty sentence": (b"1\t @GENE$ x\t1\n2\t \t1\n", ["in.txt:2", "no sentence"]),
    "a cut line": (jsonl({"text": "x"}, '{"text": "'), ["in.txt:2"]),
    "half a pair": (jsonl({"text": "x"}, r'{"text": "\udc00"}'), ["in.txt:2", "U+DC00"]),
    "outside": (f'{{"text": "short text", {WRITTEN % (0, 99)}}}'.encode(), ["in.txt:1", "0:99"]),
    "inverted": (f'{{"text": "short text", {WRITTEN % (4, 2)}}}'.encode(), ["in.txt:1", "4:2"]),
    "no entities": (jsonl({"text": "x", "entities": []}), ["in.txt:1", "found []"]),
    "not UTF-8": (b"a @GENE$\n\xff\n", ["in.txt:2", "0xff"]),
}
EMBED = {
    "missing": (None, ["in.txt", "No such file"]),
    "XML": (XML, ["in.txt", "looks like XML"]),
    "no text": (jsonl({"id": 1}), ["in.txt:1", "`text`"]),
    "an id twice": (jsonl({"id": 1, "text": "x"}, {"id": 1, "text": "y"}), ["in.txt:2"]),
}
FILES = [
    (command, name, *case)
    for command, cases in (
        ("annotate --model {tagger} --input {d}/in.txt --output {d}/out", ANNOTATE),
        ("answer --model {span} --input {d}/in.txt --output {d}/out", ANSWER),
        ("answer --model {span} --input {d}/in.json --output {d}/out", ANSWER_JSON),
        ("relations --model {relation} --input {d}/in.txt --output {d}/out", RELATIONS),
        ("embed --model {tagger} --input {d}/in.txt --output {d}/out", EMBED),
    )
    for name, case in cases.items()
]

# Commands of which another argument than the input's content is wrong. In {d} there are in.txt and
# in.jsonl, good; hard.txt and soft.txt, links to in.txt; full/, a folder with a file; copy/, a
# model.
COMMANDS = [
    ("annotate --model {tagger} --input {d}/in.txt --output {d}/in.txt", ["in.txt", "input"]),
    ("annotate --model {tagger} --input {d}/in.txt --output {d}/hard.txt", ["hard.txt", "input"]),
    ("annotate --model {tagger} --input {d}/in.txt --output {d}/soft.txt", ["soft.txt", "input"]),
    ("annotate --model {tagger} --input {d}/soft.txt --output {d}/full/../in.txt", ["input"]),
    ("annotate --model {tagger} --input {d}/in.txt --output {d}/full", ["full", "folder"]),
    ("annotate --model {tagger} --input {d}/in.txt --output {d}/in.txt/x", ["in.txt is a file"]),
    ("annotate --model {d}/copy --input {d}/in.txt --output {d}/copy/vocab.txt", ["vocab.txt"]),
    ("annotate --model {tagger} --format brat --input {d}/in.jsonl", ["in.jsonl", "--output"]),
    (
        "annotate --model {tagger} --format brat --input {d}/in.jsonl --output {d}/x.ann",
        ["in.jsonl", "more than one document", "folder"],
    ),
    (
        "annotate --model {tagger} --format brat --input {d}/in.txt --output {d}/full",
        ["full", "not an empty folder"],
    ),
    (
        "annotate --model {tagger} --format brat --input {d}/in.txt --output {d}/in.jsonl",
        ["in.jsonl", "not an empty folder"],
    ),
    (
        "annotate --model {tagger} --format brat --input {d}/in.txt --output {d}/other.ann",
        ["other.txt", "another text"],
    ),
    ("annotate --model {d}/none --input {d}/in.txt", ["none", "no checkpoint"]),
    ("annotate --model random --input {d}/in.txt", ["random", "no trained model"]),
    ("annotate --model {d}/full --input {d}/in.txt", ["full", "no checkpoint"]),
    ("annotate --model {d}/in.txt --input {d}/in.txt", ["in.txt", "no checkpoint"]),
    ("annotate --model {relation} --input {d}/in.txt", ["labels", "treats"]),
    ("annotate --model {span} --input {d}/in.txt", ["no token classifier"]),
    ("annotate --model {broken} --input {d}/in.txt --output {d}/out", ["finite"]),
    ("answer --model {span} --input {d}/empty.txt --question Which?", ["empty.txt", "no passage"]),
    ("answer --model {span} --input {d}/in.jsonl --format bioasq", ["--output"]),
    ("answer --model {span} --input {d}/in.jsonl --output {d}/in.jsonl", ["input"]),
    ("answer --model {tagger} --input {d}/asked.jsonl", ["no span head"]),
    ("relations --model {relation} --input {d}/in.txt --output {d}/hard.txt", ["input"]),
    ("relations --model {tagger} --input {d}/in.txt", ["no classifier of sentences"]),
    ("embed --model {tagger} --input {d}/in.txt --output {d}/soft.txt", ["input"]),
    ("embed --model {tagger} --input {d}/in.txt --output {d}/full", ["full", "folder"]),
    ("embed --model {broken} --input {d}/in.txt --output {d}/out", ["finite"]),
    ("convert --from {tagger} --to {tagger}", ["not an empty folder"]),
    ("convert --from {tagger} --to {d}/full", ["full", "not an empty folder"]),
    ("convert --from {tagger} --to {d}/in.txt", ["in.txt", "not an empty folder"]),
    ("convert --from {tagger} --to {d}/in.txt/x --format workdir", ["in.txt is a file"]),
    ("convert --from {d}/none --to {d}/new", ["none", "no checkpoint"]),
    ("convert --from {tagger} --to {d}/new --vocab {d}/none", ["none", "No such file"]),
    ("convert --from {tagger} --to {d}/new --vocab {d}/empty.txt", ["empty.txt", "no tokens"]),
    ("convert --from {tagger} --to {d}/new --vocab {d}/twice.txt", ["twice.txt:3", "line 2"]),
    ("convert --from {tagger} --to {d}/new --vocab {d}/other.txt", ["[PAD]", "missing"]),
    ("vocab train --input {d}/in.txt --output {d}/in.txt --size 100", ["in.txt", "input"]),
    ("vocab train --input {d}/*.none --output {d}/new", [".none"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory, checkpoint, sequence_checkpoint, span_checkpoint):
    """Folders of models by name; the parameters of one are not finite."""
    folder = tmp_path_factory.mktemp("models")
    found = {"tagger": checkpoint, "relation": sequence_checkpoint, "span": span_checkpoint}
    for name, model in found.items():
        write(folder / name, model)
    broken = jax.tree.map(lambda leaf: leaf * np.nan, checkpoint.params)
    write(folder / "broken", dataclasses.replace(checkpoint, params=broken))
    return {name: folder / name for name in (*found, "broken")}


def write(folder, model):
    write_huggingface(
        folder, model.config, model.params, model.vocabulary, model.lowercase, model.labels
    )


def contents(folder) -> dict[str, bytes | None]:
    """All files below a folder, with their bytes."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def assert_refused(arguments, parts, folder, capsys):
    """Runs a command that must end with one line, and must write nothing."""
    before = contents(folder)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert ended.value.code == 1, captured.err
    assert len(errors) == 1, captured.err
    assert "Traceback" not in captured.err
    assert "\x1b" not in captured.err
    for part in parts:
        assert part in errors[0]
    assert contents(folder) == before
    assert captured.out == ""


@pytest.mark.parametrize(
    ("command", "name", "content", "parts"),
    FILES,
    ids=[f"{command.split()[0]}: {name}" for command, name, *_ in FILES],
)
def test_bad_files(command, name, content, parts, models, tmp_path, capsys):
    arguments = command.format(d=tmp_path, **models).split()
    path = tmp_path / ("in.json" if "in.json " in command else "in.txt")
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    (tmp_path / "out").write_bytes(b"of yesterday")
    assert_refused(arguments, parts, tmp_path, capsys)


@pytest.mark.parametrize(("command", "parts"), COMMANDS, ids=[c for c, _ in COMMANDS])
def test_bad_commands(command, parts, models, checkpoint, tmp_path, capsys):
    (tmp_path / "in.txt").write_bytes(GOOD)
    (tmp_path / "in.jsonl").write_bytes(jsonl({"text": "Gold."}, {"text": "Tin."}))
    (tmp_path / "asked.jsonl").write_bytes(jsonl(asked()))
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "twice.txt").write_bytes(b"[PAD]\na\na\n")
    (tmp_path / "other.txt").write_bytes(b"Tin.\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "results.json").write_bytes(b"{}")
    os.link(tmp_path / "in.txt", tmp_path / "hard.txt")
    (tmp_path / "soft.txt").symlink_to("in.txt")
    write(tmp_path / "copy", checkpoint)
    arguments = command.format(d=tmp_path, **models).split(" ")
    assert_refused(arguments, parts, tmp_path, capsys)


def test_a_question_that_is_no_text(models, tmp_path, capsys):
    """What a shell passes on where its encoding is another one."""
    (tmp_path / "in.txt").write_bytes(GOOD)
    arguments = ["answer", "--model", str(models["span"]), "--input", str(tmp_path / "in.txt")]
    assert_refused([*arguments, "--question", "Wh\udcffich?"], ["UTF-8"], tmp_path, capsys)


def test_standard_input_may_be_the_output_by_another_name(models, tmp_path, capsys, monkeypatch):
    path = tmp_path / "in.txt"
    path.write_bytes(GOOD)
    with path.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        command = f"annotate --model {models['tagger']} --output {path}"
        assert_refused(command.split(), ["in.txt", "input"], tmp_path, capsys)


def test_a_zip_archive_by_another_name(models, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "in.txt", "w") as archive:
        archive.writestr("a.txt", GOOD)
    command = f"annotate --model {models['tagger']} --input {tmp_path}/in.txt"
    assert_refused(command.split(), ["in.txt", "zip"], tmp_path, capsys)
