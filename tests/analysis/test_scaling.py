"""The table of slices, from records as --compile_only writes them."""

import json

import pytest

from biobert_jax import cli
from biobert_jax.analysis import scaling
from biobert_jax.errors import DataError, UserError


def record(topology="v5e:2x4", slices=1, devices=8, rows=32, seconds=0.05, **changes):
    between = {"all-reduce": [4, 40_000_000]} if slices > 1 else {}
    return {
        "topology": topology,
        "slices": slices,
        "devices": devices,
        "row_length": 512,
        "rows": rows // 2,
        "micro_batches": 2,
        "accessed": 6.7e9,
        "device": {"flops": 197e12},
        "traffic": {"all-reduce": [28, 400_000_000]},
        "between": between,
        "compute_seconds": seconds,
        "memory_seconds": 0.01,
        "network_seconds": 0.003,
        "between_seconds": 0.06 if slices > 1 else 0.0,
        "compile_seconds": 61.0,
    } | changes


def test_efficiency_is_that_of_a_device():
    first = record()
    # A quarter of the rows in half the time.
    strong = record("v5e:4x8", devices=32, rows=8, seconds=0.025)
    weak = record("v5e:4x8", slices=2, devices=64, rows=32)
    lines = scaling.table([scaling.of_tpu(one) for one in (first, strong, weak)])
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    assert [row[0] for row in cells] == ["v5e:2x4", "v5e:4x8", "2 x v5e:4x8"]
    assert [row[2] for row in cells] == ["32", "8", "32"]
    assert [row[9] for row in cells] == ["compute", "compute", "network"]
    assert [row[11] for row in cells] == ["100%", "50%", "83%"]
    assert cells[0][10] == f"{256 * 512 / 0.05 / 1e6:.1f} M"
    assert all(len(row) == lines[0].count("|") - 1 for row in cells)


def test_no_speed_of_the_network_is_published():
    step = scaling.of_tpu(record("v5p:2x2x2", slices=2, between_seconds=None))
    assert step.bound == "compute"
    assert step.between == 40_000_000


def test_gpus_send_their_part_to_other_hosts():
    alone = scaling.of_gpus("H100", 1, record())
    assert alone.bounds["compute"] == pytest.approx(0.05 * 197 / 989)
    assert alone.bounds["HBM"] == pytest.approx(6.7 / 3350)
    assert alone.bounds["links"] == pytest.approx(2 * 7 / 8 * 0.4 / 450)
    assert "network" not in alone.bounds
    two = scaling.of_gpus("H200", 2, record(devices=16, rows=16))
    assert two.bounds["network"] == pytest.approx(2 * 1 / 2 * 0.4 / 8 / 50)
    assert (two.devices, two.rows, two.between) == (16, 256, 50_000_000)


@pytest.mark.parametrize("name", ["v5e", "0*v5e:2x4", "4*", "v5e:2x", "v5e:2x4*4"])
def test_no_slice(name):
    with pytest.raises(UserError, match="expected such as v5e:4x8"):
        scaling.parse(name)


def test_what_is_no_record():
    broken = record()
    del broken["rows"]
    with pytest.raises(DataError, match="'rows' is missing"):
        scaling.of_tpu(broken)


def test_the_command_reuses_what_the_folder_has(tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(scaling, "_compile", lambda *given: asked.append(given[1:4]))
    (tmp_path / "1xv5e-2x4.json").write_text(json.dumps(record()))
    command = ["scaling", "--output", str(tmp_path), "--slices", "v5e:2x4", "2*v5e:4x8"]
    cli.main([*command, "--gpu-hosts", "1", "2"])
    printed = capsys.readouterr().out
    assert asked == [(2, "v5e:4x8", None)]
    assert "| v5e:2x4 | 8 |" in printed
    assert "| 1 x 8 H200 |" in printed
    assert "2 x 8" not in printed  # nothing was compiled for 16 devices
