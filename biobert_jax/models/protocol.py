"""What heads and tasks ask of an encoder, so that BERT's need not be the only one.

A second encoder is a config and a module as described here, with a line in `models.encoders`; a
table in `interop.layout`, if published weights are to be read; and a `text.tokenizer.Tokenizer`.
Heads, packing, the training loop and inference stay as they are.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import jax

Batch = Mapping[str, jax.Array]
"""Some packed rows on the device, by name: input_ids, token_type_ids, segment_ids, position_ids
[B, S], cls_positions [B, N], all int32, and what the task adds (`input.packing.Batch`).
"""


class EncoderConfig(Protocol):
    """The sizes of an encoder: a frozen dataclass, under the names of Hugging Face's config.json.

    Heads take their own settings from it, too: `initializer_range`, `hidden_act`, `layer_norm_eps`.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    model_type: ClassVar[str]  # its name in `models.encoders` and in config.json

    @property
    def vocab_size(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def max_position_embeddings(self) -> int:
        """The longest sequence that the encoder reads, in tokens."""
        ...

    @property
    def hidden_act(self) -> str: ...
    @property
    def initializer_range(self) -> float: ...
    @property
    def layer_norm_eps(self) -> float: ...

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Takes the fields that it knows.

        Raises:
          CheckpointError: one has no such value.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-serialisable."""
        ...


class Encoder(Protocol):
    """A flax.linen module of `(config, compute)` that turns packed rows into vectors.

    Attention must stay within `segment_ids`, and positions must come from `position_ids`: that a
    packed batch gives what its sequences give alone is the encoder's to keep.
    """

    def __call__(self, batch: Batch, deterministic: bool = True) -> jax.Array:
        """The last layer's vectors [B, S, D]; dropout, where not deterministic, from "dropout"."""
        ...

    def init(self, rngs: Any, *args: Any, **kwargs: Any) -> Any:
        """flax.linen's: fresh variables."""
        ...

    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any:
        """flax.linen's: calls a method with variables."""
        ...

    def word_embeddings(self) -> jax.Array:
        """[V, D], which masked language modelling decodes with."""
        ...
