"""Cards: what is written is read, older ones too, and a damaged one is named field by field."""

import json

import pytest

from biobert_jax.errors import CheckpointError
from biobert_jax.models.config import BertConfig
from biobert_jax.tasks import cards, ner, registry, relation
from biobert_jax.tasks.cards import VERSION, Card
from biobert_jax.tasks.ner import NerCard
from biobert_jax.tasks.pretraining.task import PretrainingCard
from biobert_jax.tasks.qa import windows as qa
from biobert_jax.tasks.qa.answers import Decoding
from biobert_jax.tasks.qa.card import QaCard
from biobert_jax.tasks.relation import RelationCard

ENCODER = {
    "architecture": BertConfig(vocab_size=5, hidden_size=24, layer_norm_eps=1e-6),
    "vocabulary": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "lowercase": True,
}
CARDS = [
    NerCard(**ENCODER, labels=["O", "B"], windows=ner.Windowing(64, 8, True), joining="-/"),
    RelationCard(**ENCODER, windows=relation.Windowing(99, False), marking="wrap", scored=["1"]),
    QaCard(**ENCODER, kind="list", windows=qa.Windowing(90, 20, 9), decoding=Decoding(3, 4, 5, 1)),
    PretrainingCard(**ENCODER),
    Card(**ENCODER),
]

WITHOUT_VERSION = {
    "task": "relation",
    "architecture": ENCODER["architecture"].to_dict(),
    "vocabulary": ENCODER["vocabulary"],
    "lowercase": True,
    "labels": ["0", "1"],
    "scored": ["1"],
    "windows": {"max_length": 99, "around_marks": False},
}
"""As checkpoints have it from before there were versions."""


@pytest.mark.parametrize("card", CARDS, ids=lambda card: type(card).__name__)
def test_what_is_written_is_read(card):
    written = json.loads(json.dumps(card.to_dict()))
    assert written["version"] == VERSION
    assert written["architecture"]["model_type"] == "bert"
    assert cards.read("runs/x", written) == card


def test_every_task_has_a_card_of_its_own_name():
    for task, entry in registry.TASKS.items():
        assert registry.resolve(entry.card)(**ENCODER).task == task


def test_a_card_without_a_version_is_read():
    card = cards.read("runs/x", WITHOUT_VERSION)
    assert card == RelationCard(
        **ENCODER, labels=["0", "1"], windows=relation.Windowing(99, False), scored=["1"]
    )


def test_a_card_of_an_earlier_version_is_read():
    written = RelationCard(**ENCODER, labels=["0", "1"]).to_dict() | {"version": 1}
    del written["scored"]
    assert cards.read("runs/x", written) == RelationCard(**ENCODER, labels=["0", "1"])


def test_a_card_of_an_unknown_task_is_read_as_far_as_its_encoder():
    written = CARDS[0].to_dict() | {"task": "unheard-of", "scale": 5.0}
    assert cards.read("runs/x", written) == Card(**ENCODER, labels=["O", "B"], task="unheard-of")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 99}, f"version is 99; this program reads up to {VERSION}"),
        ({"version": "1"}, "version is '1'"),
        ({"lowercase": "yes"}, "lowercase is 'yes'; expected true or false"),
        ({"vocabulary": "abc"}, "vocabulary is 'abc'; expected a list of strings"),
        ({"vocabulary": ["a", 3]}, "expected a list of strings"),
        ({"labels": 3}, "labels is 3; expected a list of strings"),
        ({"joining": None}, "joining is None; expected a string"),
        ({"windows": [1]}, r"windows is \[1\]; expected an object"),
        ({"windows": {"max_length": True}}, "windows.max_length is True; expected an integer"),
        ({"windows": {"max_length": 8.5}}, "windows.max_length is 8.5; expected an integer"),
        ({"windows": {"length": 8}}, "has windows.length; expected only max_length, overlap"),
        ({"windows": {"max_length": 8, "overlap": 9}}, "the card's windows: windows of 8 pieces"),
        ({"scored": ["1"]}, "has scored; expected only architecture"),
        ({"architecture": None}, "architecture is None; expected an object"),
        ({"architecture": {"model_type": "llama"}}, "model_type is 'llama'; expected one of bert"),
    ],
)
def test_a_damaged_card_is_named_with_its_field(changed, message):
    written = CARDS[0].to_dict()
    with pytest.raises(CheckpointError, match=f"runs/x: .*{message}"):
        cards.read("runs/x", written | changed)


def test_a_missing_field_is_named():
    written = CARDS[0].to_dict()
    del written["vocabulary"]
    with pytest.raises(CheckpointError, match="the card has no vocabulary; found task, "):
        cards.read("runs/x", {"task": "ner"} | written)
