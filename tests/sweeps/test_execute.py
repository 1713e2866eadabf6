"""Sweeps whose commands are stand-ins: what runs, once each, and what is recorded."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from biobert_jax.sweeps import child
from biobert_jax.sweeps.execute import Sweep, run_sweep, same_setting
from biobert_jax.sweeps.executors import Local
from biobert_jax.sweeps.plan import Choose, SweepError, SweepRun, ordered

SCRIPT = """
import json, pathlib, sys
folder, score, ending = sys.argv[1:]
if ending == "fails":
    print("error: the data is not there")
    sys.exit(1)
folder = pathlib.Path(folder)
folder.mkdir(parents=True, exist_ok=True)
with open(folder / "times", "a") as file:
    file.write("run\\n")
if ending != "stops":
    (folder / "results.json").write_text(json.dumps({"validation": {"f1": float(score)}}))
"""


class Commands:
    """Builds the stand-ins; records settings."""

    def __init__(self, **endings):
        self.endings, self.settings = endings, {}

    def __call__(self, run, settings, folder):
        self.settings[run.name] = dict(settings)
        ending = self.endings.get(run.name, "ends")
        return [sys.executable, "-c", SCRIPT, str(folder), str(settings.get("score", 0)), ending]


RUNS = ordered(
    [
        SweepRun("a", "c", {"score": 1, "rate": 0.1}),
        SweepRun("b", "c", {"score": 2, "rate": 0.2}),
        SweepRun("best", "c", {"seed": 1}, Choose(("a", "b"), ("rate",))),
        SweepRun("last", "c", {"init": "{best}@5"}),
    ]
)


def go(tmp_path, commands, runs=RUNS, workers=2, **more):
    sweep = Sweep(runs, tmp_path)
    complete = run_sweep(sweep, runs, commands, Local(workers), poll=0.05, **more)
    return complete, {run.name: sweep.state(run.name) for run in runs}


def times(tmp_path, name):
    return (tmp_path / name / "times").read_text().count("run")


def test_every_run_once_and_again_nothing(tmp_path):
    commands = Commands()
    assert go(tmp_path, commands)[0]
    assert commands.settings["best"] == {"seed": 1, "rate": 0.2}
    assert commands.settings["last"] == {"init": f"{tmp_path}/best@5"}
    assert go(tmp_path, Commands(a="fails"))[0]  # nothing is started again
    assert {times(tmp_path, run.name) for run in RUNS} == {1}


def test_a_failing_run_is_recorded_and_stops_only_what_needs_it(tmp_path):
    complete, states = go(tmp_path, Commands(b="fails"))
    assert not complete
    assert states == {"a": "done", "b": "failed", "best": "skipped", "last": "skipped"}
    record = json.loads((tmp_path / ".sweep" / "b.json").read_text())
    assert record["error"] == "the data is not there"
    assert go(tmp_path, Commands())[1]["b"] == "failed"  # not again without being asked
    assert go(tmp_path, Commands(), retry=True)[0]
    assert times(tmp_path, "a") == 1


def test_a_run_that_was_stopped_is_resumed_by_the_next_command(tmp_path):
    complete, states = go(tmp_path, Commands(a="stops"))
    assert not complete
    assert states["a"] == "stopped"
    assert states["b"] == "done"
    assert go(tmp_path, Commands())[0]
    assert times(tmp_path, "a") == 2


def test_a_finished_run_with_other_settings_is_refused(tmp_path):
    assert go(tmp_path, Commands(), RUNS[:1])[0]
    with pytest.raises(SweepError, match=r"rate = 0.1, and the sweep has 0.3 now"):
        Sweep([SweepRun("a", "c", {"score": 1, "rate": 0.3})], tmp_path)


@pytest.mark.parametrize(
    ("given", "now", "before", "same"),
    [
        ("{a/b}@5", "sweeps/a/b@5", "/home/x/sweeps/a/b@5", True),
        ("{a/b}@5", "sweeps/a/b@5", "a/b@5", True),
        ("{a/b}@5", "sweeps/a/b@5", "sweeps/a/b@6", False),
        ("{a/b}@5", "sweeps/a/b@5", "sweeps/a/c@5", False),
        ("{a/b}", "sweeps/a/b", "sweeps/xa/b", False),
        ("data", "data", "/home/x/data", False),
        (1, 1, 1, True),
        (1, 1, "1", False),
    ],
)
def test_workdirs_may_be_relative_or_absolute(given, now, before, same):
    assert same_setting(given, now, before) == same


def test_a_finished_sweep_is_found_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert go(Path("sweep"), Commands())[0]
    assert go(tmp_path / "sweep", Commands(a="fails"))[0]


def test_a_command_whose_parent_is_gone_does_not_start(tmp_path):
    command = [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    assert child.start(command, tmp_path / "log").wait() == 0
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    started = [sys.executable, "-m", "biobert_jax.sweeps.child", "SIGTERM", "1", *command]
    done = subprocess.run(started, check=False)
    assert done.returncode == 1
    assert not (tmp_path / "ran").exists()


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / ".sweep").mkdir()
    (tmp_path / ".sweep" / "a.json").write_text('{"state": "do')
    with pytest.raises(Exception, match=r"a\.json"):
        Sweep(RUNS, tmp_path)
    (tmp_path / ".sweep" / "a.json").write_text('{"other": 1}')
    with pytest.raises(SweepError, match=r"a\.json: not the record"):
        Sweep(RUNS, tmp_path)


def test_shards_wait_for_each_other(tmp_path):
    """Two processes would; here the second shard is run when the first one waits."""
    first, second = RUNS[::2], RUNS[1::2]
    assert [run.name for run in first] == ["a", "best"]
    sweep = Sweep(RUNS, tmp_path)

    class Others(Local):
        def start(self, command, log):
            if log.stem == "a":
                other = Sweep(RUNS, tmp_path)
                assert run_sweep(other, second[:1], Commands(), Local(), poll=0.05)
            return super().start(command, log)

    assert run_sweep(sweep, first, Commands(), Others(), poll=0.05)
    assert times(tmp_path, "b") == 1


def test_a_folder_that_was_finished_by_hand_is_done(tmp_path):
    for name, settings in (("a", {"score": 1, "rate": 0.1}), ("b", {"score": 2, "rate": 0.2})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(settings | {"more": 1}))
        (tmp_path / name / "results.json").write_text('{"validation": {"f1": 1.0}}')
    assert go(tmp_path, Commands())[0]
    assert not (tmp_path / "a" / "times").exists()
    (tmp_path / "a" / "config.json").write_text('{"score": 1, "rate": 0.3}')
    with pytest.raises(SweepError, match=r"finished with rate = 0.3"):
        Sweep(RUNS, tmp_path)


def test_the_error_is_that_of_the_last_try(tmp_path):
    go(tmp_path, Commands(a="fails"), RUNS[:1])
    commands = lambda run, settings, folder: [sys.executable, "-c", "import sys; sys.exit(9)"]
    sweep = Sweep(RUNS[:1], tmp_path)
    assert not run_sweep(sweep, RUNS[:1], commands, Local(), retry=True, poll=0.05)
    assert sweep.records["a"].error == "exit status 9"


def test_another_shards_failure_of_before_is_waited_for_with_retry(tmp_path):
    runs = ordered([SweepRun("first", "c"), SweepRun("then", "c", {"init": "{first}"})])
    go(tmp_path, Commands(first="fails"), runs)
    assert {run.name: Sweep(runs, tmp_path).state(run.name) for run in runs} == {
        "first": "failed", "then": "skipped"
    }  # fmt: skip
    sweep = Sweep(runs, tmp_path)

    other = threading.Timer(0.5, lambda: _finish_elsewhere(runs, tmp_path))
    other.start()
    assert run_sweep(sweep, runs[1:], Commands(), Local(), retry=True, poll=0.05)
    other.join()
    assert times(tmp_path, "then") == 1


def _finish_elsewhere(runs, tmp_path):
    """What another process does with its shard."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "results.json").write_text('{"validation": {"f1": 1.0}}')
    record = tmp_path / ".sweep" / "first.json"
    done = json.loads(record.read_text()) | {"state": "done", "error": "", "settings": None}
    record.write_text(json.dumps(done))
