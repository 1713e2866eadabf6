"""The scripts that drive gcloud and ssh, under stand-ins that record what they are asked."""

import os
import re
import subprocess
import time

import pytest

from tests.support import launch

GCLOUD = """
case "$*" in
    *" describe "*) next=$(head -n 1 "$STATES"); sed -i 1d "$STATES"; echo "$next" ;;
    *"cat biobert/train.status"*) next=$(head -n 1 "$ENDS"); sed -i 1d "$ENDS"; echo "$next" ;;
esac
exit 0
"""


@pytest.fixture
def gcloud(tmp_path):
    """Returns a function that runs tpu_vm.sh and gives its status, its calls and what it said."""
    launch.recorder(tmp_path / "bin/gcloud", GCLOUD)
    launch.stand_in(tmp_path / "bin/git", "")

    def run(*arguments, states=(), ends=(), script=launch.LAUNCH / "tpu_vm.sh", **settings):
        for name, lines in (("states", states), ("ends", ends)):
            (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
        calls = tmp_path / "calls"
        calls.write_text("")
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "STATES": str(tmp_path / "states"),
            "ENDS": str(tmp_path / "ends"),
            "TMPDIR": str(tmp_path),
            "SECONDS_BETWEEN_LOOKS": "0",
        }
        done = subprocess.run(
            ["bash", str(script), *arguments],
            env=os.environ | environment | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done, launch.recorded(calls)

    return run


def verbs(calls):
    """What was done, in short."""
    out = []
    for _, *words in calls:
        line = " ".join(words)
        verb = re.search(r"queued-resources (\w+)|storage (\w+)", line)
        assert verb, line
        command = re.search(r"--command=.*?(uv venv|until_done|tail|cat biobert)", line, re.DOTALL)
        out.append(command[1] if command else verb[1] or verb[2])
    return out


RUN = ["scp", "uv venv", "until_done", "tail"]


def test_a_slice_that_is_taken_away_is_made_again(gcloud):
    states = ["", "WAITING_FOR_RESOURCES", "ACTIVE", "SUSPENDED"]  # the first run is cut
    states += ["", "PROVISIONING", "SUSPENDING"]  # the second is never given
    states += ["", "ACTIVE", "ACTIVE", "ACTIVE"]
    done, calls = gcloud("up", states=states, ends=["", "0"])
    assert done.returncode == 0, done.stderr
    look = "describe"
    assert verbs(calls) == [
        *(look, "create", look, look, *RUN, look, "delete"),
        *(look, "create", look, look, "delete"),
        *(look, "create", look, *RUN, look, "cat biobert", "tail", look, "cat biobert", "delete"),
    ]
    assert launch.remote(calls) == []
    assert "finished" in done.stderr


def test_an_error_keeps_the_slice_and_ends_the_loop(gcloud):
    done, calls = gcloud("up", states=["ACTIVE"] * 4, ends=["1"])  # one that was there already
    assert done.returncode == 1
    assert "ended with status 1" in done.stderr
    assert {"create", "delete"}.isdisjoint(verbs(calls))


def test_a_request_that_cannot_be_met(gcloud):
    done, calls = gcloud("up", states=["", "FAILED"])
    assert done.returncode == 1
    assert "was not given" in done.stderr
    assert verbs(calls) == ["describe", "create", "describe"]


def on_every_host(calls):
    """What is wrong with how a job is installed and started: all hosts must take part."""
    return [
        f"{verb}: not on all hosts"
        for verb, call in zip(verbs(calls), calls, strict=True)
        if verb in RUN[:3] and not {"--worker=all", "--node=all"} <= set(call)
    ]


def test_several_slices_on_demand(gcloud):
    settings = {"SLICES": "4", "SPOT": "no", "NAME": "four", "CORPORA": "(('gs://b/it''s', 1.0),)"}
    done, calls = gcloud("up", states=["", "ACTIVE", "ACTIVE"], ends=["0"], **settings)
    assert done.returncode == 0, done.stderr
    (create,) = (call for call in calls if "create" in call)
    assert {"--node-count=4", "--node-prefix=four", "--accelerator-type=v5litepod-32"} <= set(
        create
    )
    assert not {"--spot", "--node-id=four"} & set(create)
    assert on_every_host(calls) == []
    assert launch.remote(calls) == []


def test_the_checks_of_calls_find_a_broken_script(gcloud, tmp_path):
    folder = tmp_path / "repository" / "launch"
    folder.mkdir(parents=True)
    (folder / "common.sh").write_text((launch.LAUNCH / "common.sh").read_text())
    text = (launch.LAUNCH / "tpu_vm.sh").read_text()
    broken = text.replace(
        "on_all() { tpus ssh --node=all --worker=all", "on_all() { tpus ssh --node=all"
    )
    broken = broken.replace("train.pid; }; } 2>", "train.pid; }; 2>")
    assert broken.count("\n") == text.count("\n")
    script = launch.stand_in(folder / "tpu_vm.sh", broken)
    states = ["", "ACTIVE", "ACTIVE"]
    _, calls = gcloud("up", states=states, ends=["0"], script=script)
    assert "until_done: not on all hosts" in on_every_host(calls)
    assert any("syntax error" in problem for problem in launch.remote(calls))


def test_the_bucket_has_folders(gcloud):
    done, ((_, *words),) = gcloud("bucket", BUCKET="gs://ours", ZONE="europe-west4-b")
    assert done.returncode == 0, done.stderr
    assert words[:4] == ["storage", "buckets", "create", "gs://ours"]
    assert {"--enable-hierarchical-namespace", "--location=europe-west4"} <= set(words)


def test_a_dry_run_calls_nobody(gcloud):
    done, calls = gcloud("up", DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert calls == []
    printed = done.stdout
    for step in ("create", "describe", "scp", "until_done", "tail", "train.status", "delete"):
        assert step in printed
    assert subprocess.run(["bash", "-n"], input=printed, text=True, check=False).returncode == 0


def test_no_such_step(gcloud):
    done, calls = gcloud("stop")
    assert done.returncode == 1
    assert "expected up, bucket" in done.stderr
    assert calls == []


@pytest.fixture
def hosts(tmp_path):
    """Returns a function that runs ssh_hosts.sh; each host is a folder of this machine."""
    host = 'mkdir -p "$FOLDERS/$1" && cd "$FOLDERS/$1" && HOME=$PWD exec bash -c "$2"'
    launch.recorder(tmp_path / "bin/ssh", host)
    for name in ("one", "two"):
        folder = tmp_path / name / "biobert"
        launch.stand_in(folder / "launch/until_done.sh", "").unlink()
        (folder / "launch/until_done.sh").symlink_to(launch.LAUNCH / "until_done.sh")
        launch.stand_in(
            folder / ".venv/bin/python",
            'trap \'touch "$WORKDIR/saved"; exit 0\' TERM\necho "$@"\n'
            "[[ ! -f $WORKDIR/hold ]] || while true; do sleep 0.05; done\n"
            'touch "$WORKDIR/results.json"',
        )
    calls, workdir = tmp_path / "calls", tmp_path / "run"
    workdir.mkdir()

    def run(*arguments, **settings):
        calls.write_text("")
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "FOLDERS": str(tmp_path),
            "HOSTS": "one two",
            "SSH": "ssh",
            "WORKDIR": str(workdir),
        }
        done = subprocess.run(
            ["bash", str(launch.LAUNCH / "ssh_hosts.sh"), *arguments],
            env=os.environ | environment | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done, launch.recorded(calls)

    return run


def statuses(hosts, wanted):
    """Waits until all hosts have the status."""
    deadline = time.monotonic() + 30
    while True:
        done, _ = hosts("status")
        found = [line.rpartition(": ")[2] for line in done.stdout.splitlines()]
        if found == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_hosts_train_together(hosts, tmp_path):
    done, calls = hosts("start", CORPORA="(('so far', 1.0),)")
    assert done.returncode == 0, done.stderr
    assert statuses(hosts, ["0", "0"]) == ["0", "0"]
    for number, name in enumerate(("one", "two")):
        log = (tmp_path / name / "biobert/train.log").read_text()
        assert f"--coordinator=one:8476 --num_processes=2 --process_id={number}" in log
        assert "--config.dataset.corpora=(('so far', 1.0),)" in log
    assert launch.remote([["--command=" + call[-1]] for call in calls]) == []


def test_hosts_save_when_they_are_stopped(hosts, tmp_path):
    (tmp_path / "run/hold").touch()
    hosts("start")
    assert statuses(hosts, ["runs", "runs"]) == ["runs", "runs"]
    before = (tmp_path / "one/biobert/train.pid").read_text()
    hosts("start")  # does nothing while it runs
    assert (tmp_path / "one/biobert/train.pid").read_text() == before
    hosts("stop")
    hosts("stop", HOSTS="two")
    assert statuses(hosts, ["75", "75"]) == ["75", "75"]
    assert (tmp_path / "run/saved").exists()


def test_one_host_needs_no_coordinator(hosts):
    done, calls = hosts("start", HOSTS="one", DRY_RUN="1")
    assert done.returncode == 0
    assert calls == []
    assert "until_done.sh" in done.stdout
    assert "--coordinator" not in done.stdout
