"""The QA task: its softmax within sequences, packed against unpacked, and its scores."""

import json

import jax
import numpy as np
import pytest

from biobert_jax.datasets.qa import QaSplits
from biobert_jax.datasets.synthetic.qa import qa_splits
from biobert_jax.errors import UserError
from biobert_jax.input.packing import lay_out, take_apart
from biobert_jax.models.heads import SequenceClassifier, SpanClassifier
from biobert_jax.tasks.qa.answers import Decoding, Merged
from biobert_jax.tasks.qa.task import QaTask, best_positions, best_threshold, position_loss_sum
from biobert_jax.tasks.qa.windows import Windowing
from biobert_jax.tasks.qa.yesno import YesNoTask
from biobert_jax.text.wordpiece import WordPieceTokenizer
from tests.support.models import tiny_config

LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,()-?µ%")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
TOKENIZER = WordPieceTokenizer(VOCABULARY, lowercase=False)
CONFIG = tiny_config(len(VOCABULARY), max_position_embeddings=384)
WINDOWING = Windowing(max_length=64, stride=16, max_question=24)
CHOSEN = np.array([0, 3, 5, 7, 8])


SPLITS = {kind: QaSplits(*qa_splits(kind)) for kind in ("span", "factoid", "list", "yesno")}


def make_task(kind, windowing=WINDOWING, **decoding):
    splits = SPLITS[kind]
    splits = QaSplits({k: v[:4] for k, v in splits.questions.items()}, splits.gold)
    if kind == "yesno":
        return YesNoTask(splits, TOKENIZER, SequenceClassifier(CONFIG), windowing, {})
    model = SpanClassifier(CONFIG)
    return QaTask(splits, kind, TOKENIZER, model, windowing, Decoding(**decoding), {})


def batch_of(task, rows, row_length, slots):
    return lay_out(task.examples("train"), rows, task.features, row_length, slots)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["span", "yesno"])
def test_packed_and_unpacked_give_the_same_loss_gradients_and_predictions(kind):
    task = make_task(kind)
    packed = batch_of(task, [CHOSEN[:3], CHOSEN[3:], CHOSEN[:0]], 192, 4)
    unpacked = batch_of(task, [np.array([i]) for i in CHOSEN], 64, 1)
    shapes = jax.eval_shape(task.model.init, jax.random.key(0), packed)["params"]
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda x: random.normal(0, 0.2, x.shape).astype(np.float32), shapes)

    @jax.jit
    def run(params, batch):
        def loss(params):
            outputs = task.model.apply({"params": params}, batch)
            ((_, total),) = task.losses(outputs, batch).items()
            ((_, weight),) = task.loss_weights(batch).items()
            return total / weight, (task.predict(outputs, batch), weight)

        return jax.value_and_grad(loss, has_aux=True)(params)

    (expected, (alone, weight)), gradient = run(params, unpacked)
    (found, (together, same_weight)), other = run(params, packed)
    assert weight == same_weight == len(CHOSEN)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        twin = dict(jax.tree_util.tree_leaves_with_path(other))[path]
        assert np.isfinite(twin).all()
        # A bias that every token shares shifts no softmax: its gradient is rounding alone.
        limit = 1e-4 * np.abs(leaf).max() + 1e-6
        assert np.abs(leaf - twin).max() < limit, jax.tree_util.keystr(path)
    for name in task.predictions:
        first = take_apart(np.asarray(alone[name]), unpacked, "sequence")
        second = take_apart(np.asarray(together[name]), packed, "sequence")
        for index in CHOSEN:
            np.testing.assert_allclose(first[index], second[index], rtol=2e-4, atol=2e-4)


def test_windows_longer_than_the_model_reads_are_refused():
    with pytest.raises(UserError, match=r"max_length is 385, but .* embeddings for 384"):
        Windowing(385, 16, 24).check_fits(CONFIG)


def test_the_softmax_is_over_one_sequences_own_tokens():
    batch = {
        "segment_ids": np.array([[1, 1, 1, 2, 2, 0]]),
        "cls_positions": np.array([[0, 3, 0]]),
    }
    # The first sequence and the padding are far above the second; neither may touch its softmax.
    logits = np.array([[500.0, 501.0, 499.0, -3.0, -2.0, 900.0]], np.float32)

    def nll(position, values):
        return np.log(np.exp(values - values.max()).sum()) + values.max() - values[position]

    expected = nll(1, logits[0, :3]) + nll(0, logits[0, 3:5])
    positions = np.array([[1, 0, -1]])
    found, gradient = jax.value_and_grad(position_loss_sum)(logits, positions, batch)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.isfinite(gradient).all()
    assert gradient[0, 5] == 0
    np.testing.assert_allclose(gradient[0, 3:5].sum(), 0, atol=1e-6)

    best, values = best_positions(logits, 3, batch)
    np.testing.assert_array_equal(best[0, :2], [[1, 0, 2], [1, 0, -1]])
    np.testing.assert_array_equal(values[0, 0], [501, 500, 499])


def oracle(task, split):
    """Predictions that point at the labels of windows that have them, and nowhere else."""
    out = []
    for example in task.examples(split):
        start, end = int(example["start_position"]), int(example["end_position"])
        out.append(
            {
                "starts": np.array([start, -1]),
                "start_logits": np.array([5.0, -1e30], np.float32),
                "ends": np.array([end, -1]),
                "end_logits": np.array([5.0, -1e30], np.float32),
            }
        )
    return out


def test_labels_read_back_as_predictions_are_a_perfect_score(tmp_path):
    # A piece a letter: the default length of answers would cut the names of some diseases.
    task = make_task("span", Windowing(), max_answer=60)
    results = task.evaluate("validation", oracle(task, "validation"), tmp_path)
    assert results["exact_match"] == results["f1"] == task.score(results) == 100
    written = json.loads((tmp_path / "validation.json").read_text(encoding="utf-8"))
    assert len(written) == results["questions"] == 4
    best = json.loads((tmp_path / "validation_nbest.json").read_text(encoding="utf-8"))
    assert {id_: candidates[0]["text"] for id_, candidates in best.items()} == written


def test_bioasq_scores_and_the_submission_agree(tmp_path):
    task = make_task("factoid")
    results = task.evaluate("train", oracle(task, "train"), None)
    # Four pairs of the many questions that gold has: all others are not answered, and wrong.
    answered = len({q.id[:24] for q in SPLITS["factoid"].questions["train"][:4]})
    assert results["questions"] > 50
    assert results["by_question"]["strict_accuracy"] == pytest.approx(
        100 * answered / results["questions"]
    )
    assert results["unanswerable"] == results["questions"] - answered
    silent = [{**p, "starts": np.array([-1, -1])} for p in oracle(task, "test")]
    results = task.evaluate("test", silent, tmp_path)
    assert results["mrr"] == task.score(results) == 0
    submission = json.loads((tmp_path / "bioasq.json").read_text(encoding="utf-8"))
    # Questions without an answer are mentioned: the official evaluator would leave them out.
    assert len(submission["questions"]) == results["questions"]
    assert {tuple(q["exact_answer"]) for q in submission["questions"]} == {()}


def test_the_threshold_of_lists_is_the_one_that_serves_best():
    gold = {"q": [["a"], ["b"]]}
    merged = {"q": [Merged(text, p, 0, 0, 1) for text, p in (("a", 0.5), ("b", 0.3), ("x", 0.2))]}
    assert best_threshold(gold, merged) == pytest.approx(0.21)


def test_validation_sets_the_threshold_of_the_test():
    task = make_task("list")
    validation = task.evaluate("validation", oracle(task, "validation"), None)
    test = task.evaluate("test", oracle(task, "test"), None)
    assert test["threshold"] == validation["threshold"] == 0.01  # all are equal: the lowest


def test_snippets_of_a_yes_no_question_are_averaged(tmp_path):
    task = make_task("yesno")
    count = len(task.examples("test"))
    sure = task.evaluate("test", [{"yes": np.float32(0.9)}] * count, None)
    assert sure["accuracy"] == sure["always_yes"]["accuracy"] > 0
    never = task.evaluate("test", [{"yes": np.float32(0.1)}] * count, tmp_path)
    assert never["accuracy"] != sure["accuracy"]
    submission = json.loads((tmp_path / "bioasq.json").read_text(encoding="utf-8"))
    assert "no" in {question["exact_answer"] for question in submission["questions"]}
