"""The encoders, by `model_type`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from biobert_jax.errors import CheckpointError
from biobert_jax.models.config import BertConfig, Compute
from biobert_jax.models.encoder import BertEncoder
from biobert_jax.models.protocol import Encoder, EncoderConfig


class Kind(NamedTuple):
    """An encoder: the class of its sizes, and the module that is made of them."""

    config: type[EncoderConfig]
    module: Callable[[Any, Compute], Encoder]


ENCODERS: dict[str, Kind] = {BertConfig.model_type: Kind(BertConfig, BertEncoder)}


def make_encoder(config: EncoderConfig, compute: Compute) -> Encoder:
    """The encoder of these sizes, a flax.linen module."""
    return ENCODERS[config.model_type].module(config, compute)


def config_from_dict(values: dict[str, Any]) -> EncoderConfig:
    """The sizes of an encoder of any kind; of BERT where `model_type` is not among them.

    Raises:
      CheckpointError: there is no such encoder, or a size has no such value.
    """
    kind = values.get("model_type", BertConfig.model_type)
    if kind not in ENCODERS:
        raise CheckpointError(
            f"model_type is {kind!r}; expected one of {', '.join(ENCODERS)} (models/encoders.py)"
        )
    return ENCODERS[kind].config.from_dict(values)
