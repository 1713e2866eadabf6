import dataclasses

import jax
import numpy as np
import pytest

from biobert_jax.errors import CheckpointError
from biobert_jax.interop.huggingface import write_huggingface
from biobert_jax.interop.load import initial_params, load_checkpoint


@pytest.fixture
def folder(tmp_path, only):
    made = only("encoder")
    write_huggingface(tmp_path / "model", made.config, made.params, made.vocabulary, made.lowercase)
    return tmp_path / "model"


def test_random_is_no_checkpoint():
    assert load_checkpoint("random") is None


def test_huggingface_folder(folder, checkpoint):
    assert load_checkpoint(str(folder)).vocabulary == checkpoint.vocabulary


def test_workdir(tmp_path, checkpoint):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.json").write_text("{}")
    read = {}
    assert load_checkpoint(str(tmp_path), lambda path, _: read.setdefault(path, checkpoint))
    assert list(read) == [tmp_path]
    with pytest.raises(CheckpointError, match="names no checkpoint"):
        load_checkpoint(str(tmp_path))


def test_tensorflow_prefix_or_folder(tmp_path):
    """Found as such: what is missing beside it is then the complaint."""
    (tmp_path / "bert_model.ckpt.index").touch()
    for init in ("bert_model.ckpt", "bert_model.ckpt.index", "."):
        with pytest.raises(CheckpointError, match=r"missing: bert_model\.ckpt\.data-00000"):
            load_checkpoint(str(tmp_path / init))
    (tmp_path / "model.ckpt-9.index").touch()
    with pytest.raises(CheckpointError, match=r"2 TensorFlow checkpoints; .*ckpt, .*ckpt-9"):
        load_checkpoint(str(tmp_path))


@pytest.mark.parametrize(
    ("make", "init", "words"),
    [
        (None, "nowhere", ["no file or folder", "`random`", "hf://owner/name", "workdir"]),
        (None, "dmis-lab/biobert-v1.1", ["hub write hf://dmis-lab/biobert-v1.1"]),
        ("notes.txt", "notes.txt", ["another file"]),
        ("a/notes.txt", "a", ["a folder with notes.txt"]),
        ("a/config.json", "a", ["a folder with config.json"]),
    ],
)
def test_unresolvable(tmp_path, monkeypatch, make, init, words):
    monkeypatch.chdir(tmp_path)
    if make:
        (tmp_path / make).parent.mkdir(exist_ok=True)
        (tmp_path / make).touch()
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(init)
    assert all(word in str(caught.value) for word in words)
    assert str(caught.value).startswith(init)


def fresh(checkpoint, *groups):
    return jax.tree.map(np.zeros_like, {group: checkpoint.params[group] for group in groups})


def test_heads_that_are_missing_start_fresh(only, checkpoint):
    start = fresh(checkpoint, "encoder", "pooler", "classifier")
    params, report = initial_params(start, only("encoder", "pooler", "mlm"))
    for group in ("encoder", "pooler"):
        jax.tree.map(np.testing.assert_array_equal, params[group], checkpoint.params[group])
    assert params["classifier"] is start["classifier"]
    assert report.restored == ["encoder", "pooler"]
    assert report.unused == ["mlm"]
    assert str(report) == (
        "encoder, pooler from made up; classifier starts fresh (not in the checkpoint); "
        "not used: mlm"
    )


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (None, None),
        (["O", "B", "I"], None),
        (["B", "I", "O"], "labels there O, B, I; here B, I, O"),
    ],
)
def test_a_classifier_of_other_labels_starts_fresh(checkpoint, labels, reason):
    start = fresh(checkpoint, "encoder", "classifier")
    params, report = initial_params(start, checkpoint, labels)
    assert report.fresh.get("classifier") == reason
    assert (params["classifier"]["kernel"] == 0).all() == (reason is not None)


def test_a_classifier_of_another_width_starts_fresh(checkpoint):
    start = fresh(checkpoint, "encoder") | {
        "classifier": {"kernel": np.zeros((12, 5)), "bias": np.zeros(5)}
    }
    _, report = initial_params(start, checkpoint)
    assert report.fresh == {"classifier": "3 labels there, 5 here"}


def without(params, *path):
    name, *rest = path
    kept = {key: value for key, value in params.items() if key != name or rest}
    return kept | {name: without(params[name], *rest)} if rest else kept


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("encoder",), r"lacks encoder/embeddings/"),
        (
            ("encoder", "layers", "mlp", "output", "bias"),
            r"encoder/layers/mlp/output/bias \[2, 12\]",
        ),
        (("pooler", "bias"), r"lacks pooler/bias \[12\]"),
    ],
)
def test_a_missing_parameter_is_named(checkpoint, path, words):
    lacking = dataclasses.replace(checkpoint, params=without(checkpoint.params, *path))
    with pytest.raises(CheckpointError, match=words):
        initial_params(fresh(checkpoint, "encoder", "pooler"), lacking)


def test_a_misshapen_parameter_is_named(checkpoint):
    start = fresh(checkpoint, "encoder")
    start["encoder"]["embeddings"]["position_embeddings"]["embedding"] = np.zeros((99, 12))
    with pytest.raises(CheckpointError, match=r"position_embeddings.* \[16, 12\].* \[99, 12\]"):
        initial_params(start, checkpoint)


def test_the_dtype_is_the_models(checkpoint):
    start = jax.tree.map(lambda leaf: leaf.astype(np.float16), fresh(checkpoint, "encoder"))
    params, _ = initial_params(start, checkpoint)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float16)}
