"""What --dry_run finds out, and that it leaves nothing."""

import os
import types

import jax
import pytest

from biobert_jax.errors import CheckpointError, TrainingError, UserError
from biobert_jax.launcher import dry_run
from biobert_jax.training.workdir import prepare
from configs.ner.ncbi_disease import get_config as ner
from configs.pretrain.biobert_v1_0_pubmed import get_config as pretraining
from tests.support.models import TINY


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, in which and below which nothing may be left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    before = jax.config.values["jax_enable_compilation_cache"]
    yield tmp_path
    jax.config.update("jax_enable_compilation_cache", before)
    os.environ.pop("HF_HUB_OFFLINE", None)


def tiny(config):
    config.model.update(TINY | {"max_position_embeddings": 128})
    return config


@pytest.mark.slow
def test_a_pretraining(here, capsys):
    config = tiny(pretraining("debug"))
    config.checkpoint.keep_steps = (10, 20, 9999)
    plan = dry_run.run(config, here / "runs/p", speed=1e6, price=36.0)
    assert (plan.rows, plan.row_length, plan.positions) == (8, 128, 1024)
    assert 0.8 * 1024 < plan.real_tokens <= 1024
    assert (plan.steps, plan.runs, plan.micro_batches) == (40, 1, 1)
    assert plan.checkpoints == 1 + 1 + 2 + 1
    assert 0 < plan.step_bytes < plan.device_bytes
    assert plan.checkpoint_bytes > 3 * 4 * TINY["hidden_size"] * 1000  # parameters and moments
    assert plan.hours(1024.0) == pytest.approx(40 / 3600)
    assert list(here.iterdir()) == []
    printed = capsys.readouterr().out
    assert "1,024 positions" in printed
    assert "36 an hour" in printed


@pytest.mark.slow
def test_a_fine_tuning_in_a_run_that_would_be_resumed(here):
    config = tiny(ner("debug"))
    prepare(here / "run", config)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    plan = dry_run.run(config, here / "run")
    assert plan.steps > 10
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before
    config.seed = 5
    with pytest.raises(TrainingError, match="belongs to another config: seed is 0 there and 5"):
        dry_run.run(config, here / "run")


@pytest.fixture
def planned(monkeypatch):
    """In the place of data and compiler."""
    numbers = {"step_bytes": 2**30, "device_bytes": 2**31, "checkpoint_bytes": 2**30}
    plan = dry_run.Plan(8, 128, 1000, 1, 40, 1, **numbers, checkpoints=3, free_bytes=0)
    monkeypatch.setattr(dry_run, "_plan", lambda *_: plan)
    return plan


def test_what_does_not_fit(here, planned, monkeypatch):
    usage = types.SimpleNamespace(free=2**31)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    config = pretraining("debug")
    with pytest.raises(TrainingError, match=r"checkpoints take 3\.0 GiB, and 2\.0 are free"):
        dry_run.run(config, here / "run")
    usage.free = 2**33
    assert dry_run.run(config, here / "run") is planned
    object.__setattr__(planned, "device_bytes", 2**29)
    with pytest.raises(TrainingError, match=r"a step needs 1\.00 GiB of each device, .* 0\.50"):
        dry_run.run(config, here / "run")


def test_folders_that_no_run_can_have(here, planned, monkeypatch):
    (here / "file").touch()
    with pytest.raises(TrainingError, match=r"cannot be made, since .*file is no folder"):
        dry_run.run(pretraining("debug"), here / "file/run")
    with pytest.raises(TrainingError, match="not the folder of a run"):
        dry_run.run(pretraining("debug"), here)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(TrainingError, match="cannot be written by this user"):
        dry_run.run(pretraining("debug"), here / "run")


def test_nothing_is_fetched(here):
    with pytest.raises(UserError, match="fetches nothing, and ncbi_disease would be downloaded"):
        dry_run.run(ner(), here / "run")
    config = tiny(pretraining("debug"))
    config.init = "hf://nobody/has-this"
    with pytest.raises(CheckpointError, match="hf://nobody/has-this: cannot be fetched"):
        dry_run.run(config, here / "run")
