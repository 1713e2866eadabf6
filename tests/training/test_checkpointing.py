"""Which checkpoints stay, and what comes back from them."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.errors import CheckpointError, TrainingError
from biobert_jax.training.checkpointing import Checkpoints, finished_steps, read_card
from biobert_jax.training.step import TrainState

CARD = {"task": "ner", "labels": ["O", "B-Gene"], "lowercase": False}


def state_at(step: int) -> TrainState:
    kernel = jnp.arange(6, dtype=jnp.float32).reshape(2, 3) / 7 + step
    return TrainState(jnp.int32(step), {"layer": {"kernel": kernel}}, {"mu": kernel * 2})


def position_at(step: int) -> dict:
    return {"data": {"next_index": step}, "interval": {"loss": [step / 3, 2.0]}}


def save_all(checkpoints: Checkpoints, scores: dict[int, float | None]) -> None:
    for step, score in scores.items():
        checkpoints.save(state_at(step), position_at(step), CARD, score)
    checkpoints.wait()


@pytest.fixture
def abstract():
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), state_at(0)
    )


@pytest.mark.parametrize("asynchronous", [True, False])
def test_what_is_restored_is_what_was_saved(tmp_path, abstract, asynchronous):
    checkpoints = Checkpoints(tmp_path, asynchronous=asynchronous)
    save_all(checkpoints, {3: None})
    state, position = checkpoints.restore(3, abstract)
    checkpoints.close()
    jax.tree.map(np.testing.assert_array_equal, state, state_at(3))
    assert position == position_at(3)


def test_best_last_and_chosen_steps_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_last=1, keep_best=1, keep_steps=(20,))
    save_all(checkpoints, {10: 50.0, 20: 40.0, 30: 70.0, 40: 60.0, 50: None, 60: None})
    assert checkpoints.best() == (30, 70.0)
    assert checkpoints.latest() == 60
    checkpoints.close()
    assert finished_steps(tmp_path / "checkpoints") == [20, 30, 60]

    again = Checkpoints(tmp_path, keep_last=1, keep_best=1, keep_steps=(20,))
    assert again.best() == (30, 70.0)
    save_all(again, {70: 80.0})
    again.close()
    assert finished_steps(tmp_path / "checkpoints") == [20, 70]


def test_without_scores_there_is_no_best(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_last=2)
    save_all(checkpoints, {1: None, 2: None, 3: None})
    assert checkpoints.best() is None
    checkpoints.close()
    assert finished_steps(tmp_path / "checkpoints") == [2, 3]


def test_a_step_is_saved_once(tmp_path, abstract):
    checkpoints = Checkpoints(tmp_path)
    save_all(checkpoints, {5: None})
    checkpoints.save(state_at(5).replace(params=state_at(9).params), position_at(9), CARD)
    checkpoints.wait()
    state, position = checkpoints.restore(5, abstract)
    checkpoints.close()
    np.testing.assert_array_equal(
        state.params["layer"]["kernel"], state_at(5).params["layer"]["kernel"]
    )
    assert position == position_at(5)


def test_a_save_in_the_background_is_not_disturbed_by_the_next_step(tmp_path, abstract):
    """The next step takes the state's memory over (donation) while the save may still run."""
    size = 1 << 20
    step = jax.jit(
        lambda s: s.replace(step=s.step + 1, params=jax.tree.map(lambda x: x + 1, s.params)),
        donate_argnums=0,
    )
    state = TrainState(jnp.int32(1), {"x": jnp.zeros(size)}, {"mu": jnp.zeros(1)})
    state = jax.block_until_ready(step(state))  # a buffer of XLA's own
    checkpoints = Checkpoints(tmp_path, asynchronous=True)
    checkpoints.save(state, position_at(2), CARD)
    for _ in range(20):
        state = step(state)
    jax.block_until_ready(state)
    checkpoints.wait()
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), state)
    restored, _ = checkpoints.restore(2, shapes)
    checkpoints.close()
    np.testing.assert_array_equal(restored.params["x"], np.ones(size))


def test_an_unfinished_checkpoint_does_not_count(tmp_path):
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})
    checkpoints.close()
    (tmp_path / "checkpoints" / "8.orbax-checkpoint-tmp").mkdir()
    again = Checkpoints(tmp_path)
    assert again.latest() == 4
    again.close()


def test_a_damaged_checkpoint_is_named(tmp_path, abstract):
    checkpoints = Checkpoints(tmp_path)
    save_all(checkpoints, {4: None})
    for file in (tmp_path / "checkpoints" / "4" / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"checkpoints/4: this checkpoint cannot be read"):
        checkpoints.restore(4, abstract)
    checkpoints.close()


def test_a_save_that_fails_names_the_one_that_is_whole(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    save_all(checkpoints, {4: None})

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(TrainingError) as raised:
        checkpoints.save(state_at(8), position_at(8), CARD)
    message = str(raised.value)
    assert str(tmp_path / "checkpoints") in message
    assert "step 8 could not be written" in message
    assert "No space left" in message
    assert "The checkpoint of step 4 is whole" in message
    assert "\n" not in message
    checkpoints.close()


def test_read_card_takes_the_step_that_the_results_name(tmp_path):
    save_all(checkpoints := Checkpoints(tmp_path, keep_last=2), {4: None, 8: None})
    checkpoints.close()
    card, params, step = read_card(tmp_path)
    assert (card, step) == (CARD, 8)
    assert isinstance(params["layer"]["kernel"], np.ndarray)
    (tmp_path / "results.json").write_text(json.dumps({"step": 4}))
    _, params, step = read_card(tmp_path)
    assert step == 4
    np.testing.assert_array_equal(params["layer"]["kernel"], state_at(4).params["layer"]["kernel"])
    assert read_card(tmp_path, step=8)[2] == 8


def test_read_card_says_what_there_is(tmp_path):
    with pytest.raises(CheckpointError, match="no finished checkpoint; found none"):
        read_card(tmp_path)
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})
    checkpoints.close()
    with pytest.raises(CheckpointError, match=r"no finished checkpoint of step 5; found \[4\]"):
        read_card(tmp_path, step=5)
