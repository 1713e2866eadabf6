"""One device, eight, and two processes of four train the same model."""

import json

import numpy as np
import pytest

from tests.support.processes import finish, free_port

pytestmark = pytest.mark.processes

TOLERANCE = 1e-5
"""Relative. Devices add up gradients in another order, and training amplifies the difference."""


def mesh_flags(mesh) -> dict[str, int]:
    axes = ("data", "fsdp", "tensor", "slices")
    return {f"mesh.{axis}": size for axis, size in zip(axes, mesh, strict=False)}


def on_eight_devices(start, workdir, changes) -> None:
    finish(start(workdir, changes, JAX_NUM_CPU_DEVICES="8"))


def on_two_processes_of_four(start, workdir, changes) -> None:
    together = [f"--coordinator=localhost:{free_port()}", "--num_processes=2"]
    finish(
        *[
            start(workdir, changes, *together, f"--process_id={i}", JAX_NUM_CPU_DEVICES="4")
            for i in range(2)
        ]
    )


def assert_same_training(workdir, reference) -> None:
    found, expected = (
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (workdir, reference)
    )
    assert [line.keys() for line in found] == [line.keys() for line in expected]
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["step"] == theirs["step"]
        for name in theirs:
            worst = max(worst, abs(ours[name] - theirs[name]) / max(abs(theirs[name]), 1e-6))
    print(f"largest relative difference: {worst:.2e}")
    assert worst < TOLERANCE
    results, wanted = (
        json.loads((folder / "results.json").read_text()) for folder in (workdir, reference)
    )
    results.pop("resumed_with", None)
    assert results == wanted
    same = "predictions/test.conll"
    assert (workdir / same).read_bytes() == (reference / same).read_bytes()


@pytest.mark.parametrize(
    ("train_on", "mesh"),
    [
        (on_eight_devices, (-1, 1, 1)),
        (on_eight_devices, (1, -1, 1)),
        (on_eight_devices, (2, 2, 2)),
        (on_two_processes_of_four, (-1, 1, 1)),
        (on_two_processes_of_four, (2, 2, 2, 2)),  # each process stands for a slice
    ],
)
def test_the_same_losses_and_evaluation(start, uninterrupted, tmp_path, train_on, mesh):
    train_on(start, tmp_path / "run", mesh_flags(mesh))
    assert_same_training(tmp_path / "run", uninterrupted)
    started = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert (started["devices"]["count"], started["processes"]) in ((8, 1), (8, 2))


def test_a_run_continues_with_other_devices(start, run, uninterrupted, tmp_path):
    """Its state was saved from eight devices that each held a part."""
    eight = mesh_flags((1, 4, 2))
    on_eight_devices(start, tmp_path / "run", eight)
    (tmp_path / "run" / "results.json").unlink()
    run(tmp_path / "run", mesh_flags((-1, 1, 1)))
    assert_same_training(tmp_path / "run", uninterrupted)
    second = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert second["changed"]["mesh.fsdp"] == [4, 1]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [one["changed"] for one in results["resumed_with"]] == [second["changed"]]


def test_no_size_divides_by_the_number_of_devices(uninterrupted):
    """What is padded for eight devices shall not be whole on one already."""
    lines = (uninterrupted / "predictions" / "test.conll").read_text().split("\n\n")
    sentences = len([sentence for sentence in lines if sentence.strip()])
    assert np.gcd(sentences, 8) == 1
