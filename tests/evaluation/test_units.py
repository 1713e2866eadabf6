"""Counts per unit give the scores that the modules of the tasks give."""

import numpy as np
import pytest

from biobert_jax.evaluation import ner, qa, relation, units
from biobert_jax.evaluation.questions import answered


def tags(random, sentences):
    return [
        list(random.choice(["O", "B-Disease", "I-Disease", "B-Gene", "I-Gene"], size))
        for size in random.integers(1, 12, sentences)
    ]


def test_entities_of_sentences_add_up_to_the_score():
    random = np.random.default_rng(0)
    gold = tags(random, 200)
    predicted = [[t if random.random() < 0.7 else "O" for t in of_sentence] for of_sentence in gold]
    expected = ner.score(gold, predicted)
    sums = units.entity_counts(gold, predicted).sum(0)
    counts = expected["counts"]
    assert list(sums) == [counts[f"{name}_entities"] for name in ("correct", "gold", "predicted")]
    for name, measure in units.MEASURES.items():
        assert measure(sums) == pytest.approx(expected[name], abs=1e-9)


@pytest.mark.parametrize("scored", [["a"], ["a", "b"]])
def test_relations_of_pairs_add_up_to_the_score(scored):
    random = np.random.default_rng(1)
    labels = ["false", "a", "b"]
    gold, predicted = (list(random.choice(labels, 300)) for _ in range(2))
    expected = relation.score(gold, predicted, labels, scored)
    sums = units.relation_counts(gold, predicted, scored).sum(0)
    for name, measure in units.MEASURES.items():
        assert measure(sums) == pytest.approx(expected[name], abs=1e-9)


def test_questions_have_the_measures_whose_means_are_the_scores():
    gold = {"1": [["BRCA1", "brca 1"]], "2": [["p53"], ["MDM2"]], "3": [["IL-2"]]}
    found = {"1": ["x", "brca 1"], "2": ["P53", "MDM2", "y"]}
    for kind, score in (("factoid", qa.factoid_scores), ("list", qa.list_scores)):
        questions = answered(kind, {"1": gold}, found)
        for name, expected in score(gold, found).items():
            sums = units.question_counts([q.values[name] for q in questions]).sum(0)
            assert units.mean(sums) == pytest.approx(expected)
    spans = {"1": ["a gene"], "2": ["the p53 protein"]}
    answers = {"1": "gene", "2": "p53"}
    questions = answered("span", {"": spans}, answers)
    assert set(questions[0].values) == {"exact_match", "f1"}
    assert np.mean([100 * q.values["f1"] for q in questions]) == pytest.approx(
        qa.squad_scores(spans, answers)["f1"]
    )


def test_yes_and_no_have_the_macro_f1_of_the_evaluator():
    gold = dict(enumerate(["yes", "yes", "no", "no", "yes"]))
    found = dict(enumerate(["yes", "no", "no", "yes", "yes"]))
    sums = units.yesno_counts(list(gold.values()), list(found.values())).sum(0)
    assert units.macro_f1(sums) == pytest.approx(qa.yesno_scores(gold, found)["macro_f1"])


def test_a_score_is_the_mean_over_groups():
    counts = np.array([[1, 1], [0, 1], [1, 1], [1, 1]], float)[None]
    batches = units.Outcomes(counts, units.mean, np.array([7, 7, 9, 9]))
    assert batches.scores() == pytest.approx([75])
    uneven = batches._replace(groups=np.array([0, 1, 1, 1]))
    assert uneven.scores() == pytest.approx([(100 + 200 / 3) / 2])


def test_folds_are_joined_in_their_order():
    fold = units.Outcomes(np.array([[[1.0, 1.0]]]), units.mean, np.zeros(1, int))
    worse = fold._replace(counts=np.zeros((1, 2, 2)) + [0, 1], groups=np.zeros(2, int))
    assert units.join([fold, worse]).scores() == pytest.approx([50])


def test_what_would_be_divided_by_zero_is_zero():
    for measure in (*units.MEASURES.values(), units.macro_f1):
        assert measure(np.zeros(3)) == 0


def test_runs_on_other_units_are_not_stacked():
    one = units.Outcomes(np.ones((1, 2, 2)), units.mean, np.zeros(2, int))
    other = units.Outcomes(np.ones((1, 3, 2)), units.mean, np.zeros(3, int))
    with pytest.raises(ValueError, match="different test units"):
        units.stack([one, other])
