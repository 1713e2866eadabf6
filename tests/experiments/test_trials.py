"""Trials together against the same runs one by one."""

import json
import shutil
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from biobert_jax.configuration.defaults import defaults
from biobert_jax.errors import CheckpointError, TrainingError
from biobert_jax.training.several.stacked import Trial, train_trials

pytestmark = pytest.mark.processes

LAST = {"train.select": "last", "train.evaluate_every": 0}
GRID = {"trials.seeds": (0, 5), "trials.learning_rates": (1e-3, 3e-4)}
ROUNDING, TOLERANCE = 1e-6, 2e-5
"""Relative, one by one: another program may round otherwise. With a leading axis products may add
up in another order."""


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_same_run(found, expected, tolerance=TOLERANCE):
    ours, theirs = lines(found / "metrics.jsonl"), lines(expected / "metrics.jsonl")
    assert [line["step"] for line in ours] == [line["step"] for line in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.keys() == other.keys()
        for name in mine:
            assert mine[name] == pytest.approx(other[name], rel=tolerance, abs=0), (
                name,
                mine["step"],
            )
    results, wanted = (json.loads((f / "results.json").read_text()) for f in (found, expected))
    assert results == wanted
    name = "predictions/test.conll"
    assert (found / name).read_bytes() == (expected / name).read_bytes()


@pytest.fixture(scope="module")
def alone(run, tmp_path_factory):
    """Two of the grid's runs on their own."""
    folders = {}
    for seed, rate in ((0, 1e-3), (5, 3e-4)):
        folder = tmp_path_factory.mktemp("alone") / f"{seed}"
        run(folder, LAST | {"seed": seed, "optimizer.learning_rate": rate})
        folders[f"seed-{seed}-rate-{rate:g}"] = folder
    return folders


@pytest.mark.parametrize(
    ("at_once", "tolerance"), [(0, ROUNDING), (4, TOLERANCE)], ids=["one by one", "vmapped"]
)
def test_each_trial_is_its_own_run(run, alone, tmp_path, at_once, tolerance):
    together = LAST | GRID | {"trials.at_once": at_once, "checkpoint.keep_last": 3}
    run(tmp_path / "run", together)
    for name, folder in alone.items():
        assert_same_run(tmp_path / "run" / name, folder, tolerance)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert len(results["trials"]) == 4
    assert "test" not in results  # no mean over learning rates
    for setting, rate in zip(results["settings"], GRID["trials.learning_rates"], strict=True):
        assert setting["learning_rate"] == rate
        own = [trial for trial in results["trials"] if trial["learning_rate"] == rate]
        scores = [trial["test"]["f1"] for trial in own]
        assert setting["test"]["f1"] == pytest.approx(np.mean(scores))
        assert setting["spread"]["test"]["f1"] == pytest.approx(np.std(scores, ddof=1))

    # Interrupted before the end, it resumes and ends the same.
    steps = sorted(int(f.name) for f in (tmp_path / "run" / "checkpoints").iterdir())
    assert len(steps) > 1
    shutil.rmtree(tmp_path / "run" / "checkpoints" / str(steps[-1]))
    (tmp_path / "run" / "results.json").unlink()
    for name in alone:
        shutil.rmtree(tmp_path / "run" / name / "checkpoints")
    run(tmp_path / "run", together)
    for name, folder in alone.items():
        assert_same_run(tmp_path / "run" / name, folder, tolerance)


def test_on_several_devices(start, alone, tmp_path):
    process = start(tmp_path / "run", LAST | GRID, JAX_NUM_CPU_DEVICES="4")
    log = process.communicate()[1]
    assert process.returncode == 0, log
    for name, folder in alone.items():
        assert_same_run(tmp_path / "run" / name, folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.select": "best"}, "config.train.select is 'best' and config.trials asks for"),
        ({"train.evaluate_every": 5}, "config.train.evaluate_every is 5"),
        ({"mesh.fsdp": 2}, "config.mesh.fsdp is 2"),
        ({"checkpoint.keep_steps": (4,)}, "config.checkpoint.keep_steps is (4,)"),
        ({"trials.seeds": (1, 2, 1)}, "asks for seed-1-rate-0.001 2 times"),
        ({"train.steps": 1000}, "train.steps is 1000, but 3 epochs have only"),
    ],
)
def test_what_trials_cannot_do(fails, changes, message):
    assert message in fails(LAST | GRID | changes)


def test_folds_where_there_are_none_are_refused(fails):
    message = fails(LAST | {"trials.folds": True})
    assert (
        "config.trials.folds is True and the dataset has no folds to run; leave it out" in message
    )


def test_a_trial_that_diverges_is_named(fails):
    message = fails(LAST | {"trials.learning_rates": (1e-3, 1e30), "optimizer.clip_norm": 1e30})
    assert "seed-0-rate-1e+30, step " in message
    assert "seed-0-rate-0.001" not in message


def test_pretraining_has_no_trials():
    config, streamed = defaults(), SimpleNamespace(stream=print)
    with pytest.raises(TrainingError, match="pre-training has none"):
        train_trials(config, [Trial("one", None, streamed, None)], None)


def test_a_trial_can_be_used_on_its_own(run, tmp_path):
    from biobert_jax.interop.workdir import read_workdir

    alone = LAST | {"seed": 2, "train.epochs": 1}
    run(tmp_path / "run", alone | {"seed": 0, "trials.seeds": (2,)})
    (folder,) = (tmp_path / "run").glob("seed-*")
    checkpoint = read_workdir(folder)
    assert len(checkpoint.labels) == 3
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(checkpoint.params))
    with pytest.raises(CheckpointError, match=f"holds 1 trials, not a model.*{folder.name}"):
        read_workdir(tmp_path / "run")
    run(folder, alone)  # its config is that of the run on its own
