"""From marked sentences to classes; packed and unpacked."""

from collections import Counter

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.datasets.relation import RelationSet
from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.input.packing import lay_out, take_apart
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.relation import RelationTask, Windowing, featurize, pieces_in_view
from biobert_jax.text.entity_marking import find_marks
from biobert_jax.text.wordpiece import WordPieceTokenizer
from tests.support.models import tiny_config

WORDS = ["the", "gene", "acts", "on", "cells", "."]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "@", "$", "G", "D", "BIG"]
LABELS = ["false", "a", "b"]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(VOCABULARY, lowercase=False)


def example(text, label="false", number=0):
    return RelationExample(str(number), text, label, find_marks(text), f"x.tsv:{number + 1}")


def random_examples(seed, count=20):
    rng = np.random.default_rng(seed)
    out = []
    for number in range(count):
        words = list(rng.choice(WORDS, rng.integers(2, 30)))
        for mark in ("@G$", "@D$"):
            words.insert(rng.integers(0, len(words) + 1), mark)
        out.append(example(" ".join(words), LABELS[number % 3], number))
    return out


def relation_task(tokenizer, examples, windowing):
    config = tiny_config(len(VOCABULARY), max_position_embeddings=32)
    model = SequenceClassifier(config, num_labels=len(LABELS))
    data = RelationSet({"test": examples}, LABELS, ["a", "b"], {"test": Counter(a=1)}, {})
    return RelationTask(data, tokenizer, model, windowing, {})


def words_of(tokenizer, found):
    return " ".join(tokenizer.vocabulary[i] for i in found["input_ids"])


def test_a_sentence_that_fits_is_read_whole(tokenizer):
    [found] = featurize(["the @G$ acts"], [[(4, 7)]], [2], tokenizer, Windowing(7)).examples
    assert words_of(tokenizer, found) == "[CLS] the @ G $ acts [SEP]"
    assert found["label"] == 2
    assert found["token_type_ids"].tolist() == [0] * 7


@pytest.mark.parametrize(
    ("text", "length", "expected", "counts"),
    [
        # Both marks and what is between them, with what there is room for on both sides.
        ("the the the gene @G$ on @D$ acts cells . .", 11, "gene @ G $ on @ D $ acts", (1, 0, 0)),
        ("@G$ on @D$ acts on cells . .", 11, "@ G $ on @ D $ acts on", (1, 0, 0)),
        # Too far apart: each with what is nearest to it.
        ("@G$ acts on the gene on the cells @D$", 10, "@ G $ acts cells @ D $", (1, 1, 0)),
        # No marks: the beginning.
        ("the gene acts on cells .", 6, "the gene acts on", (1, 0, 1)),
    ],
)
def test_a_long_sentence_keeps_its_marks_in_view(tokenizer, text, length, expected, counts):
    featurized = featurize([text], [find_marks(text)], None, tokenizer, Windowing(length))
    [found] = featurized.examples
    assert words_of(tokenizer, found) == f"[CLS] {expected} [SEP]"
    assert (featurized.long, featurized.gapped, featurized.unmarked) == counts
    assert featurized.hidden == 0


def test_the_original_cuts_the_end_and_loses_marks(tokenizer):
    text = "the gene acts on cells @G$ . @D$"
    featurized = featurize([text], [find_marks(text)], None, tokenizer, Windowing(7, False))
    assert words_of(tokenizer, featurized.examples[0]) == "[CLS] the gene acts on cells [SEP]"
    assert (featurized.long, featurized.hidden) == (1, 1)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(1, 60),
    st.integers(2, 20),
    st.lists(st.tuples(st.integers(0, 59), st.integers(1, 30)), min_size=1, max_size=2),
)
def test_any_mark_is_seen_and_the_room_is_used(count, size, spans):
    offsets = np.stack([np.arange(count) * 2, np.arange(count) * 2 + 1], axis=1)
    marks = [(2 * start, 2 * min(start + n, count)) for start, n in spans if start < count]
    view = pieces_in_view(offsets, marks, size)
    assert len(view) == min(count, size)
    assert (np.diff(view) > 0).all()
    for start, end in marks:
        # The beginning of a mark is seen, however long the marks are.
        assert start // 2 in view
        if count <= size:
            assert set(range(start // 2, end // 2)) <= set(view.tolist())


@pytest.mark.slow
def test_packed_and_unpacked_rows_say_the_same(tokenizer):
    examples = random_examples(0, 12)
    task = relation_task(tokenizer, examples, Windowing(24))
    found = task.examples("test")
    packed = np.array_split(np.random.default_rng(1).permutation(len(found)), 4)
    unpacked = [np.array([i]) for i in range(len(found))]
    length = max(sum(len(found[i]["input_ids"]) for i in row) for row in packed)
    first = lay_out(found, packed, task.features, length, 4)
    params = jax.jit(task.model.init)(jax.random.key(0), first)["params"]
    # Larger than at initialisation, so that sentences differ.
    rng = np.random.default_rng(1)
    params = jax.tree.map(
        lambda x: x + np.float32(0.3) * rng.standard_normal(x.shape, "f4"), params
    )

    @jax.jit
    def step(params, batch):
        outputs = task.model.apply({"params": params}, batch)
        loss = task.losses(outputs, batch)["relation"] / task.loss_weights(batch)["relation"]
        return task.predict(outputs, batch)["probabilities"], loss

    said = {}
    for name, rows in (("packed", packed), ("unpacked", unpacked)):
        batch = lay_out(found, rows, task.features, length, 4 if name == "packed" else 1)
        probabilities, loss = jax.device_get(step(params, batch))
        said[name] = (take_apart(probabilities, batch, "sequence"), loss)
    a, b = (np.stack([s[0][i] for i in range(len(found))]) for s in said.values())
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(said["packed"][1], said["unpacked"][1], rtol=1e-4)
    assert np.abs(a - a[0]).max() > 0.01
    np.testing.assert_allclose(a.sum(-1), 1, rtol=1e-5)


def test_scores_and_predictions_are_those_of_the_sentences(tokenizer, tmp_path):
    examples = random_examples(2, 9)
    task = relation_task(tokenizer, examples, Windowing(24))
    right = [{"probabilities": np.eye(3)[LABELS.index(e.label)]} for e in examples]
    results = task.evaluate("test", right, tmp_path)
    assert results["f1"] == task.score(results) == 100
    assert results["counts"]["unreached"] == 1
    assert results["all_gold"]["recall"] == pytest.approx(100 * 6 / 7)
    lines = (tmp_path / "test.tsv").read_text().splitlines()
    assert lines[0] == "id\tgold\tpredicted\tfalse\ta\tb"
    assert lines[2] == "1\ta\ta\t0.000000\t1.000000\t0.000000"
    right[0]["probabilities"] = np.eye(3)[1]
    assert task.evaluate("test", right, None)["f1"] < 100
