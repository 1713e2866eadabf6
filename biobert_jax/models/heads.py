"""What tasks put on the encoder: one model class per kind of output.

Every model is called as `model.apply({"params": params}, batch, deterministic=...)` and returns a
dict of float32 arrays. Parameters are grouped by role: `encoder`, `pooler`, `mlm`, `nsp`,
`classifier`, `span`; two models share a group exactly when both have it.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from biobert_jax.models.activations import ACTIVATIONS
from biobert_jax.models.config import Compute
from biobert_jax.models.encoder import (
    Dropout,
    initializer,
    layer_norm,
)
from biobert_jax.models.encoders import make_encoder
from biobert_jax.models.protocol import Batch, Encoder, EncoderConfig


def gather_positions(x: jax.Array, positions: jax.Array) -> jax.Array:
    """Picks positions [B, M] out of x [B, S, D]: [B, M, D]."""
    return jnp.take_along_axis(x, positions[..., None], axis=1)


def _dense(config: EncoderConfig, features: int, dtype: Any) -> nn.Dense:
    return nn.Dense(features, kernel_init=initializer(config), dtype=dtype)


class _Model(nn.Module):
    """What all models have: the sizes, and how to compute."""

    config: EncoderConfig
    compute: Compute = Compute()

    def make_encoder(self) -> Encoder:
        return make_encoder(self.config, self.compute)


class Pooler(nn.Module):
    """tanh of a dense layer on each sequence's [CLS]."""

    config: EncoderConfig
    dtype: str = "float32"

    @nn.compact
    def __call__(self, hidden: jax.Array, cls_positions: jax.Array) -> jax.Array:
        kernel = self.param(
            "kernel", initializer(self.config), (hidden.shape[-1], self.config.hidden_size)
        )
        bias = self.param("bias", nn.initializers.zeros, (self.config.hidden_size,))
        first = gather_positions(hidden, cls_positions).astype(self.dtype)
        pooled = jnp.dot(first, kernel.astype(self.dtype)) + bias.astype(self.dtype)
        return jnp.tanh(pooled.astype(jnp.float32))


class MaskedLanguageModel(nn.Module):
    """Dense, GELU, LayerNorm, then the word embeddings as decoder with a bias of its own."""

    config: EncoderConfig
    dtype: str = "float32"

    def setup(self):
        self.transform = _dense(self.config, self.config.hidden_size, self.dtype)
        self.layer_norm = layer_norm(self.config, name=None)
        self.bias = self.param("bias", nn.initializers.zeros, (self.config.vocab_size,))

    def __call__(self, hidden: jax.Array, word_embeddings: jax.Array) -> jax.Array:
        x = ACTIVATIONS[self.config.hidden_act](self.transform(hidden))
        x = self.layer_norm(x).astype(self.dtype)
        logits = jnp.einsum(
            "bmd,vd->bmv", x, word_embeddings.astype(self.dtype), preferred_element_type=jnp.float32
        )
        return logits + self.bias


class PretrainingModel(_Model):
    """Masked language model and next sentence prediction.

    Reads masked_lm_positions [B, M] and cls_positions [B, N]; without masked_lm_positions every
    position is projected. Returns mlm_logits [B, M, V] and nsp_logits [B, N, 2].
    """

    def setup(self):
        self.encoder = self.make_encoder()
        self.pooler = Pooler(self.config, self.compute.dtype)
        self.mlm = MaskedLanguageModel(self.config, self.compute.dtype)
        self.nsp = _dense(self.config, 2, jnp.float32)

    def __call__(self, batch: Batch, deterministic: bool = True) -> dict[str, jax.Array]:
        hidden = self.encoder(batch, deterministic)
        masked = hidden
        if "masked_lm_positions" in batch:
            masked = gather_positions(hidden, batch["masked_lm_positions"])
        return {
            "mlm_logits": self.mlm(masked, self.encoder.word_embeddings()),
            "nsp_logits": self.nsp(self.pooler(hidden, batch["cls_positions"])),
        }


class TokenClassifier(_Model):
    """A label a token: logits [B, S, num_labels]. `classifier_dropout` as in run_ner.py."""

    num_labels: int = 2
    classifier_dropout: float = 0.1

    def setup(self):
        self.encoder = self.make_encoder()
        self.dropout = Dropout(self.classifier_dropout, self.compute.dropout)
        self.classifier = _dense(self.config, self.num_labels, self.compute.dtype)

    def __call__(self, batch: Batch, deterministic: bool = True) -> dict[str, jax.Array]:
        hidden = self.dropout(self.encoder(batch, deterministic), deterministic)
        return {"logits": self.classifier(hidden).astype(jnp.float32)}


class SequenceClassifier(_Model):
    """A label a sequence, from its [CLS]: logits [B, N, num_labels] at cls_positions [B, N]."""

    num_labels: int = 2
    classifier_dropout: float = 0.1

    def setup(self):
        self.encoder = self.make_encoder()
        self.pooler = Pooler(self.config, self.compute.dtype)
        self.dropout = Dropout(self.classifier_dropout, self.compute.dropout)
        self.classifier = _dense(self.config, self.num_labels, jnp.float32)

    def __call__(self, batch: Batch, deterministic: bool = True) -> dict[str, jax.Array]:
        pooled = self.pooler(self.encoder(batch, deterministic), batch["cls_positions"])
        return {"logits": self.classifier(self.dropout(pooled, deterministic))}


class SpanClassifier(_Model):
    """Start and end of an answer: start_logits and end_logits, each [B, S]."""

    def setup(self):
        self.encoder = self.make_encoder()
        self.span = _dense(self.config, 2, self.compute.dtype)

    def __call__(self, batch: Batch, deterministic: bool = True) -> dict[str, jax.Array]:
        logits = self.span(self.encoder(batch, deterministic)).astype(jnp.float32)
        return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}
