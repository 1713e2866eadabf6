"""The step of several trials, and the devices that they are on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh

from biobert_jax.configuration.defaults import defaults
from biobert_jax.training.optimizer import make_optimizer
from biobert_jax.training.several.stacked import devices_for, make_trials_step
from biobert_jax.training.step import make_init
from tests.training.test_step import Tagging, examples, laid_out

__all__ = ["examples"]


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.slow
def test_frozen_encoders_cost_nothing_in_trials(examples, at_once):
    """Of a condition that differs between trials, vmap would compute both branches."""
    config, task = defaults(), Tagging(0.1)
    config.trials.at_once = at_once
    config.optimizer.freeze_encoder_steps = 5
    mesh = Mesh(np.array(jax.devices()[:1]), ("trial",), axis_types=(AxisType.Auto,))
    twice = lambda tree: jax.tree.map(lambda x: jnp.stack([x, x]), tree)
    state = make_init(task, make_optimizer(config.optimizer, 10)[0])(0)
    numbers = {"seed": 1, "peak": 0.1, "warmup_steps": 2, "total_steps": 10}
    given = (twice(state), twice(laid_out(examples, 8)), twice(jax.tree.map(jnp.asarray, numbers)))
    step = make_trials_step(config, task, mesh)
    branches = [
        [sum("dot_general" in line for line in str(branch).splitlines()) for branch in found]
        for found in conditionals(jax.make_jaxpr(step)(*given).jaxpr)
    ]
    # The branch that has more products also differentiates the encoder.
    assert any(min(products) < max(products) / 2 for products in branches if max(products))


def conditionals(jaxpr):
    """The branches of each conditional in a program, at any depth."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "cond":
            yield equation.params["branches"]
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from conditionals(inner)


@pytest.mark.parametrize(
    ("trials", "available", "used", "said"),
    [
        (8, 8, 8, ""),
        (16, 8, 8, ""),
        (11, 8, 1, "11 trials on 1 of 8 devices: every device has equally many. 8 or 16 trials"),
        (6, 8, 6, "6 trials on 6 of 8 devices: every device has equally many. 8 trials"),
    ],
)
def test_idle_devices_are_logged(caplog, trials, available, used, said):
    assert devices_for(trials, available) == used
    assert said in caplog.text
    assert bool(said) == bool(caplog.records)
