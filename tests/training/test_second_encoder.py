"""An encoder and a tokenizer of other kinds go through the same heads, packing and loop.

Rotary positions instead of position embeddings, RMS norms before instead of after, gated units,
parameters that are not stacked; and bytes for tokens. The product has neither: what stands here is
all that a second encoder needs.
"""

import dataclasses
import json
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.configuration.defaults import defaults
from biobert_jax.datasets.conll import Sentence
from biobert_jax.errors import CheckpointError
from biobert_jax.input.packing import lay_out, take_apart
from biobert_jax.interop.checkpoint import TOKENIZERS
from biobert_jax.interop.workdir import read_workdir
from biobert_jax.models.attention import attend
from biobert_jax.models.config import Compute
from biobert_jax.models.encoders import ENCODERS, Kind
from biobert_jax.models.heads import TokenClassifier
from biobert_jax.tasks import cards
from biobert_jax.tasks.ner import NerCard, NerTask, Windowing
from biobert_jax.text.tokenizer import Encoding
from biobert_jax.training.run import train_and_evaluate
from biobert_jax.training.saved import read_card


@dataclasses.dataclass(frozen=True)
class RotaryConfig:
    model_type: ClassVar[str] = "rotary"
    vocab_size: int = 259
    hidden_size: int = 32
    num_hidden_layers: int = 1
    num_attention_heads: int = 2
    max_position_embeddings: int = 64
    hidden_act: str = "gelu"
    initializer_range: float = 0.1
    layer_norm_eps: float = 1e-6

    @classmethod
    def from_dict(cls, values):
        return cls(**{name: value for name, value in values.items() if name != "model_type"})

    def to_dict(self):
        return dataclasses.asdict(self)


def rotate(x: jax.Array, positions: jax.Array) -> jax.Array:
    """Turns pairs of the last axis of [B, S, H, Dh] by angles that grow with the position."""
    half = x.shape[-1] // 2
    angles = positions[..., None, None] / 10_000 ** (jnp.arange(half) / half)
    first, second = x[..., :half], x[..., half:]
    sine, cosine = jnp.sin(angles), jnp.cos(angles)
    return jnp.concatenate([first * cosine - second * sine, first * sine + second * cosine], -1)


class RotaryLayer(nn.Module):
    config: RotaryConfig

    @nn.compact
    def __call__(self, x, batch):
        heads = self.config.num_attention_heads
        size = self.config.hidden_size // heads
        y = nn.RMSNorm(name="attention_norm")(x)
        q, k, v = (
            nn.DenseGeneral((heads, size), use_bias=False, name=name)(y)
            for name in ("query", "key", "value")
        )
        positions = batch["position_ids"]
        y = attend(rotate(q, positions), rotate(k, positions), v, batch["segment_ids"])
        x = x + nn.DenseGeneral(x.shape[-1], axis=(-2, -1), use_bias=False, name="output")(y)
        y = nn.RMSNorm(name="mlp_norm")(x)
        y = nn.silu(nn.Dense(64, name="gate")(y)) * nn.Dense(64, name="up")(y)
        return x + nn.Dense(x.shape[-1], name="down")(y)


class RotaryEncoder(nn.Module):
    config: RotaryConfig
    compute: Compute = Compute()

    def setup(self):
        self.tokens = nn.Embed(self.config.vocab_size, self.config.hidden_size)
        self.layers = [RotaryLayer(self.config) for _ in range(self.config.num_hidden_layers)]
        self.norm = nn.RMSNorm()

    def __call__(self, batch, deterministic=True):
        x = self.tokens(batch["input_ids"])
        for layer in self.layers:
            x = layer(x, batch)
        return self.norm(x)

    def word_embeddings(self):
        return self.tokens.embedding


class ByteTokenizer:
    """A token per byte of UTF-8, after three of its own."""

    pad_id, cls_id, sep_id = 0, 1, 2
    lowercase = False
    vocabulary: list[str] = ["<pad>", "<s>", "</s>", *map(chr, range(256))]  # noqa: RUF012
    vocab_size = len(vocabulary)

    def encode_batch(self, texts: list[str]) -> list[Encoding]:
        raise NotImplementedError("sentences of words are all that this test has")

    def encode_words_batch(self, batch: Any) -> list[Encoding]:
        return [self._encode(words) for words in batch]

    def _encode(self, words: list[str]) -> Encoding:
        pieces = [word.encode() for word in words]
        ids = np.frombuffer(b"".join(pieces), np.uint8).astype(np.int32) + 3
        lengths = list(map(len, pieces))
        word_ids = np.repeat(np.arange(len(words), dtype=np.int32), lengths)
        starts = np.concatenate([np.arange(length) for length in lengths])
        return Encoding(ids, word_ids, np.stack([starts, starts + 1], 1).astype(np.int32))


def sentences(count, seed):
    """Words in capitals are entities."""
    rng = np.random.default_rng(seed)
    names, others = ["TNF", "BRCA", "IL"], ["binds", "the", "of", "cell", "in"]
    out = []
    for _ in range(count):
        entity = rng.integers(0, 2, rng.integers(3, 7))
        words = [str(rng.choice(names if one else others)) for one in entity]
        out.append(Sentence(tuple(words), tuple("B-Gene" if one else "O" for one in entity), 1))
    return out


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setitem(ENCODERS, "rotary", Kind(RotaryConfig, RotaryEncoder))
    sizes, tokenizer, labels = RotaryConfig(), ByteTokenizer(), ["O", "B-Gene"]
    windows = Windowing(max_length=32, overlap=8)
    card = NerCard(
        architecture=sizes,
        vocabulary=tokenizer.vocabulary,
        lowercase=tokenizer.lowercase,
        labels=labels,
        windows=windows,
    )
    model = TokenClassifier(sizes, num_labels=len(labels), classifier_dropout=0.0)
    splits = {"train": sentences(24, 0), "validation": sentences(8, 1)}
    return NerTask(splits, labels, tokenizer, model, windows, card)


@pytest.mark.slow
def test_it_trains_and_its_card_brings_it_back(task, tmp_path, monkeypatch):
    config = defaults()
    config.mesh.rules = ((".", ()),)  # replicated: the usual rules name BERT's arrays
    config.batch.update(row_length=64, max_sequences=8, sequences=8, eval_rows=4)
    config.train.epochs = 10
    config.optimizer.update(name="adamw", learning_rate=1e-2)
    config.checkpoint.every = 0
    config.log_every = 3
    results = train_and_evaluate(config, task, tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text("utf-8").splitlines()
    losses = [line["loss"] for line in map(json.loads, lines) if "loss" in line]
    assert losses[-1] < 0.2 * losses[0]
    assert results["validation"]["f1"] > 90

    values, params, _ = read_card(tmp_path)
    assert cards.read("here", values) == task.card
    with pytest.raises(CheckpointError, match="no tokenizer is known for the encoder 'rotary'"):
        read_workdir(tmp_path).make_tokenizer()
    monkeypatch.setitem(TOKENIZERS, "rotary", lambda vocabulary, lowercase: ByteTokenizer())
    assert isinstance(read_workdir(tmp_path).make_tokenizer(), ByteTokenizer)
    assert "position_embeddings" not in str(jax.tree.structure(params))


def test_packed_and_unpacked_rows_give_the_same_tags(task):
    found = task.examples("train")[:4]
    layouts = [[np.arange(4)], [np.array([i]) for i in range(4)]]
    packed, unpacked = (
        lay_out(found, rows, task.features, 128, max(map(len, rows))) for rows in layouts
    )
    params = task.model.init(jax.random.key(0), packed)
    together, alone = (
        take_apart(np.asarray(task.model.apply(params, batch)["logits"]), batch, "token")
        for batch in (packed, unpacked)
    )
    assert len(alone) == 4
    for index, expected in alone.items():
        np.testing.assert_allclose(together[index], expected, atol=1e-5)
