import jax
import jax.numpy as jnp
import pytest

from biobert_jax.errors import TrainingError
from biobert_jax.training.micro_batches import (
    candidates,
    choose_micro_batches,
    device_memory,
    fewest_that_fit,
    step_memory,
)


def test_all_takes_the_batch_at_once():
    assert choose_micro_batches("all", 32, True, None, None) == 1


@pytest.mark.parametrize(
    ("setting", "rows", "divide_evenly", "count"),
    [("8", 32, True, 4), ("9", 32, True, 4), ("64", 32, True, 1), ("1", 7, True, 7)]
    + [("5", 7, False, 2), ("3", 7, False, 3), ("5", 7, True, 7)],
)
def test_a_number_of_rows(setting, rows, divide_evenly, count):
    assert choose_micro_batches(setting, rows, divide_evenly, None, None) == count


@pytest.mark.parametrize("setting", ["0", "-1", "many", ""])
def test_no_such_setting(setting):
    with pytest.raises(TrainingError, match=r"config\.train\.micro_batch is"):
        choose_micro_batches(setting, 8, True, None, None)


@pytest.mark.parametrize("rows", [1, 7, 12, 256])
@pytest.mark.parametrize("limit", [3, 10, 55, 300])
def test_auto_takes_the_largest_that_fits(rows, limit):
    def memory(count):
        return 2 + rows // count

    counts = candidates(rows, True)
    assert all(rows % count == 0 for count in counts)
    found = fewest_that_fit(counts, memory, limit)
    assert memory(found) <= limit
    assert all(memory(count) > limit for count in counts if count < found)


def test_nothing_fits():
    with pytest.raises(TrainingError, match=r"compute\.remat=full"):
        fewest_that_fit([1, 2, 4], lambda count: 100, 10)


def test_auto_asks_the_compiler():
    """What a step keeps for each row of a micro-batch is paid for fewer rows at a time."""

    def step(weights, x):
        def loss(weights, rows):
            return jnp.sum(jnp.tanh(rows @ weights) ** 2)

        def micro(total, rows):
            return total + jax.grad(loss)(weights, rows), None

        return jax.lax.scan(micro, jnp.zeros_like(weights), x)[0]

    def memory(count):
        rows = jax.ShapeDtypeStruct((count, 4096 // count, 64), jnp.float32)
        weights = jax.ShapeDtypeStruct((64, 1024), jnp.float32)
        return step_memory(jax.jit(step).lower(weights, rows).compile())

    whole, quarter = memory(1), memory(4)
    assert whole > 2 * quarter
    assert fewest_that_fit([1, 4, 16], memory, (whole + quarter) // 2) == 4
    assert device_memory(jax.local_devices()[0]) > 2**28
