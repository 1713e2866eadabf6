"""Which runs a sweep has, and in which order."""

import subprocess
import sys
from pathlib import Path

import pytest

from biobert_jax.sweeps.execute import Sweep
from biobert_jax.sweeps.plan import (
    EVALUATE,
    Choose,
    SweepError,
    SweepRun,
    best_of,
    ordered,
    resolved,
    select,
)

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

    config = load(f"{path}:{variant}")
    if path.stem == "cross_corpus":
        config.data = "data"
    assert len(read_runs(path, config)) >= 4


def test_scoring_on_other_corpora_needs_their_folder():
    from biobert_jax.configuration.files import load
    from biobert_jax.launcher.sweep import read_runs

    path = SWEEPS / "cross_corpus.py"
    with pytest.raises(SweepError, match=r"config.data is missing.*NER/NCBI-disease"):
        read_runs(path, load(str(path)))


SCORING = {"model": "m", "data": "d"}


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"model": "m"}, "has no data"),
        (SCORING | {"map": "Disease"}, "map to 'Disease'"),
        (SCORING | {"map": ("A=B", 3)}, "map to 3"),
        (SCORING | {"seed": 1}, "sets seed"),
    ],
)
def test_settings_of_evaluate_are_checked_at_once(settings, fact):
    from biobert_jax.launcher.sweep import check_evaluation

    with pytest.raises(SweepError) as raised:
        check_evaluation(SweepRun("a", EVALUATE, settings))
    assert fact in str(raised.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("A=B", ["--map=A=B"]), (("A=B", "C=B"), ["--map=A=B", "--map=C=B"]), ((), [])],
)
def test_several_types_are_renamed(given, expected):
    from biobert_jax.launcher.sweep import check_evaluation, command

    run = SweepRun("a", EVALUATE, SCORING | {"map": given})
    check_evaluation(run)
    line = command(run, run.settings, Path("out"))
    assert [one for one in line if one.startswith("--map")] == expected


@pytest.mark.parametrize(
    ("config", "settings", "missing"),
    [
        (EVALUATE, {"model": "{tmp}/m@5", "data": "{tmp}/absent"}, "data to"),
        (EVALUATE, {"model": "{tmp}/absent@best", "data": "{tmp}"}, "model to"),
        (EVALUATE, {"model": "{{x}}@5", "data": "{tmp}"}, ""),
        (EVALUATE, {"model": "hf://a/b", "data": "{tmp}/m"}, ""),
        ("ner/own", {"dataset.path": "{tmp}/absent"}, "dataset.path to"),
        ("pretrain/bert_base", {"dataset.corpora": (("{tmp}/none", 1.0),)}, "dataset.corpora to"),
        ("ner/own", {"init": "{tmp}/bert.ckpt", "dataset.path": "{tmp}/m"}, ""),
        ("ner/own", {"init": "random", "dataset.path": "gs://bucket/x"}, ""),
    ],
)
def test_missing_paths_are_named_before_anything_runs(tmp_path, config, settings, missing):
    from biobert_jax.launcher.sweep import check_paths

    (tmp_path / "m").mkdir()
    (tmp_path / "bert.ckpt.index").touch()
    put = lambda path: path.format(tmp=tmp_path)
    settings = {
        name: put(path) if isinstance(path, str) else tuple((put(one), w) for one, w in path)
        for name, path in settings.items()
    }
    run = SweepRun("a", config, settings)
    sweep = Sweep([run], tmp_path / "sweep")
    if not missing:
        check_paths(sweep, [run])
        return
    with pytest.raises(SweepError, match=missing):
        check_paths(sweep, [run])
    sweep.records["a"].state = "done"  # its data may be gone
    check_paths(sweep, [run])


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
