"""What applying a trained head asks of a checkpoint, whichever head it is."""

from collections.abc import Sequence
from typing import Any

import jax

from biobert_jax.errors import CheckpointError
from biobert_jax.interop.checkpoint import Checkpoint


def params_of(checkpoint: Checkpoint, head: str, groups: Sequence[str], trainer: str) -> Any:
    """The encoder's parameters and a head's, on the device.

    Args:
      checkpoint: where from.
      head: what messages call the head.
      groups: its groups of parameters.
      trainer: the experiment that trains one, for messages.

    Raises:
      CheckpointError: a group is not in the checkpoint.
    """
    if any(group not in checkpoint.params for group in groups):
        raise CheckpointError(
            f"{checkpoint.source}: has no {head} ({' and '.join(groups)}), only "
            f"{', '.join(checkpoint.params)}; fine-tune it with experiments.{trainer} first"
        )
    return {name: jax.device_put(checkpoint.params[name]) for name in ("encoder", *groups)}
