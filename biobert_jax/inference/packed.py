"""Running a model over sequences of any number, packed in rows as in training."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from biobert_jax.input.loader import PackedBatches, Packing, evaluation_order, iterate
from biobert_jax.input.packing import Example, Feature, take_apart

FEATURES = {"input_ids": Feature("token"), "token_type_ids": Feature("token")}
MAX_SEQUENCES = 64  # that a row may hold
MAX_ROWS = 16  # in a batch


def run_packed(
    apply: Callable[[Any, Mapping[str, jax.Array]], jax.Array],
    params: Any,
    examples: Sequence[Example],
    row_length: int,
) -> list[np.ndarray]:
    """Applies a model to each sequence.

    Args:
      apply: a jitted function (params, batch) -> [R, S, ...]; keep it between calls, so that it is
        compiled once. Batches have a power of two rows, at most `MAX_ROWS`: five shapes in all.
      params: its parameters.
      examples: sequences with `input_ids` and `token_type_ids` [n], n at most `row_length`.
      row_length: S.

    Returns:
      For each sequence its values, [n, ...].
    """
    out = [np.zeros(0)] * len(examples)
    if not examples:
        return out
    packing = Packing(row_length, MAX_SEQUENCES)
    plan = packing.plan(examples, evaluation_order(examples))
    rows = min(MAX_ROWS, 1 << (len(plan) - 1).bit_length())
    for batch in iterate(PackedBatches(examples, plan, FEATURES, rows, rows)):
        values = jax.device_get(apply(params, batch))
        for index, value in take_apart(values, batch, "token").items():
            out[index] = value
    return out
