import pytest

from biobert_jax.datasets.conll import Sentence
from biobert_jax.evaluation.baselines import (
    Dictionary,
    entities,
    majority,
    recall_by_familiarity,
)


def sentence(text, tags):
    return Sentence(tuple(text.split()), tuple(tags.split()), 1)


TRAIN = [
    sentence("severe brackow fever", "O B-D I-D"),
    sentence("Brackow is a place", "B-P O O O"),
    sentence("gold helps", "B-C O"),
    sentence("gold fever", "B-D I-D"),
    sentence("gold again", "B-C O"),
    sentence("gold for gold", "B-D O B-C"),
]


def test_the_longest_name_wins_whatever_its_case():
    words = ["Brackow", "fever", "and", "brackow", "and", "GOLD"]
    assert Dictionary(TRAIN).tag(words) == ["B-D", "I-D", "O", "B-P", "O", "B-C"]


def test_bare_tags_stay_bare():
    dictionary = Dictionary([sentence("of wendoid fever", "O B I")])
    assert dictionary.tag(["wendoid", "fever", "wendoid"]) == ["B", "I", "O"]


def test_without_names_nothing_is_marked():
    assert Dictionary([]).tag(["gold"]) == ["O"]


def test_majority():
    assert majority(s.tags for s in TRAIN) == "O"


def test_entities_that_touch_are_two():
    assert entities(["A", "b", "C"], ["B-D", "I-D", "B-D"]) == [(("a", "b"), "D"), (("c",), "D")]


def test_recall_is_split_by_what_training_had():
    known = {entity for s in TRAIN for entity in entities(s.words, s.tags)}
    words = ["gold", "and", "silver", "and", "gold", "fever", "and", "tin"]
    gold = ["B-C", "O", "B-C", "O", "B-D", "I-D", "O", "B-C"]
    predicted = ["B-C", "O", "B-C", "O", "B-D", "O", "O", "O"]
    result = recall_by_familiarity(known, [(words, gold, predicted)])
    assert result == {
        "known": pytest.approx(50),
        "unseen": pytest.approx(50),
        "unseen_share": pytest.approx(50),
    }
