"""The files of launch/ as CI can check them without a cloud; and each check on a broken file."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import launch

SCRIPTS = sorted(launch.LAUNCH.glob("*.sh"))
schemas = pytest.mark.skipif(
    not launch.SCHEMAS, reason="needs kubernetes-validate: pip install 'biobert_jax[dev]'"
)


def render(kind, **settings):
    return subprocess.run(
        ["bash", str(launch.LAUNCH / "gke.sh"), kind],
        env=os.environ | {"DRY_RUN": "1"} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def extras():
    text = (launch.REPOSITORY / "setup.py").read_text()
    return set(re.findall(r'"(\w+)": \[', text.partition("extras_require")[2]))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts(script):
    assert launch.shell(script) == []
    assert os.access(script, os.X_OK) or script.name == "common.sh"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("if [[ -n $A ]]; fi", "syntax error"),
        pytest.param("rm -rf $HOME/$NAME", "SC2086", marks=launch.needs_shellcheck),
    ],
)
def test_a_broken_script(tmp_path, line, told):
    script = launch.stand_in(tmp_path / "broken.sh", f"NAME=$1\n{line}")
    assert any(told in problem for problem in launch.shell(script))


@schemas
@pytest.mark.parametrize("kind", ["tpu", "gpu"])
def test_manifests(kind):
    done = render(kind, WORKDIR='/shared/a "b"', SLICES="1", HOSTS="8")
    assert done.returncode == 0, done.stderr
    assert launch.manifest(done.stdout) == []
    assert "${" not in done.stdout
    assert r'"--workdir=/shared/a \"b\""' in done.stdout
    assert ("--process_id=$(JOB_COMPLETION_INDEX)" in done.stdout) == (kind == "gpu")


@schemas
@pytest.mark.parametrize(
    ("good", "broken", "told"),
    [
        ("restartPolicy: Never", "restartPolicies: Never", "restartPolicies"),
        ("completions: 8", 'completions: "8"', "completions"),
        (
            "      - name: errorsThatRemain\n        action",
            "      - action",
            "'name' is a required",
        ),
        ("maxRestarts", "maxRestart", "maxRestart"),
        ("jobset.x-k8s.io/v1alpha2", "jobset.x-k8s.io/v1", "v1alpha2"),
        ("spec:\n  failure", "spec:\n failure", "block"),
        ("command: [", "command: x[", "command"),
    ],
)
def test_a_broken_manifest(good, broken, told):
    text = render("tpu").stdout
    assert good in text
    problems = launch.manifest(text.replace(good, broken, 1))
    assert any(told in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"HOSTS": "3"}, "TOPOLOGY 4x8 has 32 chips, and HOSTS x CHIPS is 12"),
        ({"SLICES": "two"}, "SLICES is 'two'; expected a number"),
        ({"NAME": "Bio_BERT"}, "NAME is 'Bio_BERT'"),
        ({"IMAGE": "a\nkind: Pod"}, "expected one word"),
        ({"FLAGS": "--config.vocab=a\x07"}, "a control character"),
    ],
)
def test_settings_that_make_no_manifest(settings, message):
    done = render("tpu", **settings)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout == ""


def test_dockerfile(tmp_path):
    text = (launch.LAUNCH / "Dockerfile").read_text()
    assert launch.dockerfile(text, extras(), tmp_path) == []
    for line in (launch.LAUNCH / "Dockerfile.dockerignore").read_text().splitlines():
        if line.startswith("!"):
            assert (launch.REPOSITORY / line[1:]).exists(), line


@pytest.mark.parametrize(
    ("good", "broken", "told"),
    [
        ("COPY", "COPPY", "no such instruction: COPPY"),
        ("cuda13 | tpu)", "cuda13)", "tpu: status 1"),
        ("extras=gcs ;;", "extras=gsc ;;", "no such extra: gsc"),
        ("exit 1 ;;", "extras=gcs ;;", "rocm: status 0"),
        ('["biobert"]', "['biobert']", "ENTRYPOINT is no JSON list"),
    ],
)
def test_a_broken_dockerfile(tmp_path, good, broken, told):
    text = (launch.LAUNCH / "Dockerfile").read_text()
    assert good in text
    problems = launch.dockerfile(text.replace(good, broken), extras(), tmp_path)
    assert any(told in problem for problem in problems), problems


def until_done(workdir: Path, *command: str, **more):
    script = launch.LAUNCH / "until_done.sh"
    return subprocess.Popen(["bash", str(script), str(workdir), *command], text=True, **more)


@pytest.mark.parametrize(
    ("command", "results", "status"),
    [
        ("exit 0", True, 0),
        ("exit 0", False, 75),  # told to end, and saved
        ("exit 75", False, 75),
        ("exit 1", False, 1),
        ("exit 70", True, 70),
        ("kill -KILL $$", False, 75),
        ("kill -ABRT $$", False, 75),
    ],
)
def test_what_is_started_again(tmp_path, command, results, status):
    if results:
        (tmp_path / "results.json").touch()
    file = tmp_path / "status"
    environment = os.environ | {"STATUS_FILE": str(file)}
    ended = until_done(tmp_path, "bash", "-c", command, env=environment).wait()
    assert (ended, file.read_text()) == (status, f"{status}\n")


@pytest.mark.parametrize("name", ["TERM", "USR1"])
def test_signals_reach_the_command(tmp_path, name):
    saves = "trap 'echo saved; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
    process = until_done(tmp_path, "bash", "-c", saves, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(__import__("signal"), f"SIG{name}"))
    assert process.communicate()[0] == "saved\n"
    assert process.returncode == 75
