"""Sizes of the architecture, under bert_config.json's and config.json's names; how to compute."""

import dataclasses
import json
import os
from typing import Any, ClassVar, Self

from biobert_jax.errors import CheckpointError, at


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """BERT's hyper-parameters; the defaults are BERT-base with the cased vocabulary.

    Field names are those that both public formats share, so that either file reads as it is.
    """

    model_type: ClassVar[str] = "bert"

    vocab_size: int = 28996
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0

    def __post_init__(self):
        if self.hidden_size % self.num_attention_heads:
            raise CheckpointError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads "
                f"{self.num_attention_heads}"
            )

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Takes the known fields of a public configuration and ignores the rest."""
        fields = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in fields})

    @classmethod
    def from_json_file(cls, path: str | os.PathLike[str]) -> Self:
        """Reads bert_config.json (Google, DMIS) or config.json (Hugging Face).

        Raises:
          CheckpointError: the file is no JSON object, or describes another kind of model.
        """
        try:
            with open(path, encoding="utf-8") as file:
                values = json.load(file)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{at(path)}: no model configuration could be read ({error}); "
                "expected a JSON object with hidden_size, num_hidden_layers, ..."
            ) from error
        if not isinstance(values, dict) or "hidden_size" not in values:
            raise CheckpointError(f"{at(path)}: no hidden_size; expected a BERT configuration")
        kind = values.get("model_type", "bert")
        positions = values.get("position_embedding_type") or "absolute"
        if kind != "bert" or positions != "absolute":
            raise CheckpointError(
                f"{at(path)}: model_type {kind!r} with {positions!r} positions; "
                "only BERT with absolute positions is supported"
            )
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """The fields under their public names: a complete bert_config.json."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Compute:
    """How a model is computed. It changes speed and memory, not what is computed, but for rounding.

    Attributes:
      dtype: of matrix products and the activations between them: float32 or bfloat16. Parameters,
        softmax, LayerNorm and losses are float32 always.
      attention: a name of `attention.IMPLEMENTATIONS`.
      dropout: a name of `dropout.GENERATORS`. The masks differ, their statistics do not.
      remat: a name of `encoder.REMAT_POLICIES`: what of a layer is computed again in the backward
        pass instead of being kept.
      unroll: how many layers one turn of the compiled loop holds; 0 means all, and then remat saves
        nothing.
    """

    dtype: str = "float32"
    attention: str = "xla"
    dropout: str = "hash"
    remat: str = "none"
    unroll: int = 1
