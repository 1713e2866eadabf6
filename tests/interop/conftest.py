"""A small checkpoint with every head, and how to bring its parameters to other shapes."""

import dataclasses

import numpy as np
import pytest

from biobert_jax.interop import layout
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import BertConfig
from tests.support.models import tiny_config

LABELS = ["O", "B", "I"]


def make_params(config: BertConfig, groups, seed: int = 0) -> layout.Params:
    rng = np.random.default_rng(seed)
    params: layout.Params = {}
    for path, shape in layout.leaf_shapes(config, len(LABELS)).items():
        if path[0] in groups:
            node = params
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = rng.normal(size=shape).astype(np.float32)
    return params


@pytest.fixture
def config() -> BertConfig:
    """No two sizes are equal, so that none can be taken for another."""
    return tiny_config(
        30, hidden_size=12, num_attention_heads=3, intermediate_size=20, max_position_embeddings=16
    )


@pytest.fixture
def checkpoint(config) -> Checkpoint:
    """Encoder and every head; a cased vocabulary."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Gene", "##s"]
    vocabulary += [f"w{i}" for i in range(config.vocab_size - len(vocabulary))]
    params = make_params(config, ("encoder", *layout.HEADS))
    return Checkpoint(config, params, vocabulary, False, LABELS, "made up")


@pytest.fixture
def only(checkpoint):
    """The checkpoint with some of its groups."""

    def select(*groups: str) -> Checkpoint:
        params = {group: checkpoint.params[group] for group in groups}
        labels = LABELS if "classifier" in groups else None
        return dataclasses.replace(checkpoint, params=params, labels=labels)

    return select
