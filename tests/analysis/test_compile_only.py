"""The report for TPU slices. Compiling for one needs libtpu and minutes: BIOBERT_FULL=1."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from biobert_jax.analysis.collectives import Traffic
from biobert_jax.analysis.compile_only import CHIPS, Topology, find_topology, network_seconds
from biobert_jax.errors import UserError
from biobert_jax.launcher import compile_only as compile_only_command
from biobert_jax.launcher.checks import check_settings
from configs.pretrain.biobert_v1_0_pubmed import get_config

REPOSITORY = Path(__file__).resolve().parents[2]
LIBTPU = importlib.util.find_spec("libtpu") is not None


@pytest.mark.parametrize("name", ["v5e", "v9:2x2", "v5e:4 x 8", "4x8", ""])
def test_names_that_are_no_slice(name):
    with pytest.raises(UserError, match="expected one of v4, v5e, v5p, v6e"):
        find_topology(name)


def test_rings():
    traffic = {"all-reduce": Traffic(3, 8000), "reduce-scatter": Traffic(1, 1000)}
    assert network_seconds(traffic, 8, 1000.0) == pytest.approx(2 * 7 / 8 * 8 + 7)


def test_networks():
    traffic = {"all-reduce": Traffic(3, 8000)}
    assert network_seconds({}, 4, 0.0) == 0
    assert network_seconds(traffic, 4, 0.0) == math.inf


@pytest.mark.slow
def test_the_report_of_a_small_step(monkeypatch, capsys, tmp_path):
    """The whole way but for the slice, which is this machine's devices."""
    here = Topology("v5e:1x1", CHIPS["v5e"], jax.device_count(), jax.devices())
    monkeypatch.setattr("biobert_jax.analysis.compile_only.find_topology", lambda *_: here)
    config = get_config("debug")
    config.compute.attention = "xla"
    config.train.micro_batch = "2"
    config.mesh.data, config.mesh.fsdp = 1, -1
    file = tmp_path / "found.json"
    compile_only_command.run(config, "v5e:1x1", 1, file)
    found = json.loads(file.read_text())
    assert found["devices"] == jax.device_count()
    assert found["rows"] == 2
    assert found["total"] > found["parameters"] > 4 * 64 * 1000
    assert found["compute_seconds"] == found["model_flops"] / 197e12
    assert "MFU at most" in capsys.readouterr().out


def test_heads_that_tensor_does_not_divide():
    config = get_config("debug")
    config.mesh.tensor = 3
    with pytest.raises(UserError, match="tensor"):
        check_settings(config)


def compile_only(topology, *flags):
    command = [sys.executable, "-m", "experiments.pretrain", "--compile_only"]
    command += [
        "--config=configs/pretrain/biobert_v1_1_pubmed.py",
        f"--topology={topology}",
        *flags,
    ]
    environment = os.environ | {"COLUMNS": "100"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(LIBTPU, reason="libtpu is there")
def test_without_libtpu_it_says_what_to_install():
    done = compile_only("v5e:2x2")
    assert done.returncode == 1
    assert "pip install 'biobert_jax[tpu]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not LIBTPU, reason="needs libtpu: pip install 'biobert_jax[tpu]'")
@pytest.mark.skipif("BIOBERT_FULL" not in os.environ, reason="minutes; BIOBERT_FULL=1 runs it")
def test_base_fits_and_a_long_unsplit_batch_does_not():
    fits = compile_only("v5e:2x4")
    assert fits.returncode == 0, fits.stderr
    # 108.9 million parameters with the heads, in float32, and two moments of each.
    assert "0.406" in fits.stdout
    assert "all-reduce" in fits.stdout
    large = compile_only("v5e:2x2", "--config.batch.rows=1024")
    assert large.returncode == 1
    assert "--config.train.micro_batch" in large.stderr
