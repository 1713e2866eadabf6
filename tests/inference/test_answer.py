import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.errors import CheckpointError
from biobert_jax.inference.answer import answer, make_answerer
from biobert_jax.inference.questions import Asked
from biobert_jax.tasks.qa.answers import Decoding
from biobert_jax.tasks.qa.windows import Windowing

PASSAGE = "Tavoramab relieved severe Brackow fever of the knee in 12 patients. "
ODD = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("aAbB .,-(\n\u0301\u200b\u4e00")),
    min_size=1,
    max_size=60,
)


def of_kind(checkpoint, kind, **decoding):
    card = dataclasses.replace(checkpoint.card, kind=kind, decoding=Decoding(**decoding))
    return make_answerer(dataclasses.replace(checkpoint, card=card))


@pytest.fixture(scope="module")
def answerer(span_checkpoint):
    return of_kind(span_checkpoint, "factoid")


def check(asked, answers):
    assert len({found.text.lower() for found in answers}) == len(answers)
    scores = [found.probability for found in answers]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1 + 1e-9
    for found in answers:
        passage = asked.passages[found.passage]
        assert passage[found.start : found.end] == found.text
        assert found.text


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(ODD, max_size=3), ODD)
def test_answers_are_exact_slices_of_odd_passages(answerer, passages, question):
    asked = Asked("q", question, tuple(passages))
    check(asked, answer(answerer, [asked])[0])


def test_questions_keep_their_own_passages(answerer):
    first = Asked("1", "Which fever?", (PASSAGE, "Gold is a metal."))
    nothing = Asked("2", "Which knee?", ())
    second = Asked("3", "Which metal?", ("Gold is a metal.", PASSAGE * 6, "It was seen."))
    together = answer(answerer, [first, nothing, second])
    assert together[1] == []
    for asked, answers in ((first, together[0]), (second, together[2])):
        check(asked, answers)
        assert len(answers) == Decoding.top == 5
        (alone,) = answer(answerer, [asked])
        assert [found.text for found in alone] == [found.text for found in answers]
        np.testing.assert_allclose(
            [found.probability for found in alone],
            [found.probability for found in answers],
            rtol=1e-4,
        )
    assert {found.passage for found in answer(answerer, [second], top=60)[0]} == {0, 1, 2}


def test_what_stands_in_several_passages_is_added_up(answerer):
    once = answer(answerer, [Asked("q", "Which?", (PASSAGE,))], top=20)[0]
    twice = answer(answerer, [Asked("q", "Which?", (PASSAGE, PASSAGE))], top=20)[0]
    assert [found.text for found in twice] == [found.text for found in once]
    np.testing.assert_allclose(
        [a.probability for a in twice], [a.probability for a in once], rtol=1e-4
    )


def test_windows_are_those_of_training_or_fit_the_model(span_checkpoint):
    assert make_answerer(span_checkpoint).windowing == Windowing(24, 5, 8)
    published = make_answerer(dataclasses.replace(span_checkpoint, card=None))
    assert published.windowing == Windowing(40, 13, 6)
    assert (published.kind, published.decoding) == ("span", Decoding())
    check(asked := Asked("q", "Which?", (PASSAGE * 9,)), answer(published, [asked])[0])


def test_list_questions_are_answered_above_the_threshold(span_checkpoint):
    asked = [Asked("q", "List the fevers.", (PASSAGE, "Gold is a metal."))]
    (everything,) = answer(of_kind(span_checkpoint, "list", threshold=0.0), asked)
    assert len(everything) > 5
    limit = (everything[1].probability + everything[2].probability) / 2
    (some,) = answer(of_kind(span_checkpoint, "list", threshold=limit), asked)
    assert some == everything[:2]
    (best,) = answer(of_kind(span_checkpoint, "list", threshold=limit), asked, top=1)
    assert best == everything[:1]


def test_long_answers_are_dropped_for_bioasq_only(span_checkpoint):
    asked = [Asked("q", "Which?", ("Gold" + " " * 120 + "is a metal.",))]
    everything = {"n_best": 24, "max_answer": 24}
    bioasq = answer(of_kind(span_checkpoint, "factoid", **everything), asked, top=9999)[0]
    span = answer(of_kind(span_checkpoint, "span", **everything), asked, top=9999)[0]
    assert max(len(found.text) for found in bioasq) <= 100 < max(len(f.text) for f in span)


def test_yes_or_no_is_the_mean_over_passages(yesno_checkpoint):
    answerer = make_answerer(yesno_checkpoint)
    passages = (PASSAGE, "Gold is a metal.", "12 patients")
    each = [answer(answerer, [Asked("q", "Is it?", (p,))])[0][0] for p in passages]
    yes = np.mean([a.probability if a.text == "yes" else 1 - a.probability for a in each])
    (together,), none = answer(answerer, [Asked("q", "Is it?", passages), Asked("r", "Is it?", ())])
    assert together.text == ("yes" if yes >= 0.5 else "no")
    np.testing.assert_allclose(together.probability, max(yes, 1 - yes), rtol=1e-4)
    assert together.passage is None
    assert none == []


def test_a_model_of_another_task_is_refused(checkpoint, span_checkpoint):
    with pytest.raises(CheckpointError, match=r"no span head \(span\), only classifier, encoder"):
        make_answerer(checkpoint)
    with pytest.raises(CheckpointError, match="no yes/no classifier"):
        of_kind(span_checkpoint, "yesno")
    with pytest.raises(CheckpointError, match="of the kind 'summary'"):
        of_kind(span_checkpoint, "summary")
