"""The optimiser against a plain numpy transcription of the rules (optimization.py)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from biobert_jax.configuration.defaults import defaults
from biobert_jax.training.optimizer import bert_schedule, decayed, make_optimizer

SHAPES = {
    "encoder": {
        "embeddings": {"word_embeddings": {"embedding": (7, 4)}},
        "layers": {"mlp": {"output": {"kernel": (2, 4, 3), "bias": (2, 3)}}},
        "layer_norm": {"scale": (4,), "bias": (4,)},
    },
    "mlm": {"bias": (7,)},
}
PEAK, WARMUP, TOTAL = 3e-2, 10, 60


def random_tree(seed):
    random = np.random.default_rng(seed)
    return jax.tree.map(
        lambda shape: random.normal(size=shape).astype(np.float32),
        SHAPES,
        is_leaf=lambda x: isinstance(x, tuple),
    )


def transcription(params, gradients_at, steps):
    """Adam without bias correction, decoupled decay, clipping and the two linear ramps."""
    m = jax.tree.map(lambda p: np.zeros_like(p, np.float64), params)
    v = jax.tree.map(lambda p: np.zeros_like(p, np.float64), params)
    p = jax.tree.map(lambda p: p.astype(np.float64), params)
    no_decay = ("layer_norm", "bias")
    for step in range(steps):
        g = jax.tree.map(lambda g: g.astype(np.float64), gradients_at(step))
        norm = np.sqrt(sum((x**2).sum() for x in jax.tree.leaves(g)))
        g = jax.tree.map(lambda g, n=norm: g / max(n, 1.0), g)
        rate = PEAK * (1 - step / TOTAL)
        if step < WARMUP:
            rate = PEAK * step / WARMUP
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, v, g)

        def update(path, p, m, v, rate=rate):
            decay = 0.0 if any(n in jax.tree_util.keystr(path) for n in no_decay) else 0.01
            return p - rate * (m / (np.sqrt(v) + 1e-6) + decay * p)

        p = jax.tree_util.tree_map_with_path(update, p, m, v)
    return p


def test_fifty_steps_equal_the_transcription():
    config = defaults().optimizer
    config.learning_rate, config.warmup_steps = PEAK, WARMUP
    optimizer, _ = make_optimizer(config, TOTAL)
    params = random_tree(0)

    def gradients_at(step):
        # Some steps are clipped, others not.
        return jax.tree.map(lambda g: g * 10.0 ** (step % 4 - 2), random_tree(step + 1))

    expected = transcription(params, gradients_at, 50)
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for step in range(50):
        updates, state = update(gradients_at(step), state, params)
        params = optax.apply_updates(params, updates)
    for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_the_rate_starts_at_zero_and_drops_when_the_warm_up_ends():
    schedule = bert_schedule(1.0, 10, 100)
    rates = [float(schedule(step)) for step in (0, 5, 9, 10, 50, 100)]
    np.testing.assert_allclose(rates, [0.0, 0.5, 0.9, 0.9, 0.5, 0.0], atol=1e-7)
    assert float(bert_schedule(1.0, 0, 100)(0)) == 1.0


def test_layer_norms_and_biases_are_not_decayed():
    flags = jax.tree_util.tree_leaves_with_path(decayed(random_tree(0)))
    kept = {jax.tree_util.keystr(path) for path, decays in flags if decays}
    assert kept == {
        "['encoder']['embeddings']['word_embeddings']['embedding']",
        "['encoder']['layers']['mlp']['output']['kernel']",
    }


def test_adamw_is_optax_adamw():
    config = defaults().optimizer
    config.name, config.learning_rate = "adamw", 1e-2
    optimizer, schedule = make_optimizer(config, 20)
    peer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, eps=1e-6, weight_decay=0.01)
    )
    ours = theirs = {"w": {"kernel": jnp.ones((3, 3))}}
    state, peer_state = optimizer.init(ours), peer.init(theirs)
    for step in range(20):
        gradient = {"w": {"kernel": jnp.full((3, 3), 0.1 * (step - 5))}}
        updates, state = optimizer.update(gradient, state, ours)
        ours = optax.apply_updates(ours, updates)
        updates, peer_state = peer.update(gradient, peer_state, theirs)
        theirs = optax.apply_updates(theirs, updates)
    np.testing.assert_allclose(ours["w"]["kernel"], theirs["w"]["kernel"], rtol=1e-6)
    assert float(schedule(2)) == pytest.approx(1e-2)


def frozen(name, steps):
    config = defaults().optimizer
    config.name, config.learning_rate, config.warmup_steps = name, PEAK, WARMUP
    config.freeze_encoder_steps = steps
    return make_optimizer(config, TOTAL)


@pytest.mark.parametrize("name", ["bert", "adamw"])
def test_a_frozen_encoder_begins_as_if_training_began_there(name):
    """Not a bit moves before; then it goes as a run of the steps that are left."""
    steps = 25
    optimizer, _ = frozen(name, steps)
    config = defaults().optimizer
    config.name, config.learning_rate, config.warmup_steps = name, PEAK, WARMUP
    config.clip_norm = 1e9  # the heads' gradient must not count here
    later, _ = make_optimizer(config, TOTAL - steps)
    params = before = random_tree(0)
    peer = {"encoder": params["encoder"]}
    state, peer_state = optimizer.init(params), later.init(peer)
    update = jax.jit(optimizer.update)
    for step in range(45):
        gradients = jax.tree.map(lambda g: g * 1e-2, random_tree(step + 1))
        if step < steps:  # what training.state gives
            gradients["encoder"] = jax.tree.map(jnp.zeros_like, gradients["encoder"])
        updates, state = update(gradients, state, params)
        params = optax.apply_updates(params, updates)
        if step < steps:
            jax.tree.map(np.testing.assert_array_equal, params["encoder"], before["encoder"])
            assert step == 0 or not np.array_equal(params["mlm"]["bias"], before["mlm"]["bias"])
        else:
            updates, peer_state = later.update({"encoder": gradients["encoder"]}, peer_state, peer)
            peer = optax.apply_updates(peer, updates)
            close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
            jax.tree.map(close, params["encoder"], peer["encoder"])


@pytest.mark.slow
def test_heads_learn_the_same_beside_a_frozen_encoder_as_beside_one_that_learns():
    config = defaults().optimizer
    config.learning_rate, config.warmup_steps, config.clip_norm = PEAK, WARMUP, 1e9
    free, _ = make_optimizer(config, TOTAL)
    config.freeze_encoder_steps = 20
    held, _ = make_optimizer(config, TOTAL)
    ours = theirs = random_tree(0)
    state, peer_state = held.init(ours), free.init(theirs)
    for step in range(30):
        gradients = random_tree(step + 1)
        updates, state = held.update(gradients, state, ours)
        ours = optax.apply_updates(ours, updates)
        updates, peer_state = free.update(gradients, peer_state, theirs)
        theirs = optax.apply_updates(theirs, updates)
    np.testing.assert_allclose(ours["mlm"]["bias"], theirs["mlm"]["bias"], rtol=1e-5, atol=1e-7)


def test_an_unknown_optimizer_is_refused():
    config = defaults().optimizer
    config.name = "sgd"
    with pytest.raises(ValueError, match="must be 'bert' or 'adamw'; found 'sgd'"):
        make_optimizer(config, 10)
