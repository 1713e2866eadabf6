"""The order of things around a step."""

import time

import jax
import jax.numpy as jnp
import pytest

from biobert_jax.training.steps import run_steps


class Clock:
    """Stands for metrics.Progress."""

    def __init__(self):
        self.waits = []

    def pause(self):
        pass

    def waited(self, seconds):
        self.waits.append(seconds)


@jax.jit
def slow(x):
    return jax.lax.fori_loop(0, 400, lambda _, x: jnp.tanh(x @ x), x)


@jax.jit
def quick(x):
    return x[0, 0]


@pytest.mark.parametrize("device_is_slow", [False, True])
def test_waiting_for_data_counts_where_the_device_is_idle(device_is_slow):
    clock, fetch_takes = Clock(), 0.0 if device_is_slow else 0.05
    x = jnp.eye(256)
    for function in (slow, quick):
        function(x).block_until_ready()

    def fetch():
        time.sleep(fetch_takes)
        return x

    def advance(batch):
        return {"loss": (slow if device_is_slow else quick)(batch)}

    told = []
    assert run_steps(
        range(1, 6), fetch, advance, lambda step, _: told.append(step), lambda _: None, None, None,
        clock,
    )  # fmt: skip
    assert told == [1, 2, 3, 4, 5]
    if device_is_slow:
        assert sum(clock.waits) < 0.01
    else:
        # Not before the first step, nor after it, when nothing was left to do on the device.
        assert len(clock.waits) == 3
        assert min(clock.waits) >= fetch_takes
