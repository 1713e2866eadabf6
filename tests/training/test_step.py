"""A step's loss and gradients do not depend on how its sequences are laid out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from biobert_jax.configuration.defaults import defaults
from biobert_jax.input.packing import Feature, lay_out
from biobert_jax.models.heads import TokenClassifier
from biobert_jax.tasks.losses import count_labels, cross_entropy_sum
from biobert_jax.training.sharding import make_mesh
from biobert_jax.training.step import TrainState, lower_train_step, make_init, make_train_step
from tests.support.models import tiny_config

LENGTH, LABELS = 24, 3
FEATURES = {
    "input_ids": Feature("token"),
    "token_type_ids": Feature("token"),
    "labels": Feature("token", pad=-1),
}


class Tagging:
    """The parts of a task that a training step asks for."""

    features = FEATURES

    def __init__(self, dropout: float):
        architecture = tiny_config(
            50,
            hidden_size=32,
            intermediate_size=64,
            max_position_embeddings=LENGTH,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
        self.model = TokenClassifier(architecture, num_labels=LABELS, classifier_dropout=dropout)

    def loss_weights(self, batch):
        return {"tags": count_labels(batch["labels"])}

    def losses(self, outputs, batch):
        return {"tags": cross_entropy_sum(outputs["logits"], batch["labels"])}


def raw_gradients() -> optax.GradientTransformation:
    """Keeps the gradients as its state, so that a step shows them."""
    return optax.GradientTransformation(
        lambda params: jax.tree.map(jnp.zeros_like, params), lambda grads, *_: (grads, grads)
    )


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    return [
        {
            "input_ids": rng.integers(1, 50, n),
            "token_type_ids": np.zeros(n, int),
            "labels": rng.integers(-1, LABELS, n),
        }
        for n in rng.integers(2, 9, 13)
    ]


def laid_out(examples, rows: int, padding: int = 0):
    plan = np.array_split(np.arange(len(examples)), rows) + [np.zeros(0, int)] * padding
    return lay_out(examples, plan, FEATURES, LENGTH * 3, len(examples))


@functools.cache
def compiled(dropout: float, micro_batches: int):
    task, optimizer = Tagging(dropout), raw_gradients()
    state = jax.jit(make_init(task, optimizer))(0)
    step = make_train_step(task, optimizer, lambda step: 0.0, 0, micro_batches)
    return state, jax.jit(step)


def losses_and_gradients(batch, dropout=0.0, micro_batches=1):
    state, step = compiled(dropout, micro_batches)
    after, metrics = step(TrainState(jnp.int32(3), state.params, state.opt_state), batch)
    assert after.step == 4
    return metrics, after.opt_state


def assert_same(found, expected) -> None:
    for name in ("sums", "weights", "grad_norm", "tokens"):
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-5),
            found[0][name],
            expected[0][name],
        )
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected[1]))
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6 * largest),
        found[1],
        expected[1],
    )


@pytest.fixture(scope="module")
def whole(examples):
    return losses_and_gradients(laid_out(examples, rows=8))


@pytest.mark.parametrize("micro_batches", [2, 4])
@pytest.mark.slow
def test_gradient_accumulation_changes_nothing(examples, whole, micro_batches):
    found = losses_and_gradients(laid_out(examples, rows=8), micro_batches=micro_batches)
    assert_same(found, whole)


@pytest.mark.parametrize(("rows", "padding"), [(13, 0), (13, 3), (4, 0), (8, 8)])
def test_packing_and_rows_of_padding_change_nothing(examples, whole, rows, padding):
    assert_same(losses_and_gradients(laid_out(examples, rows, padding)), whole)


@pytest.mark.slow
def test_dropout_masks_do_not_depend_on_rows_of_padding(examples):
    """So that the number of devices, to which rows are rounded up, changes nothing."""
    few = losses_and_gradients(laid_out(examples, 8), dropout=0.1)
    more = losses_and_gradients(laid_out(examples, 8, padding=8), dropout=0.1)
    assert_same(more, few)


def test_dropout_masks_are_others_in_every_step(examples):
    state, step = compiled(0.1, 1)
    batch = laid_out(examples, 8)
    sums = {
        at: float(
            step(TrainState(jnp.int32(at), state.params, state.opt_state), batch)[1]["sums"]["tags"]
        )
        for at in (3, 4)
    }
    assert sums[3] != sums[4]
    assert losses_and_gradients(batch, dropout=0.1)[0]["sums"]["tags"] == sums[3]


def test_a_batch_without_labels_gives_no_gradient(examples):
    blank = [example | {"labels": np.full(len(example["labels"]), -1)} for example in examples]
    metrics, gradients = losses_and_gradients(laid_out(blank, 8))
    assert metrics["sums"]["tags"] == 0
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("micro_batches", [1, 2])
@pytest.mark.slow
def test_a_frozen_encoder_has_no_gradient_until_it_begins(examples, micro_batches):
    task = Tagging(dropout=0.1)
    step = jax.jit(
        make_train_step(
            task, raw_gradients(), lambda step: 0.0, 0, micro_batches, freeze_encoder_steps=5
        )
    )
    free, learning = compiled(0.1, micro_batches)
    for at in (4, 5):
        before = TrainState(jnp.int32(at), free.params, free.opt_state)
        state, metrics = step(before, laid_out(examples, 8))
        expected, expected_metrics = learning(before, laid_out(examples, 8))
        close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
        jax.tree.map(close, metrics["sums"], expected_metrics["sums"])
        found = state.opt_state  # the gradients
        jax.tree.map(close, found["classifier"], expected.opt_state["classifier"])
        if at < 5:
            assert all(not leaf.any() for leaf in jax.tree.leaves(found["encoder"]))
            norm = optax.global_norm(found["classifier"])
            np.testing.assert_allclose(metrics["grad_norm"], norm, rtol=1e-6)
        else:
            jax.tree.map(close, found["encoder"], expected.opt_state["encoder"])


def test_runs_of_other_seeds_rates_and_lengths_share_a_compiled_step():
    task, mesh = Tagging(dropout=0.1), make_mesh(devices=jax.devices()[:1])

    def lowered(seed: int, rate: float, steps: int) -> str:
        config = defaults()
        config.seed, config.optimizer.learning_rate = seed, rate
        config.batch.row_length, config.train.steps = LENGTH * 3, steps
        return lower_train_step(config, task, mesh, rows=8, micro_batches=1).as_text()

    assert lowered(1, 5e-5, 100) == lowered(2, 1e-4, 2000)
