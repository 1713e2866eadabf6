"""Self-attention within the sequences of a packed row."""

import jax
import jax.numpy as jnp

from biobert_jax.models.dropout import dropout

# What BERT adds to masked logits. Finite, so that a row of padding alone gives no NaN.
MASKED = -10_000.0


def segment_mask(segment_ids: jax.Array) -> jax.Array:
    """Which position may attend to which: equal, non-zero segments.

    Args:
      segment_ids: [B, S], the number of each position's sequence in its row; 0 is padding.

    Returns:
      [B, 1, S, S] booleans (batch, head, query, key).
    """
    same = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
    return same & (segment_ids != 0)[:, None, None, :]


def dot_product_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segment_ids: jax.Array,
    *,
    dropout_rate: float = 0.0,
    dropout_rng: jax.Array | None = None,
) -> jax.Array:
    """Attention as plain XLA operations; the softmax is taken in float32.

    Args:
      query, key, value: [B, S, H, Dh] in the compute type.
      segment_ids: [B, S]; attention stays within equal, non-zero segments.
      dropout_rate: the share of attention probabilities that is dropped.
      dropout_rng: a key, or None for none.

    Returns:
      [B, S, H, Dh] in the compute type.
    """
    if not query.shape == key.shape == value.shape or query.ndim != 4:
        raise ValueError(
            "query, key and value must share one shape [B, S, H, Dh]; "
            f"found {query.shape}, {key.shape}, {value.shape}"
        )
    if segment_ids.shape != query.shape[:2]:
        raise ValueError(f"segment_ids must be {query.shape[:2]}; found {segment_ids.shape}")
    scale = query.shape[-1] ** -0.5
    logits = jnp.einsum("bqhd,bkhd->bhqk", query * scale, key, preferred_element_type=jnp.float32)
    logits = jnp.where(segment_mask(segment_ids), logits, logits + MASKED)
    probabilities = jax.nn.softmax(logits, axis=-1).astype(value.dtype)
    probabilities = dropout(probabilities, dropout_rate, dropout_rng)
    return jnp.einsum("bhqk,bkhd->bqhd", probabilities, value)
