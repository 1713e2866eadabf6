"""Models as programs of their own, and the checks that follow writing."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from biobert_jax import cli
from biobert_jax.errors import CheckpointError
from biobert_jax.inference import convert, parity
from biobert_jax.inference.export import PLATFORMS
from biobert_jax.interop import stablehlo
from biobert_jax.interop.forward import INPUTS
from biobert_jax.interop.huggingface import write_huggingface

pytest.importorskip("flatbuffers", reason="flatbuffers, the extra `export`, is not installed")

# What a process does that has jax and numpy, and none of this project.
WITHOUT_US = """
import sys
for name in ("biobert_jax", "flax", "tokenizers", "safetensors"):
    sys.modules[name] = None
import numpy as np
from load_model import load
model = load()
for file in sys.argv[1:]:
    rows = np.load(file)
    found = model(rows["input_ids"], rows["token_type_ids"], rows["attention_mask"])
    np.savez(file, **{name: np.asarray(value) for name, value in found.items()})
"""


@pytest.fixture
def models(checkpoint, span_checkpoint, sequence_checkpoint):
    without = {"encoder": checkpoint.params["encoder"]}
    return {
        "token": checkpoint,
        "span": span_checkpoint,
        "sequence": sequence_checkpoint,
        "encoder": dataclasses.replace(checkpoint, params=without, labels=None),
    }


def written(checkpoint, folder):
    write_huggingface(
        folder,
        checkpoint.config,
        checkpoint.params,
        checkpoint.vocabulary,
        checkpoint.lowercase,
        checkpoint.labels,
    )
    return folder


@pytest.mark.processes
def test_a_process_without_this_project_gives_the_same_logits(tmp_path, checkpoint):
    source, folder = written(checkpoint, tmp_path / "model"), tmp_path / "exported"
    cli.main(["export", "--from", str(source), "--to", str(folder)])
    rows = parity.sample_rows(checkpoint)
    shapes = {"all.npz": rows, "one.npz": {name: v[:1, :7] for name, v in rows.items()}}
    for name, some in shapes.items():
        np.savez(tmp_path / name, **some)
    files = [str(tmp_path / name) for name in shapes]
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    subprocess.run(
        [sys.executable, "-c", WITHOUT_US, *files], cwd=folder, env=environment, check=True
    )
    for name, some in shapes.items():
        ours, _ = parity.outputs_of(checkpoint, some)
        with np.load(tmp_path / name) as theirs:
            assert theirs["logits"].shape == (*some["input_ids"].shape, 5)
            np.testing.assert_allclose(theirs["logits"], ours["logits"], atol=1e-6)


@pytest.mark.parametrize("head", ["token", "span", "sequence", "encoder"])
def test_every_head_is_exported(models, head, tmp_path):
    forward = stablehlo.write_stablehlo(tmp_path, models[head])
    assert forward.kind == head
    rows = parity.sample_rows(models[head], seed=1)
    ours, _ = parity.outputs_of(models[head], rows)
    theirs = stablehlo.read_stablehlo(tmp_path)(*(rows[name] for name in INPUTS))
    assert set(theirs) == set(forward.outputs)
    assert parity.largest_difference(ours, theirs, rows["attention_mask"]) < 1e-6
    said = json.loads((tmp_path / "model.json").read_text())
    assert said["platforms"] == list(stablehlo.PLATFORMS) == list(PLATFORMS)
    labels = tmp_path / "labels.txt"
    names = labels.read_text().splitlines() if labels.exists() else None
    assert names == models[head].labels
    assert (tmp_path / "vocab.txt").read_text().splitlines() == models[head].vocabulary


def test_longer_rows_than_the_model_has_positions_are_refused(checkpoint, tmp_path):
    stablehlo.write_stablehlo(tmp_path, checkpoint, platforms=["cpu"])
    rows = np.ones((1, checkpoint.config.max_position_embeddings + 1), np.int32)
    with pytest.raises(ValueError):  # jax's own words
        stablehlo.read_stablehlo(tmp_path)(rows, rows, rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--platforms", "cpu,abacus"], "expected some of cpu, cuda, tpu"),
        (["--platforms", "cpu,cpu"], "each once"),
    ],
)
def test_platforms_that_there_are_not(checkpoint, tmp_path, capsys, arguments, words):
    source = written(checkpoint, tmp_path / "model")
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", "--from", str(source), "--to", str(tmp_path / "out"), *arguments])
    assert ended.value.code == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_difference_is_an_error(checkpoint, tmp_path):
    """The check can fail: a weight that changed, and labels in another order."""
    other = dataclasses.replace(
        checkpoint,
        params={
            **checkpoint.params,
            "classifier": {
                **checkpoint.params["classifier"],
                "bias": checkpoint.params["classifier"]["bias"] + [0, 0, 0, 0, 0.01],
            },
        },
    )
    with pytest.raises(CheckpointError, match="differ by"):
        parity.check_written(checkpoint, other, "there")
    turned = dataclasses.replace(checkpoint, labels=checkpoint.labels[::-1])
    with pytest.raises(CheckpointError, match="its labels"):
        parity.check_written(checkpoint, turned, "there")


def test_convert_reports_parity_and_what_was_trained(checkpoint, tmp_path, caplog):
    caplog.set_level("INFO", "biobert_jax")
    source = written(checkpoint, tmp_path / "model")
    for form in ("workdir", "huggingface"):
        cli.main(["convert", "--from", str(source), "--to", str(tmp_path / form), "--format", form])
    assert caplog.text.count("read back differ by 0.0e+00") == 2
    assert 'aggregation_strategy="first"' in convert.FIRST_PIECES
    assert caplog.text.count(convert.FIRST_PIECES) == 1


@pytest.mark.parametrize("head", ["token", "span", "sequence", "encoder"])
def test_parity_with_transformers(models, head, tmp_path, caplog):
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    caplog.set_level("INFO", "biobert_jax")
    parity.check_with_transformers(models[head], written(models[head], tmp_path / "model"))
    assert "by transformers differ by" in caplog.text
