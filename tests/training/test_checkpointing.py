"""Which checkpoints stay, and what comes back from them."""

import json
import os
import random
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.errors import CheckpointError, TrainingError, UserError, WriteError
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.saved import finished_steps, read_card
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
    with pytest.raises(
        CheckpointError, match=r"checkpoints/4/state/.*: damaged since it was saved"
    ):
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
    assert "The checkpoint of step 4 is complete" in message
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


def files_of(folder) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_every_file_of_a_checkpoint_has_a_checksum(tmp_path):
    """In the form that sha256sum checks."""
    save_all(checkpoints := Checkpoints(tmp_path), {4: 50.0})
    checkpoints.close()
    folder = tmp_path / "checkpoints" / "4"
    listed = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert [name for _, name in listed] == [
        str(path.relative_to(folder)) for path in files_of(folder) if path.name != "SHA256SUMS"
    ]
    assert {len(bytes.fromhex(digest)) for digest, _ in listed} == {32}


@pytest.mark.parametrize("older", [False, True], ids=["with checksums", "without"])
def test_one_flipped_bit_is_noticed_or_does_no_harm(tmp_path, abstract, older):
    """24 bits at random places; without checksums, as an older version saved, many go unnoticed."""
    seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 30)))
    print(f"TEST_SEED={seed} repeats this")
    rng = random.Random(seed)
    kernel = np.random.default_rng(seed).normal(size=(20, 30)).astype(np.float32)
    saved = state_at(4).replace(params={"layer": {"kernel": jnp.array(kernel)}})
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(saved, position_at(4), CARD)
    checkpoints.close()
    folder = tmp_path / "checkpoints" / "4"
    files = [path for path in files_of(folder) if path.name != "SHA256SUMS" or not older]
    if older:
        (folder / "SHA256SUMS").unlink()
    unnoticed, messages = 0, []
    for _ in range(24):
        # A byte of all files together, so that large ones are hit more often.
        place = rng.randrange(sum(path.stat().st_size for path in files))
        for path in files:
            if place < path.stat().st_size:
                break
            place -= path.stat().st_size
        good = path.read_bytes()
        path.write_bytes(flipped(good, place, rng.randrange(8)))
        try:
            card, params, _ = read_card(tmp_path)
            same = np.array_equal(params["layer"]["kernel"], kernel)
            unnoticed += not (same and card == CARD)
        except CheckpointError as error:
            messages.append(str(error))
        path.write_bytes(good)
    assert all(str(tmp_path) in message and "\n" not in message for message in messages)
    assert older or unnoticed == 0
    assert read_card(tmp_path)[2] == 4


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def test_a_flipped_bit_is_noticed_on_resuming_and_a_good_step_named(tmp_path, abstract):
    save_all(checkpoints := Checkpoints(tmp_path, keep_last=3), {4: None, 8: None, 12: None})
    for step in (8, 12):
        [data, *_] = (tmp_path / "checkpoints" / str(step) / "state").rglob("process_0")
        data.write_bytes(flipped(data.read_bytes(), 100, 3))
    with pytest.raises(CheckpointError) as raised:
        checkpoints.restore(12, abstract)
    message = str(raised.value)
    assert message.startswith(f"{data}: found sha256 ")
    folder = tmp_path / "checkpoints" / "12"
    assert f"Move {folder} away to use the checkpoint of step 4 instead" in message
    assert int(checkpoints.restore(4, abstract)[0].step) == 4
    checkpoints.close()


def test_without_checksums_it_is_read_and_said_so(tmp_path, abstract, caplog):
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})
    (tmp_path / "checkpoints" / "4" / "SHA256SUMS").unlink()
    with caplog.at_level("INFO", "biobert_jax"):
        assert int(checkpoints.restore(4, abstract)[0].step) == 4
        assert read_card(tmp_path)[2] == 4
    checkpoints.close()
    assert caplog.text.count("saved without checksums; not checked") == 2


def test_checksums_that_cannot_be_written_do_not_end_the_run(tmp_path, monkeypatch, caplog):
    def full(folder):
        raise WriteError(f"{folder}: no space")

    monkeypatch.setattr("biobert_jax.training.checkpointing.write_checksums", full)
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})
    checkpoints.close()
    assert "saved, but without checksums" in caplog.text
    assert read_card(tmp_path)[2] == 4


@pytest.mark.parametrize(
    "error", [TypeError("what"), AssertionError(), KeyError("x"), OSError(5, "?")]
)
def test_whatever_orbax_raises_is_one_line(tmp_path, abstract, monkeypatch, error):
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})

    def fails(*args, **kwargs):
        raise error

    for method, call in (
        ("restore", lambda: checkpoints.restore(4, abstract)),
        ("save", lambda: checkpoints.save(state_at(5), position_at(5), CARD)),
    ):
        monkeypatch.setattr(checkpoints._manager, method, fails)
        with pytest.raises(UserError) as raised:
            call()
        assert str(tmp_path) in str(raised.value)
        assert "\n" not in str(raised.value)
    checkpoints.close()


@pytest.mark.parametrize(
    "error", [MemoryError(), ValueError("RESOURCE_EXHAUSTED: Out of memory"), KeyboardInterrupt()]
)
def test_what_is_not_the_checkpoints_fault_is_not_blamed_on_it(
    tmp_path, abstract, monkeypatch, error
):
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})

    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr(checkpoints._manager, "restore", fails)
    with pytest.raises(type(error)):
        checkpoints.restore(4, abstract)
    checkpoints.close()


def test_a_read_only_workdir_can_be_read(tmp_path):
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})
    checkpoints.close()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    read_card(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_unfinished_save_of_another_process_stays(tmp_path, monkeypatch):
    save_all(checkpoints := Checkpoints(tmp_path), {4: None})
    checkpoints.close()
    unfinished = tmp_path / "checkpoints" / "8.orbax-checkpoint-tmp"
    unfinished.mkdir()

    def held(*args):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr("biobert_jax.training.lock.fcntl.flock", held)
        with pytest.raises(TrainingError, match="in use by"):
            Checkpoints(tmp_path)
        read_card(tmp_path)
    assert unfinished.is_dir()
