"""Running a model over sequences of any number, packed in rows as in training."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from biobert_jax.errors import CheckpointError
from biobert_jax.input.loader import PackedBatches, Packing, evaluation_order, iterate
from biobert_jax.input.packing import Example, Feature, take_apart

FEATURES = {"input_ids": Feature("token"), "token_type_ids": Feature("token")}
MAX_SEQUENCES = 64  # that a row may hold
MAX_ROWS = 16  # in a batch


def run_packed(
    apply: Callable[[Any, Mapping[str, jax.Array]], Any],
    params: Any,
    examples: Sequence[Example],
    row_length: int,
    kind: Literal["token", "sequence"] = "token",
) -> list[Any]:
    """Applies a model to each sequence.

    Args:
      apply: a jitted function (params, batch) -> an array, or a dict of arrays, [R, S, ...] with a
        value per token or [R, N, ...] with one per sequence; keep it between calls, so that it is
        compiled once. Batches have a power of two rows, at most `MAX_ROWS`: five shapes in all.
      params: its parameters.
      examples: sequences with `input_ids` and `token_type_ids` [n], n at most `row_length`.
      row_length: S.
      kind: what values are of.

    Returns:
      For each sequence its values, [n, ...] or [...], in a dict where `apply` gives one.

    Raises:
      CheckpointError: values are not finite.
    """
    out: list[Any] = [np.zeros(0)] * len(examples)
    if not examples:
        return out
    packing = Packing(row_length, MAX_SEQUENCES)
    plan = packing.plan(examples, evaluation_order(examples))
    rows = min(MAX_ROWS, 1 << (len(plan) - 1).bit_length())
    for batch in iterate(PackedBatches(examples, plan, FEATURES, rows, rows)):
        values = jax.device_get(apply(params, batch))
        leaves, structure = jax.tree.flatten(values)
        apart = [take_apart(leaf, batch, kind) for leaf in leaves]
        for index in apart[0]:
            out[index] = structure.unflatten([of_leaf[index] for of_leaf in apart])
            # Minus infinity is what a span head gives where no answer can begin.
            if not all(np.all(of_leaf[index] < np.inf) for of_leaf in apart):
                raise CheckpointError(
                    "the model's outputs are not finite (NaN or infinity): its weights are damaged "
                    "or do not fit --dtype. Copy the model again, or give --dtype float32"
                )
    return out
