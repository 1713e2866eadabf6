"""Bad data sets: each is refused with one line that names the file and the line or record.

A row: an id, the files that differ from a good set (None removes one), what the message begins
with (`{}` is the folder) and what else it says.
"""

import functools
import gzip
import json
import zipfile

import pytest

from biobert_jax import files
from biobert_jax.datasets import archive as archives
from biobert_jax.datasets.ner import load_splits as load_ner
from biobert_jax.datasets.qa import load_splits as load_qa
from biobert_jax.datasets.relation import load_relations
from tests.support.messages import only_message

NER = "Aspirin\tB-Drug\nhelps\tO\n.\tO\n\nIt\tO\nis\tO\nibuprofen\tB-Drug\n"
PUBMED = (
    '<?xml version="1.0"?>\n<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID>'
    "</MedlineCitation></PubmedArticle></PubmedArticleSet>\n"
)
PUBTATOR = "1|t|Aspirin helps.\n1|a|It does.\n1\t0\t7\tAspirin\tChemical\tD1\n"
CR = NER.replace("\n", "\r")
RELATION = "The @GENE$ raises @DISEASE$.\t1\nNo @GENE$ was in @DISEASE$.\t0\n"
UNLABELLED = "index\tsentence\n0\tThe @GENE$ raises @DISEASE$.\n1\tNo @GENE$ in @DISEASE$.\n"
PDF = b"%PDF-1.7\n\xe2\xe3\xcf\xd3\n"
ID = "5a0000000000000000000001"


BOMB = gzip.compress(b"a\tO\n" * 2**19, mtime=0)


@pytest.fixture(autouse=True)
def small_bombs_count(monkeypatch):
    monkeypatch.setattr(files.reading, "FREE_BYTES", 2**20)


def squad(context="Aspirin helps against pain.", **answer):
    answer = {"text": "pain", "answer_start": 22} | answer
    question = {"id": "q1", "question": "Against what?", "answers": [answer]}
    return {"data": [{"title": "T", "paragraphs": [{"context": context, "qas": [question]}]}]}


def dumped(value, **changes):
    return json.dumps(value | changes)


def asked(**changes):
    record = {
        "id": ID,
        "body": "Is it so?",
        "type": "yesno",
        "exact_answer": "yes",
        "snippets": [{"text": "It is so."}],
    }
    return json.dumps({"questions": [record | changes]})


def check(tmp_path, capsys, good, changes, load, begins, says):
    for name, content in {**good, **changes}.items():
        if content is not None:
            content = content.encode() if isinstance(content, str) else content
            (tmp_path / name).write_bytes(content)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    message = only_message(capsys, functools.partial(load, path=str(tmp_path)))
    assert message.startswith(begins.format(tmp_path)), message
    for words in says:
        assert words in message, message
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "begins", "says"),
    [
        pytest.param(changes, begins, says, id=name)
        for name, changes, begins, *says in [
            (
                "all O",
                {"train.tsv": "a\tO\nb\tO\n", "devel.tsv": "a\tO\n"},
                "{}/train.tsv",
                "tag O",
            ),
            ("CR", {"train.tsv": CR}, "{}/train.tsv:1: ", "carriage return", "tr '"),
            ("CR later", {"test.tsv": "a\tO\n\nb\tO\rc\tO\n"}, "{}/test.tsv:3: ", "carriage"),
            ("PubMed XML", {"train.tsv": PUBMED}, "{}/train.tsv: ", "looks like XML", "CoNLL"),
            ("HTML", {"train.tsv": "<!DOCTYPE html>\n<p>404"}, "{}/train.tsv: ", "looks like HTML"),
            ("JSON", {"train.tsv": dumped(squad())}, "{}/train.tsv: ", "looks like JSON"),
            ("PubTator", {"train.tsv": PUBTATOR}, "{}/train.tsv: ", "looks like PubTator"),
            ("PDF", {"train.tsv": PDF}, "{}/train.tsv: ", "looks like PDF"),
            ("Parquet", {"test.tsv": b"PAR1\x15\x04"}, "{}/test.tsv: ", "looks like Parquet"),
            ("zip", {"test.tsv": b"PK\x03\x04\x14"}, "{}/test.tsv: ", "zip archive"),
            ("zeros", {"test.tsv": bytes(99)}, "{}/test.tsv: ", "binary"),
            ("UTF-16", {"train.tsv": NER.encode("utf-16")}, "{}/train.tsv: ", "UTF-16", "iconv"),
            (
                "UTF-16 without mark",
                {"train.tsv": NER.encode("utf-16-le")},
                "{}/train.tsv: ",
                "bin",
            ),
            ("Latin-1", {"devel.tsv": b"a\tO\n\xe9\tO\n"}, "{}/devel.tsv:2: ", "0xe9", "iconv"),
            (
                "gzip cut",
                {"train.tsv": gzip.compress(NER.encode(), mtime=0)[:-9]},
                "{}/train.tsv: ",
                "damag",
            ),
            (
                "gzip twice",
                {"train.tsv": gzip.compress(gzip.compress(b"a", mtime=0))},
                "{}/train.tsv: ",
                "gz",
            ),
            ("gzip bomb", {"train.tsv": BOMB}, "{}/train.tsv: ", "decompression bomb"),
            ("empty", {"train.tsv": ""}, "{}/train.tsv: ", "no sentence"),
            ("blank", {"train.tsv": "\n \n"}, "{}/train.tsv: ", "no sentence"),
            ("one column", {"train.tsv": "a\tO\nb\n"}, "{}/train.tsv:2: ", "one column"),
            (
                "sentences",
                {"train.tsv": "Aspirin helps.\n"},
                "{}/train.tsv:1: ",
                "the tag 'helps.'",
            ),
            ("relations", {"train.tsv": RELATION}, "{}/train.tsv:1: ", "the tag '1'"),
            ("tag first", {"train.tsv": "O\tAspirin\n"}, "{}/train.tsv:1: ", "last column"),
            ("CSV", {"train.tsv": "word,tag\na,O\n"}, "{}/train.tsv:1: ", "one column"),
            ("unseen type", {"test.tsv": "a\tO\nb\tB-Gene\n"}, "{}/test.tsv:2: ", "B-Gene"),
            ("no file", {"devel.tsv": None}, "{}: ", "devel/dev/valid.tsv"),
        ]
    ],
)
def test_ner(tmp_path, capsys, changes, begins, says):
    good = {f"{split}.tsv": NER for split in ("train", "devel", "test")}
    check(tmp_path, capsys, good, changes, functools.partial(load_ner, "own"), begins, says)


@pytest.mark.parametrize(
    ("changes", "begins", "says"),
    [
        pytest.param(changes, begins, says, id=name)
        for name, changes, begins, *says in [
            ("one class", {"train.tsv": "A @GENE$ b.\t1\nC @GENE$ d.\t1\n"}, "{}: ", "label '1'"),
            ("no label", {"train.tsv": UNLABELLED}, "{}/train.tsv:1: ", "header 'index"),
            ("only sentences", {"train.tsv": "A @GENE$ b.\n"}, "{}/train.tsv:1: ", "1 column"),
            (
                "the sentence last",
                {"train.tsv": "".join(f"1\tSentence {n} of @GENE$.\n" for n in range(60))},
                "{}/train.tsv:1: ",
                "one of 60 of 60",
                "last column is the label",
            ),
            ("CoNLL", {"train.tsv": NER}, "{}/train.tsv: ", "looks like CoNLL"),
            ("XML", {"train.tsv": PUBMED}, "{}/train.tsv: ", "looks like XML"),
            ("HTML", {"test.tsv": "<html><body>"}, "{}/test.tsv: ", "looks like HTML"),
            ("PDF", {"test.tsv": PDF}, "{}/test.tsv: ", "looks like PDF"),
            ("CR", {"train.tsv": RELATION.replace("\n", "\r")}, "{}/train.tsv:1: ", "carriage"),
            ("Latin-1", {"train.tsv": b"Na\xefve @GENE$\t1\n"}, "{}/train.tsv:1: ", "0xef"),
            ("SQuAD", {"train.tsv": dumped(squad())}, "{}/train.tsv:1: ", '"text" and a "label"'),
            (
                "surrogate",
                {"train.tsv": '{"text": "\\ud800", "label": 1}'},
                "{}/train.tsv:1: ",
                "U+D",
            ),
            ("NaN", {"train.tsv": '{"text": "a", "label": NaN}'}, "{}/train.tsv:1: ", "NaN"),
            (
                "twice",
                {"train.tsv": '{"text": "a", "text": "b"}'},
                "{}/train.tsv:1: ",
                "'text' twice",
            ),
            ("wrong type", {"train.tsv": '{"text": 5, "label": 1}'}, "{}/train.tsv:1: ", '"text"'),
            (
                "empty label",
                {"train.tsv": '{"text": "a", "label": " "}'},
                "{}/train.tsv:1: ",
                "label",
            ),
            (
                "id a list",
                {"train.tsv": '{"text": "a", "label": 1, "id": []}'},
                "{}/train.tsv:1: ",
                "id",
            ),
            ("deep", {"train.tsv": '{"text": ' + "[" * 99_999}, "{}/train.tsv:1: ", "nested"),
            (
                "a list",
                {"train.tsv": '[{"text": "a", "label": 1}]'},
                "{}/train.tsv:1: ",
                "an object",
            ),
            ("unseen class", {"test.tsv": "A @GENE$.\t2\n"}, "{}/test.tsv:1: ", "label '2'"),
            ("empty", {"train.tsv": ""}, "{}/train.tsv: ", "no example"),
            ("gzip bomb", {"train.tsv": BOMB}, "{}/train.tsv: ", "decompression bomb"),
        ]
    ],
)
def test_relations(tmp_path, capsys, changes, begins, says):
    good = {"train.tsv": RELATION, "test.tsv": RELATION}
    check(tmp_path, capsys, good, changes, functools.partial(load_relations, "own"), begins, says)


@pytest.mark.parametrize(
    ("changes", "begins", "says"),
    [
        pytest.param(changes, begins, says, id=name)
        for name, changes, begins, *says in [
            (
                "surrogate",
                {"train.json": dumped(squad("\ud800 helps against pain."))},
                "{}/train.json: data[0].paragraphs[0].context",
                "U+D800",
            ),
            ("NaN", {"train.json": '{"data": [NaN]}'}, "{}/train.json: ", "NaN"),
            ("infinite", {"train.json": '{"data": [1e999]}'}, "{}/train.json: ", "1e999", "float"),
            ("a key twice", {"train.json": '{"data": [], "data": []}'}, "{}/train.json: ", "twice"),
            ("cut", {"train.json": dumped(squad())[:-9]}, "{}/train.json:1: ", "in the middle"),
            ("XML", {"train.json": PUBMED}, "{}/train.json: ", "looks like XML"),
            ("HTML", {"train.json": "<html>"}, "{}/train.json: ", "looks like HTML"),
            ("CoNLL", {"train.json": NER}, "{}/train.json: ", "looks like CoNLL"),
            ("BioASQ", {"train.json": asked()}, "{}/train.json: ", "'data' with a list"),
            ("a list", {"train.json": "[]"}, "{}/train.json: ", "list instead of an object"),
            ("empty", {"train.json": ""}, "{}/train.json:1: ", "in the middle"),
            ("zip", {"dev.json": b"PK\x03\x04"}, "{}/dev.json: ", "zip"),
            (
                "offset",
                {"train.json": dumped(squad(answer_start=1))},
                "{}/train.json: data[0]",
                "22",
            ),
            (
                "a float offset",
                {"train.json": dumped(squad(answer_start=22.0))},
                "{}/train.json: data[0].paragraphs[0].qas[0]",
                "a whole number",
            ),
            (
                "no answers",
                {"train.json": dumped(squad()).replace("answers", "x")},
                "{}: ",
                "answer",
            ),
            (
                "title a number",
                {"train.json": dumped(squad()).replace('"T"', "5")},
                "{}/train.json: data[0]: ",
                "'title' with a string",
            ),
            ("gzip bomb", {"train.json": BOMB}, "{}/train.json: ", "decompression bomb"),
        ]
    ],
)
def test_squad(tmp_path, capsys, changes, begins, says):
    good = {"train.json": dumped(squad()), "dev.json": dumped(squad())}
    check(tmp_path, capsys, good, changes, functools.partial(load_qa, "own"), begins, says)


@pytest.mark.parametrize(
    ("changes", "begins", "says"),
    [
        pytest.param(changes, begins, says, id=name)
        for name, changes, begins, *says in [
            (
                "surrogate in a snippet",
                {"7B1_golden.json": asked(snippets=[{"text": "\udc00"}])},
                "{}/7B1_golden.json: questions[0].snippets[0].text",
                "U+DC00",
            ),
            (
                "a question twice",
                {
                    "7B1_golden.json": json.dumps(
                        {"questions": 2 * json.loads(asked())["questions"]}
                    )
                },
                "{}/7B1_golden.json: questions[1]",
                "questions[0] has already",
            ),
            (
                "maybe",
                {"7B1_golden.json": asked(exact_answer="maybe")},
                "{}/7B1_golden.json: questions[0]",
                "'yes' or 'no'",
            ),
            (
                "snippets a string",
                {"7B1_golden.json": asked(snippets="It is.")},
                "{}/7B1_golden.json: questions[0]",
                "'snippets' with a list",
            ),
            (
                "the id a number",
                {"7B1_golden.json": asked(id=5)},
                "{}/7B1_golden.json: questions[0]",
                "'id' with a string",
            ),
            (
                "SQuAD for golden",
                {"7B1_golden.json": dumped(squad())},
                "{}/7B1_golden.json: ",
                "'questions' with a list",
            ),
            ("no golden file", {"7B1_golden.json": None}, "{}: ", "no golden file"),
            (
                "nothing to train on",
                {"BioASQ-train-yesno-7b.json": asked(type="summary")},
                "{}: ",
                "none of the training questions",
            ),
        ]
    ],
)
def test_bioasq(tmp_path, capsys, changes, begins, says):
    other = asked(id=ID[:-1] + "2")
    good = {"7B1_golden.json": asked(), "BioASQ-train-yesno-7b.json": other}
    load = functools.partial(load_qa, "bioasq_7b", kind="yesno")
    check(tmp_path, capsys, good, changes, load, begins, says)


@pytest.mark.parametrize("load", [load_ner, load_relations, load_qa])
@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_folder_that_is_none(tmp_path, capsys, load, kind):
    path = tmp_path / "own"
    if kind == "a file":
        path.write_text("")
    message = only_message(capsys, functools.partial(load, "own", path=str(path)))
    assert message.startswith(str(path))


def test_an_unreadable_file(tmp_path, capsys):
    for split in ("train", "devel", "test"):
        (tmp_path / f"{split}.tsv").write_text(NER)
    (tmp_path / "test.tsv").unlink()
    (tmp_path / "test.tsv").mkdir()
    message = only_message(capsys, functools.partial(load_ner, "own", path=str(tmp_path)))
    assert message.startswith(f"{tmp_path / 'test.tsv'}: cannot be read")


def test_a_set_too_large_for_memory(tmp_path, capsys, monkeypatch):
    for split in ("train", "devel", "test"):
        (tmp_path / f"{split}.tsv").write_text(NER)
    monkeypatch.setattr(files.reading, "MAX_FILE_BYTES", len(NER) - 1)
    message = only_message(capsys, functools.partial(load_ner, "own", path=str(tmp_path)))
    assert message.startswith(f"{tmp_path / 'train.tsv'}: more than")


def test_members_of_one_name_do_not_fill_the_memory(tmp_path, capsys, monkeypatch):
    path = tmp_path / "ChemProt_Corpus.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(30):
            archive.writestr(f"{number}/chemprot_training_abstracts.tsv", bytes(1000))
    read = []
    monkeypatch.setattr(archives, "read_bounded", lambda *a: read.append(a) or b"")
    message = only_message(
        capsys, functools.partial(load_relations, "chemprot", path=str(tmp_path))
    )
    assert message.startswith(f"{path}: ")
    assert len(read) == 3


@pytest.mark.parametrize(
    "sentence",
    ["<GENE> KRT1 </GENE> raises <DISEASE> fever </DISEASE>.", "[[ KRT1 ]] raises << fever >>."],
)
def test_marks_at_the_beginning_are_no_other_form(tmp_path, sentence):
    for split in ("train", "test"):
        (tmp_path / f"{split}.tsv").write_text(f"{sentence}\t1\n{sentence}\t0\n")
    found = load_relations("own", path=str(tmp_path))
    assert len(found.splits["train"][0].marks) == 2


def test_relations_without_marks_are_reported(tmp_path, caplog):
    for split in ("train", "test"):
        (tmp_path / f"{split}.tsv").write_text("KRT1 raises it.\t1\nNo @GENE$ was found.\t0\n")
    found = load_relations("own", path=str(tmp_path))
    assert found.facts["without_marks"] == {"train": 1, "validation": 0, "test": 1}
    assert "1 of 2 train sentences have no mark of a known kind" in caplog.text
    assert f"{tmp_path}/train.tsv:1" in caplog.text


def test_labels_are_those_that_are_trained_on(tmp_path, capsys, caplog):
    for split in ("train", "devel", "test"):
        (tmp_path / f"{split}.tsv").write_text(NER)
    (tmp_path / "devel.tsv").write_text("a\tB-Gene\n")
    load = functools.partial(load_ner, "own", path=str(tmp_path))
    assert len(load(train_on="train+devel")["train"]) == 3
    message = only_message(capsys, functools.partial(load, train_on="train"))
    assert message.startswith(f"{tmp_path}/devel.tsv:1: the label 'B-Gene'")
    (tmp_path / "test.tsv").write_text("a\tO\n")
    load()
    assert f"{tmp_path}/test.tsv: all of its words have the tag O" in caplog.text
    message = only_message(capsys, functools.partial(load, limit=0, train_on="both"))
    assert "dataset.train_on" in message
