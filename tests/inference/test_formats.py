"""Each format is read back by a reader that knows only the format's own description."""

import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from biobert_jax.datasets.conll import read_conll
from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.datasets.spans import spans_of_tags
from biobert_jax.errors import DataError
from biobert_jax.inference.answer import Answer
from biobert_jax.inference.formats import tsv
from biobert_jax.inference.formats.brat import write_brat_folder
from biobert_jax.inference.formats.document import Document, Entity
from biobert_jax.inference.formats.registry import FORMATS
from biobert_jax.inference.formats.terminal import answers_text, relation_text, terminal_text
from biobert_jax.inference.questions import Asked
from biobert_jax.inference.relations import Relation

TEXT = "Tavoramab <5 mg> & gold\nhelped \u03b2-brackow\nfever \U0001d400|\u00e9."


def mark(text, *pieces):
    """Entities for pieces of a text, given with their types."""
    found = []
    for piece, type_ in pieces:
        start = text.index(piece)
        found.append(Entity(start, start + len(piece), type_, piece, 0.875))
    return Document("doc 1", text, found)


@pytest.fixture
def document():
    return mark(
        TEXT, ("Tavoramab", "Chemical"), ("gold", "Chemical"), ("brackow\nfever", "Disease")
    )


@st.composite
def documents(draw):
    alphabet = st.one_of(
        st.characters(codec="utf-8"), st.sampled_from("ab <>&\"'|\t\n\r\x00\x0b\x85\u2028;")
    )
    text = draw(st.text(alphabet, min_size=1, max_size=40))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    return Document(
        "7", text, [Entity(a, b, "T", text[a:b], 0.5) for a, b in spans if text[a:b].strip()]
    )


def written(kind, *annotated):
    return "".join(FORMATS[kind](iter(annotated)))


def triples(document):
    return [(e.start, e.end, e.type) for e in document.entities]


@settings(deadline=None)
@given(documents())
def test_jsonl(document):
    lines = written("jsonl", document, document).split("\n")
    assert lines.pop() == ""
    for line in lines:
        record = json.loads(line)
        assert (record["id"], record["text"]) == (document.id, document.text)
        assert [(e["start"], e["end"], e["type"]) for e in record["entities"]] == triples(document)
        assert all(record["text"][e["start"] : e["end"]] == e["text"] for e in record["entities"])


def test_conll_is_read_by_our_own_reader(tmp_path, document):
    path = tmp_path / "out.tsv"
    path.write_text(written("conll", document, mark("One gold.", ("gold", "Chemical"))), "utf-8")
    file = read_conll(path)
    assert file.documents == 2
    assert file.repaired == 0
    found = [
        ("".join(sentence.words[span.start : span.end]), span.type)
        for sentence in file.sentences
        for span in spans_of_tags(sentence.tags)
    ]
    assert found == [
        ("Tavoramab", "Chemical"),
        ("gold", "Chemical"),
        ("brackowfever", "Disease"),
        ("gold", "Chemical"),
    ]


def parse_brat(annotations):
    """Text-bound annotations as https://brat.nlplab.org/standoff.html describes them."""
    found, notes = [], {}
    for line in annotations.split("\n")[:-1]:
        name, middle, text = line.split("\t")
        if name[0] == "T":
            type_, where = middle.split(" ", 1)
            fragments = [tuple(map(int, part.split(" "))) for part in where.split(";")]
            found.append((name, type_, fragments, text))
        else:
            assert name[0] == "#"
            notes[middle.removeprefix("AnnotatorNotes ")] = text
    return found, notes


@settings(deadline=None)
@given(documents())
def test_brat(document):
    found, notes = parse_brat(written("brat", document))
    assert len(found) == len(document.entities) == len(notes)
    for (name, type_, fragments, text), entity in zip(found, document.entities, strict=True):
        pieces = [document.text[a:b] for a, b in fragments]
        # The reference text is the fragments' own, blanks between them, in one line.
        assert " ".join(pieces).replace("\t", " ") == text
        assert not any("\n" in piece for piece in pieces)
        assert entity.start <= fragments[0][0] < fragments[-1][1] <= entity.end
        assert "".join("".join(pieces).split()) == "".join(entity.text.split())
        assert (type_, notes[name]) == ("T", "score 0.5000")


def test_brat_is_of_one_document(document):
    with pytest.raises(DataError, match="second document"):
        written("brat", document, document)


IDS = [
    "1",
    "a/../../etc/passwd",
    "..",
    "/",
    "A",
    "a",
    "a-2",
    "con",
    "-rf",
    "x" * 300,
    "\u03b2",
    "_",
]


def test_a_brat_folder_has_a_text_and_annotations_for_each_id(tmp_path, document):
    texts = [
        dataclasses.replace(document, id=id_, text=f"{TEXT}\r{n}") for n, id_ in enumerate(IDS)
    ]
    folder = tmp_path / "brat"
    folder.mkdir()
    write_brat_folder(texts, ["Chemical", "Cell line"], folder)
    assert sorted(tmp_path.iterdir()) == [folder]
    lines = (folder / "annotation.conf").read_text("utf-8").splitlines()
    assert lines[:3] == ["[entities]", "Chemical", "Cell_line"]
    rows = (line.split("\t") for line in (folder / "documents.tsv").read_text("utf-8").split("\n"))
    next(rows)
    names = {id_: id_ for id_ in IDS} | {row[1]: row[0] for row in rows if len(row) == 2}
    assert len({name.lower() for name in names.values()}) == len(IDS)
    for text in texts:
        name = names[text.id]
        assert re.fullmatch(r"[\w.+][\w.+-]{0,101}", name, re.ASCII)
        assert (folder / f"{name}.txt").read_bytes().decode() == text.text
        found, _ = parse_brat((folder / f"{name}.ann").read_text("utf-8"))
        assert len(found) == 3
    assert len(list(folder.iterdir())) == 2 * len(IDS) + 2


def test_brat_cuts_at_line_breaks(document):
    found, _ = parse_brat(written("brat", document))
    start = TEXT.index("brackow")
    assert found[2] == (
        "T3", "Disease", [(start, start + 7), (start + 8, start + 13)], "brackow fever"
    )  # fmt: skip


def parse_pubtator(text):
    """As https://www.ncbi.nlm.nih.gov/research/bionlp/Tools describes it."""
    for block in text.split("\n\n")[:-1]:
        title, abstract, *rows = block.split("\n")
        name, kind, heading = title.split("|", 2)
        assert kind == "t"
        assert abstract == f"{name}|a|"
        yield name, heading, [row.split("\t") for row in rows]


@settings(deadline=None)
@given(documents())
def test_pubtator(document):
    twice = list(parse_pubtator(written("pubtator", document, document)))
    assert len(twice) == 2
    for name, text, rows in twice:
        assert (name, len(text)) == (document.id, len(document.text))
        assert [(int(r[1]), int(r[2]), r[4]) for r in rows] == triples(document)
        assert all(row[0] == name and text[int(row[1]) : int(row[2])] == row[3] for row in rows)


EVIL = dataclasses.replace(mark("One gold.", ("gold", "T\nx\t1")), id="a|t|b\nc\t1\t2")


def test_ids_and_types_forge_no_lines(document):
    assert len(list(parse_pubtator(written("pubtator", EVIL, document)))) == 2
    for kind, count in (("pubtator", 4), ("conll", 6), ("jsonl", 1), ("brat", 2)):
        assert written(kind, EVIL).count("\n") == count
    (row,) = next(parse_pubtator(written("pubtator", EVIL)))[2]
    assert row == [r"a\x7ct\x7cb\nc\t1\t2", "4", "8", "gold", r"T\nx\t1", "-"]
    relation = Relation("a\tb", 0.5, {"a\tb": 0.5, "c\nd": 0.5})
    sentence = RelationExample("x\ny\tz", "@GENE$", "", (), "")
    header, line = "".join(tsv.write_relations([(sentence, relation)])).splitlines()
    assert header.split("\t") == ["id", "predicted", r"a\tb", r"c\nd"]
    assert line.split("\t") == [r"x\ny\tz", r"a\tb", "0.500000", "0.500000"]


def test_nothing_steers_a_terminal(document):
    steering = mark("\x1b[31mgold\x9b2J \u202egold", ("gold", "T\x1b[0m"))
    assert not set("\x1b\x9b\u202e") & set(terminal_text(steering.text, steering.entities).plain)
    for kind in ("jsonl", "html", "bioc"):
        assert not set("\x1b") & set(written(kind, steering))
    line = written("jsonl", dataclasses.replace(steering, text=steering.text + "\u2028\x85"))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["text"] == steering.text + "\u2028\x85"
    question = Asked("1", "\x1b[2J?", ("\x1b[2J gold",))
    found = answers_text(question, [Answer("gold", 0.5, 0, 5, 9)])
    sentence = RelationExample("1", "\x1b @GENE$ \x1b x", "", ((2, 8),), "")
    marked = relation_text(sentence, Relation("\x1b", 1.0, {}))
    assert "\x1b" not in found.plain + marked.plain
    (style,) = [s for s in marked.spans if "magenta" in s.style]
    assert marked.plain[style.start : style.end] == "@GENE$"


@settings(deadline=None)
@given(documents())
def test_bioc(document):
    root = etree.fromstring(written("bioc", document, document).encode())
    assert [child.tag for child in root][:3] == ["source", "date", "key"]
    assert len(root.findall("document")) == 2
    passage = root.find("document/passage")
    text = passage.findtext("text") or ""
    assert len(text) == len(document.text)
    found = []
    for annotation in passage.findall("annotation"):
        place = annotation.find("location")
        start, size = int(place.get("offset")), int(place.get("length"))
        assert text[start : start + size] == annotation.findtext("text")
        found.append((start, start + size, annotation.findtext("infon[@key='type']")))
        assert annotation.findtext("infon[@key='score']") == "0.5000"
    assert found == triples(document)


@settings(deadline=None)
@given(documents())
def test_bioc_json(document):
    for copies in range(3):
        collection = json.loads(written("bioc-json", *[document] * copies))
        assert len(collection["documents"]) == copies
        for of_one in collection["documents"]:
            (passage,) = of_one["passages"]
            assert passage["text"] == document.text
            places = [(a["locations"][0], a["infons"]["type"]) for a in passage["annotations"]]
            found = [(p["offset"], p["offset"] + p["length"], type_) for p, type_ in places]
            assert found == triples(document)


def test_html_escapes_everything_and_needs_nothing_else(document):
    evil = mark('<script>alert("1")</script> gold', ("gold", '<img src="x">'))
    page = written("html", document, evil)
    tree = html.document_fromstring(page)
    assert not tree.xpath("//script|//img|//link|//*[@src]|//*[@href]")
    marks = tree.xpath("//mark")
    assert [m.text for m in marks] == ["Tavoramab", "gold", "brackow\nfever", "gold"]
    assert marks[0].get("title") == "Chemical, score 0.88"
    assert marks[0].get("style") == marks[1].get("style") != marks[2].get("style")
    for small in tree.xpath("//small"):
        small.text = ""
    assert [p.text_content() for p in tree.xpath("//p")] == [TEXT, evil.text]


def test_terminal_text_keeps_the_text_and_styles_the_entities(document):
    text = terminal_text(TEXT, document.entities, ["Chemical", "Disease"])
    plain = text.plain
    for entity in document.entities:
        plain = plain.replace(f" {entity.type}", "", 1)
    assert plain == TEXT
    bold = [(text.plain[s.start : s.end], s.style) for s in text.spans if "bold" in s.style]
    assert bold == [
        ("Tavoramab", "bold magenta"),
        ("gold", "bold magenta"),
        ("brackow\nfever", "bold cyan"),
    ]
