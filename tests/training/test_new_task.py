"""A task that the repository does not have, added from outside: a number for a pair of sentences.

It is what a new task needs: examples, features, a model, a loss and a score. Nothing of the product
knows of it.
"""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.configuration.defaults import defaults
from biobert_jax.input.packing import Feature, lay_out
from biobert_jax.models.config import BertConfig
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.cards import Card
from biobert_jax.training.run import train_and_evaluate
from biobert_jax.training.sharding import make_mesh
from biobert_jax.training.step import abstract_batch

CLS, SEP, FIRST_WORD, WORDS = 1, 2, 3, 9


def examples(count, seed):
    """[CLS] words [SEP] words [SEP]; to learn: the share of even words."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        first, second = (rng.integers(0, WORDS, rng.integers(2, 7)) for _ in range(2))
        ids = [CLS, *(first + FIRST_WORD), SEP, *(second + FIRST_WORD), SEP]
        types = [0] * (len(first) + 2) + [1] * (len(second) + 1)
        score = np.mean(np.concatenate([first, second]) % 2 == 0)
        out.append({"input_ids": ids, "token_type_ids": types, "score": score})
    return out


class PairRegression:
    """Predicts a number for a pair of sentences, with the mean squared error as its loss."""

    name = "pair_regression"
    stream = None
    predictions = {"score": "sequence"}  # noqa: RUF012
    features = {  # noqa: RUF012
        "input_ids": Feature("token"),
        "token_type_ids": Feature("token"),
        "score": Feature("sequence", dtype="float32"),
    }

    def __init__(self):
        sizes = BertConfig(
            vocab_size=FIRST_WORD + WORDS,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.model = SequenceClassifier(sizes, num_labels=1, classifier_dropout=0.0)
        vocabulary = [str(number) for number in range(sizes.vocab_size)]
        self.card = Card(
            architecture=sizes, vocabulary=vocabulary, lowercase=False, task="pair_regression"
        )
        self._splits = {"train": examples(64, 0), "validation": examples(20, 1)}

    def examples(self, split):
        return self._splits.get(split, [])

    def loss_weights(self, batch):
        return {"score": jnp.sum(batch["sequence_index"] >= 0).astype(jnp.float32)}

    def losses(self, outputs, batch):
        error = outputs["logits"][..., 0] - batch["score"]
        return {"score": jnp.sum(jnp.where(batch["sequence_index"] >= 0, error, 0.0) ** 2)}

    def predict(self, outputs, batch):
        return {"score": outputs["logits"][..., 0]}

    def evaluate(self, split, predictions, directory):
        gold = [example["score"] for example in self.examples(split)]
        predicted = [float(prediction["score"]) for prediction in predictions]
        return {"pearson": float(np.corrcoef(gold, predicted)[0, 1])}

    def score(self, results):
        return results["pearson"]


def config_of(packed):
    config = defaults()
    config.model.dropout = 0.0
    config.batch.update(packed=packed, row_length=32, max_sequences=8, sequences=16, eval_rows=4)
    config.train.epochs = 25
    config.optimizer.update(name="adamw", learning_rate=5e-3)
    config.checkpoint.every = 0
    config.log_every = 5
    return config


@pytest.mark.slow
@pytest.mark.parametrize("packed", [True, False])
def test_a_regression_on_pairs_trains_like_any_task(tmp_path, packed):
    config, task = config_of(packed), PairRegression()
    batch = abstract_batch(config, task, make_mesh(), rows=2)["score"]
    assert (batch.dtype, batch.shape) == (jnp.float32, (2, 8 if packed else 1))

    results = train_and_evaluate(config, task, tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text("utf-8").splitlines()
    losses = [line["loss"] for line in map(json.loads, lines) if "loss" in line]
    assert losses[-1] < 0.2 * losses[0]
    assert results["validation"]["pearson"] > 0.8


@pytest.mark.slow
def test_packed_and_unpacked_pairs_have_the_same_loss():
    task = PairRegression()
    pairs = task.examples("train")[:3]
    layouts = [[np.array([0, 1, 2]), np.zeros(0, int)], [np.array([i]) for i in range(3)]]
    packed, unpacked = (
        lay_out(pairs, rows, task.features, 48, max(map(len, rows))) for rows in layouts
    )
    params = task.model.init({"params": jax.random.key(0)}, packed)
    loss = {}
    for name, batch in (("packed", packed), ("unpacked", unpacked)):
        outputs = task.model.apply(params, batch)
        loss[name] = float(task.losses(outputs, batch)["score"])
        assert task.loss_weights(batch)["score"] == 3
    assert math.isclose(loss["packed"], loss["unpacked"], rel_tol=1e-5)
