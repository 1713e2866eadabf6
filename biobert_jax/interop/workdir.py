"""A workdir of ours as a checkpoint to start from."""

from pathlib import Path

from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import BertConfig
from biobert_jax.training.checkpointing import read_card


def read_workdir(workdir: Path) -> Checkpoint:
    """Reads the model that a run ended with (or has come to).

    Raises:
      CheckpointError: the run has no finished checkpoint.
    """
    card, params, step = read_card(workdir)
    return Checkpoint(
        config=BertConfig.from_dict(card["architecture"]),
        params=params,
        vocabulary=card["vocabulary"],
        lowercase=card["lowercase"],
        labels=card.get("labels"),
        source=f"{workdir} (step {step})",
    )
