"""Folders in and out. That the numbers mean the same in transformers is test_parity.py's."""

import dataclasses
import json
import logging
import resource
import signal
import sys

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from biobert_jax.errors import CheckpointError
from biobert_jax.interop import layout
from biobert_jax.interop.huggingface import read_huggingface, write_huggingface
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.relation import RelationCard, Windowing

WEIGHTS = "model.safetensors"
QUERY = "bert.encoder.layer.1.attention.self.query.weight"


def write(folder, checkpoint):
    write_huggingface(
        folder,
        checkpoint.config,
        checkpoint.params,
        checkpoint.vocabulary,
        checkpoint.lowercase,
        checkpoint.labels,
        checkpoint.card,
    )


def edit_json(path, **changes):
    values = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}), "utf-8")


def rewrite(folder, change):
    """Saves the weights again, with other names or values."""
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS, {"format": "pt"})


def assert_same(params, expected):
    jax.tree.map(np.testing.assert_array_equal, params, expected)
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(params))


@pytest.fixture
def folder(tmp_path, only):
    """A token classifier with its labels."""
    write(tmp_path / "model", only("encoder", "classifier"))
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("architecture", "groups"),
    [
        ("BertModel", ("encoder",)),
        ("BertModel", ("encoder", "pooler")),
        ("BertForPreTraining", ("encoder", "pooler", "mlm", "nsp")),
        ("BertForMaskedLM", ("encoder", "mlm")),
        ("BertForNextSentencePrediction", ("encoder", "pooler", "nsp")),
        ("BertForTokenClassification", ("encoder", "classifier")),
        ("BertForSequenceClassification", ("encoder", "pooler", "classifier")),
        ("BertForQuestionAnswering", ("encoder", "span")),
    ],
)
def test_round_trip(tmp_path, only, architecture, groups):
    written = only(*groups)
    write(tmp_path / "model", written)
    read = read_huggingface(str(tmp_path / "model"))
    assert_same(read.params, written.params)
    assert dataclasses.replace(read, params=None, source="") == dataclasses.replace(
        written, params=None, source=""
    )
    assert read.source == str(tmp_path / "model")
    assert json.loads((tmp_path / "model/config.json").read_text())["architectures"] == [
        architecture
    ]


@pytest.mark.parametrize("prefix", ["bert.", "", "module.bert.", "0.auto_model."])
def test_prefixes_old_names_and_buffers(folder, only, prefix):
    root = prefix.removesuffix("bert.")

    def publish(tensors):
        renamed = {}
        for name, tensor in tensors.items():
            new = prefix + name.removeprefix("bert.") if "bert." in name else root + name
            new = new.replace("LayerNorm.weight", "LayerNorm.gamma")
            renamed[new.replace("LayerNorm.bias", "LayerNorm.beta")] = tensor
        return renamed | {f"{prefix}embeddings.position_ids": np.arange(16)[None]}

    rewrite(folder, publish)
    assert_same(read_huggingface(folder).params, only("encoder", "classifier").params)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_becomes_float32(folder, only, dtype):
    rewrite(folder, lambda tensors: {n: t.astype(dtype) for n, t in tensors.items()})
    rounded = jax.tree.map(
        lambda leaf: leaf.astype(dtype).astype(np.float32), only("encoder", "classifier").params
    )
    assert_same(read_huggingface(folder).params, rounded)


def shard(folder, present=(1, 2)):
    tensors = load_file(folder / WEIGHTS)
    names = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(tensors)}
    for which in present:
        file = f"model-0000{which}-of-00002.safetensors"
        save_file({n: t for n, t in tensors.items() if names[n] == file}, folder / file)
    (folder / WEIGHTS).unlink()
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": names}))


def test_shards(folder, only):
    shard(folder)
    assert_same(read_huggingface(folder).params, only("encoder", "classifier").params)


def test_missing_shard(folder):
    shard(folder, present=(1,))
    with pytest.raises(CheckpointError, match="model-00002-of-00002"):
        read_huggingface(folder)


def test_index_of_another_form(folder):
    (folder / WEIGHTS).rename(folder / "elsewhere")
    (folder / f"{WEIGHTS}.index.json").write_text("[]")
    with pytest.raises(CheckpointError, match="weight_map"):
        read_huggingface(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t: {n: a for n, a in t.items() if n != QUERY},
            [f"missing: {QUERY} [12, 12]"],
        ),
        (
            lambda t: t | {QUERY: t[QUERY][:, :8]},
            [f"misshapen: {QUERY} (expected [12, 12], found [12, 8])"],
        ),
        (
            lambda t: t | {QUERY.replace("layer.1", "layer.2"): t[QUERY]},
            ["extra: bert.encoder.layer.2.attention.self.query.weight [12, 12]"],
        ),
        (
            lambda t: {n: a for n, a in t.items() if n != "classifier.weight"},
            ["missing: classifier.weight [3, 12]"],
        ),
        (
            lambda t: {
                n.replace("weight", "gamma") if "LayerNorm" in n else n: a
                for n, a in t.items()
                if n != "bert.embeddings.LayerNorm.bias"
            },
            ["missing: bert.embeddings.LayerNorm.bias [12]"],
        ),
        (lambda t: {"lstm.weight": t[QUERY]}, ["found 0 such among lstm.weight"]),
        (
            lambda t: t | {f"question_{n}": a for n, a in t.items()},
            ["found 2 such among bert., question_bert."],
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder, change, words):
    rewrite(folder, change)
    with pytest.raises(CheckpointError) as caught:
        read_huggingface(folder)
    assert all(word in str(caught.value) for word in [*words, WEIGHTS])


def test_many_faults_are_counted(folder):
    edit_json(folder / "config.json", num_hidden_layers=1)
    with pytest.raises(CheckpointError, match=r"encoder\.layer\.1\..* and 8 more"):
        read_huggingface(folder)


def test_foreign_heads_are_logged(folder, only, caplog):
    rewrite(folder, lambda tensors: tensors | {"crf.transitions": np.eye(3, dtype=np.float32)})
    assert_same(read_huggingface(folder).params, only("encoder", "classifier").params)
    assert "left out: crf.transitions" in caplog.text


def test_the_decoder_is_tied(tmp_path, only, caplog):
    expected = only("encoder", "mlm")
    write(tmp_path / "model", expected)
    words = expected.params["encoder"]["embeddings"]["word_embeddings"]["embedding"]
    decoder = {
        "cls.predictions.decoder.weight": words,
        "cls.predictions.decoder.bias": expected.params["mlm"]["bias"],
    }
    rewrite(tmp_path / "model", lambda tensors: tensors | decoder)
    assert_same(read_huggingface(tmp_path / "model").params, expected.params)
    assert caplog.text == ""

    untied = {"cls.predictions.decoder.weight": words + 1}
    rewrite(tmp_path / "model", lambda tensors: tensors | untied)
    assert_same(read_huggingface(tmp_path / "model").params, only("encoder").params)
    assert "not tied" in caplog.text


def test_unused_pooler_of_a_token_classifier(tmp_path, only):
    write(tmp_path / "model", only("encoder", "pooler", "classifier"))
    config = tmp_path / "model/config.json"
    edit_json(config, architectures=["BertForTokenClassification"])
    assert read_huggingface(tmp_path / "model").params.keys() == {"encoder", "classifier"}


@pytest.mark.parametrize("kept", [0.9, 0.05])
def test_truncated_safetensors(folder, kept):
    """With the header whole, and cut within it."""
    path = folder / WEIGHTS
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CheckpointError) as caught:
        read_huggingface(folder)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "truncated" in message
    assert f"{int(len(whole) * kept):,} bytes" in message
    assert "download it again" in message
    assert kept < 0.5 or f"{len(whole):,}" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated: 0 bytes"),
        (b"\x10\0\0\0\0\0\0\0not json, surely, and on", "not that of a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    ],
)
def test_not_safetensors(folder, content, words):
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_huggingface(folder)


def test_vocabulary_and_matrix_disagree(folder, checkpoint):
    for vocabulary in (checkpoint.vocabulary + ["more"], checkpoint.vocabulary[:-1]):
        (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
        with pytest.raises(CheckpointError, match=rf"{len(vocabulary)} vocab.* has 30 rows"):
            read_huggingface(folder)


def test_padded_embedding_matrix(tmp_path, only):
    """Rows up to a multiple of 8 are padding, as on tensor cores; the vocabulary stays short."""
    full = only("encoder")
    words = full.params["encoder"]["embeddings"]["word_embeddings"]
    words["embedding"] = np.concatenate([words["embedding"], np.zeros((2, 12), np.float32)])
    padded = dataclasses.replace(full, config=dataclasses.replace(full.config, vocab_size=32))
    write(tmp_path / "model", padded)
    read = read_huggingface(tmp_path / "model")
    assert len(read.vocabulary) == 30
    assert read.config.vocab_size == 32


def tokenizer_json(vocabulary, lowercase=None):
    ids = {token: i for i, token in enumerate(vocabulary)}
    normalizer = None if lowercase is None else {"type": "BertNormalizer", "lowercase": lowercase}
    return {
        "model": {"type": "WordPiece", "vocab": dict(sorted(ids.items()))},
        "normalizer": normalizer,
        "added_tokens": [{"content": "[MASK]", "id": ids["[MASK]"]}],
    }


def test_vocabulary_from_tokenizer_json(folder, checkpoint):
    (folder / "vocab.txt").unlink()
    path = folder / "tokenizer.json"
    with pytest.raises(CheckpointError, match=r"neither vocab.txt nor tokenizer.json"):
        read_huggingface(folder)
    path.write_text(json.dumps(tokenizer_json(checkpoint.vocabulary)))
    assert read_huggingface(folder).vocabulary == checkpoint.vocabulary
    path.write_text(json.dumps({"model": {"type": "BPE", "vocab": {"a": 0}}}))
    with pytest.raises(CheckpointError, match="'BPE'"):
        read_huggingface(folder)


@pytest.mark.parametrize(
    ("stated", "normalizer", "expected", "contradicts"),
    [
        (False, None, False, False),
        (True, False, True, True),
        (None, False, False, False),
        (None, True, True, True),
        (None, None, False, False),
    ],
)
def test_casing(folder, checkpoint, caplog, stated, normalizer, expected, contradicts):
    """tokenizer_config.json, then tokenizer.json, then the (cased) vocabulary."""
    edit_json(folder / "tokenizer_config.json", do_lower_case=stated)
    if normalizer is not None:
        tokenizer = tokenizer_json(checkpoint.vocabulary, normalizer)
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with caplog.at_level(logging.INFO):
        assert read_huggingface(folder).lowercase is expected
    assert ("contradict" in caplog.text) is contradicts


def with_card(checkpoint, kind, **settings):
    card = kind(
        architecture=checkpoint.config,
        vocabulary=checkpoint.vocabulary,
        lowercase=checkpoint.lowercase,
        labels=checkpoint.labels,
        **settings,
    )
    return dataclasses.replace(checkpoint, card=card)


def test_the_card_comes_back(tmp_path, only):
    relations = with_card(
        only("encoder", "pooler", "classifier"),
        RelationCard,
        marks=["@GENE$", "@DISEASE$"],
        marking="wrap",
        scored=["B"],
        windows=Windowing(14, False),
    )
    write(tmp_path / "model", relations)
    assert read_huggingface(tmp_path / "model").card == relations.card
    public = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))["biobert_jax"]
    assert public["marks"] == ["@GENE$", "@DISEASE$"]
    assert not public.keys() & {"vocabulary", "architecture", "labels"}

    encoder = with_card(only("encoder"), Card)  # of a converted model: nothing to keep
    write(tmp_path / "encoder", encoder)
    assert read_huggingface(tmp_path / "encoder").card is None


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (3, "biobert_jax is 3"),
        ({"version": 99, "task": "ner"}, "version is 99"),
        (
            {"version": 1, "task": "ner", "windows": {"max_length": "8"}},
            "windows.max_length is '8'",
        ),
        ({"version": 1, "task": "ner", "run": "rm"}, "has run"),
    ],
)
def test_a_damaged_card_is_named(folder, stated, words):
    edit_json(folder / "config.json", biobert_jax=stated)
    with pytest.raises(CheckpointError) as raised:
        read_huggingface(folder)
    assert str(folder / "config.json") in str(raised.value)
    assert words in str(raised.value)


def test_labels(folder):
    edit_json(folder / "config.json", id2label=None)
    assert read_huggingface(folder).labels == ["LABEL_0", "LABEL_1", "LABEL_2"]
    edit_json(folder / "config.json", id2label={"2": "c", "0": "a", "1": "b"})
    assert read_huggingface(folder).labels == ["a", "b", "c"]
    edit_json(folder / "config.json", id2label={"0": "a", "1": "b"})
    with pytest.raises(CheckpointError, match="names 2 labels, but the classifier has 3"):
        read_huggingface(folder)
    edit_json(folder / "config.json", id2label=["a", "b", "c"])
    with pytest.raises(CheckpointError, match="expected an object from 0, 1"):
        read_huggingface(folder)


def test_other_models_and_folders(folder, tmp_path):
    edit_json(folder / "config.json", model_type="roberta")
    with pytest.raises(CheckpointError, match="roberta"):
        read_huggingface(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"model.safetensors.* found config.json"):
        read_huggingface(folder)
    with pytest.raises(CheckpointError, match="found nothing"):
        read_huggingface(tmp_path / "not there")


class TestTorchFile:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch", reason="torch is not installed")

    def publish(self, torch, folder, dtype):
        tensors = load_file(folder / WEIGHTS)
        (folder / WEIGHTS).unlink()
        state = {name: torch.tensor(tensor).to(dtype) for name, tensor in tensors.items()}
        torch.save(state, folder / "pytorch_model.bin")

    def test_read(self, torch, folder, only):
        self.publish(torch, folder, torch.float32)
        assert_same(read_huggingface(folder).params, only("encoder", "classifier").params)

    def test_half(self, torch, folder):
        self.publish(torch, folder, torch.bfloat16)
        leaves = jax.tree.leaves(read_huggingface(folder).params)
        assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}

    def test_truncated(self, torch, folder):
        self.publish(torch, folder, torch.float32)
        path = folder / "pytorch_model.bin"
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(CheckpointError, match="truncated or holds more than tensors"):
            read_huggingface(folder)

    def test_code_in_the_pickle_does_not_run(self, torch, folder, tmp_path):
        class Evil:
            def __reduce__(self):
                return open, (str(tmp_path / "ran"), "w")

        (folder / WEIGHTS).unlink()
        torch.save({"a": Evil()}, folder / "pytorch_model.bin")
        with pytest.raises(CheckpointError, match="weights_only"):
            read_huggingface(folder)
        assert not (tmp_path / "ran").exists()


def test_without_torch(folder, monkeypatch):
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CheckpointError, match=r"biobert-jax\[torch\]"):
        read_huggingface(folder)


def test_writing_refuses_what_is_there(folder, only):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CheckpointError, match="not empty"):
        write(folder, only("encoder"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_writing_into_an_empty_folder(tmp_path, only):
    (tmp_path / "model").mkdir()
    write(tmp_path / "model", only("encoder"))
    assert_same(read_huggingface(tmp_path / "model").params, only("encoder").params)


def test_a_failed_write_leaves_nothing(tmp_path, only):
    """The weights hit a limit on the size of files; the small files before them fit."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(CheckpointError, match="bytes cannot be written"):
            write(tmp_path / "model", only("encoder"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_writing_checks_its_arguments(tmp_path, only):
    wrong = dataclasses.replace(only("encoder", "classifier"), labels=["O"])
    with pytest.raises(CheckpointError, match="1 labels for a classifier of 3"):
        write(tmp_path / "model", wrong)
    wrong = only("encoder")
    with pytest.raises(CheckpointError, match="31 vocabulary entries"):
        write(tmp_path / "model", dataclasses.replace(wrong, vocabulary=wrong.vocabulary + ["x"]))
    assert list(tmp_path.iterdir()) == []


def test_bfloat16_parameters_are_written_as_they_are(tmp_path, only):
    narrow = only("encoder")
    params = jax.tree.map(lambda leaf: leaf.astype(ml_dtypes.bfloat16), narrow.params)
    write(tmp_path / "model", dataclasses.replace(narrow, params=params))
    tensors = load_file(tmp_path / "model" / WEIGHTS)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(ml_dtypes.bfloat16)}
    assert tensors.keys() == {
        name.removeprefix("bert.") for name in layout.to_tensors(narrow.params, narrow.config)
    }
