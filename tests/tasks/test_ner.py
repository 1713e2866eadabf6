"""From words to windows of pieces and back."""

import logging

import jax
import numpy as np
import pytest

from biobert_jax.datasets.conll import Sentence, to_bio
from biobert_jax.errors import DataError
from biobert_jax.input.packing import IGNORED, lay_out, take_apart
from biobert_jax.models.heads import TokenClassifier
from biobert_jax.tasks.ner import NerTask, Windowing, featurize, words_from_windows
from biobert_jax.text.wordpiece import WordPieceTokenizer
from tests.support.models import tiny_config

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "gene", "##s", "kin", "##ase"]
VOCABULARY += ["bind", "##ing", ".", "BRCA", "##1", "##2", "acts", "in", "cells"]
CONTROL = "\x07"  # a word that the tokenizer leaves nothing of
LABELS = ["O", "B-Gene", "I-Gene"]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(VOCABULARY, lowercase=False)


def random_sentences(seed: int, count: int = 30) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    words = ["the", "genes", "kinase", "binding", ".", "BRCA12", "acts", "in", "cells", CONTROL]
    return [list(rng.choice(words, rng.integers(1, 25))) for _ in range(count)]


def test_a_label_stands_at_the_first_piece_of_each_word(tokenizer):
    words = ["the", "BRCA12", "kinase", "acts", "."]
    [example] = featurize([words], [[0, 1, 2, 0, 0]], tokenizer, Windowing(16, 4)).examples
    pieces = [VOCABULARY[i] for i in example["input_ids"]]
    assert pieces == ["[CLS]", "the", "BRCA", "##1", "##2", "kin", "##ase", "acts", ".", "[SEP]"]
    x = IGNORED
    assert example["labels"].tolist() == [x, 0, 1, x, x, 2, x, 0, 0, x]
    assert example["word_ids"].tolist() == [-1, 0, 1, -1, -1, 2, -1, 3, 4, -1]
    assert example["token_type_ids"].tolist() == [0] * 10


def test_text_without_gold_has_no_labels(tokenizer):
    [example] = featurize([["the", "genes"]], None, tokenizer, Windowing(16, 4)).examples
    assert (example["labels"] == IGNORED).all()


@pytest.mark.parametrize(("length", "overlap"), [(64, 8), (8, 0), (8, 2), (6, 3), (4, 1)])
def test_every_word_with_a_piece_comes_back(tokenizer, length, overlap):
    sentences = random_sentences(length + overlap)
    tags = [[hash((s, w)) % 3 for w in range(len(words))] for s, words in enumerate(sentences)]
    featurized = featurize(sentences, tags, tokenizer, Windowing(length, overlap))
    assert all(len(example["input_ids"]) <= length for example in featurized.examples)
    said = [np.where(e["labels"] >= 0, e["labels"], 99) for e in featurized.examples]
    back = words_from_windows(featurized, said, fill=-1)
    for words, expected, found in zip(sentences, tags, back, strict=True):
        expected = [-1 if w == CONTROL else tag for w, tag in zip(words, expected, strict=True)]
        assert found.tolist() == expected
    assert (featurized.windowed_sentences > 0) == (length < 64)
    assert featurized.truncated_words == 0


def test_each_word_is_said_by_its_owner(tokenizer):
    sentences = random_sentences(7)
    featurized = featurize(sentences, None, tokenizer, Windowing(8, 3))
    windows = [np.full(len(e["input_ids"]), i) for i, e in enumerate(featurized.examples)]
    for s, found in enumerate(words_from_windows(featurized, windows, fill=-1)):
        first = int(np.flatnonzero(featurized.sentence == s)[0])
        expected = np.where(
            [word == CONTROL for word in sentences[s]], -1, first + featurized.owner[s]
        )
        np.testing.assert_array_equal(found, expected)


def test_cutting_counts_what_it_loses(tokenizer):
    sentences = [["acts"] * 10, ["in"] * 6, ["the", "cells"]]
    tags = [[0] * 10, [0] * 6, [0, 0]]
    featurized = featurize(sentences, tags, tokenizer, Windowing(8, 2, truncate=True))
    assert len(featurized.examples) == 3
    assert (featurized.truncated_sentences, featurized.truncated_words) == (1, 4)
    assert featurized.windowed_sentences == 0
    found = words_from_windows(featurized, [e["labels"] for e in featurized.examples], fill=-1)
    assert [len(of_sentence) for of_sentence in found] == [10, 6, 2]
    assert (found[0] == -1).tolist() == [False] * 6 + [True] * 4


def test_a_word_longer_than_a_window_keeps_its_first_piece(tokenizer):
    featurized = featurize([["acts", "BRCA1212121", "in"]], [[0, 1, 2]], tokenizer, Windowing(5, 1))
    found = words_from_windows(featurized, [e["labels"] for e in featurized.examples], fill=-9)
    assert found[0].tolist() == [0, 1, 2]


def test_gold_survives_packed_rows(tokenizer):
    sentences = [[w for w in words if w != CONTROL] or ["the"] for words in random_sentences(3)]
    tags = [[(s + w) % 3 for w in range(len(words))] for s, words in enumerate(sentences)]
    task = ner_task(tokenizer, {"test": as_gold(sentences, tags)}, Windowing(8, 2))
    examples = task.examples("test")
    rows = np.array_split(np.random.default_rng(0).permutation(len(examples)), 12)
    longest = max(sum(len(examples[i]["input_ids"]) for i in row) for row in rows)
    batch = lay_out(examples, rows, task.features, longest, max(map(len, rows)))
    said = take_apart(np.maximum(batch["labels"], 0), batch, "token")
    predictions = [{"tags": said[i]} for i in range(len(examples))]
    assert task.evaluate("test", predictions, None)["f1"] == 100.0
    # The score sees every window: one word changed in any of them costs something.
    for prediction in predictions[::5]:
        kept = prediction["tags"].copy()
        prediction["tags"] = np.where(kept == 1, 0, 1)
        assert task.evaluate("test", predictions, None)["f1"] < 100.0
        prediction["tags"] = kept


def test_a_word_without_pieces_scores_as_o(tokenizer):
    gold = [Sentence(("the", CONTROL, "acts"), ("O", "B-Gene", "O"), 1)]
    task = ner_task(tokenizer, {"test": gold}, Windowing(8, 2))
    [example] = task.examples("test")
    results = task.evaluate("test", [{"tags": np.ones(len(example["input_ids"]), int)}], None)
    assert results["recall"] == 0.0


def as_gold(sentences, tags) -> list[Sentence]:
    """Sentences whose tags are made IOB2: an I that continues nothing becomes B."""
    return [
        Sentence(tuple(words), tuple(to_bio([LABELS[t] for t in of_sentence])), 1)
        for words, of_sentence in zip(sentences, tags, strict=True)
    ]


def ner_task(tokenizer, splits, windowing, labels=LABELS) -> NerTask:
    architecture = tiny_config(
        len(VOCABULARY), hidden_size=8, num_hidden_layers=1, intermediate_size=8
    )
    model = TokenClassifier(architecture, num_labels=len(labels))
    return NerTask(splits, labels, tokenizer, model, windowing, card={})


def test_the_log_says_what_became_of_long_sentences(tokenizer, caplog):
    gold = [Sentence(("acts",) * 10, ("O",) * 10, 1)]
    with caplog.at_level(logging.INFO, "biobert_jax"):
        ner_task(tokenizer, {"test": gold}, Windowing(8, 2))
        ner_task(tokenizer, {"test": gold}, Windowing(8, 2, truncate=True))
    assert "1 longer than 8 pieces (read in overlapping windows" in caplog.messages[0]
    assert "cut: 4 words lost" in caplog.messages[1]


def test_bioes_labels_are_turned_back_before_scoring(tokenizer):
    gold = [Sentence(("the", "genes", "kinase", "acts"), ("O", "B-Gene", "I-Gene", "O"), 1)]
    labels = ["O", "B-Gene", "I-Gene", "E-Gene", "S-Gene"]
    task = ner_task(tokenizer, {"test": gold}, Windowing(16, 4), labels)
    [example] = task.examples("test")
    assert example["labels"][example["labels"] >= 0].tolist() == [0, 1, 3, 0]
    results = task.evaluate("test", [{"tags": np.maximum(example["labels"], 0)}], None)
    assert results["f1"] == 100.0


def test_labels_without_beginnings_are_scored_by_words(tokenizer):
    gold = [Sentence(("the", "genes", "kinase", "acts"), ("O", "B-Gene", "B-Gene", "O"), 1)]
    task = ner_task(tokenizer, {"test": gold}, Windowing(16, 4), ["O", "I-Gene"])
    [example] = task.examples("test")
    assert example["labels"][example["labels"] >= 0].tolist() == [0, 1, 1, 0]
    results = task.evaluate("test", [{"tags": np.maximum(example["labels"], 0)}], None)
    assert results["macro_f1"] == task.score(results) == 100
    assert results["f1"] == 0  # two genes side by side are one to these labels
    assert results["words"]["per_type"]["Gene"]["support"] == 2


def test_a_tag_that_the_labels_lack_is_named(tokenizer):
    gold = [Sentence(("the", "cells"), ("O", "B-Cell"), 17)]
    with pytest.raises(DataError, match=r"line 17: 'cells' has the label 'B-Cell'"):
        ner_task(tokenizer, {"validation": gold}, Windowing(16, 4))


def test_windows_longer_than_the_model_reads_are_refused(tokenizer):
    with pytest.raises(DataError, match=r"max_length is 65.*64 pieces"):
        ner_task(tokenizer, {}, Windowing(65, 4))


@pytest.mark.parametrize(("length", "overlap"), [(2, 0), (8, 6), (8, -1)])
def test_impossible_windows_are_refused(length, overlap):
    with pytest.raises(DataError, match=f"windows of {length} pieces sharing {overlap}"):
        Windowing(length, overlap)


def test_the_loss_counts_words_not_positions(tokenizer):
    task = ner_task(tokenizer, {}, Windowing(16, 4))
    labels = jax.numpy.array([[IGNORED, 0, 1, IGNORED], [IGNORED, 2, IGNORED, IGNORED]])
    assert task.loss_weights({"labels": labels}) == {"tags": 3.0}
    logits = jax.numpy.zeros((2, 4, 3))
    loss = task.losses({"logits": logits}, {"labels": labels})["tags"]
    assert loss == pytest.approx(3 * np.log(3))
