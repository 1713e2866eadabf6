"""The folder of a run belongs to one config."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_collections
import pytest

from biobert_jax.errors import TrainingError
from biobert_jax.training.workdir import environment, prepare, write_json


def config(**changes) -> ml_collections.ConfigDict:
    made = ml_collections.ConfigDict(
        {
            "seed": 0,
            "log_every": 10,
            "train": {"epochs": 3, "steps": 0},
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


def test_the_same_config_may_go_on(tmp_path):
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


def test_a_run_of_an_older_version_goes_on_unless_a_new_setting_is_on(tmp_path):
    prepare(tmp_path, config())
    newer = {"trials": {"folds": False, "seeds": ()}, "train": {"epochs": 3, "steps": 0, "new": 0}}
    both = {**config().to_dict(), **newer}
    prepare(tmp_path, ml_collections.ConfigDict(both))
    both["trials"]["folds"] = True
    with pytest.raises(TrainingError, match=r"trials\.folds is None there and True here"):
        prepare(tmp_path, ml_collections.ConfigDict(both))


def test_many_differences_are_counted(tmp_path):
    prepare(tmp_path, ml_collections.ConfigDict({f"s{i}": i for i in range(8)}))
    with pytest.raises(TrainingError, match="and 3 more"):
        prepare(tmp_path, ml_collections.ConfigDict({f"s{i}": -1 for i in range(8)}))


def test_a_folder_with_another_kind_of_config_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{not json")
    with pytest.raises(TrainingError, match="not the config of a run"):
        prepare(tmp_path, config())


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"file/run: could not be written"):
        prepare(tmp_path / "file" / "run", config())


def test_json_is_replaced_whole(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"x": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}


def test_environment_is_json():
    json.dumps(environment())


def test_an_address_is_no_folder(tmp_path, monkeypatch):
    """As a path it would be a new folder here, which no other host sees."""
    monkeypatch.chdir(tmp_path)
    for address in ("gs://bucket/run", "s3://bucket/run"):
        with pytest.raises(TrainingError, match="expected a folder, not an address"):
            prepare(Path(address), config())
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


def test_other_processes_are_told_that_they_share_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("jax.process_index", lambda: 1)
    with pytest.raises(TrainingError, match=r"process 1 on .* does not see this file.*share"):
        prepare(tmp_path, config(distributed={"connect_timeout": 0.3}))
