"""What `biobert doctor` tries: training, saving and reading a model that is small enough."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.interop.forward import INPUTS, forward_of
from biobert_jax.interop.huggingface import read_huggingface, write_huggingface
from biobert_jax.models.config import BertConfig, Compute
from biobert_jax.models.heads import TokenClassifier
from biobert_jax.text.wordpiece import SPECIAL_TOKENS

_WORDS = [f"word{i}" for i in range(40)]
_STEPS = 30


def train_and_read_back(folder: Path) -> tuple[float, float, float]:
    """Learns which words are names, writes the model as Hugging Face has it and reads it.

    Args:
      folder: an empty one.

    Returns:
      The loss before and after, and the largest difference of the logits of the model read back.
    """
    vocabulary = [*SPECIAL_TOKENS, *_WORDS]
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    rng = np.random.default_rng(0)
    ids = rng.integers(len(SPECIAL_TOKENS), len(vocabulary), (16, 32)).astype(np.int32)
    labels = jnp.asarray(ids % 3 == 0, jnp.int32)
    rows = {name: np.zeros_like(ids) for name in INPUTS}
    rows |= {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    positions = np.tile(np.arange(ids.shape[1], dtype=np.int32), (len(ids), 1))
    batch = {
        "input_ids": ids,
        "token_type_ids": rows["token_type_ids"],
        "segment_ids": rows["attention_mask"],
        "position_ids": positions,
    }
    model = TokenClassifier(config, Compute(), num_labels=2)
    params = model.init(jax.random.key(0), batch)["params"]
    optimizer = optax.adam(1e-2)
    state = optimizer.init(params)

    def loss_of(params: Any) -> jax.Array:
        outputs: Any = model.apply({"params": params}, batch, deterministic=True)
        return optax.softmax_cross_entropy_with_integer_labels(outputs["logits"], labels).mean()

    @jax.jit
    def step(params: Any, state: Any) -> tuple[Any, Any, jax.Array]:
        loss, gradients = jax.value_and_grad(loss_of)(params)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, loss

    losses = []
    for _ in range(_STEPS):
        params, state, loss = step(params, state)
        losses.append(float(loss))

    params = jax.device_get(params)
    made = Checkpoint(config, params, vocabulary, True, ["O", "B"], "the self-test")
    write_huggingface(folder / "model", config, params, vocabulary, True, made.labels)
    read = read_huggingface(folder / "model")
    given = [rows[name] for name in INPUTS]
    ours, theirs = (
        np.asarray(jax.jit(forward_of(one).apply)(one.params, *given)["logits"])
        for one in (made, read)
    )
    return losses[0], losses[-1], float(np.abs(ours - theirs).max())
