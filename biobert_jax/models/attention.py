"""Self-attention within the sequences of a packed row: one entry, several implementations."""

import jax
import jax.numpy as jnp

from biobert_jax.models.dropout import dropout

MASKED = -1e9
"""The logit of a pair that may not attend, in every implementation: far below any other, so that
its probability is exactly 0 in float32, and finite, so that a row of padding gives no NaN.

BERT adds -10000 instead, which gives the same probabilities.
"""


def segment_mask(segment_ids: jax.Array) -> jax.Array:
    """Which position may attend to which: equal, non-zero segments.

    Args:
      segment_ids: [B, S], the number of each position's sequence in its row; 0 is padding.

    Returns:
      [B, 1, S, S] booleans (batch, head, query, key).
    """
    same = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
    return same & (segment_ids != 0)[:, None, None, :]


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    segment_ids: jax.Array,
    *,
    dropout_rate: float = 0.0,
    dropout_rng: jax.Array | None = None,
    generator: str = "hash",
    implementation: str = "xla",
) -> jax.Array:
    """Attention within segments; the softmax is taken in float32.

    What comes out at positions of padding is finite and otherwise left open.

    Args:
      query, key, value: [B, S, H, Dh] in the compute type.
      segment_ids: [B, S]; attention stays within equal, non-zero segments.
      dropout_rate: the share of attention probabilities that is dropped.
      dropout_rng: a key, or None for none.
      generator: where the dropout masks come from, a name of `dropout.GENERATORS`.
      implementation: a name of `IMPLEMENTATIONS`.

    Returns:
      [B, S, H, Dh] in the compute type.

    Raises:
      ValueError: shapes that do not fit; an implementation that cannot do what is asked.
    """
    if not query.shape == key.shape == value.shape or query.ndim != 4:
        raise ValueError(
            "query, key and value must share one shape [B, S, H, Dh]; "
            f"found {query.shape}, {key.shape}, {value.shape}"
        )
    if segment_ids.shape != query.shape[:2]:
        raise ValueError(f"segment_ids must be {query.shape[:2]}; found {segment_ids.shape}")
    if dropout_rng is None:
        dropout_rate = 0.0
    return IMPLEMENTATIONS[implementation](
        query, key, value, segment_ids, dropout_rate, dropout_rng, generator
    )


def choose(platform: str, dtype: str, dropout_rate: float, generator: str) -> str:
    """What `auto` means.

    Args:
      platform: of the devices: cpu, cuda, rocm or tpu.
      dtype: the compute type.
      dropout_rate: of attention probabilities, in training.
      generator: of dropout masks.

    Returns:
      A name of `IMPLEMENTATIONS`: our kernel, whose dropout is the hash, on a TPU; cuDNN without
      dropout, in bfloat16, on an NVIDIA GPU; plain XLA for the rest. Not `pallas_gpu`, as long as
      it has been compared in interpret mode and compiled, but not run.
    """
    if platform == "tpu" and (dropout_rate == 0.0 or generator == "hash"):
        return "pallas_tpu"
    if platform == "cuda" and dtype == "bfloat16" and dropout_rate == 0.0:
        return "cudnn"
    return "xla"


def _xla(query, key, value, segment_ids, dropout_rate, dropout_rng, generator):
    # [B, H, S, Dh]: with heads before positions a CPU's forward pass takes 7% less time.
    query, key, value = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))
    scale = query.shape[-1] ** -0.5
    logits = jnp.einsum("bhqd,bhkd->bhqk", query * scale, key, preferred_element_type=jnp.float32)
    logits = jnp.where(segment_mask(segment_ids), logits, MASKED)
    probabilities = jax.nn.softmax(logits, axis=-1).astype(value.dtype)
    probabilities = dropout(probabilities, dropout_rate, dropout_rng, generator)
    return jnp.swapaxes(jnp.einsum("bhqk,bhkd->bhqd", probabilities, value), 1, 2)


def _cudnn(query, key, value, segment_ids, dropout_rate, dropout_rng, generator):
    del dropout_rng, generator
    if dropout_rate:
        raise ValueError(
            f"attention 'cudnn' has no dropout, and {dropout_rate} was asked for: take 'auto', or "
            "set the model's attention dropout to 0"
        )
    # Padding attends to itself: a row of the mask without a key gives NaN there.
    mask = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
    return jax.nn.dot_product_attention(query, key, value, mask=mask, implementation="cudnn")


# Pallas is imported where a kernel is wanted: it takes a quarter of a second, and JAX has announced
# that its way through Triton will go.
def _pallas_tpu(*arguments):
    from biobert_jax.models import attention_tpu

    return _by_kernel("pallas_tpu", attention_tpu.attend, *arguments)


def _pallas_gpu(*arguments):
    from biobert_jax.models import attention_gpu

    return _by_kernel("pallas_gpu", attention_gpu.attend, *arguments)


def _by_kernel(name, kernel, query, key, value, segment_ids, dropout_rate, dropout_rng, generator):
    from biobert_jax.models import attention_kernel

    if dropout_rate and generator != "hash":
        raise ValueError(
            f"attention {name!r} makes dropout masks by 'hash'; {generator!r} was asked for"
        )
    return attention_kernel.attend(
        kernel, query, key, value, segment_ids, dropout_rate, dropout_rng
    )


IMPLEMENTATIONS = {
    "xla": _xla,
    "cudnn": _cudnn,
    "pallas_tpu": _pallas_tpu,
    "pallas_gpu": _pallas_gpu,
}
