"""Classification's and similarity's scores against scikit-learn's and SciPy's, and HoC's rule."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from biobert_jax.evaluation import classification, similarity, units

LABELS = ["a", "b", "c"]


def test_one_class_per_text_agrees_with_sklearn():
    rng = np.random.default_rng(0)
    gold, predicted = (list(rng.choice(LABELS, 200, p=(0.6, 0.3, 0.1))) for _ in range(2))
    found = classification.score_one(gold, predicted, LABELS)
    assert found["accuracy"] == pytest.approx(100 * metrics.accuracy_score(gold, predicted))
    macro = metrics.f1_score(gold, predicted, average="macro", labels=LABELS)
    assert found["macro_f1"] == pytest.approx(100 * macro)
    most = metrics.accuracy_score(gold, ["a"] * 200)
    assert found["most_frequent"] == {"label": "a", "accuracy": pytest.approx(100 * most)}


def test_several_labels_agree_with_sklearn():
    rng = np.random.default_rng(1)
    gold, predicted = (rng.random((150, 3)) < (0.5, 0.2, 0.05) for _ in range(2))
    named = [[[LABELS[i] for i in np.flatnonzero(row)] for row in m] for m in (gold, predicted)]
    found = classification.score_several(*named, LABELS)
    for name, average in (("f1", "micro"), ("macro_f1", "macro")):
        expected = metrics.f1_score(gold, predicted, average=average, zero_division=0)
        assert found[name] == pytest.approx(100 * expected)
    assert found["precision"] == pytest.approx(
        100 * metrics.precision_score(gold, predicted, average="micro")
    )
    assert found["exact_match"] == pytest.approx(100 * metrics.accuracy_score(gold, predicted))
    sums = units.label_counts(*named)
    assert units.f1(sums.sum(0)) == pytest.approx(found["f1"])


def test_an_abstract_has_the_labels_of_all_its_sentences():
    groups = ["1", "1", "2", "2", "3"]
    gold = classification.together(groups, [("a",), ("b",), (), (), ("c",)])
    assert {g: set(labels) for g, labels in gold.items()} == {
        "1": {"a", "b"},
        "2": set(),
        "3": {"c"},
    }
    predicted = classification.together(groups, [(), ("a",), ("a",), (), ("c",)])
    found = classification.score_several(list(gold.values()), list(predicted.values()), LABELS)
    # Right: 1-a and 3-c; missed: 1-b; wrong: 2-a, of an abstract that has no label.
    assert found["counts"] == {"correct": 2, "gold": 3, "predicted": 3, "texts": 3}
    assert found["f1"] == pytest.approx(100 * 2 / 3)


def test_correlations_agree_with_scipy():
    rng = np.random.default_rng(2)
    gold = rng.integers(0, 9, 40) / 2  # with ties
    predicted = gold + rng.normal(0, 1, 40)
    found = similarity.score(gold, predicted)
    assert found["pearson"] == pytest.approx(100 * stats.pearsonr(gold, predicted)[0])
    assert found["spearman"] == pytest.approx(100 * stats.spearmanr(gold, predicted)[0])
    sums = units.pair_counts(gold, predicted).sum(0)
    assert units.pearson(sums) == pytest.approx(found["pearson"])
    assert units.pearson(3 * sums) == pytest.approx(found["pearson"])


def test_correlations_that_are_not_defined_are_0(caplog):
    assert similarity.score([1, 2, 3], [2, 2, 2])["pearson"] == 0
    assert similarity.score([1], [2])["spearman"] == 0
    assert "not defined" in caplog.text
    assert units.pearson(units.pair_counts([1, 2], [2, 2]).sum(0)) == 0
