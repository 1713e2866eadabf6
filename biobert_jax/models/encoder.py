"""The BERT encoder over packed rows.

Post-LayerNorm, erf GELU, LayerNorm epsilon 1e-12, truncated normal 0.02: google-research/bert,
modeling.py. Parameters, LayerNorm and softmax are float32; matrix products and the activations
between them are in `dtype`.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from biobert_jax.models.activations import ACTIVATIONS
from biobert_jax.models.attention import attend
from biobert_jax.models.config import BertConfig, Compute
from biobert_jax.models.dropout import dropout
from biobert_jax.models.partitioning import constrain_rows
from biobert_jax.models.protocol import Batch, EncoderConfig

REMAT_POLICIES = {
    "none": None,  # keep everything
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,  # keep dense layers' outputs
    "full": jax.checkpoint_policies.nothing_saveable,  # keep each layer's input
}


def initializer(config: EncoderConfig) -> nn.initializers.Initializer:
    """BERT's normal of `initializer_range`, cut at two standard deviations and not rescaled."""
    return nn.initializers.truncated_normal(config.initializer_range)


class Dropout(nn.Module):
    """Dropout from the "dropout" stream of keys."""

    rate: float
    generator: str = "hash"

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool) -> jax.Array:
        if deterministic or self.rate == 0.0:
            return x
        return dropout(x, self.rate, self.make_rng("dropout"), self.generator)


def layer_norm(config: EncoderConfig, name: str | None = "layer_norm") -> nn.LayerNorm:
    """LayerNorm in float32, whatever the compute type."""
    return nn.LayerNorm(
        epsilon=config.layer_norm_eps, dtype=jnp.float32, use_fast_variance=False, name=name
    )


class Embeddings(nn.Module):
    config: BertConfig
    compute: Compute = Compute()

    def setup(self):
        config = self.config

        def table(rows: int) -> nn.Embed:
            return nn.Embed(
                rows, config.hidden_size, embedding_init=initializer(config), dtype=jnp.float32
            )

        self.word_embeddings = table(config.vocab_size)
        self.position_embeddings = table(config.max_position_embeddings)
        self.token_type_embeddings = table(config.type_vocab_size)
        self.layer_norm = layer_norm(config, name=None)
        self.dropout = Dropout(config.hidden_dropout_prob, self.compute.dropout)

    def __call__(self, batch: Batch, deterministic: bool) -> jax.Array:
        x = (
            self.word_embeddings(batch["input_ids"])
            + self.position_embeddings(batch["position_ids"])
            + self.token_type_embeddings(batch["token_type_ids"])
        )
        return self.dropout(self.layer_norm(x), deterministic).astype(self.compute.dtype)


class SelfAttention(nn.Module):
    config: BertConfig
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: jax.Array, segment_ids: jax.Array, deterministic: bool) -> jax.Array:
        config = self.config
        qkv = nn.DenseGeneral(
            (3, config.num_attention_heads, config.head_size),
            kernel_init=initializer(config),
            dtype=self.compute.dtype,
            name="qkv",
        )(x)
        rate = 0.0 if deterministic else config.attention_probs_dropout_prob
        context = attend(
            qkv[:, :, 0],
            qkv[:, :, 1],
            qkv[:, :, 2],
            segment_ids,
            dropout_rate=rate,
            dropout_rng=self.make_rng("dropout") if rate else None,
            generator=self.compute.dropout,
            implementation=self.compute.attention,
        )
        y = nn.DenseGeneral(
            config.hidden_size,
            axis=(-2, -1),
            kernel_init=initializer(config),
            dtype=self.compute.dtype,
            name="output",
        )(context)
        y = Dropout(config.hidden_dropout_prob, self.compute.dropout)(y, deterministic)
        return layer_norm(config)(x + y).astype(self.compute.dtype)


class FeedForward(nn.Module):
    config: BertConfig
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool) -> jax.Array:
        config = self.config
        init = initializer(config)
        y = nn.Dense(
            config.intermediate_size,
            kernel_init=init,
            dtype=self.compute.dtype,
            name="intermediate",
        )(x)
        y = ACTIVATIONS[config.hidden_act](y)
        y = nn.Dense(config.hidden_size, kernel_init=init, dtype=self.compute.dtype, name="output")(
            y
        )
        y = Dropout(config.hidden_dropout_prob, self.compute.dropout)(y, deterministic)
        return layer_norm(config)(x + y).astype(self.compute.dtype)


class Layer(nn.Module):
    """One transformer layer, in the form that `nn.scan` wants: carry in, carry and output out."""

    config: BertConfig
    deterministic: bool
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, x: jax.Array, segment_ids: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = SelfAttention(self.config, self.compute, name="attention")(
            x, segment_ids, self.deterministic
        )
        x = FeedForward(self.config, self.compute, name="mlp")(x, self.deterministic)
        x = constrain_rows(x)
        return x, x


class BertEncoder(nn.Module):
    """Embeddings and the stack of layers.

    Layer parameters are stacked on a leading axis [L, ...] whether the compiled program loops over
    them (`compute.unroll=1`) or is unrolled (0), so that checkpoints do not depend on it.

    Attributes:
      config: sizes.
      compute: how to compute.
    """

    config: BertConfig
    compute: Compute = Compute()

    def setup(self):
        self.embeddings = Embeddings(self.config, self.compute)

    @nn.compact
    def __call__(
        self, batch: Batch, deterministic: bool = True, hidden_states: bool = False
    ) -> Any:
        """Encodes a batch of packed rows.

        Args:
          batch: input_ids, token_type_ids, segment_ids, position_ids, each [B, S].
          deterministic: no dropout.
          hidden_states: also return every layer's output.

        Returns:
          [B, S, D], and where asked for the outputs of the layers [L, B, S, D].

        Raises:
          ValueError: a feature is missing or is not [B, S].
        """
        check_batch(batch, self.config)
        x = constrain_rows(self.embeddings(batch, deterministic))
        policy = REMAT_POLICIES[self.compute.remat]
        layer = nn.remat(Layer, prevent_cse=False, policy=policy) if policy else Layer
        layers = nn.scan(
            layer,
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=nn.broadcast,  # pyright: ignore[reportArgumentType]
            length=self.config.num_hidden_layers,
            unroll=self.compute.unroll or self.config.num_hidden_layers,
        )(self.config, deterministic, self.compute, name="layers")
        x, states = layers(x, batch["segment_ids"])
        return (x, states) if hidden_states else x

    def word_embeddings(self) -> jax.Array:
        """[V, D], float32."""
        return self.embeddings.word_embeddings.embedding


def check_batch(batch: Batch, config: BertConfig) -> None:
    """Raises ValueError, naming the feature, where a batch is not what the encoder reads."""
    for name in ("input_ids", "token_type_ids", "segment_ids", "position_ids"):
        if name not in batch:
            raise ValueError(f"the batch has no {name}; found {sorted(batch)}")
        shape = batch[name].shape
        if len(shape) != 2 or shape != batch["input_ids"].shape:
            raise ValueError(
                f"{name} must be [B, S] like input_ids {batch['input_ids'].shape}; found {shape}"
            )
