"""TensorFlow checkpoints in. Most of this needs tensorflow (`pip install tensorflow-cpu`)."""

import json
import sys

import numpy as np
import pytest

from biobert_jax import cli
from biobert_jax.errors import CheckpointError
from biobert_jax.interop import layout
from biobert_jax.interop.huggingface import read_huggingface, write_huggingface
from biobert_jax.interop.tensorflow import is_prefix, prefixes_in, read_tensorflow

# Google's names (modeling.py, run_pretraining.py) written out, with the published name of each;
# `LAYER` goes in once a layer. A kernel is [in, out], everything else as published.
ENCODER = {
    "bert/embeddings/word_embeddings": "bert.embeddings.word_embeddings.weight",
    "bert/embeddings/position_embeddings": "bert.embeddings.position_embeddings.weight",
    "bert/embeddings/token_type_embeddings": "bert.embeddings.token_type_embeddings.weight",
    "bert/embeddings/LayerNorm/gamma": "bert.embeddings.LayerNorm.weight",
    "bert/embeddings/LayerNorm/beta": "bert.embeddings.LayerNorm.bias",
}
LAYER = {
    "attention/self/query/kernel": "attention.self.query.weight",
    "attention/self/query/bias": "attention.self.query.bias",
    "attention/self/key/kernel": "attention.self.key.weight",
    "attention/self/key/bias": "attention.self.key.bias",
    "attention/self/value/kernel": "attention.self.value.weight",
    "attention/self/value/bias": "attention.self.value.bias",
    "attention/output/dense/kernel": "attention.output.dense.weight",
    "attention/output/dense/bias": "attention.output.dense.bias",
    "attention/output/LayerNorm/gamma": "attention.output.LayerNorm.weight",
    "attention/output/LayerNorm/beta": "attention.output.LayerNorm.bias",
    "intermediate/dense/kernel": "intermediate.dense.weight",
    "intermediate/dense/bias": "intermediate.dense.bias",
    "output/dense/kernel": "output.dense.weight",
    "output/dense/bias": "output.dense.bias",
    "output/LayerNorm/gamma": "output.LayerNorm.weight",
    "output/LayerNorm/beta": "output.LayerNorm.bias",
}
HEADS = {
    "bert/pooler/dense/kernel": "bert.pooler.dense.weight",
    "bert/pooler/dense/bias": "bert.pooler.dense.bias",
    "cls/predictions/transform/dense/kernel": "cls.predictions.transform.dense.weight",
    "cls/predictions/transform/dense/bias": "cls.predictions.transform.dense.bias",
    "cls/predictions/transform/LayerNorm/gamma": "cls.predictions.transform.LayerNorm.weight",
    "cls/predictions/transform/LayerNorm/beta": "cls.predictions.transform.LayerNorm.bias",
    "cls/predictions/output_bias": "cls.predictions.bias",
    "cls/seq_relationship/output_weights": "cls.seq_relationship.weight",
    "cls/seq_relationship/output_bias": "cls.seq_relationship.bias",
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
    "cls/squad/output_weights": "qa_outputs.weight",
    "cls/squad/output_bias": "qa_outputs.bias",
}
QUERY = "bert/encoder/layer_1/attention/self/query/kernel"
MLP = "bert/encoder/layer_1/intermediate/dense/kernel"


def variables(checkpoint) -> dict[str, np.ndarray]:
    """Google's variables of a checkpoint, with what a training run leaves beside them."""
    tensors = layout.to_tensors(checkpoint.params, checkpoint.config)
    names = dict(ENCODER | HEADS)
    for layer in range(checkpoint.config.num_hidden_layers):
        for theirs, published in LAYER.items():
            names[f"bert/encoder/layer_{layer}/{theirs}"] = (
                f"bert.encoder.layer.{layer}.{published}"
            )
    values = {
        theirs: tensors[published].T.copy() if theirs.endswith("/kernel") else tensors[published]
        for theirs, published in names.items()
        if published in tensors
    }
    slots = {f"{name}/adam_{slot}": value * 0 for name, value in values.items() for slot in "mv"}
    return values | slots | {"global_step": np.int64(1000000)}


@pytest.fixture
def save(tmp_path, checkpoint):
    """Saves variables under a prefix, with the files that are published beside them."""
    tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")

    def save(values, name="model.ckpt-1000000"):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / name),
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=[tf.constant(value) for value in values.values()],
        )
        google = {k: v for k, v in checkpoint.config.to_dict().items() if k != "layer_norm_eps"}
        (tmp_path / "bert_config.json").write_text(json.dumps(google))
        (tmp_path / "vocab.txt").write_text("\n".join(checkpoint.vocabulary) + "\n")
        return tmp_path / name

    return save


def assert_same(params, expected):
    if isinstance(expected, dict):
        assert params.keys() == expected.keys()
        for name in expected:
            assert_same(params[name], expected[name])
    else:
        assert params.dtype == np.float32
        np.testing.assert_array_equal(params, expected)


@pytest.mark.parametrize("name", ["model.ckpt-1000000", "bert_model.ckpt", "biobert_model.ckpt"])
def test_pretraining_checkpoint(save, only, name):
    published = only("encoder", "pooler", "mlm", "nsp")
    prefix = save(variables(published), name)
    read = read_tensorflow(prefix)
    assert_same(read.params, published.params)
    assert read.config == published.config
    assert read.vocabulary == published.vocabulary
    assert (read.lowercase, read.labels, read.source) == (False, None, str(prefix))


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_the_name_of_a_file_does_for_its_prefix(save, only, suffix):
    prefix = save(variables(only("encoder")))
    assert is_prefix(prefix)
    assert prefixes_in(prefix.parent) == [prefix]
    assert_same(read_tensorflow(f"{prefix}{suffix}").params, only("encoder").params)


def test_the_head_of_run_squad(save, only):
    published = only("encoder", "pooler", "span")
    assert_same(read_tensorflow(save(variables(published))).params, published.params)


def test_a_head_that_is_not_named_is_left_out(save, only, caplog):
    """run_ner.py and run_classifier.py save the same variables, and no labels."""
    read = read_tensorflow(save(variables(only("encoder", "pooler", "classifier"))))
    assert_same(read.params, only("encoder", "pooler").params)
    assert read.labels is None
    assert "output_weights [3, 12] and output_bias [3]" in caplog.text


def of_run_ner(checkpoint) -> dict[str, np.ndarray]:
    """Variables with the seven outputs of DMIS's run_ner.py: output i has the bias i."""
    rng = np.random.default_rng(1)
    size = checkpoint.config.hidden_size
    return variables(checkpoint) | {
        "output_weights": rng.normal(size=(7, size)).astype(np.float32),
        "output_bias": np.arange(7, dtype=np.float32),
    }


@pytest.mark.parametrize(
    ("given", "labels", "outputs"),
    [
        (None, ["B", "I", "O"], [1, 2, 3]),
        (["O", "B-Disease", "I-Disease"], ["O", "B-Disease", "I-Disease"], [3, 1, 2]),
        (
            ["[PAD]", "B-Gene", "I-Gene", "O", "X", "[CLS]", "[SEP]"],
            ["B-Gene", "I-Gene", "O"],
            None,
        ),
    ],
)
def test_a_head_for_ner(save, only, given, labels, outputs):
    values = of_run_ner(only("encoder", "pooler"))
    read = read_tensorflow(save(values), "ner", given)
    assert read.params.keys() == {"encoder", "classifier"}  # no pooler: a token classifier
    assert sorted(read.labels) == sorted(labels)
    bias = dict(zip(read.labels, read.params["classifier"]["bias"], strict=True))
    assert bias == {label: float("BIO".index(label[0]) + 1) for label in labels}
    for label, column in zip(read.labels, read.params["classifier"]["kernel"].T, strict=True):
        np.testing.assert_array_equal(column, values["output_weights"][int(bias[label])])


def test_a_head_for_ner_with_other_outputs(save, only):
    """As Google's scripts would save it with an own list of labels."""
    published = only("encoder", "pooler", "classifier")
    read = read_tensorflow(save(variables(published)), "ner", ["O", "B-x", "I-x"])
    assert read.labels == ["O", "B-x", "I-x"]
    assert_same(read.params, only("encoder", "classifier").params)


def test_a_head_for_ner_exports_as_a_token_classifier(save, only, tmp_path):
    read = read_tensorflow(save(of_run_ner(only("encoder", "pooler"))), "ner")
    folder = tmp_path / "exported"
    write_huggingface(
        folder, read.config, read.params, read.vocabulary, read.lowercase, read.labels
    )
    assert json.loads((folder / "config.json").read_text())["architectures"] == [
        "BertForTokenClassification"
    ]
    assert read_huggingface(folder).labels == read.labels


@pytest.mark.parametrize("labels", [None, ["no", "yes", "maybe"]])
def test_a_head_for_classification(save, only, labels):
    published = only("encoder", "pooler", "classifier")
    read = read_tensorflow(save(variables(published)), "classification", labels)
    assert_same(read.params, published.params)
    assert read.labels == (labels or ["LABEL_0", "LABEL_1", "LABEL_2"])


@pytest.mark.parametrize(
    ("make", "head", "labels", "words"),
    [
        (variables, "sequence", None, "expected one of ner, classification"),
        (variables, "ner", None, "0 labels (none) for 3 outputs"),
        (variables, "ner", ["O", "B", "B"], "3 labels (O, B, B) for 3 outputs"),
        (variables, "ner", ["no", "yes", "maybe"], "expected O and tags that begin with B-"),
        (variables, "classification", ["no", "yes"], "2 labels (no, yes) for 3 outputs"),
        (of_run_ner, "ner", ["B", "I", "E"], "one each for B, I and O"),
        (of_run_ner, "ner", ["B", "I"], "2 labels (B, I) for 7 outputs"),
    ],
)
def test_labels_that_do_not_fit(save, only, make, head, labels, words):
    prefix = save(make(only("encoder", "pooler", "classifier")))
    with pytest.raises(CheckpointError) as caught:
        read_tensorflow(prefix, head, labels)
    assert words in str(caught.value)


@pytest.mark.slow
def test_convert_takes_head_and_labels(save, only, tmp_path):
    prefix = save(of_run_ner(only("encoder", "pooler")))
    folder = tmp_path / "exported"
    arguments = ["convert", "--from", str(prefix), "--to", str(folder)]
    cli.main([*arguments, "--head", "ner", "--labels", "B-Disease,I-Disease,O"])
    assert set(read_huggingface(folder).labels) == {"B-Disease", "I-Disease", "O"}


def test_a_head_that_is_not_there(save, only):
    with pytest.raises(CheckpointError, match="no output_weights"):
        read_tensorflow(save(variables(only("encoder", "pooler"))), "ner")


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        (QUERY, lambda a: np.where(a == a[0, 0], np.nan, a), "1 of 144 values are NaN or infinite"),
        (MLP, lambda a: a * np.float32(np.inf), "240 of 240 values are NaN"),
        (QUERY, lambda a: a.astype(np.int64), "type int64"),
        (QUERY, lambda a: a > 0, "type bool"),
        (QUERY, lambda a: a.astype(np.complex64), "type complex64"),
        (QUERY, lambda a: a.astype(np.float64) + 1e300, "144 of 144 values are NaN or infinite"),
    ],
)
def test_values_that_are_no_weights(save, only, name, make, words):
    values = variables(only("encoder"))
    with pytest.raises(CheckpointError) as caught:
        read_tensorflow(save(values | {name: make(values[name])}))
    assert f"{name} ({words}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: {n: a for n, a in v.items() if n != QUERY}, f"missing: {QUERY} [12, 12]"),
        (
            lambda v: v | {MLP: v[MLP][:, :8]},
            f"misshapen: {MLP} (expected [12, 20], found [12, 8])",
        ),
        (
            lambda v: v | {"bert/encoder/layer_7/output/dense/bias": np.float32([1])},
            "extra: bert/encoder/layer_7/output/dense/bias [1]",
        ),
        (
            lambda v: {n: a for n, a in v.items() if n != "cls/seq_relationship/output_bias"},
            "missing: cls/seq_relationship/output_bias [2]",
        ),
        (lambda v: {"global_step": v["global_step"], "w": np.float32([1])}, "found 0 such among w"),
    ],
)
def test_variables_that_do_not_fit_are_named(save, only, change, words):
    prefix = save(change(variables(only("encoder", "pooler", "mlm", "nsp"))))
    with pytest.raises(CheckpointError) as caught:
        read_tensorflow(prefix)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(prefix))


def test_foreign_variables_are_logged(save, only, caplog):
    values = variables(only("encoder")) | {"crf/transitions": np.eye(3, dtype=np.float32)}
    assert_same(read_tensorflow(save(values)).params, only("encoder").params)
    assert "left out: crf/transitions" in caplog.text


def test_vocabulary_and_matrix_disagree(save, only):
    prefix = save(variables(only("encoder")))
    with open(prefix.parent / "vocab.txt", "a") as file:
        file.write("more\n")
    with pytest.raises(CheckpointError, match=r"31 vocabulary entries.* has 30 rows"):
        read_tensorflow(prefix)


def test_files_of_other_names_and_missing_ones(save, only):
    prefix = save(variables(only("encoder")))
    (prefix.parent / "vocab.txt").rename(prefix.parent / "vocab_cased_58k.txt")
    (prefix.parent / "bert_config.json").rename(prefix.parent / "bert_config_large.json")
    read_tensorflow(prefix)
    (prefix.parent / "vocab_cased_58k.txt").unlink()
    with pytest.raises(CheckpointError, match=r"expected vocab.txt beside .* found none"):
        read_tensorflow(prefix)


@pytest.mark.parametrize("kept", [0.3, 0.1, 0.0])
def test_truncated_data(save, only, kept):
    prefix = save(variables(only("encoder")))
    data = prefix.with_name(prefix.name + ".data-00000-of-00001")
    whole = data.read_bytes()
    data.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CheckpointError, match=rf"{int(len(whole) * kept):,} bytes of data"):
        read_tensorflow(prefix)


def test_damaged_index(save, only):
    prefix = save(variables(only("encoder")))
    prefix.with_name(prefix.name + ".index").write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="TensorFlow cannot read it"):
        read_tensorflow(prefix)


# Without tensorflow


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        (["index"], "model.ckpt-7.data-00000-of-00001"),
        (["data-00000-of-00001"], "model.ckpt-7.index"),
        (["index", "data-00001-of-00002"], "model.ckpt-7.data-00000-of-00002"),
        ([], "model.ckpt-7.index, model.ckpt-7.data-00000-of-00001"),
    ],
)
def test_missing_files_are_named(tmp_path, there, missing):
    for suffix in there:
        (tmp_path / f"model.ckpt-7.{suffix}").touch()
    (tmp_path / "model.ckpt-70.index").touch()  # another checkpoint's
    with pytest.raises(CheckpointError, match=rf"missing: {missing}\."):
        read_tensorflow(tmp_path / "model.ckpt-7")


def test_without_tensorflow(tmp_path, checkpoint, monkeypatch):
    (tmp_path / "bert_config.json").write_text(json.dumps(checkpoint.config.to_dict()))
    (tmp_path / "vocab.txt").write_text("\n".join(checkpoint.vocabulary) + "\n")
    for suffix in ("index", "data-00000-of-00001"):
        (tmp_path / f"model.ckpt-7.{suffix}").touch()
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(CheckpointError, match=r"biobert-jax\[tensorflow\]"):
        read_tensorflow(tmp_path / "model.ckpt-7")
