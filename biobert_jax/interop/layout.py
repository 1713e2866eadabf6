"""Where each tensor of a published BERT lives in our parameters: one table, read both ways.

Published checkpoints hold one matrix per layer and per projection. Ours stack the layers on a
leading axis and keep query, key and value in one kernel with the heads apart (see `leaf_shapes`).
Every row of the table (`places`) names a published tensor and the slice of our leaf that it fills,
so reading, writing, checking shapes and comparing gradients all walk the same list.

The names here are canonical: Hugging Face's, with `bert.` before the encoder and the pooler.
"""

import functools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from operator import getitem
from typing import Any, NamedTuple

import numpy as np

from biobert_jax.models.config import BertConfig
from biobert_jax.models.protocol import EncoderConfig

Params = dict[str, Any]
Path = tuple[str, ...]
Shape = tuple[int, ...]

HEADS = ("pooler", "mlm", "nsp", "classifier", "span")
"""The groups of parameters beside `encoder` that a checkpoint may hold."""


class Place(NamedTuple):
    """One published tensor and its slice of our parameters."""

    name: str
    """Canonical name, as `bert.encoder.layer.0.output.dense.weight`."""
    shape: Shape
    """Published shape; a dense layer's weight is [out, in]."""
    path: Path
    """Our leaf, as ("encoder", "layers", "mlp", "output", "kernel")."""
    index: tuple[int | slice, ...]
    """The slice of the leaf that the tensor fills."""
    transposed: bool
    """Whether the published tensor is a weight [out, in] where ours is a kernel [in, out]."""


def _dense(name: str, sizes: tuple[int, int], path: Path, index: tuple = ()) -> Iterator[Place]:
    inputs, outputs = sizes
    yield Place(f"{name}.weight", (outputs, inputs), (*path, "kernel"), index, True)
    # Between the layer and the projection, a kernel has its input axis and a bias has none.
    bias_index = tuple(i for i in index if not isinstance(i, slice))
    yield Place(f"{name}.bias", (outputs,), (*path, "bias"), bias_index, False)


def _norm(name: str, size: int, path: Path, index: tuple = ()) -> Iterator[Place]:
    yield Place(f"{name}.weight", (size,), (*path, "scale"), index, False)
    yield Place(f"{name}.bias", (size,), (*path, "bias"), index, False)


def _bert(config: BertConfig) -> Iterator[Place]:
    d, i = config.hidden_size, config.intermediate_size
    path, name = ("encoder", "embeddings"), "bert.embeddings"
    for table, rows in (
        ("word_embeddings", config.vocab_size),
        ("position_embeddings", config.max_position_embeddings),
        ("token_type_embeddings", config.type_vocab_size),
    ):
        yield Place(f"{name}.{table}.weight", (rows, d), (*path, table, "embedding"), (), False)
    yield from _norm(f"{name}.LayerNorm", d, (*path, "layer_norm"))

    attention, mlp = ("encoder", "layers", "attention"), ("encoder", "layers", "mlp")
    for layer in range(config.num_hidden_layers):
        name = f"bert.encoder.layer.{layer}"
        for which, projection in enumerate(("query", "key", "value")):
            index = (layer, slice(None), which)
            yield from _dense(
                f"{name}.attention.self.{projection}", (d, d), (*attention, "qkv"), index
            )
        yield from _dense(
            f"{name}.attention.output.dense", (d, d), (*attention, "output"), (layer,)
        )
        norm = (*attention, "layer_norm")
        yield from _norm(f"{name}.attention.output.LayerNorm", d, norm, (layer,))
        yield from _dense(f"{name}.intermediate.dense", (d, i), (*mlp, "intermediate"), (layer,))
        yield from _dense(f"{name}.output.dense", (i, d), (*mlp, "output"), (layer,))
        yield from _norm(f"{name}.output.LayerNorm", d, (*mlp, "layer_norm"), (layer,))


ENCODERS: dict[str, Callable[[Any], Iterator[Place]]] = {"bert": _bert}
"""The table of each encoder that published checkpoints are read of and written for, by
`model_type`."""


def places(config: EncoderConfig, group: str, num_labels: int = 0) -> Iterator[Place]:
    """The rows of the table for one group: `encoder` or one of `HEADS`.

    `num_labels` is the width of the `classifier`; the other groups do not look at it.
    """
    d = config.hidden_size
    match group:
        case "encoder":
            yield from ENCODERS[config.model_type](config)
        case "pooler":
            yield from _dense("bert.pooler.dense", (d, d), ("pooler",))
        case "mlm":
            name = "cls.predictions"
            yield from _dense(f"{name}.transform.dense", (d, d), ("mlm", "transform"))
            yield from _norm(f"{name}.transform.LayerNorm", d, ("mlm", "layer_norm"))
            yield Place(f"{name}.bias", (config.vocab_size,), ("mlm", "bias"), (), False)
        case "nsp":
            yield from _dense("cls.seq_relationship", (d, 2), ("nsp",))
        case "classifier":
            yield from _dense("classifier", (d, num_labels), ("classifier",))
        case "span":
            yield from _dense("qa_outputs", (d, 2), ("span",))
        case _:
            raise ValueError(f"no parameters are called {group!r}")


def present(
    config: EncoderConfig, names: Container[str], num_labels: int = 0
) -> dict[str, list[Place]]:
    """The table for the encoder and for each head of which at least one tensor is in `names`."""
    rows = {group: list(places(config, group, num_labels)) for group in ("encoder", *HEADS)}
    return {
        group: table
        for group, table in rows.items()
        if group == "encoder" or any(place.name in names for place in table)
    }


def leaf_shapes(config: Any, num_labels: int = 0) -> dict[Path, Shape]:
    """The shape of every leaf of every group, by its path.

    L layers are stacked on the leading axis; D is hidden_size, H heads of D/H, I intermediate_size:
    `qkv` kernel [L, D, 3, H, D/H] in the order query, key, value, attention `output` kernel
    [L, H, D/H, D], MLP kernels [L, D, I] and [L, I, D].
    """
    layers, d = config.num_hidden_layers, config.hidden_size
    heads = (config.num_attention_heads, d // config.num_attention_heads)
    attention = ("encoder", "layers", "attention")
    reshaped: dict[Path, Shape] = {
        (*attention, "qkv", "kernel"): (layers, d, 3, *heads),
        (*attention, "qkv", "bias"): (layers, 3, *heads),
        (*attention, "output", "kernel"): (layers, *heads, d),
    }
    shapes: dict[Path, Shape] = {}
    for group in ("encoder", *HEADS):
        for place in places(config, group, num_labels):
            published = place.shape[::-1] if place.transposed else place.shape
            stacked = (layers, *published) if place.path[1] == "layers" else published
            shapes[place.path] = reshaped.get(place.path, stacked)
    return shapes


def to_params(
    tensors: Mapping[str, np.ndarray], config: EncoderConfig, groups: Iterable[str]
) -> Params:
    """Our float32 parameters of the `groups`, from published tensors whose shapes were checked."""
    num_labels = len(tensors["classifier.bias"]) if "classifier" in groups else 0
    shapes = leaf_shapes(config, num_labels)
    params: Params = {}
    for group in groups:
        for place in places(config, group, num_labels):
            node = params
            for key in place.path[:-1]:
                node = node.setdefault(key, {})
            if place.path[-1] not in node:
                node[place.path[-1]] = np.empty(shapes[place.path], np.float32)
            leaf = node[place.path[-1]]
            tensor = tensors[place.name].T if place.transposed else tensors[place.name]
            leaf[place.index] = tensor.reshape(leaf[place.index].shape)
    return params


def to_tensors(params: Params, config: EncoderConfig) -> dict[str, np.ndarray]:
    """The published tensors, in C order, of whatever groups `params` holds: `to_params` undone.

    Each tensor keeps the dtype of its leaf. The MLM decoder is tied to the word embeddings and
    appears under no name of its own.
    """
    num_labels = len(params["classifier"]["bias"]) if "classifier" in params else 0
    leaves: dict[Path, np.ndarray] = {}  # each comes from its device once
    tensors = {}
    for group in params:
        for place in places(config, group, num_labels):
            if place.path not in leaves:
                leaves[place.path] = np.asarray(functools.reduce(getitem, place.path, params))
            tensor = leaves[place.path][place.index]
            shape = place.shape[::-1] if place.transposed else place.shape
            tensor = tensor.reshape(shape)
            # safetensors writes the buffer in memory order: a transposed view would come out wrong.
            tensors[place.name] = np.ascontiguousarray(tensor.T if place.transposed else tensor)
    return tensors
