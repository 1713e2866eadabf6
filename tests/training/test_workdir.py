"""The folder of a run belongs to one config."""

import errno
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_collections
import pytest

from biobert_jax.errors import TrainingError, UserError, WriteError
from biobert_jax.files import to_path, write_json
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.data import restore_position
from biobert_jax.training.lock import WorkdirLock
from biobert_jax.training.saved import read_card
from biobert_jax.training.workdir import environment, note, prepare, resumed_with


def config(**changes) -> ml_collections.ConfigDict:
    made = ml_collections.ConfigDict(
        {
            "seed": 0,
            "log_every": 10,
            "train": {"epochs": 3, "steps": 0, "micro_batch": "all"},
            "compute": {"dtype": "float32", "dropout": "hash"},
            "checkpoint": {"every": 200, "keep_steps": (5, 7)},
            "loader": {"threads": 2},
        }
    )
    made.update_from_flattened_dict(changes)
    return made


def test_a_new_folder_gets_config_and_environment(tmp_path):
    prepare(tmp_path / "new" / "run", config())
    assert json.loads((tmp_path / "new/run/config.json").read_text())["train"]["epochs"] == 3
    found = json.loads((tmp_path / "new/run/environment.json").read_text())
    assert found["packages"].keys() >= {"jax", "flax", "optax"}
    assert found["devices"]["count"] >= 1


def test_the_same_config_may_continue(tmp_path):
    prepare(tmp_path, config())
    before = (tmp_path / "config.json").read_bytes()
    prepare(tmp_path, config())
    prepare(tmp_path, config(**{"log_every": 1, "checkpoint.every": 7, "loader.threads": 0}))
    assert (tmp_path / "config.json").read_bytes() == before


def test_another_config_is_refused_and_each_difference_named(tmp_path):
    prepare(tmp_path, config())
    with pytest.raises(TrainingError) as raised:
        prepare(tmp_path, config(**{"seed": 4, "train.epochs": 5}))
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'config.json'}: ")
    assert "seed is 0 there and 4 here" in message
    assert "train.epochs is 3 there and 5 here" in message
    assert "--workdir" in message


def test_a_run_of_an_older_version_continues_unless_a_new_setting_is_on(tmp_path):
    prepare(tmp_path, config())
    newer = {"trials": {"folds": False, "seeds": ()}, "train": {**config().train, "new": 0}}
    both = {**config().to_dict(), **newer}
    prepare(tmp_path, ml_collections.ConfigDict(both))
    both["trials"]["folds"] = True
    with pytest.raises(TrainingError, match=r"trials\.folds is None there and True here"):
        prepare(tmp_path, ml_collections.ConfigDict(both))


def test_a_run_of_an_older_version_is_named_with_it(tmp_path):
    prepare(tmp_path, config())
    newer = ml_collections.ConfigDict({**config().to_dict(), "new_setting": 3})
    file = tmp_path / "environment.json"
    values = json.loads(file.read_text())
    for started, named in (
        ({"biobert_jax": "0.1.3", "commit": "abc"}, "biobert_jax 0.1.3 (commit abc)"),
        ({"commit": "abc"}, "biobert_jax before 0.2.0 (commit abc)"),
    ):
        file.write_text(json.dumps({**values, "earlier": [started]}))
        with pytest.raises(TrainingError) as raised:
            prepare(tmp_path, newer)
        assert f"was started by {named}" in str(raised.value)
        assert f"--config.init={tmp_path}" in str(raised.value)
        with pytest.raises(TrainingError) as raised:
            prepare(tmp_path, config(seed=9))  # a setting that both versions have
        assert "was started by" not in str(raised.value)
    file.write_text(json.dumps(values))
    with pytest.raises(TrainingError) as raised:
        prepare(tmp_path, newer)
    assert "was started by" not in str(raised.value)


def test_a_position_of_another_version_is_one_message(tmp_path):
    class Streams:
        def set_state(self, state):
            self.places = state["places"]

    streams = Streams()
    restore_position(streams, {"data": {"places": [1]}}, tmp_path)
    assert streams.places == [1]
    with pytest.raises(TrainingError, match=r"position in the data.*KeyError: 'places'"):
        restore_position(streams, {"data": {"blocks": [1]}}, tmp_path)


def test_many_differences_are_counted(tmp_path):
    prepare(tmp_path, ml_collections.ConfigDict({f"s{i}": i for i in range(8)}))
    with pytest.raises(TrainingError, match="and 3 more"):
        prepare(tmp_path, ml_collections.ConfigDict({f"s{i}": -1 for i in range(8)}))


def test_a_folder_with_another_kind_of_config_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{not json")
    with pytest.raises(TrainingError, match=r"config\.json:1: "):
        prepare(tmp_path, config())


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"file/run: could not be written"):
        prepare(tmp_path / "file" / "run", config())


def test_environment_is_json():
    json.dumps(environment())


def test_an_address_is_no_folder(tmp_path, monkeypatch):
    """As a path it would be a new folder here, which no other host sees."""
    monkeypatch.chdir(tmp_path)
    for address in ("gs://bucket/run", "s3://bucket/run"):
        with pytest.raises(TrainingError, match="expected a folder, not an address"):
            prepare(Path(address), config())
    with pytest.raises(TrainingError, match="renaming"):
        prepare(to_path("s3://bucket/run"), config())
    assert not list(tmp_path.iterdir())
    prepare(Path("a:b"), config())


def test_other_processes_wait_for_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("jax.process_index", lambda: 1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(prepare, tmp_path, config())
        time.sleep(0.3)
        assert not waiting.done()
        write_json(tmp_path / "config.json", json.loads(config().to_json()))
        waiting.result(timeout=20)


def test_other_processes_learn_that_they_share_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("jax.process_index", lambda: 1)
    with pytest.raises(TrainingError, match=r"process 1 on .* does not see this file.*share"):
        prepare(tmp_path, config(distributed={"connect_timeout": 0.3}))


def environments(workdir) -> list[dict]:
    """Of each start, oldest first."""
    last = json.loads((workdir / "environment.json").read_text())
    return [*last.pop("earlier", []), last]


def test_what_a_run_is_resumed_with_is_logged_and_recorded(tmp_path, caplog):
    prepare(tmp_path, config())
    other = {"compute.dtype": "bfloat16", "train.micro_batch": "8"}
    with caplog.at_level("INFO", "biobert_jax"):
        prepare(tmp_path, config(**other))
    assert "resumed with compute.dtype 'bfloat16' instead of 'float32'" in caplog.text
    prepare(tmp_path, config())
    first, second, third = environments(tmp_path)
    assert second["changed"] == {
        "compute.dtype": ["float32", "bfloat16"],
        "train.micro_batch": ["all", "8"],
    }
    assert "changed" not in first
    assert "changed" not in third
    assert second["packages"] == first["packages"]


@pytest.mark.parametrize(
    "change", [{"compute.dropout": "rbg"}, {"train.steps": 9}, {"seed": 1, "compute.dtype": "x"}]
)
def test_what_changes_the_result_may_not_change(tmp_path, change):
    prepare(tmp_path, config())
    with pytest.raises(TrainingError) as raised:
        prepare(tmp_path, config(**change))
    name = next(iter(change))
    assert f"{name} is " in str(raised.value)
    assert "compute.dtype" not in str(raised.value)
    assert len(environments(tmp_path)) == 1


def test_the_environment_of_an_older_version_becomes_the_first(tmp_path):
    prepare(tmp_path, config())
    (tmp_path / "environment.json").write_text('{"python": "3.9"}')
    prepare(tmp_path, config())
    assert [start["python"][:2] for start in environments(tmp_path)] == ["3.", "3."]
    assert environments(tmp_path)[0] == {"python": "3.9"}


@pytest.mark.parametrize("name", ["results.json", "thesis.tex", "checkpoints/4/x"])
def test_a_folder_of_somebody_elses_is_not_adopted(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("precious")
    with pytest.raises(TrainingError) as raised:
        prepare(tmp_path, config())
    assert f"{tmp_path}: " in str(raised.value)
    assert f"holds {name.partition('/')[0]}" in str(raised.value)
    assert [p.name for p in tmp_path.iterdir()] == [name.partition("/")[0]]
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("name", [".DS_Store", "train.log", "slurm-7.out", "lost+found"])
def test_a_folder_with_a_log_or_hidden_files_is_new(tmp_path, name):
    (tmp_path / name).write_text("x")
    prepare(tmp_path, config())
    assert (tmp_path / "config.json").is_file()
    assert (tmp_path / name).read_text() == "x"


HOLDER = """
import sys, time
from pathlib import Path
from biobert_jax.training.lock import WorkdirLock
lock = WorkdirLock(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that uses the workdir."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_and_a_dead_one_is_not_in_the_way(tmp_path, holder):
    with pytest.raises(TrainingError) as raised:
        prepare(tmp_path, config())
    assert str(raised.value).startswith(f"{tmp_path}: in use by process {holder.pid} on ")
    assert not (tmp_path / "config.json").exists()
    with pytest.raises(TrainingError, match="in use by"):
        Checkpoints(tmp_path)
    holder.kill()  # without a chance to clean up
    holder.wait()
    prepare(tmp_path, config())


def test_another_process_may_use_it_when_the_last_of_ours_is_done(tmp_path):
    first, second = WorkdirLock(tmp_path), WorkdirLock(tmp_path)
    program = "from pathlib import Path; from biobert_jax.training.lock import WorkdirLock as L; "
    program += f"L(Path({str(tmp_path)!r}))"
    run = lambda: subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    second.release()
    second.release()
    assert f"in use by process {os.getpid()} on" in run().stderr
    first.release()
    assert run().returncode == 0


def test_without_locks_a_warning_has_to_do(tmp_path, monkeypatch, caplog):
    def unsupported(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("biobert_jax.training.lock.fcntl.flock", unsupported)
    prepare(tmp_path, config())
    assert "No locks available" in caplog.text
    lock = WorkdirLock(tmp_path)
    assert not lock.held
    lock.release()


def test_reading_takes_no_lock(tmp_path, holder):
    with pytest.raises(UserError, match="no finished checkpoint"):
        read_card(tmp_path)


def test_what_a_start_found_out_is_recorded(tmp_path, caplog):
    """And what of it differs from the start before; a description is not compared."""
    prepare(tmp_path, config())
    note(tmp_path, {"micro_batches": 1, "attention_check": {"seconds": 1}})
    assert resumed_with(tmp_path) == []
    prepare(tmp_path, config(**{"compute.dtype": "bfloat16"}))
    with caplog.at_level("INFO", "biobert_jax"):
        note(tmp_path, {"micro_batches": 4, "attention_check": {"seconds": 2}})
    assert "resumed with micro_batches 4 instead of 1" in caplog.text
    prepare(tmp_path, config())
    note(tmp_path, {"micro_batches": 4})
    first, second, third = environments(tmp_path)
    assert first["micro_batches"] == 1
    changed = {"compute.dtype": ["float32", "bfloat16"], "micro_batches": [1, 4]}
    assert resumed_with(tmp_path) == [{"started": second["started"], "changed": changed}]
    assert "changed" not in third
    (tmp_path / "environment.json").write_text("[]")
    assert resumed_with(tmp_path) == []
