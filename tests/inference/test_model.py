"""`biobert_jax.load` and what it returns."""

import dataclasses
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from lxml import html

import biobert_jax
from biobert_jax.errors import UserError
from biobert_jax.inference.formats.document import Document, Documents, Entity, Pair
from biobert_jax.inference.formats.json_lines import document_record
from biobert_jax.inference.model import Model, methods_of
from biobert_jax.interop.workdir import write_workdir
from tests.inference.conftest import TEXT, tiny_checkpoint

TEXTS = [TEXT, "Gold.", "", "Brackow fever of the knee \U0001d400. Gold!"]


@pytest.fixture(scope="module")
def checkpoint():
    return tiny_checkpoint(seed=1)  # finds something in most sentences


@pytest.fixture(scope="module")
def tagger(checkpoint):
    return Model(checkpoint, name="drugs")


@pytest.fixture(scope="module")
def relater(sequence_checkpoint):
    return Model(sequence_checkpoint)


@pytest.mark.slow
def test_the_package_stays_light():
    program = (
        "import sys, biobert_jax; print(sorted({'jax', 'numpy', 'flax'} & set(sys.modules)));"
        "biobert_jax.load; print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout.split() == [b"[]", b"True"]


def test_load_reads_what_the_console_script_reads(tmp_path, checkpoint, tagger):
    write_workdir(tmp_path / "run", checkpoint)
    model = biobert_jax.load(tmp_path / "run")
    assert (model.name, model.methods) == ("", ("annotate", "embed"))
    assert model.entity_types == ["Chemical", "Disease"]
    for found, same in zip(model.annotate(TEXTS), tagger.annotate(TEXTS), strict=True):
        assert found.entities == tuple(dataclasses.replace(e, model="") for e in same.entities)
    assert tagger.annotate(TEXTS) == tagger.annotate(TEXTS)
    with pytest.raises(UserError, match="names no checkpoint"):
        biobert_jax.load(tmp_path / "nothing")


def test_annotations_are_slices_of_the_text(tagger):
    documents = tagger.annotate(TEXTS)
    assert [d.text for d in documents] == TEXTS
    assert [d.id for d in documents] == ["1", "2", "3", "4"]
    entities = [(d, e) for d in documents for e in d.entities]
    assert len(entities) > 3
    for document, entity in entities:
        assert document.text[entity.start : entity.end] == entity.text
        assert 0 < entity.probability <= 1
        assert entity.model == "drugs"
    (alone,) = tagger.annotate(TEXT)
    assert [places(e) for e in alone.entities] == [places(e) for e in documents[0].entities]
    assert tagger.annotate(["a", "b"], ["x", "y"])[1].id == "y"


def test_threads_get_what_one_caller_gets(checkpoint, tagger):
    """The head is made once, by whoever comes first, and batches do not mix."""
    expected = {d.text: [places(e) for e in d.entities] for d in tagger.annotate(TEXTS)}
    model, barrier = Model(checkpoint), threading.Barrier(8)

    def work(number):
        barrier.wait()
        texts = TEXTS[number % 4 :] + TEXTS[: number % 4]
        return model.annotate(texts), texts, model.annotator

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    assert len({id(annotator) for *_, annotator in found}) == 1
    for documents, texts, _ in found:
        assert [d.text for d in documents] == texts
        for document in documents:
            assert [places(e) for e in document.entities] == expected[document.text]


def places(entity):
    return entity.start, entity.end, entity.type


def test_a_model_says_what_it_cannot_do(tagger, relater, span_checkpoint, yesno_checkpoint):
    with pytest.raises(
        UserError, match=r"a test: cannot answer questions: has no span head.*do: annotate, embed"
    ):
        tagger.answer("Why?", "So.")
    with pytest.raises(UserError, match="cannot annotate"):
        relater.annotate("Gold.")
    with pytest.raises(UserError, match="cannot classify relations"):
        tagger.relate([])
    assert relater.methods == ("relations", "relate", "embed")
    assert methods_of(span_checkpoint) == ("answer", "embed")
    assert methods_of(yesno_checkpoint) == ("answer", "embed")
    encoder = {"encoder": tagger.checkpoint.params["encoder"]}
    assert methods_of(dataclasses.replace(tagger.checkpoint, params=encoder)) == ("embed",)
    # A published model for entities may carry a pooler that it does not use.
    published = dataclasses.replace(yesno_checkpoint, labels=["B", "O"])
    assert methods_of(published) == ("annotate", "embed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a", None],), r"texts\[1\]: found NoneType"),
        ((["\ud800"],), r"texts\[0\]: half a surrogate pair at character 0"),
        ((["a"], ["x", "y"]), "2 ids for 1 texts"),
    ],
)
def test_wrong_texts_are_told(tagger, arguments, message):
    with pytest.raises(UserError, match=message):
        tagger.annotate(*arguments)


def test_bare_labels_get_the_type_that_is_given(checkpoint):
    bare = tiny_checkpoint(labels=["O", "B", "I"], seed=1)
    assert Model(bare).entity_types == ["entity"]
    model = Model(bare, entity_type="Disease")
    assert model.entity_types == ["Disease"]
    assert {e.type for d in model.annotate(TEXTS) for e in d.entities} == {"Disease"}
    with pytest.raises(UserError, match=r"names its types itself.*Chemical"):
        Model(checkpoint, entity_type="Disease")


def test_answers_stand_in_their_passages(span_checkpoint):
    model = Model(span_checkpoint)
    passages = [TEXT, "Gold is a metal."]
    (answers,) = model.answer("Which drug?", passages)
    assert answers
    for one in answers:
        assert passages[one.passage][one.start : one.end] == one.text
    assert model.answer(["Which drug?"], [passages]) == [answers]
    both = model.answer(["Which drug?", "Why?"], TEXT, top=1)
    assert [len(one) for one in both] == [1, 1]
    with pytest.raises(UserError, match="2 questions and 1 contexts"):
        model.answer(["a?", "b?"], [TEXT])
    with pytest.raises(UserError, match=r"contexts\[0\]\[0\]: is empty"):
        model.answer("Why?", " ")


def test_relations_of_marked_sentences_and_of_entities(relater):
    sentence = "@CHEMICAL$ relieved severe @DISEASE$ of the knee."
    (said,) = relater.relations(sentence)
    text = "Gold! Tavoramab relieved severe Brackow fever of the knee. Gold."
    entities = [
        Entity(0, 4, "Chemical", "Gold", 0.9),
        Entity(6, 15, "chemical", "Tavoramab", 0.9),
        Entity(32, 45, "Disease", "Brackow fever", 0.9),
        Entity(49, 57, "Place", "the knee", 0.9),
    ]
    (document,) = relater.relate([Document("1", text, entities)])
    (pair,) = document.relations
    assert pair == Pair(1, 2, said.label, pytest.approx(said.probability, rel=1e-4))
    record = document_record(document)["relations"]
    assert record == [
        {"first": 1, "second": 2, "label": said.label, "score": round(said.probability, 4)}
    ]
    with pytest.raises(UserError, match=r"sentences\[0\]: found the mark @VIRUS\$"):
        relater.relations(["@VIRUS$ and @GENE$."])
    card = dataclasses.replace(relater.checkpoint.card, marks=[])
    with pytest.raises(UserError, match="does not say which marks"):
        Model(dataclasses.replace(relater.checkpoint, card=card)).relate([document])


def test_embeddings_are_compiled_once(checkpoint):
    model = Model(checkpoint)
    first = model.embed(TEXTS)
    assert first.vectors.shape == (4, checkpoint.config.hidden_size)
    np.testing.assert_allclose(model.embed(TEXT).vectors, first.vectors[:1], rtol=1e-4, atol=1e-5)
    assert model.embedder is model.embedder


def overlapping():
    text = "a <b> lung cancer & more"
    entities = [
        Entity(6, 17, "Disease", "lung cancer", 0.9, "one"),
        Entity(6, 10, "Organ", "lung", 0.8, "two"),
        Entity(11, 19, "<i>", "cancer &", 0.7, "three"),
    ]
    return Document("<1>", text, entities, [Pair(0, 1, "in", 0.5)])


def test_a_notebook_shows_text_in_colour_and_escapes_it():
    shown = Documents([overlapping()])._repr_html_()
    tree = html.fragment_fromstring(shown, create_parent=True)
    (paragraph,) = tree.xpath(".//p")
    outer, inner, part = paragraph.xpath(".//mark")
    assert inner.getparent() is outer
    assert [mark.get("title") for mark in (outer, inner, part)] == [
        "Disease, score 0.90, one",
        "Organ, score 0.80, two",
        "<i>, score 0.70, three",
    ]
    assert tree.xpath(".//li")[0].text == "lung cancer – lung: in (0.50)"
    for small in tree.xpath(".//small"):
        small.text = ""
    assert paragraph.text_content() == overlapping().text
    assert overlapping()._repr_html_() == shown
    # Nothing of a page around it may change its looks.
    style = tree.xpath("string(.//style)")
    assert all(line.startswith((".annotated", "@media", " ")) for line in style.strip().split("\n"))
    assert "and 1 more documents" in Documents([overlapping()] * 51)._repr_html_()


def test_to_pandas():
    pytest.importorskip("pandas")
    documents = Documents([overlapping(), Document("2", "", ())])
    table = documents.to_pandas()
    assert list(table.columns) == [
        *("document", "start", "end", "type", "text", "probability", "model")
    ]
    assert list(table.text) == ["lung cancer", "lung", "cancer &"]
    assert list(documents.relations_to_pandas().iloc[0])[:4] == [
        *("<1>", "lung cancer", "Disease", "lung")
    ]
