"""Scores of question answering on awkward cases, worked out by hand from the official rules."""

import pytest

from biobert_jax.evaluation.qa import (
    factoid_report,
    factoid_scores,
    list_scores,
    normalize,
    squad_scores,
    yesno_scores,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Tarn valley", "tarn valley"),
        ("an A-team", "ateam"),  # punctuation goes before articles, so no article is left in it
        ("theatre", "theatre"),
        ("a", ""),
        ("Müller’s", "müller’s"),  # only ASCII punctuation is dropped
        ("50%", "50"),
        ("N\u00a0mg", "n mg"),
        ("l'an 2000", "lan 2000"),
    ],
)
def test_answers_are_normalised_as_officially(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "f1"),
    [
        ("the veranamab", ["Veranamab."], 100, 100),
        ("two doses", ["three", "two"], 0, 100 * 2 / 3),  # the best gold answer counts
        ("dose dose", ["dose"], 0, 100 * 2 / 3),  # a word counts as often as it stands there
        ("the", ["an"], 100, 0),  # both normalise to nothing: exact, but no common word
        ("", ["x"], 0, 0),
        ("straße", ["STRASSE"], 0, 0),  # lower(), not casefold()
    ],
)
def test_squad_scores(predicted, gold, exact, f1):
    scores = squad_scores({"q": gold}, {"q": predicted})
    assert scores["exact_match"] == exact
    assert scores["f1"] == pytest.approx(f1)


def test_a_question_without_a_prediction_counts_as_wrong():
    scores = squad_scores({"p": ["x"], "q": ["y"]}, {"p": "x", "other": "y"})
    assert scores == {"exact_match": 50, "f1": 50, "questions": 2, "unanswered": 1}


def test_a_question_without_gold_is_refused():
    with pytest.raises(ValueError, match="'q' has no gold answer"):
        squad_scores({"q": []}, {"q": "x"})


GOLD = {"a": [["Alpha", "A1"]], "b": [["beta"], ["Gamma"]], "c": [["delta"]], "d": [["eps"]]}


def test_factoid_scores_follow_the_official_rules():
    predicted = {
        "a": ["x", "a1", "alpha"],  # rank 2; the second hit does not count again
        "b": ["GAMMA"],  # any synonym of any entry, in any case
        "c": ["delta "],  # whole strings: a trailing blank is a difference
    }  # "d" is not answered
    assert factoid_scores(GOLD, predicted) == {
        "strict_accuracy": 25,
        "lenient_accuracy": 50,
        "mrr": 37.5,
    }


def test_the_paper_averages_over_batches_and_not_over_questions():
    batches = {"1": {"a": GOLD["a"]}, "2": {q: GOLD[q] for q in "bcd"}}
    report = factoid_report(batches, {"a": ["alpha"], "b": ["beta"]})
    assert report["strict_accuracy"] == pytest.approx((100 + 100 / 3) / 2)
    assert report["by_question"]["strict_accuracy"] == 50
    assert [(b["name"], b["questions"]) for b in report["batches"]] == [("1", 1), ("2", 3)]
    assert report["batches"][1]["mrr"] == pytest.approx(100 / 3)


def test_list_scores_use_every_gold_entry_once():
    gold = {"q": [["Alpha", "A1"], ["beta"], ["gamma"]]}
    scores = list_scores(gold, {"q": ["a1", "alpha", "BETA", "x"]})
    # "alpha" finds its entry taken: two of four right, "gamma" missed.
    assert scores["precision"] == 50
    assert scores["recall"] == pytest.approx(100 * 2 / 3)
    assert scores["f1"] == pytest.approx(100 * 4 / 7)


def test_an_entry_left_over_is_not_missed_where_an_answer_names_it():
    # The official evaluator's own way with entries that share a synonym.
    scores = list_scores({"q": [["alpha", "x"], ["alpha"]]}, {"q": ["alpha"]})
    assert scores == {"precision": 100, "recall": 100, "f1": 100}


def test_a_gold_entry_without_any_name_is_not_missed():
    scores = list_scores({"q": [["alpha"], []]}, {"q": ["alpha"]})
    assert scores == {"precision": 100, "recall": 100, "f1": 100}


def test_list_scores_are_means_over_questions():
    scores = list_scores({"p": [["a"]], "q": [["b"]]}, {"p": ["a"], "q": []})
    assert scores == {"precision": 50, "recall": 50, "f1": 50}


def test_yesno_scores():
    gold = {"1": "yes", "2": "yes", "3": "no", "4": "yes"}
    scores = yesno_scores(gold, {"1": "yes", "2": "no", "3": "no"})
    assert scores["accuracy"] == 50
    assert scores["f1_yes"] == pytest.approx(50)  # one right, two wrong: 2 / (2 + 2)
    assert scores["f1_no"] == pytest.approx(50)
    assert scores["macro_f1"] == pytest.approx(50)


@pytest.mark.parametrize(
    ("said", "right"),
    [("Yes.", {"y"}), ("none", {"n"}), ("unknown", {"n"}), ("no, yes", {"y"}), ("?", ()), ("", ())],
)
def test_yes_and_no_are_read_from_texts_as_officially(said, right):
    gold = {"y": "yes", "n": "no"}
    for question, answer in gold.items():
        scores = yesno_scores({question: answer}, {question: said})
        assert scores["accuracy"] == (100 if question in right else 0)


def test_always_yes_has_the_macro_f1_of_one_class_alone():
    gold = {str(i): "yes" if i < 3 else "no" for i in range(4)}
    scores = yesno_scores(gold, dict.fromkeys(gold, "yes"))
    assert scores["f1_no"] == 0
    assert scores["macro_f1"] == pytest.approx(100 * 6 / 7 / 2)
