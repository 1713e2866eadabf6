"""What is wrong with the input is said in one message: where, what, and what to do."""

import json
import logging
import shutil

import jax
import jax.numpy as jnp
import pytest

from biobert_jax.errors import DataError
from biobert_jax.interop.huggingface import write_huggingface
from biobert_jax.models.config import BertConfig
from biobert_jax.models.heads import TokenClassifier
from tests.support.models import tiny_config

pytestmark = pytest.mark.processes

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIALS, *"abcdefghijklmnopqrstuvwxyz.", *(f"##{c}" for c in "abcdefghijklmno")]


@pytest.fixture(scope="module")
def encoder() -> tuple[BertConfig, dict]:
    config = tiny_config(len(VOCABULARY), hidden_size=32, intermediate_size=64)
    names = ("input_ids", "token_type_ids", "segment_ids", "position_ids")
    batch = dict.fromkeys(names, jnp.ones((1, 8), jnp.int32))
    model = TokenClassifier(config, num_labels=3)
    params = jax.jit(lambda: model.init(jax.random.key(0), batch)["params"])()
    return config, {"encoder": jax.device_get(params["encoder"])}


@pytest.fixture
def checkpoint(encoder, tmp_path):
    """A small uncased checkpoint, to be spoilt."""
    folder = tmp_path / "checkpoint"
    write_huggingface(folder, *encoder, VOCABULARY, lowercase=True)
    return folder


@pytest.fixture
def on_own(own_folder):
    return {"dataset.path": str(own_folder)}


def insert(path, line: int, text: str) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([*lines[: line - 1], text, *lines[line - 1 :]]), encoding="utf-8")


def test_a_line_with_one_column(start, own_folder, on_own, tmp_path):
    """In a process of its own: the exit code, and no traceback."""
    insert(own_folder / "train.tsv", 3, "fever")
    process = start(tmp_path / "run", on_own)
    _, log = process.communicate()
    assert process.returncode == 1, log
    assert "Traceback" not in log
    [message] = [line for line in log.splitlines() if line.startswith("error: ")]
    assert message.startswith(f"error: {own_folder / 'train.tsv'}:3: found one column in 'fever'")
    assert "Add what is missing" in message


def test_an_inside_tag_after_another_type_is_repaired_and_counted(
    run, own_folder, tmp_path, caplog
):
    train = own_folder / "train.tsv"
    train.write_text(
        "a\tO\nodd\tI-Disease\nfever\tI-Disease\nof\tB-Disease\nwing\tI-Gene\n\n"
        + train.read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    # More steps than there are end the run where training would begin.
    changes = {"dataset.path": str(own_folder), "train.steps": 10_000}
    with caplog.at_level(logging.WARNING, "biobert_jax"), pytest.raises(DataError, match="steps"):
        run(tmp_path / "run", changes)
    [message] = [m for m in caplog.messages if "continue no entity" in m]
    assert message.startswith(f"{train}: 2 tags")


def test_an_empty_test_file(fails, own_folder, on_own):
    (own_folder / "test.tsv").write_text("\n\n")
    message = fails(on_own)
    assert f"{own_folder / 'test.tsv'}: no sentence in this file" in message
    assert "Put the examples there" in message


def test_a_label_that_training_lacks(fails, own_folder, on_own):
    insert(own_folder / "test.tsv", 1, "insulin\tB-Chemical")
    message = fails(on_own)
    assert f"{own_folder / 'test.tsv'}:1: the label 'B-Chemical'" in message
    assert "rename the label, or add training sentences" in message


def test_not_utf_8(fails, own_folder, on_own):
    devel = own_folder / "devel.tsv"
    devel.write_bytes("a\tO\nM\xe9ni\xe8re\tB-Disease\n\n".encode("latin-1") + devel.read_bytes())
    message = fails(on_own)
    assert f"{devel}:2: byte" in message
    assert "Save the file as UTF-8" in message


def test_a_vocabulary_of_another_model(fails, checkpoint):
    with open(checkpoint / "vocab.txt", "a", encoding="utf-8") as file:
        file.write("extra\n")
    message = fails({"init": str(checkpoint)})
    rows = len(VOCABULARY)
    assert str(checkpoint) in message
    assert f"{rows + 1} vocabulary entries" in message
    assert f"the embedding matrix has {rows} rows" in message
    assert "use the vocabulary that the model was trained with" in message


def test_a_truncated_safetensors_file(fails, checkpoint):
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    message = fails({"init": str(checkpoint)})
    assert f"{weights}: truncated" in message
    assert f"{weights.stat().st_size:,} bytes" in message


def test_cased_text_on_an_uncased_checkpoint(run, checkpoint, tmp_path, caplog):
    changes = {"init": str(checkpoint), "train.steps": 10_000}
    with caplog.at_level(logging.WARNING, "biobert_jax"), pytest.raises(DataError, match="steps"):
        run(tmp_path / "run", changes)
    [message] = [m for m in caplog.messages if "capitals" in m]
    assert "uncased" in message
    assert int(message.split()[0]) > 0


def test_a_workdir_of_another_config(fails, uninterrupted, tmp_path):
    workdir = tmp_path / "run"
    workdir.mkdir()
    shutil.copy(uninterrupted / "config.json", workdir)
    message = fails({"seed": 7, "train.epochs": 9}, workdir)
    assert str(workdir / "config.json") in message
    assert "seed is 0 there and 7 here" in message
    assert "train.epochs is 3 there and 9 here" in message
    assert "Choose another --workdir" in message
    assert json.loads((workdir / "config.json").read_text())["seed"] == 0


def test_no_such_checkpoint(fails):
    assert "no/such/model: names no checkpoint" in fails({"init": "no/such/model"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seed": -1, "train.epochs": 0}, "config.seed is -1; expected a whole number of at lea"),
        ({"compute.attention": "pallas_tpu"}, "which needs tpu; the devices here are cpu"),
        ({"mesh.fsdp": 3}, "config.mesh is"),
        ({"mesh.rules": ()}, "no rule of config.mesh.rules covers it"),
        ({"train.steps": 10_000}, "train.steps is 10000, but 3 epochs have only"),
        ({"windows.max_length": 65, "batch.row_length": 65}, "windows.max_length is 65"),
    ],
)
def test_settings_that_cannot_be(fails, changes, expected):
    assert expected in fails(changes)


def test_a_loss_that_is_no_number(fails):
    message = fails({"optimizer.learning_rate": 1e30, "checkpoint.every": 0})
    assert "step 3: the loss is " in message
    assert "There is no checkpoint yet" in message
    assert "Lower optimizer.learning_rate" in message


def test_parameters_that_are_no_numbers_are_not_saved(start, tmp_path):
    """The loss of step 2 is that before its update, which ruins the parameters."""
    changes = {"optimizer.learning_rate": 3e38, "checkpoint.every": 1, "checkpoint.keep_last": 9}
    process = start(tmp_path / "run", changes)
    _, log = process.communicate()
    assert process.returncode == 1, log
    assert "Traceback" not in log
    [message] = [line for line in log.splitlines() if line.startswith("error: ")]
    assert "error: step 2: " in message
    assert "The last good checkpoint is that of step 1." in message
    kept = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert kept == ["1"]
