import dataclasses
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.errors import CheckpointError
from biobert_jax.inference.annotate import _entities, annotate, make_annotator
from biobert_jax.inference.formats.document import Entity
from biobert_jax.text.basic import basic_words
from biobert_jax.text.sentences import split_sentences

ODD = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(
            "aAbB .,-()\n\t\u0301\u0130\u00df\u03a3\u200b\u2028\u4e00\U0001d400\x00\x0b"
        ),
    ),
    max_size=80,
)
LONG = "Tavoramab relieved severe Brackow fever of the knee in 12 patients and " * 8 + "gold."


@pytest.fixture(scope="module")
def annotator(checkpoint):
    return make_annotator(checkpoint, max_length=24)


@pytest.fixture(scope="module")
def uncased_annotator(uncased):
    return make_annotator(uncased, max_length=24)


def places(entity):
    return entity.start, entity.end, entity.type, entity.text


def check(text, entities):
    last = 0
    boundaries = split_sentences(text)
    for entity in entities:
        assert text[entity.start : entity.end] == entity.text
        assert last <= entity.start < entity.end <= len(text)
        assert 0 < entity.probability <= 1
        assert entity.type in ("Chemical", "Disease")
        assert any(a <= entity.start and entity.end <= b for a, b in boundaries)
        last = entity.end


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(ODD, max_size=4))
def test_offsets_slice_back_from_odd_text(annotator, texts):
    found = annotate(annotator, texts)
    assert len(found) == len(texts)
    for text, entities in zip(texts, found, strict=True):
        check(text, entities)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(ODD)
def test_offsets_slice_back_where_text_is_lower_cased(uncased_annotator, text):
    check(text, annotate(uncased_annotator, [text])[0])


def test_a_text_is_annotated_alike_alone_and_among_others(annotator):
    texts = [LONG, "Gold is a metal.", "", "\u200b", "Brackow fever"]
    together = annotate(annotator, texts)
    for text, entities in zip(texts, together, strict=True):
        (alone,) = annotate(annotator, [text])
        assert [places(e) for e in alone] == [places(e) for e in entities]
        np.testing.assert_allclose(
            [e.probability for e in alone], [e.probability for e in entities], atol=1e-5
        )
    assert together[2] == together[3] == []


def saying(checkpoint, label, logit):
    """The checkpoint with a classifier that says the same of every word."""
    bias = np.where(np.array(checkpoint.labels) == label, np.float32(logit), np.float32(0))
    kernel = np.zeros_like(checkpoint.params["classifier"]["kernel"])
    params = checkpoint.params | {"classifier": {"kernel": kernel, "bias": bias}}
    return make_annotator(dataclasses.replace(checkpoint, params=params), max_length=24)


@pytest.mark.parametrize("text", ["Gold is\na metal.", LONG])
def test_every_word_gets_the_label_and_the_probability_of_the_model(checkpoint, text):
    annotator = saying(checkpoint, "B-Disease", 2.0)
    (entities,) = annotate(annotator, [text])
    words = basic_words(text, lowercase=False)
    assert [(e.start, e.end) for e in entities] == [(w.starts[0], w.ends[-1]) for w in words]
    assert {e.type for e in entities} == {"Disease"}
    expected = np.exp(2.0) / (np.exp(2.0) + 4)
    np.testing.assert_allclose([e.probability for e in entities], expected, rtol=1e-5)


def test_entities_may_be_as_long_as_several_windows(checkpoint):
    annotator = saying(checkpoint, "I-Chemical", 1.0)
    assert len(annotator.tokenizer.encode(LONG).ids) > 4 * annotator.windowing.max_length
    (entities,) = annotate(annotator, [LONG])
    assert [(e.start, e.end, e.type, e.text) for e in entities] == [
        (0, len(LONG), "Chemical", LONG)
    ]


def test_an_entity_is_as_certain_as_its_least_certain_word(annotator):
    encoding = annotator.tokenizer.encode("Brackow fever gold")
    probabilities = np.array([[0.1, 0, 0, 0.9, 0], [0, 0.3, 0, 0, 0.7], [0.8, 0, 0.2, 0, 0]])
    text = "xx Brackow fever gold"
    (entity,) = _entities(text, 3, encoding, probabilities, annotator, "m")
    assert entity == Entity(3, 16, "Disease", "Brackow fever", 0.7, "m")


def test_capitals_that_an_uncased_model_does_not_see_are_counted(uncased_annotator, caplog):
    with caplog.at_level(logging.WARNING):
        annotate(uncased_annotator, ["Gold is a metal.", "gold is cheap, Dr Roe"])
    assert caplog.messages == [
        "3 of 9 words have capitals that this uncased checkpoint does not see"
    ]


def test_a_cased_model_warns_of_nothing(annotator, caplog):
    with caplog.at_level(logging.WARNING):
        annotate(annotator, ["Gold is a metal."])
    assert not caplog.messages


def test_a_model_without_a_token_classifier_is_refused(checkpoint):
    bare = dataclasses.replace(
        checkpoint, params={"encoder": checkpoint.params["encoder"]}, labels=None
    )
    with pytest.raises(CheckpointError, match="no token classifier"):
        make_annotator(bare)


def test_labels_of_another_task_are_refused(checkpoint):
    other = dataclasses.replace(checkpoint, labels=["no", "yes", "a", "b", "c"])
    with pytest.raises(CheckpointError, match="expected O and B-"):
        make_annotator(other)
