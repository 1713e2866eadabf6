"""Hugging Face folders in and out."""

import logging
import os
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from biobert_jax.errors import CheckpointError, WriteError, at
from biobert_jax.files import local, new_folder, to_path, write_json, write_text
from biobert_jax.interop import layout
from biobert_jax.interop.checkpoint import (
    Checkpoint,
    check_tensors,
    check_values,
    check_vocabulary,
    listed,
)
from biobert_jax.interop.exported_card import card_for_export, read_exported_card
from biobert_jax.interop.layout import Params
from biobert_jax.interop.tensor_files import FILES, find_weights, read_tensors
from biobert_jax.interop.tokenizer_files import json_object, read_casing, read_vocabulary
from biobert_jax.models import encoders
from biobert_jax.models.config import BertConfig
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.tasks.cards import Card

logger = logging.getLogger(__name__)

_WORDS = "embeddings.word_embeddings.weight"
_PARTS = ("embeddings", "encoder", "pooler")
_BUFFERS = ("position_ids", "token_type_ids")
_SPECIAL_TOKENS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_TOKENS = "BertForTokenClassification"
_DECODER = "cls.predictions.decoder"


def read_huggingface(folder: str | os.PathLike[str]) -> Checkpoint:
    """Reads a folder with config.json, weights and vocabulary, as transformers saves it.

    Takes model.safetensors or pytorch_model.bin (the `torch` extra), whole or sharded; tensor names
    with any prefix (`bert.`, `module.bert.`, none as sentence-transformers has them) and the old
    `gamma`/`beta`; half precision, which becomes float32; vocab.txt or, without it, tokenizer.json.
    Casing is that of tokenizer_config.json or tokenizer.json, else what the vocabulary shows.

    Heads that BERT's tasks know (pooler, MLM, NSP, classifier, span) travel along; others are named
    in the log. So is an MLM head whose decoder is not tied to the word embeddings: ours always is.
    The unused pooler that older token classifiers were saved with is left out.

    Raises:
      CheckpointError: a file is missing or damaged; an encoder tensor, or part of a known head, is
        missing, extra or misshapen; the vocabulary or the labels do not match the matrices.
    """
    given, folder = folder, local(folder)
    config_path, weights = folder / "config.json", find_weights(folder)
    if not config_path.is_file() or weights is None:
        found = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
        raise CheckpointError(
            f"{at(folder)}: not a Hugging Face model folder; expected config.json and one of "
            f"{', '.join(FILES)}, found {listed(found) or 'nothing'}"
        )
    config = _read_sizes(config_path)
    params = _checked_params(weights, read_tensors(weights), config)
    if params.keys() >= {"classifier", "pooler"} and _architecture(config_path) == _TOKENS:
        del params["pooler"]
    vocabulary = read_vocabulary(folder)
    check_vocabulary(folder, vocabulary, config.vocab_size)
    labels = None
    if "classifier" in params:
        labels = _labels(config_path, len(params["classifier"]["bias"]))
    lowercase = read_casing(folder, vocabulary)
    card = read_exported_card(
        config_path,
        architecture=config,
        vocabulary=vocabulary,
        lowercase=lowercase,
        labels=labels,
    )
    return Checkpoint(config, params, vocabulary, lowercase, labels, os.fspath(given), card)


def _read_sizes(path: Path) -> EncoderConfig:
    values = json_object(path)
    kind = values.get("model_type")
    if kind not in encoders.ENCODERS.keys() - {BertConfig.model_type}:
        return BertConfig.from_json_file(path)
    try:
        return encoders.config_from_dict(values)
    except CheckpointError as error:
        raise CheckpointError(f"{at(path)}: {error}. Copy the file again") from error


def _canonical_names(where: Path, names: Iterable[str]) -> tuple[dict[str, str], str]:
    """Finds `interop.layout`'s name for each name of a file.

    Returns:
      The file's names by canonical name, without buffers; and the encoder's prefix in the file.
    """
    names = list(names)
    prefixes = [name.removesuffix(_WORDS) for name in names if name.endswith(_WORDS)]
    if len(prefixes) != 1:
        raise CheckpointError(
            f"{at(where)}: expected the tensors of one BERT encoder, one of them ending in "
            f"{_WORDS}; found {len(prefixes)} such among {listed(prefixes or names)}"
        )
    (prefix,) = prefixes
    root = prefix.removesuffix("bert.")
    # Without `bert.`, only these words tell the encoder from a head beside it.
    inside = (prefix,) if prefix != root else tuple(f"{root}{part}." for part in _PARTS)
    own = {}
    for name in names:
        if name.rsplit(".", 1)[-1] in _BUFFERS:
            continue
        encoder = name.startswith(inside)
        new = "bert." + name.removeprefix(prefix) if encoder else name.removeprefix(root)
        new = new.replace("LayerNorm.gamma", "LayerNorm.weight")
        new = new.replace("LayerNorm.beta", "LayerNorm.bias")
        own[new] = name
    return own, prefix


def _checked_params(where: Path, raw: Mapping[str, np.ndarray], config: EncoderConfig) -> Params:
    own, prefix = _canonical_names(where, raw)
    tensors = _without_decoder(where, {new: raw[name] for new, name in own.items()})
    num_labels = len(tensors.get("classifier.bias", ()))
    groups = layout.present(config, tensors, num_labels)
    expected = {place.name: place.shape for table in groups.values() for place in table}

    foreign = [name for name in tensors if name not in expected and not name.startswith("bert.")]
    if foreign:
        names = listed(own[name] for name in foreign)
        logger.warning("%s: tensors of no head that is known here, left out: %s", where, names)

    def own_name(name: str) -> str:
        if name.startswith("bert."):
            return own.get(name, prefix + name.removeprefix("bert."))
        return own.get(name, prefix.removesuffix("bert.") + name)

    check_tensors(
        where,
        {own_name(name): tensors[name].shape for name in tensors if name not in foreign},
        {own_name(name): shape for name, shape in expected.items()},
    )
    check_values(where, {own_name(name): tensors[name] for name in expected})
    return layout.to_params(tensors, config, groups)


def _without_decoder(where: Path, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Drops the copies of the word embeddings and of the bias that an MLM head is saved with."""
    decoder = tensors.pop(f"{_DECODER}.weight", None)
    bias = tensors.pop(f"{_DECODER}.bias", None)
    if bias is not None:
        tensors.setdefault("cls.predictions.bias", bias)
    if decoder is None or np.array_equal(decoder, tensors[f"bert.{_WORDS}"]):
        return tensors
    logger.warning("%s: MLM head left out: its decoder is not tied to the word embeddings", where)
    return {name: t for name, t in tensors.items() if not name.startswith("cls.predictions.")}


def _architecture(config_path: Path) -> str | None:
    named = json_object(config_path).get("architectures")
    return str(named[0]) if isinstance(named, list) and named else None


def _labels(config_path: Path, outputs: int) -> list[str]:
    """The classifier's labels in order; LABEL_0, ... where the configuration names none."""
    names = json_object(config_path).get("id2label")
    if not names:
        return [f"LABEL_{i}" for i in range(outputs)]
    try:
        by_id = {int(key): str(value) for key, value in names.items()}
    except (AttributeError, ValueError) as error:
        raise CheckpointError(
            f"{at(config_path)}: id2label is {reprlib.repr(names)}; expected an object from 0, 1, "
            "... to names. Copy the file again"
        ) from error
    if sorted(by_id) != list(range(outputs)):
        raise CheckpointError(
            f"{at(config_path)}: id2label names {len(by_id)} labels, but the classifier has "
            f"{outputs} outputs; expected ids 0 to {outputs - 1}"
        )
    if len(set(by_id.values())) < outputs:
        raise CheckpointError(
            f"{at(config_path)}: id2label gives two outputs one name, of {listed(by_id.values())}; "
            "expected a name for each"
        )
    return [by_id[i] for i in range(outputs)]


def write_huggingface(
    folder: str | os.PathLike[str],
    config: EncoderConfig,
    params: Params,
    vocabulary: Sequence[str],
    lowercase: bool,
    labels: Sequence[str] | None = None,
    card: Card | None = None,
) -> None:
    """Writes a folder that transformers' Auto classes load: the same logits from the same pieces.

    config.json names the architecture that the groups in `params` make, and the labels;
    model.safetensors, vocab.txt, tokenizer_config.json and special_tokens_map.json go with it.
    transformers makes its tokenizer from these; it turns words of more than 100 characters into
    [UNK], where ours (as Google's) does so above 200.

    The folder appears complete or not at all.

    Args:
      folder: a new or empty folder.
      config: sizes.
      params: `encoder` and any of `interop.layout.HEADS`.
      vocabulary: word pieces by id, at most config.vocab_size.
      lowercase: whether text is lowercased and stripped of accents.
      labels: names of the classifier's outputs in order; None without a classifier.
      card: of the run; config.json keeps what only our `read_huggingface` knows of it.

    Raises:
      CheckpointError: the folder holds something, cannot be written (no space, no permission), or
        labels or vocabulary do not match the matrices.
    """
    folder = to_path(folder).absolute()
    if not isinstance(config, BertConfig):
        raise CheckpointError(
            f"{at(folder)}: the encoder is a {config.model_type!r}; expected a BERT, which alone "
            "has a published form here. Keep the workdir"
        )
    outputs = len(params["classifier"]["bias"]) if "classifier" in params else 0
    if len(labels or ()) != outputs:
        raise CheckpointError(
            f"{at(folder)}: {len(labels or ())} labels for a classifier of {outputs} outputs; "
            "a label is needed for each output, and none without a classifier"
        )
    check_vocabulary(folder, vocabulary, config.vocab_size)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{at(folder)}: not empty; name a new folder to write the model to")

    tensors = layout.to_tensors(params, config)
    architecture = _architecture_of(params)
    if architecture == "BertModel":
        tensors = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    try:
        with new_folder(folder, last="config.json") as partial:
            write_json(partial / "config.json", _public_config(config, architecture, labels, card))
            tokenizer = _SPECIAL_TOKENS | {
                "do_lower_case": lowercase,
                "model_max_length": config.max_position_embeddings,
                "strip_accents": None,
                "tokenize_chinese_chars": True,
                "tokenizer_class": "BertTokenizer",
            }
            write_json(partial / "tokenizer_config.json", tokenizer)
            write_json(partial / "special_tokens_map.json", _SPECIAL_TOKENS)
            write_text(partial / "vocab.txt", (f"{token}\n" for token in vocabulary))
            weights = partial / "model.safetensors"
            save_file(tensors, weights, metadata={"format": "pt"})
            # The library leaves it to its owner alone; the other files have what the umask gives.
            weights.chmod((partial / "config.json").stat().st_mode)
    except (OSError, WriteError, SafetensorError) as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise CheckpointError(
            f"{at(folder)}: the model of {size:,} bytes cannot be written ({error}); nothing was "
            "left there. Free some space, or name another folder"
        ) from error


def _architecture_of(params: Params) -> str:
    if "classifier" in params:
        return "BertForSequenceClassification" if "pooler" in params else _TOKENS
    if "span" in params:
        return "BertForQuestionAnswering"
    if "mlm" in params:
        return "BertForPreTraining" if "nsp" in params else "BertForMaskedLM"
    return "BertForNextSentencePrediction" if "nsp" in params else "BertModel"


def _public_config(
    config: BertConfig, architecture: str, labels: Sequence[str] | None, card: Card | None
) -> dict[str, Any]:
    values = {"architectures": [architecture], "model_type": "bert", **config.to_dict()}
    values |= card_for_export(card)
    if labels:
        values["id2label"] = {str(i): label for i, label in enumerate(labels)}
        values["label2id"] = {label: i for i, label in enumerate(labels)}
    return values
