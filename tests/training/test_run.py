"""The loop: the order of what happens around a step."""

import signal
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import ml_collections
import pytest

from biobert_jax.training.profiling import StepTrace
from biobert_jax.training.run import Run


class Clock:
    """In the place of progress.Progress."""

    def __init__(self):
        self.waits = []

    def pause(self):
        pass

    def waited(self, seconds):
        self.waits.append(seconds)


class Saved:
    """In the place of Checkpoints."""

    def wait(self):
        pass


class LoopOnly(Run):
    """A Run whose data, step and files are stand-ins; the loop is the real one."""

    def __init__(self, steps, batches, function, every=0):
        self.first_step, self.total_steps = 0, steps
        self.config = ml_collections.ConfigDict(
            {"train": {"evaluate_every": 0}, "checkpoint": {"every": every, "keep_steps": ()}}
        )
        self.data = type("Data", (), {"batches": batches})
        self.function, self._pending = function, None
        self.trace = StepTrace(Path(), 0, 0)
        self.program, self.state = SimpleNamespace(step=None, numbers={}), None
        self.progress, self.checkpoints, self.happened = Clock(), Saved(), []

    def place(self, batch):
        return batch

    def advance(self, batch):
        return {"loss": self.function(batch)}

    def report(self, step, metrics):
        self.happened.append(step)

    def save(self, score=None):
        self.happened.append("save")


@jax.jit
def slow(x):
    return jax.lax.fori_loop(0, 400, lambda _, x: jnp.tanh(x @ x), x)


@jax.jit
def quick(x):
    return x[0, 0]


@pytest.mark.parametrize("device_is_slow", [False, True])
def test_waiting_for_data_counts_only_while_the_device_is_idle(device_is_slow):
    fetch_takes = 0.0 if device_is_slow else 0.05
    x = jnp.eye(256)
    for function in (slow, quick):
        function(x).block_until_ready()

    def batches():
        while True:
            time.sleep(fetch_takes)
            yield x

    run = LoopOnly(5, batches(), slow if device_is_slow else quick)
    assert run.train()
    assert run.happened == [1, 2, 3, 4, 5]
    if device_is_slow:
        assert sum(run.progress.waits) < 0.01
    else:
        # Not before the first step, nor after it: its metrics are fetched at once.
        assert len(run.progress.waits) == 3
        assert min(run.progress.waits) >= fetch_takes


def test_a_save_comes_after_the_report_of_its_step():
    run = LoopOnly(5, iter([jnp.eye(2)] * 5), quick, every=2)
    assert run.train()
    assert run.happened == [1, 2, "save", 3, 4, "save", 5]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_step(number):
    def batches():
        for step in range(1, 9):
            if step == 3:
                signal.raise_signal(number)
            yield jnp.eye(2)

    run = LoopOnly(8, batches(), quick)
    if number == signal.SIGINT:
        with pytest.raises(KeyboardInterrupt):
            run.train()
    else:
        assert not run.train()
    assert run.happened == [1, 2, 3, "save"]


@pytest.mark.parametrize("test", [True, False])
def test_the_test_split_is_scored_where_it_is_asked_for(test):
    run = LoopOnly(2, iter([jnp.eye(2)] * 2), quick)
    run.train()
    run.config.train.update(select="last", test=test)
    run.task = SimpleNamespace(examples=lambda split: [1])
    run.checkpoints = SimpleNamespace(wait=lambda: None)
    run.evaluator = lambda params, split, workdir: {"f1": 1.0}
    run.workdir = None
    run.state = SimpleNamespace(step=2, params={})
    assert ("test" in run.evaluate()) == test


def test_a_device_that_waits_for_data_is_logged_once(caplog):
    run = LoopOnly(1, iter(()), None)
    run.config.loader = {"threads": 2}
    run._warned = False
    for step, share in enumerate((0.01, 0.2, 0.4)):
        run.warn_of_waiting(step, share)
    [line] = caplog.messages
    assert line.startswith("step 1: the device waited for data up to 20%")
    assert "config.loader.threads (now 2)" in line
