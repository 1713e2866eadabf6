"""A checkpoint as one function of token ids, without packing: what other programs run."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.models.encoders import make_encoder
from biobert_jax.models.heads import (
    PretrainingModel,
    SequenceClassifier,
    SpanClassifier,
    TokenClassifier,
)

INPUTS = ("input_ids", "token_type_ids", "attention_mask")
"""Of every model here, [B, S] int32, by transformers' names; the mask is 1 at tokens."""


class Forward(NamedTuple):
    """What a checkpoint computes.

    Attributes:
      kind: the head: token, sequence, span, pretraining, or encoder where it has none of these.
      groups: the groups of parameters that are read.
      outputs: the names of what comes out, with their shapes for people.
      apply: (params, input_ids, token_type_ids, attention_mask) -> the outputs, float32, by name.
    """

    kind: str
    groups: tuple[str, ...]
    outputs: dict[str, str]
    apply: Callable[..., dict[str, jax.Array]]


def forward_of(checkpoint: Checkpoint, dtype: str = "float32") -> Forward:
    """The function of a checkpoint's head, that `write_huggingface` names the architecture after.

    Args:
      checkpoint: any model.
      dtype: what matrix products are computed in.
    """
    config, compute, has = checkpoint.config, Compute(dtype), checkpoint.params.keys()
    labels = len(checkpoint.params["classifier"]["bias"]) if "classifier" in has else 0
    if has >= {"classifier", "pooler"}:
        kind, groups = "sequence", ("encoder", "pooler", "classifier")
        model, outputs = SequenceClassifier(config, compute, labels), {"logits": "[B, labels]"}
    elif "classifier" in has:
        kind, groups = "token", ("encoder", "classifier")
        model, outputs = TokenClassifier(config, compute, labels), {"logits": "[B, S, labels]"}
    elif "span" in has:
        kind, groups, model = "span", ("encoder", "span"), SpanClassifier(config, compute)
        outputs = {"start_logits": "[B, S]", "end_logits": "[B, S]"}
    elif has >= {"mlm", "nsp", "pooler"}:
        kind, groups = "pretraining", ("encoder", "pooler", "mlm", "nsp")
        model = PretrainingModel(config, compute)
        outputs = {"prediction_logits": "[B, S, V]", "seq_relationship_logits": "[B, 2]"}
    else:
        kind, groups = "encoder", ("encoder",)
        model, outputs = make_encoder(config, compute), {"last_hidden_state": "[B, S, D]"}

    def apply(params: Any, input_ids, token_type_ids, attention_mask) -> dict[str, jax.Array]:
        batch = {
            "input_ids": input_ids,
            "token_type_ids": token_type_ids,
            # Whatever a caller's mask holds where there is a token: one sequence in each row.
            "segment_ids": (attention_mask != 0).astype(jnp.int32),
            "position_ids": jnp.broadcast_to(
                jnp.arange(input_ids.shape[1], dtype=jnp.int32), input_ids.shape
            ),
            "cls_positions": jnp.zeros_like(input_ids[:, :1]),
        }
        if kind == "encoder":
            hidden: Any = model.apply({"params": params["encoder"]}, batch, True)
            return {"last_hidden_state": hidden.astype(jnp.float32)}
        found: Any = model.apply({"params": params}, batch, True)
        if kind == "sequence":
            return {"logits": found["logits"][:, 0]}
        if kind == "pretraining":
            return {
                "prediction_logits": found["mlm_logits"],
                "seq_relationship_logits": found["nsp_logits"][:, 0],
            }
        return {name: found[name] for name in outputs}

    return Forward(kind, groups, outputs, apply)


def parameters_of(checkpoint: Checkpoint, forward: Forward) -> dict[str, Any]:
    """The groups of parameters that a forward function reads."""
    return {group: checkpoint.params[group] for group in forward.groups}
