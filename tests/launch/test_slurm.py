"""The Slurm script under stand-ins for Slurm's commands, with two real processes of a job."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.support import launch
from tests.support.models import tiny_settings
from tests.support.processes import environment, free_port

SETTINGS = {
    **tiny_settings(num_hidden_layers=1, max_position_embeddings=32),
    "instances.max_predictions": 6,
    "batch.row_length": 32,
    "batch.rows": 4,
    "batch.eval_rows": 4,
    "train.steps": 200,
    "train.evaluate_every": 0,
    "checkpoint.every": 0,
    "log_every": 50,
}

SRUN = """
[[ $1 == --* ]] && shift
export SLURM_STEP_NODELIST=localhost SLURM_STEP_NUM_NODES=2 SLURM_NTASKS=2 SLURM_STEP_NUM_TASKS=2
export SLURM_JOB_NUM_NODES=2 SLURM_LOCALID=0
tasks=()
for SLURM_PROCID in 0 1; do
    export SLURM_PROCID
    "$@" &
    tasks+=($!)
done
echo "${tasks[*]}" > "$TASKS"
status=0
for task in "${tasks[@]}"; do wait "$task" || status=$?; done
exit $status
"""


def job(tmp_path, script=launch.LAUNCH / "slurm.sh", **settings):
    """Starts the script as a job whose processes are of this machine."""
    bin_folder = tmp_path / "bin"
    launch.stand_in(bin_folder / "srun", SRUN)
    launch.recorder(bin_folder / "scancel", 'kill -TERM $(cat "$TASKS")')
    launch.recorder(bin_folder / "scontrol")
    (tmp_path / "calls").touch()
    changes = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "TASKS": str(tmp_path / "tasks"),
        "SLURM_JOB_ID": "4711",
        "JAX_COORDINATOR_PORT": str(free_port()),
        "PYTHON": sys.executable,
        "WORKDIR": str(tmp_path / "run"),
    }
    return subprocess.Popen(
        ["bash", str(script)],
        cwd=launch.REPOSITORY,
        env=environment(**changes | settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def calls(tmp_path):
    return launch.recorded(tmp_path / "calls")


@pytest.mark.slow
@pytest.mark.processes
def test_a_job_that_runs_out_of_time_goes_on(tmp_path):
    settings = {
        "CONFIG": "configs/pretrain/biobert_v1_0_pubmed.py:debug",
        "CORPORA": "()",
        "FLAGS": " ".join(f"--config.{name}={value}" for name, value in SETTINGS.items()),
    }
    first = job(tmp_path, **settings)
    log = []
    for line in first.stdout:
        log.append(line)
        if "first step done" in line:
            first.send_signal(signal.SIGUSR1)  # as before the time limit
    assert first.wait() == 0, "".join(log)
    assert any("SIGTERM: saved step" in line for line in log), "".join(log)
    assert calls(tmp_path) == [
        ["scancel", "--signal=TERM", "4711"],
        ["scontrol", "requeue", "4711"],
    ]
    assert not (tmp_path / "run/results.json").exists()

    second = job(tmp_path, **settings)
    output = second.communicate()[0]
    assert second.returncode == 0, output
    assert "resumed at step" in output
    assert len(calls(tmp_path)) == 2, "nothing is queued again"
    assert json.loads((tmp_path / "run/results.json").read_text())["step"] == 200
    assert json.loads((tmp_path / "run/environment.json").read_text())["processes"] == 2


@pytest.mark.parametrize(("status", "again"), [(1, False), (70, False), (75, True), (134, True)])
def test_what_goes_back_into_the_queue(tmp_path, status, again):
    python = launch.stand_in(tmp_path / "python", f"exit {status}")
    done = job(tmp_path, PYTHON=str(python))
    done.communicate()
    assert done.returncode == status
    assert calls(tmp_path) == ([["scontrol", "requeue", "4711"]] if again else [])


@pytest.mark.parametrize(
    ("good", "broken"),
    [("trap save_and_end USR1\n", "\n"), ('scancel --signal=TERM "', 'true "')],
)
def test_a_script_that_does_not_save_is_found(tmp_path, good, broken):
    text = (launch.LAUNCH / "slurm.sh").read_text()
    assert good in text
    (tmp_path / "slurm.sh").write_text(text.replace(good, broken))
    python = launch.stand_in(
        tmp_path / "python", "trap 'exit 0' TERM; echo ready; for i in {1..20}; do sleep 0.1; done"
    )
    process = job(tmp_path, tmp_path / "slurm.sh", PYTHON=str(python))
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGUSR1)
    process.communicate()
    assert ["scancel", "--signal=TERM", "4711"] not in calls(tmp_path)


def test_a_dry_run_prints_the_command(tmp_path):
    process = job(tmp_path, DRY_RUN="1", FLAGS="--config.seed=1")
    printed = process.communicate()[0]
    assert process.returncode == 0
    assert printed.startswith("srun --kill-on-bad-exit=1 ")
    assert "--config.seed=1" in printed
    assert "scontrol requeue" in printed
    assert calls(tmp_path) == []
