"""Sizes of the architecture, under bert_config.json's and config.json's names; how to compute."""

import dataclasses
import numbers
import os
import reprlib
from typing import Any, ClassVar, Self

from biobert_jax.errors import CheckpointError, DataError, at
from biobert_jax.files import read_json
from biobert_jax.models.activations import ACTIVATIONS

# Bounds of each field: ten times and more beyond any published BERT, and small enough that a
# damaged file cannot ask for more memory than the machine has before a tensor is read.
_COUNTS = {
    "vocab_size": (1, 2**24),
    "hidden_size": (1, 2**16),
    "num_hidden_layers": (1, 2**10),
    "num_attention_heads": (1, 2**10),
    "intermediate_size": (1, 2**18),
    "max_position_embeddings": (1, 2**20),
    "type_vocab_size": (1, 2**10),
    "pad_token_id": (0, 2**24),
}
_RATES = {
    "hidden_dropout_prob": (0, 0.99),
    "attention_probs_dropout_prob": (0, 0.99),
    "initializer_range": (0, 10),
    "layer_norm_eps": (0, 1),
}


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
        """Raises CheckpointError, naming the field, its value and what was expected."""
        for name, (low, high) in _COUNTS.items():
            _check_number(name, getattr(self, name), numbers.Integral, low, high)
        for name, (low, high) in _RATES.items():
            _check_number(name, getattr(self, name), numbers.Real, low, high)
        if self.hidden_size % self.num_attention_heads:
            raise CheckpointError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads "
                f"{self.num_attention_heads}"
            )
        if self.pad_token_id >= self.vocab_size:
            raise CheckpointError(
                f"pad_token_id is {self.pad_token_id}; expected an id below vocab_size "
                f"{self.vocab_size}"
            )
        if not isinstance(self.hidden_act, str) or self.hidden_act not in ACTIVATIONS:
            raise CheckpointError(
                f"hidden_act is {_shown(self.hidden_act)}; expected one of {', '.join(ACTIVATIONS)}"
            )

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Takes the known fields of a public configuration and ignores the rest.

        Raises:
          CheckpointError: a field is of another type or out of range.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in fields})

    @classmethod
    def from_json_file(cls, path: str | os.PathLike[str]) -> Self:
        """Reads bert_config.json (Google, DMIS) or config.json (Hugging Face).

        Raises:
          CheckpointError: the file is no JSON object, describes another kind of model, or a field
            is of another type or out of range.
        """
        try:
            values = read_json(path)
        except DataError as error:
            raise CheckpointError(f"{error}. It should be the configuration of a model") from error
        if not isinstance(values, dict) or "hidden_size" not in values:
            raise CheckpointError(f"{at(path)}: no hidden_size; expected a BERT configuration")
        kind = values.get("model_type", "bert")
        positions = values.get("position_embedding_type") or "absolute"
        if kind != "bert" or positions != "absolute":
            raise CheckpointError(
                f"{at(path)}: model_type {_shown(kind)} with {_shown(positions)} positions; "
                "only BERT with absolute positions is supported"
            )
        try:
            return cls.from_dict(values)
        except CheckpointError as error:
            raise CheckpointError(
                f"{at(path)}: {error}. Correct the value, or copy the file again from where the "
                "model was published"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """The fields under their public names: a complete bert_config.json."""
        return dataclasses.asdict(self)


def _check_number(name: str, value: Any, kind: type, low: float, high: float) -> None:
    # NaN is in no range; True is an int to Python.
    if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
        what = "an integer" if kind is numbers.Integral else "a number"
        raise CheckpointError(f"{name} is {_shown(value)}; expected {what} from {low} to {high:,}")


def _shown(value: Any) -> str:
    return reprlib.repr(value)  # a damaged file may hold megabytes there


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
