"""Models of a size that compiles and runs in no time."""

from typing import Any

from biobert_jax.models.config import BertConfig

TINY: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def tiny_config(vocab_size: int, **changes: Any) -> BertConfig:
    """The smallest BERT that has several layers and several heads."""
    return BertConfig(vocab_size=vocab_size, **TINY | changes)


def tiny_settings(**changes: Any) -> dict[str, Any]:
    """The same as settings of an experiment, by dotted name."""
    return {f"model.{name}": value for name, value in (TINY | changes).items()}
