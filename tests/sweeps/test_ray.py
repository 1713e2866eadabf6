"""A sweep on Ray: a killed worker's run is started again elsewhere, and each run ends once."""

import importlib.util
import json
import sys

import pytest

from biobert_jax.sweeps.execute import Sweep, run_sweep
from biobert_jax.sweeps.plan import SweepRun, ordered

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray"),
]

SCRIPT = """
import json, os, pathlib, signal, sys, time
folder, kills = pathlib.Path(sys.argv[1]), sys.argv[2] == "kills"
folder.mkdir(parents=True, exist_ok=True)
with open(folder / "starts", "a") as file:
    file.write("start\\n")
if kills and (folder / "starts").read_text().count("start") == 1:
    os.kill(os.getppid(), signal.SIGKILL)  # the Ray worker; this process dies with it
    time.sleep(60)
    (folder / "survived").touch()
with open(folder / "ends", "a") as file:
    file.write("end\\n")
(folder / "results.json").write_text(json.dumps({"validation": {"f1": 1.0}}))
"""


def test_a_killed_worker_loses_nothing(tmp_path):
    from biobert_jax.sweeps.executors import Ray

    runs = ordered([SweepRun(f"run-{n}", "c") for n in range(5)])

    def command(run, settings, folder):
        kills = "kills" if run.name == "run-1" else "no"
        return [sys.executable, "-c", SCRIPT, str(folder), kills]

    import ray

    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        sweep = Sweep(runs, tmp_path)
        assert run_sweep(sweep, runs, command, Ray(workers=2), poll=1.0)
    finally:
        ray.shutdown()
    for run in runs:
        folder = tmp_path / run.name
        assert (folder / "ends").read_text().count("end") == 1
        assert (folder / "starts").read_text().count("start") == (2 if run.name == "run-1" else 1)
        assert json.loads((folder / "results.json").read_text())["validation"]["f1"] == 1.0
    assert not (tmp_path / "run-1" / "survived").exists()
