"""Which runs a sweep has, and in which order."""

import subprocess
import sys
from pathlib import Path

import pytest

from biobert_jax.sweeps.plan import Choose, SweepError, SweepRun, best_of, ordered, resolved, select

ROOT = Path(__file__).resolve().parents[2]
SWEEPS = ROOT / "configs" / "sweeps"


def run(name, *needs, **more):
    settings = {f"s{n}": "{" + need + "}" for n, need in enumerate(needs)}
    return SweepRun(name, "ner/ncbi_disease", settings, **more)


def test_each_run_follows_what_it_needs():
    runs = ordered([run("c", "b"), run("b", "a"), run("a"), run("d")])
    names = [one.name for one in runs]
    assert names.index("a") < names.index("b") < names.index("c")
    assert sorted(names) == ["a", "b", "c", "d"]


def test_a_checkpoint_of_another_run_is_a_dependency():
    tuned = SweepRun("n/1", "ner/s800", {"init": "{pre/mp}@500", "seed": 1}, after=("x",))
    assert tuned.needs == ("pre/mp", "x")
    chosen = resolved(tuned.settings, lambda name: f"runs/{name}", {"seed": 2})
    assert chosen == {"init": "runs/pre/mp@500", "seed": 2}


@pytest.mark.parametrize(
    ("runs", "fact"),
    [
        ([run("a"), run("a")], "'a'"),
        ([run("a", "b"), run("b", "c"), run("c", "a")], "a -> b -> c -> a"),
        ([run("a", "a")], "a -> a"),
        ([run("ncbi"), run("b", "ncbj")], "did you mean 'ncbi'"),
        ([run("../up")], "'../up'"),
        ([run("/etc")], "'/etc'"),
        ([run("a/../b")], "'a/../b'"),
        ([run("")], "''"),
        ([run("a"), run("a/b")], "within the run a"),
        ([], "no run"),
        ([run("a"), run("b", choose=Choose(("a",), ("seed",), by="test.f1"))], "'test.f1'"),
    ],
)
def test_sweeps_that_cannot_run(runs, fact):
    with pytest.raises(SweepError) as raised:
        ordered(runs)
    assert fact in str(raised.value)


def test_selection_by_pattern():
    runs = ordered([run("a/1"), run("a/2"), run("b/1")])
    assert [one.name for one in select(runs, ["a/*"])] == ["a/1", "a/2"]
    assert len(select(runs, [])) == 3
    with pytest.raises(SweepError, match="--only=c"):
        select(runs, ["c"])


def test_the_best_run_is_chosen_on_validation():
    choose = Choose(("a", "b", "c"), ("optimizer.learning_rate",))
    results = {name: {"validation": {"f1": f1}} for name, f1 in zip("abc", (1, 3, 3), strict=True)}
    assert best_of(choose, results) == "b"
    with pytest.raises(SweepError, match=r"results.json of c has no number at 'validation.f1'"):
        best_of(choose, results | {"c": {"test": {"f1": 5}}})


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.py")), ids=lambda path: path.stem)
@pytest.mark.parametrize("variant", ["", "debug"])
def test_every_sweep_file_gives_runs_whose_settings_exist(path, variant):
    from biobert_jax.configuration.files import load
    from biobert_jax.launcher.sweep import read_runs

    runs = read_runs(path, load(f"{path}:{variant}"))
    assert len(runs) >= 4


@pytest.mark.parametrize(
    "command", [["-m", "experiments.sweep"], ["-m", "biobert_jax.cli", "sweep"]]
)
def test_both_commands_list_a_sweep(tmp_path, command):
    flags = ["--config=search:debug", f"--workdir={tmp_path}", "--dry_run"]
    done = subprocess.run(
        [sys.executable, *command, *flags], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ncbi_disease" in done.stdout
    stray = subprocess.run(
        [sys.executable, *command, *flags, "config.seeds=(1,)"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert stray.returncode == 1
    assert "'config.seeds=(1,)' is no flag" in stray.stderr


def test_the_controlled_experiment_takes_real_corpora():
    from biobert_jax.configuration.files import load_module
    from biobert_jax.launcher.sweep import read_runs

    path = SWEEPS / "small_biobert.py"
    config = load_module(path).get_config()
    config.corpora = "corpora"
    runs = {one.name: one for one in read_runs(path, config)}
    assert runs["MP/heads"].settings["dataset.corpora"] == (
        ("corpora/biomedical", 1.0), ("corpora/general", 0.0)
    )  # fmt: skip
