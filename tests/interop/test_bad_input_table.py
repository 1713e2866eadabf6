"""Damaged and mismatched model folders: each is refused in one line that names what is wrong.

In-process and without a model: a row takes milliseconds.
"""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from biobert_jax.errors import UserError
from biobert_jax.interop.huggingface import write_huggingface
from biobert_jax.interop.load import load_checkpoint

QUERY = "bert.encoder.layer.1.attention.self.query.weight"
WORDS = "bert.embeddings.word_embeddings.weight"


@pytest.fixture
def folder(tmp_path, checkpoint, only):
    """A token classifier."""
    made = only("encoder", "classifier")
    path = tmp_path / "model"
    write_huggingface(path, made.config, made.params, made.vocabulary, False, made.labels)
    return path


def refusal(source) -> str:
    """The message with which a checkpoint is refused: one line of bearable length."""
    with pytest.raises(UserError) as raised:
        load_checkpoint(str(source))
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


def setting(**changes):
    """Sets values of config.json."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def without(name: str):
    def change(folder: Path) -> None:
        path = folder / "config.json"
        values = json.loads(path.read_text())
        del values[name]
        path.write_text(json.dumps(values))

    return change


def holding(name: str, content: bytes | str):
    """Writes another content into a file."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def cut(name: str, share: float):
    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return change


def gone(name: str):
    return lambda folder: (folder / name).unlink()


def tensors(change):
    """Changes the tensors of model.safetensors, a dictionary, in place."""

    def changed(folder: Path) -> None:
        path = folder / "model.safetensors"
        values = load_file(path)
        change(values)
        save_file(values, path)

    return changed


def put(name: str, make):
    return tensors(lambda values: values.update({name: make(values[name])}))


def one_nan(array):
    return np.where(np.arange(array.size).reshape(array.shape) == 7, np.nan, array).astype("f4")


CONFIGS = [
    (cut("config.json", 0.5), "the JSON ends in the middle"),
    (holding("config.json", ""), "config.json"),
    (holding("config.json", "[]"), "expected a JSON object, found list"),
    (holding("config.json", b"\x80\x81"), "not UTF-8"),
    (holding("config.json", "[" * 100_000), "nested too deeply"),
    (holding("config.json", '{"hidden_size": 12, "hidden_size": 24}'), "'hidden_size' twice"),
    (without("hidden_size"), "no hidden_size"),
    (setting(layer_norm_eps=float("nan")), "found NaN"),
    (setting(num_hidden_layers=10**9), "num_hidden_layers is 1000000000; expected an integer from"),
    (setting(num_hidden_layers=0), "num_hidden_layers is 0"),
    (setting(num_hidden_layers="2"), "num_hidden_layers is '2'"),
    (setting(num_hidden_layers=2.5), "num_hidden_layers is 2.5"),
    (setting(num_hidden_layers=True), "num_hidden_layers is True"),
    (setting(num_hidden_layers=None), "num_hidden_layers is None"),
    (setting(num_hidden_layers=3), "missing: bert.encoder.layer.2."),
    (setting(num_attention_heads=0), "num_attention_heads is 0"),
    (setting(num_attention_heads=5), "hidden_size 12 is not a multiple of num_attention_heads 5"),
    (setting(hidden_size=-12), "hidden_size is -12"),
    (setting(hidden_size=10**12), "hidden_size is 1000000000000"),
    (setting(hidden_size=24), "misshapen: bert."),
    (setting(vocab_size=[30]), "vocab_size is [30]"),
    (setting(intermediate_size=10**8), "intermediate_size is 100000000"),
    (setting(max_position_embeddings=10**9), "max_position_embeddings is 1000000000"),
    (setting(type_vocab_size={}), "type_vocab_size is {}"),
    (setting(hidden_act="swish"), "hidden_act is 'swish'; expected one of gelu"),
    (setting(hidden_act=["gelu"]), "hidden_act is ['gelu']"),
    (setting(hidden_dropout_prob=2), "hidden_dropout_prob is 2; expected a number from 0"),
    (setting(attention_probs_dropout_prob="0.1"), "attention_probs_dropout_prob is '0.1'"),
    (setting(pad_token_id=30), "pad_token_id is 30; expected an id below vocab_size 30"),
    (setting(model_type="roberta"), "model_type 'roberta'"),
    (setting(position_embedding_type="relative_key"), "'relative_key' positions"),
    (setting(id2label={"0": "O", "1": "B", "2": "B"}), "two outputs one name"),
    (setting(id2label={"0": "O"}), "names 1 labels, but the classifier has 3"),
    (setting(id2label={"a": "O"}), "expected an object from 0, 1"),
    (setting(id2label=7), "expected an object from 0, 1"),
]

WEIGHTS = [
    (holding("model.safetensors", b""), "truncated: 0 bytes"),
    (cut("model.safetensors", 0.5), "truncated: "),
    (holding("model.safetensors", struct.pack("<Q", 2**62) + b"{}"), "truncated: 10 bytes"),
    (holding("model.safetensors", struct.pack("<Q", 9) + b"no header"), "the header is not"),
    (
        holding("model.safetensors", struct.pack("<Q", 200_000) + b"[" * 200_000),
        "the header is not that of a safetensors file",
    ),
    (holding("model.safetensors", "version https://git-lfs.github.com/spec/v1"), "Git LFS pointer"),
    (holding("model.safetensors", b"PK\x03\x04" + bytes(2000)), "model.safetensors"),
    (gone("model.safetensors"), "names no checkpoint (a folder with config.json"),
    (put(QUERY, one_nan), f"{QUERY} (1 of 144 values are NaN or infinite)"),
    (
        put(WORDS, lambda a: np.full_like(a, np.inf)),
        f"{WORDS} (360 of 360 values are NaN",
    ),
    (put("classifier.bias", lambda a: a * np.float32("nan")), "classifier.bias (3 of 3 values"),
    (put(QUERY, lambda a: a.astype(np.int64)), f"{QUERY} (type int64)"),
    (put(QUERY, lambda a: a.astype(np.int8)), f"{QUERY} (type int8)"),
    (put(QUERY, lambda a: a > 0), f"{QUERY} (type bool)"),
    (put(QUERY, lambda a: a.astype(np.float64) + 1e300), "144 of 144 values are NaN or infinite"),
    (
        put(QUERY, lambda a: a[:, :4].copy()),
        f"{QUERY} (expected [12, 12], found [12, 4])",
    ),
    (tensors(lambda values: values.pop(QUERY)), f"missing: {QUERY} [12, 12]"),
    (tensors(dict.clear), "found 0 such"),
    (
        tensors(lambda values: values.update({"x.embeddings.word_embeddings.weight": np.ones(3)})),
        "found 2 such",
    ),
    (holding("model.safetensors.index.json", "{}"), None),  # beside whole weights: not read
]

SHARDS = [
    ("", "no index of shards"),
    ("{}", "no index of shards"),
    ('{"weight_map": []}', "no index of shards"),
    ('{"weight_map": {"a": 7}}', "no index of shards"),
    ('{"weight_map": {"a": "../secret.safetensors"}}', "no index of shards"),
    ('{"weight_map": {"a": "model-1.safetensors"}}', "of which model-1.safetensors is not in the"),
]

VOCABULARIES = [
    (holding("vocab.txt", ""), "no tokens"),
    (holding("vocab.txt", b"[PAD]\n\xff\n"), "not UTF-8"),
    (holding("vocab.txt", "[PAD]\n\n[UNK]\n"), "blank line"),
    (holding("vocab.txt", "[PAD]\n[UNK]\n[UNK]\n"), "vocab.txt:3"),
    (holding("vocab.txt", "[PAD]\n[UNK]\n[SEP]\n[MASK]\n"), "[CLS]"),
    (cut("vocab.txt", 0.9), "vocabulary entries, but the embedding matrix has 30 rows"),
    (gone("vocab.txt"), "neither vocab.txt nor tokenizer.json"),
    (holding("tokenizer_config.json", '{"do_lower_case": '), "tokenizer_config.json"),
    (holding("tokenizer_config.json", "[]"), "expected a JSON object"),
    (holding("tokenizer_config.json", '{"do_lower_case": "false"}'), "lower-cased is 'false'"),
]

TOKENIZERS = [
    ('{"model": ', "the JSON ends in the middle"),
    ('{"model": []}', "tokenizer.json"),
    ('{"model": "WordPiece"}', "no vocabulary could be read from it"),
    ('{"model": {"type": "BPE", "vocab": {"a": 0}}}', "model type 'BPE'"),
    ('{"model": {"type": "WordPiece", "vocab": {"a": 1}}}', "count from 0 without gaps"),
    ('{"model": {"type": "WordPiece", "vocab": {"a": "0", "b": 1}}}', "no vocabulary"),
    ('{"model": {"type": "WordPiece", "vocab": {"a": 0}}}', "lacks [PAD], [UNK]"),
    ('{"model": {"type": "WordPiece", "vocab": {"a": 0}}, "added_tokens": [7]}', "no vocabulary"),
]


@pytest.mark.parametrize(("change", "words"), [*CONFIGS, *WEIGHTS, *VOCABULARIES])
def test_a_damaged_folder(folder, change, words):
    change(folder)
    if words is None:
        assert load_checkpoint(str(folder)) is not None
        return
    message = refusal(folder)
    assert words in message
    assert message.startswith(str(folder))


@pytest.mark.parametrize(("index", "words"), SHARDS)
def test_a_damaged_index_of_shards(folder, index, words):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index)
    assert words in refusal(folder)


@pytest.mark.parametrize(("tokenizer", "words"), TOKENIZERS)
def test_a_damaged_tokenizer(folder, tokenizer, words):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(tokenizer)
    message = refusal(folder)
    assert words in message
    assert str(folder / "tokenizer.json") in message


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00.", b"cos\nsystem\n(S'touch owned'\ntR."])
def test_a_damaged_pytorch_file(folder, content, monkeypatch):
    """With torch it is refused as it is read, without as it cannot be; either way nothing runs."""
    monkeypatch.chdir(folder.parent)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    assert str(folder / "pytorch_model.bin") in refusal(folder)
    assert not (folder.parent / "owned").exists()


@pytest.mark.parametrize(
    "source",
    ["", "~nobody-of-that-name/x", "x" * 300, "hf://", "hf://a/b/c", "hf://../x", "nul\0l"],
)
def test_a_name_that_leads_nowhere(source, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refusal(source)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: None, "missing: model.ckpt.data-00000-of-00001"),
        (holding("model.ckpt.data-00000-of-00001", b""), "expected bert_config.json beside"),
    ],
)
def test_a_tensorflow_checkpoint_without_its_files(folder, change, words):
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()
    (folder / "model.ckpt.index").write_bytes(b"")
    change(folder)
    assert words in refusal(folder / "model.ckpt")


def test_the_folder_is_good_to_begin_with(folder):
    """Else every row above would pass for another reason."""
    assert load_checkpoint(str(folder)).labels == ["O", "B", "I"]
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    modes = {path.name: path.stat().st_mode & 0o777 for path in copy.iterdir()}
    assert len(set(modes.values())) == 1, modes
