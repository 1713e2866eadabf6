"""What our writers wrote, and files as others write them, read back."""

import dataclasses
import gzip
import io
import json
import sys

import pytest

from biobert_jax.errors import DataError
from biobert_jax.inference.formats.brat import write_brat_folder
from biobert_jax.inference.formats.document import Document, Entity, Pair
from biobert_jax.inference.formats.registry import FORMATS
from biobert_jax.inference.inputs import kind_of_input, read_annotated, read_documents

TEXT = "Tavoramab <5 mg> & gold helped β-brackow fever \U0001d400|é."
PIECES = (("Tavoramab", "Chemical"), ("gold", "Chemical"), ("brackow fever", "Disease"))


def document(id_="doc 1", text=TEXT, model=""):
    found = [
        Entity(text.index(p), text.index(p) + len(p), kind, p, 0.875, model) for p, kind in PIECES
    ]
    return Document(id_, text, tuple(found), (Pair(0, 2, "treats", 0.5),))


def written(kind, path, *documents):
    path.write_text("".join(FORMATS[kind](iter(documents))), "utf-8")
    return str(path)


def entities(document):
    return [(e.start, e.end, e.type, e.text) for e in document.entities]


@pytest.mark.parametrize("kind", ["pubtator", "bioc", "bioc-json"])
def test_what_we_write_is_read_back(kind, tmp_path):
    given = [document("1"), dataclasses.replace(document("2", model="m"), relations=())]
    path = written(kind, tmp_path / "in", *given)
    assert kind_of_input(path) == kind
    found = list(read_documents(path))
    assert [(d.id, d.text, entities(d)) for d in found] == [
        (d.id, d.text, entities(d)) for d in given
    ]
    if kind != "pubtator":
        assert {e.probability for d in found for e in d.entities} == {0.875}
        assert [d.entities[0].model for d in found] == ["", "m"]


def test_a_brat_folder_is_read_back(tmp_path):
    broken = TEXT.replace("brackow fever", "brackow\nfever")
    at = broken.index("brackow")
    entity = Entity(at, at + 13, "Disease", "brackow\nfever", 0.5, "m")
    other = Document("a/b", broken, (entity,))
    write_brat_folder([document(), other], ["Chemical"], tmp_path)
    found = {d.id: d for d in read_documents(str(tmp_path))}
    assert entities(found["doc 1"]) == entities(document())
    assert found["a/b"] == other
    (tmp_path / "a_b.ann").write_text("T1\tDisease 0 4\tGold\n", "utf-8")
    with pytest.raises(DataError, match=r"a_b\.ann:1: an entity 'Gold', where the text has 'Tavo'"):
        list(read_documents(str(tmp_path)))
    (tmp_path / "a_b.ann").write_text("R1\tx Arg1:T1 Arg2:T2\nthis\n", "utf-8")
    with pytest.raises(DataError, match=r"a_b\.ann:2: found 'this'"):
        list(read_documents(str(tmp_path)))


def test_json_lines_of_ours_come_back_whole(tmp_path):
    path = written("jsonl", tmp_path / "in.jsonl", document(), document("2", model="m"))
    assert list(read_annotated(path)) == [document(), document("2", model="m")]
    assert [d.text for d in read_documents(path)] == [TEXT, TEXT]
    (tmp_path / "in.jsonl").write_text('{"text": "Gold", "entities": [{"start": 1}]}\n', "utf-8")
    with pytest.raises(DataError, match=r"in\.jsonl:1: found entities"):
        list(read_annotated(path))


PUBTATOR = """123|t|Gold and fever
123|a|Gold helps.
123\t0\t4\tGold\tChemical\tMESH:D006046
123\t15\t19\tGold\tChemical\t-
123\tCID\tD006046\tD005334

124|t|Tin
"""


def test_pubtator_as_others_write_it(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text(PUBTATOR, "utf-8")
    first, second = read_documents(str(path))
    assert first.text == "Gold and fever\nGold helps."
    assert [e.text for e in first.entities] == ["Gold", "Gold"]
    assert second == Document("124", "Tin")
    for line, message in (
        (
            "124\t0\t3\tTon\tChemical\n",
            "in.txt:8: an entity 'Ton' at 0:3, where the text has 'Tin'",
        ),
        ("9\t0\t3\tTin\tChemical\n", r"in.txt:8: found '9\\t0"),
        ("124\t0\tx\tTin\tChemical\n", "in.txt:8: found"),
    ):
        path.write_text(PUBTATOR + line, "utf-8")
        with pytest.raises(DataError, match=message):
            list(read_documents(str(path)))


BIOC = """<?xml version="1.0"?><!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>x</source><document><id>7</id>
<passage><infon key="type">title</infon><offset>0</offset><text>Gold.</text></passage>
<passage><offset>7</offset>
  <sentence><offset>7</offset><text>Tin helps.</text>
    <annotation id="1"><infon key="type">Chemical</infon>
      <location offset="7" length="3"/><text>Tin</text></annotation></sentence>
  <sentence><offset>18</offset><text>So.</text></sentence></passage></document></collection>"""


def test_bioc_of_sentences_and_gaps(tmp_path):
    path = tmp_path / "in.xml"
    path.write_bytes(gzip.compress(BIOC.encode()))
    (found,) = read_documents(str(path))
    assert (found.id, found.text) == ("7", "Gold.\n\nTin helps.\nSo.")
    assert entities(found) == [(7, 10, "Chemical", "Tin")]
    content = {"id": 7, "passages": [{"offset": 0, "text": "Gold."}]}
    content["passages"].append(
        {
            "offset": 7,
            "sentences": [
                {
                    "offset": 7,
                    "text": "Tin helps.",
                    "annotations": [
                        {
                            "infons": {"type": "Chemical"},
                            "text": "Tin",
                            "locations": [{"offset": 7, "length": 3}],
                        }
                    ],
                },
                {"offset": 18, "text": "So."},
            ],
        }
    )
    other = tmp_path / "in.json"
    for whole in (content, {"documents": [content]}, {"PubTator3": [content]}):
        other.write_text(json.dumps(whole, indent=1), "utf-8")
        assert list(read_documents(str(other))) == [found]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<offset>7</offset><text>Tin", "<offset>2</offset><text>Tin", "offset 2, where the text"),
        ("<offset>18</offset>", "<offset>99999999</offset>", "a passage at offset 99999999"),
        ('length="3"', 'length="4"', "where the text has 'Tin '"),
        ('length="3"', 'length="x"', "the offset or length 'x'"),
        ("</collection>", "", "after 1 documents: malformed XML"),
        ("Gold.", "<b>Gold</b>.", "markup or an entity reference"),
    ],
)
def test_damaged_bioc_is_told(old, new, message, tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(BIOC.replace(old, new), "utf-8")
    with pytest.raises(DataError, match=message):
        list(read_documents(str(path)))


def test_bioc_puts_in_nothing_of_another_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret", "utf-8")
    path = tmp_path / "in.xml"
    kind = f'<!DOCTYPE collection [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    text = BIOC.replace('<!DOCTYPE collection SYSTEM "BioC.dtd">', kind).replace("Gold.", "&x;")
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match="entity reference"):
        list(read_documents(str(path)))


PUBMED = """<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation>
<PMID>12</PMID><Article><ArticleTitle>Gold.</ArticleTitle><Abstract><AbstractText>It <i>helps</i>.
</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"""
JATS = """<article><front><article-meta><article-id pub-id-type="pmc">34</article-id>
<title-group><article-title>Tin</article-title></title-group></article-meta></front>
<body><p>It rusts not.</p></body></article>"""


def test_pubmed_and_pmc(tmp_path):
    path = tmp_path / "in.xml"
    path.write_text(PUBMED, "utf-8")
    assert list(read_documents(str(path))) == [Document("12", "Gold.\n\nIt helps.")]
    path.write_text(JATS, "utf-8")
    assert list(read_documents(str(path))) == [Document("PMC34", "Tin\n\nIt rusts not.")]


def test_a_form_that_is_asked_for_is_the_form_or_refused(tmp_path, monkeypatch):
    path = tmp_path / "in"
    path.write_text(PUBMED, "utf-8")
    with pytest.raises(DataError, match="is to be read as bioc, but looks like pubmed"):
        read_documents(str(path), "bioc")
    path.write_text("Gold.\nTin.\n", "utf-8")
    assert [d.text for d in read_documents(str(path), "text")] == ["Gold.", "Tin."]
    with pytest.raises(DataError, match="is to be read as pubtator"):
        read_documents(str(path), "pubtator")
    with pytest.raises(DataError, match="is no folder"):
        read_documents(str(path), "brat")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"is a folder \(directory\); expected a folder of brat"):
        read_documents(str(empty))
    path.write_text("<other><a/></other>", "utf-8")
    with pytest.raises(DataError, match="looks like XML"):
        list(read_documents(str(path)))
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(PUBTATOR.encode())))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert len(list(read_documents("-"))) == 2
    path.write_text(PUBTATOR + PUBTATOR, "utf-8")
    with pytest.raises(DataError, match="found the id '123', which"):
        list(read_documents(str(path)))
    assert len(list(read_documents(str(path), unique=False))) == 4
