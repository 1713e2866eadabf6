"""Which runs a sweep has, and in which order."""

from pathlib import Path

import pytest

from biobert_jax.sweeps.plan import Choose, SweepError, SweepRun, best_of, ordered, resolved, select

SWEEPS = Path(__file__).resolve().parents[2] / "configs" / "sweeps"


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
