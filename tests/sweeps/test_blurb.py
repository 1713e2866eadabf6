"""The sweep over BLURB: 13 sets, their searches, and reduced ones."""

import pytest

from biobert_jax.configuration.blurb import SETS
from biobert_jax.configuration.files import load_module, root
from biobert_jax.launcher.sweep import config_of
from biobert_jax.sweeps.plan import ordered

SWEEP = load_module(root() / "sweeps" / "blurb.py")


def runs(variant="", **changes):
    config = SWEEP.get_config(variant)
    config.update(changes)
    return ordered(SWEEP.get_runs(config))


def test_each_set_is_searched_and_tested_with_its_seeds():
    found = runs()
    for name, chosen in SETS.items():
        own = [run for run in found if run.name.startswith(f"{name}/")]
        tested = [run for run in own if run.choose]
        assert len(own) - len(tested) == 18
        assert len(tested) == (10 if chosen.small else 5)
        assert {run.choose.by for run in tested} == {f"validation.{chosen.measure}"}
        # The test split is read once: not by the runs that are chosen from.
        assert {run.settings.get("train.test", True) for run in tested} == {True}
        assert {run.settings.get("train.test", True) for run in own if not run.choose} == {False}
    assert sum(chosen.small for chosen in SETS.values()) == 3
    assert len(SETS) == 13


def test_one_value_of_each_needs_no_search():
    found = runs(
        *(), rates=(3e-5,), sequences=(16,), epochs=(2,), sets=("hoc",), seeds=(1, 2), data="d"
    )
    assert [run.name for run in found] == ["hoc/test/seed-1", "hoc/test/seed-2"]
    assert found[0].settings["dataset.path"] == "d/CLS/HoC/blurb"
    assert found[0].settings["train.epochs"] == 2


def test_the_variant_debug_has_a_run_of_each():
    found = runs("debug")
    assert len(found) == 13
    tasks = {run.name.split("/")[0]: config_of(run, run.settings).task for run in found}
    assert tasks["ebm_pico"] == "ner"
    assert tasks["hoc"] == "classification"


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="'hocs'"):
        runs(sets=("hocs",))
