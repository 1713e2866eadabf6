"""Classification and similarity: from texts to sequences, losses, predictions and files."""

import jax
import numpy as np
import pytest

from biobert_jax.datasets.classification import ClassificationSet
from biobert_jax.datasets.similarity import SimilaritySet
from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import UserError
from biobert_jax.input.packing import lay_out
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.classification import ClassificationCard, ClassificationTask, given
from biobert_jax.tasks.similarity import Scale, SimilarityCard, SimilarityTask
from biobert_jax.tasks.texts import Windowing, cut_lengths, featurize
from biobert_jax.text.wordpiece import WordPieceTokenizer
from tests.support.models import tiny_config

WORDS = ["one", "two", "three", "four", "five", "."]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(VOCABULARY, lowercase=False)


def record(text, second=None, labels=(), several=False, score=0.0, group="", id_="0"):
    return Record(id_, text, second, tuple(labels), several, score, group, "f:1")


def card_of(kind, model, **own):
    base = {"architecture": model.config, "vocabulary": VOCABULARY, "lowercase": False}
    return kind(**base, **own)


def classification(tokenizer, records, labels, several, windows=Windowing(16)):  # noqa: B008
    model = SequenceClassifier(tiny_config(len(VOCABULARY)), num_labels=len(labels))
    data = ClassificationSet({"test": records}, labels, several, {})
    card = card_of(ClassificationCard, model, labels=labels, windows=windows, several=several)
    return ClassificationTask(data, tokenizer, model, windows, card)


def test_a_pair_is_one_sequence_of_two_types(tokenizer):
    [found] = featurize([record("one two", "three")], tokenizer, Windowing(16)).examples
    assert [VOCABULARY[i] for i in found["input_ids"]] == [
        "[CLS]", "one", "two", "[SEP]", "three", "[SEP]"
    ]  # fmt: skip
    assert found["token_type_ids"].tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("lengths", "room", "expected"),
    [
        ([9], 5, [5]),
        ([3, 2], 5, [3, 2]),
        ([9, 2], 5, [3, 2]),
        ([2, 9], 5, [2, 3]),
        ([9, 9], 5, [3, 2]),
        ([9, 8], 5, [3, 2]),
        ([3, 9], 8, [3, 5]),
    ],
)
def test_the_longer_text_loses_its_end(lengths, room, expected):
    assert cut_lengths(lengths, room) == expected
    kept = list(lengths)  # as run_classifier.py does it, piece by piece
    while sum(kept) > room:
        kept[0 if len(kept) == 1 or kept[0] > kept[1] else 1] -= 1
    assert kept == expected


def test_what_is_cut_is_counted(tokenizer):
    found = featurize([record("one " * 9), record("one")], tokenizer, Windowing(6))
    assert (found.cut, found.lost) == (1, 5)
    assert [len(e["input_ids"]) for e in found.examples] == [6, 3]


def test_sequences_longer_than_the_model_are_refused(tokenizer):
    with pytest.raises(UserError, match="position embeddings for 64"):
        classification(tokenizer, [record("one", labels=["a"])], ["a", "b"], False, Windowing(99))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.slow
def test_packed_and_unpacked_texts_have_the_same_loss(tokenizer, several):
    labels = ["a", "b", "c"]
    chosen = [("a",), ("b",), ("c",)] if not several else [("a", "c"), (), ("b",)]
    records = [record("one two " * (i + 1), None, chosen[i], several) for i in range(3)]
    task = classification(tokenizer, records, labels, several)
    examples = task.examples("test")
    layouts = [[np.arange(3)], [np.array([i]) for i in range(3)]]
    packed, unpacked = (
        lay_out(examples, rows, task.features, 32, max(map(len, rows))) for rows in layouts
    )
    params = task.model.init({"params": jax.random.key(0)}, packed)
    losses = []
    for batch in (packed, unpacked):
        outputs = task.model.apply(params, batch)
        losses.append(float(task.losses(outputs, batch)["labels"]))
        assert float(task.loss_weights(batch)["labels"]) == (9 if several else 3)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    logits = np.asarray(task.model.apply(params, unpacked)["logits"])[:, 0]
    there = np.array([[label in one for label in labels] for one in chosen])
    p = 1 / (1 + np.exp(-logits))
    by_hand = -np.log(np.where(there, p, 1 - p)).sum()
    if not several:
        by_hand = -np.log(np.exp(logits)[there] / np.exp(logits).sum(1)).sum()
    assert losses[0] == pytest.approx(by_hand, rel=1e-4)


def test_abstracts_are_scored_and_sentences_written_too(tokenizer, tmp_path):
    records = [
        record("one", None, ["a"], True, group="7", id_="7_s0"),
        record("two", None, [], True, group="7", id_="7_s1"),
        record("three", None, ["b"], True, group="8", id_="8_s0"),
    ]
    task = classification(tokenizer, records, ["a", "b"], True)
    said = [{"probabilities": np.array(p)} for p in ([0.9, 0.1], [0.2, 0.6], [0.1, 0.4])]
    results = task.evaluate("test", said, tmp_path)
    assert (results["precision"], results["recall"]) == (50, 50)
    lines = (tmp_path / "test.tsv").read_text("utf-8").splitlines()
    assert lines == [
        "id\tgold\tpredicted\ta\tb",
        "7\ta\ta|b\t0.900000\t0.600000",
        "8\tb\t\t0.100000\t0.400000",
    ]
    assert len((tmp_path / "test_parts.tsv").read_text("utf-8").splitlines()) == 4
    assert task.score(results) == results["f1"]


def test_labels_that_probabilities_give():
    assert given(np.array([0.2, 0.5, 0.3]), "abc", several=False) == ("b",)
    assert given(np.array([0.5, 0.49, 0.9]), "abc", several=True) == ("a", "c")
    assert given(np.array([0.1, 0.1, 0.1]), "abc", several=True) == ()


def test_scores_are_learned_from_0_to_1_and_given_on_their_scale(tokenizer, tmp_path):
    pairs = [record("one", "two", score=s, id_=str(s)) for s in (1.0, 2.0, 5.0)]
    model = SequenceClassifier(tiny_config(len(VOCABULARY)), num_labels=1)
    card = card_of(SimilarityCard, model, labels=("score",), scale=Scale(1.0, 5.0))
    data = SimilaritySet({"test": pairs}, (1.0, 5.0), {})
    task = SimilarityTask(data, tokenizer, model, Windowing(16), card)
    assert [float(e["score"]) for e in task.examples("test")] == [0.0, 0.25, 1.0]
    said = [{"score": np.float32(value)} for value in (0.0, 0.5, 1.0)]
    results = task.evaluate("test", said, tmp_path)
    assert results["mean_absolute_error"] == pytest.approx(1 / 3)
    assert results["spearman"] == pytest.approx(100)
    lines = (tmp_path / "test.tsv").read_text("utf-8").splitlines()
    assert lines[:2] == ["id\tgold\tpredicted", "1.0\t1.0\t1.0"]
    assert SimilarityCard.from_dict(card.to_dict()).scale == Scale(1.0, 5.0)
