"""Our scores against scikit-learn's, and against the rules of the original re_eval.py."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from biobert_jax.evaluation.relation import score, write_predictions

FIVE = ["CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9"]
LABELS = ["false", *FIVE]


def draw(seed, labels, count=400):
    rng = np.random.default_rng(seed)
    gold = rng.choice(labels, count)
    noise = rng.choice(labels, count)
    return list(gold), list(np.where(rng.random(count) < 0.5, gold, noise))


def assert_same(found, expected):
    for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
        assert found[name] == pytest.approx(100 * value)


@pytest.mark.parametrize("seed", range(5))
def test_binary_scores_are_sklearns(seed):
    gold, predicted = draw(seed, ["0", "1"])
    found = score(gold, predicted, ["0", "1"], ["1"])
    p, r, f, support = precision_recall_fscore_support(gold, predicted, labels=["0", "1"])
    assert_same(found, (p[1], r[1], f[1]))
    assert found["specificity"] == pytest.approx(100 * r[0])
    assert_same(found["macro"], (p.mean(), r.mean(), f.mean()))
    for i, label in enumerate(["0", "1"]):
        assert_same(found["per_class"][label], (p[i], r[i], f[i]))
        assert found["per_class"][label]["support"] == support[i]


@pytest.mark.parametrize("seed", range(5))
def test_micro_and_macro_over_the_five_are_sklearns(seed):
    gold, predicted = draw(seed, LABELS)
    found = score(gold, predicted, LABELS, FIVE)
    for average, scores in (("micro", found), ("macro", found["macro"])):
        expected = precision_recall_fscore_support(gold, predicted, labels=FIVE, average=average)
        assert_same(scores, expected)
    assert "specificity" not in found
    assert found["accuracy"] == pytest.approx(100 * np.mean(np.array(gold) == predicted))


@pytest.mark.parametrize("seed", range(5))
def test_the_rules_of_re_eval_hold(seed):
    """re_eval.py: argmax of the probabilities; for ChemProt the first five of the sorted labels."""
    rng = np.random.default_rng(seed)
    ordered = sorted(LABELS)
    probabilities = rng.dirichlet(np.ones(6), 300)
    gold = rng.integers(0, 6, 300)
    guess = probabilities.argmax(1)
    hits = sum(1 for g, p in zip(gold, guess, strict=True) if g == p and g < 5)
    precision, recall = hits / np.sum(guess < 5), hits / np.sum(gold < 5)
    found = score([ordered[i] for i in gold], [ordered[i] for i in guess], LABELS, FIVE)
    assert_same(found, (precision, recall, 2 * precision * recall / (precision + recall)))

    gold, guess = gold % 2, guess % 2
    true_negatives = np.sum((gold == 0) & (guess == 0))
    found = score([str(i) for i in gold], [str(i) for i in guess], ["0", "1"], ["1"])
    assert found["specificity"] == pytest.approx(100 * true_negatives / np.sum(gold == 0))
    assert found["recall"] == pytest.approx(100 * np.sum(gold & guess) / np.sum(gold))


def test_what_cannot_be_found_counts_as_missed():
    found = score(["a", "n"], ["a", "n"], ["n", "a", "b"], ["a", "b"], {"a": 1, "b": 2, "n": 9})
    assert found["f1"] == 100
    assert found["all_gold"]["precision"] == 100
    assert found["all_gold"]["recall"] == 25
    assert found["counts"] == {
        "pairs": 2, "gold": 1, "predicted": 1, "correct": 1, "unreached": 3
    }  # fmt: skip


def test_a_class_that_nobody_names_scores_zero():
    found = score(["0", "0"], ["0", "0"], ["0", "1"], ["1"])
    assert (found["precision"], found["recall"], found["f1"]) == (0, 0, 0)
    assert found["specificity"] == 100


def test_unequal_lengths_and_unknown_classes_are_refused():
    with pytest.raises(ValueError, match="gold has 2 classes, predicted 1"):
        score(["0", "1"], ["0"], ["0", "1"], ["1"])
    with pytest.raises(ValueError, match="'2'"):
        score(["0"], ["2"], ["0", "1"], ["1"])


def test_predictions_are_written_with_a_probability_a_class(tmp_path):
    path = tmp_path / "predictions" / "test.tsv"
    write_predictions(
        path, ["a\tb", "c"], ["0", "1"], ["0", "0"], np.array([[0.75, 0.25], [1, 0]]), ["0", "1"]
    )
    assert path.read_text() == (
        "id\tgold\tpredicted\t0\t1\na b\t0\t0\t0.750000\t0.250000\nc\t1\t0\t1.000000\t0.000000\n"
    )
