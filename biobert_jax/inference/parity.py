"""Whether a model that was written computes what the one in memory does."""

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from biobert_jax.errors import CheckpointError
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.interop.forward import INPUTS, Forward, forward_of, parameters_of

logger = logging.getLogger("biobert_jax")

ROWS, LENGTH = 4, 48
SAME_PROGRAM, OTHER_PROGRAM = 1e-6, 1e-4
"""The largest relative difference of float32 outputs: of our own code, and of others', which add up
in another order (docs/results/parity.md has what is usual)."""

_ARCHITECTURES = {
    "token": "AutoModelForTokenClassification",
    "sequence": "AutoModelForSequenceClassification",
    "span": "AutoModelForQuestionAnswering",
    "pretraining": "AutoModelForPreTraining",
    "encoder": "AutoModel",
}


def sample_rows(checkpoint: Checkpoint, seed: int = 0) -> dict[str, np.ndarray]:
    """Rows of random tokens, of different lengths, some of them with two segments.

    Returns:
      `INPUTS`, each [4, S] int32, S at most 48.
    """
    rng = np.random.default_rng(seed)
    length = min(LENGTH, checkpoint.config.max_position_embeddings)
    shape = (ROWS, length)
    lengths = np.linspace(length, max(1, length // 3), ROWS).astype(int)
    mask = np.arange(length) < lengths[:, None]
    ids = rng.integers(0, checkpoint.config.vocab_size, shape)
    types = (np.arange(length) >= length // 2) & (np.arange(ROWS)[:, None] % 2 == 1)
    types = types & (getattr(checkpoint.config, "type_vocab_size", 2) > 1)
    values = (ids * mask, types & mask, mask)
    return {name: value.astype(np.int32) for name, value in zip(INPUTS, values, strict=True)}


def outputs_of(checkpoint: Checkpoint, rows: Mapping[str, np.ndarray], dtype: str = "float32"):
    """A checkpoint's outputs for rows, by name; and the function that gave them."""
    forward = forward_of(checkpoint, dtype)
    params = parameters_of(checkpoint, forward)
    given = (rows[name] for name in INPUTS)
    return jax.device_get(jax.jit(forward.apply)(params, *given)), forward


def largest_difference(
    ours: Mapping[str, np.ndarray], theirs: Mapping[str, Any], mask: np.ndarray
) -> float:
    """max |ours - theirs| / max |ours| over outputs; of those per token, where there is one."""
    worst = 0.0
    for name, value in ours.items():
        other = np.asarray(theirs[name], np.float32)
        if other.shape != value.shape:
            return float("inf")
        if value.shape[:2] == mask.shape:
            value, other = value[mask != 0], other[mask != 0]
        size = max(float(np.abs(value).max()), 1e-30)
        worst = max(worst, float(np.abs(value - other).max()) / size)
    return worst


def report_parity(
    checkpoint: Checkpoint, written: str, theirs: Mapping[str, Any], ours: Mapping, limit: float
) -> None:
    """Logs how far the outputs of a written model are from ours.

    Args:
      checkpoint: the model in memory.
      written: what `theirs` were computed by, for people.
      theirs, ours: outputs for `sample_rows`.
      limit: the largest difference that rounding explains.

    Raises:
      CheckpointError: they differ by more.
    """
    found = largest_difference(ours, theirs, sample_rows(checkpoint)["attention_mask"])
    names = " and ".join(ours)
    if not found <= limit:
        raise CheckpointError(
            f"{written}: {names} differ by {found:.1e} (relative) from those of "
            f"{checkpoint.source}; expected {limit:.0e} at the most. Do not use what was written; "
            "please report it"
        )
    logger.info("parity: %s of %s differ by %.1e at the most (relative)", names, written, found)


def check_written(checkpoint: Checkpoint, written: Checkpoint, to: str) -> None:
    """Compares a model with the one that was read back from what was written.

    Raises:
      CheckpointError: outputs, vocabulary, casing or labels differ.
    """
    for name in ("vocabulary", "lowercase", "labels"):
        if getattr(checkpoint, name) != getattr(written, name):
            raise CheckpointError(
                f"{to}: read back, its {name} is not that of {checkpoint.source}. Do not use what "
                "was written; please report it"
            )
    rows = sample_rows(checkpoint)
    ours, _ = outputs_of(checkpoint, rows)
    theirs, _ = outputs_of(written, rows)
    report_parity(checkpoint, f"{to}, read back", theirs, ours, SAME_PROGRAM)


def check_with_transformers(checkpoint: Checkpoint, folder: Path) -> None:
    """Compares a model with transformers' of the same folder; logs where that is not installed.

    Raises:
      CheckpointError: the outputs differ.
    """
    missing = [name for name in ("transformers", "torch") if not importlib.util.find_spec(name)]
    if missing:
        logger.info("parity with transformers not checked: no %s", " and no ".join(missing))
        return
    rows = sample_rows(checkpoint)
    ours, forward = outputs_of(checkpoint, rows)
    theirs = _of_transformers(forward, folder, rows)
    report_parity(checkpoint, f"{folder}, by transformers", theirs, ours, OTHER_PROGRAM)


def _of_transformers(forward: Forward, folder: Path, rows: Mapping[str, np.ndarray]) -> Any:
    import torch
    import transformers

    model: Any = getattr(transformers, _ARCHITECTURES[forward.kind]).from_pretrained(
        folder, local_files_only=True, attn_implementation="eager"
    )
    given = {name: torch.from_numpy(value).long() for name, value in rows.items()}
    with torch.no_grad():
        found = model.eval()(**given)
    return {name: found[name].float().numpy() for name in forward.outputs}
