"""A workdir of ours as a checkpoint to start from, and a checkpoint as a workdir."""

import json
from pathlib import Path
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from biobert_jax.errors import CheckpointError, at
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import BertConfig
from biobert_jax.training.checkpointing import Checkpoints, read_card


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


def write_workdir(workdir: Path, checkpoint: Checkpoint) -> None:
    """Writes a model as a run that has not made a step, for `config.init` and the console script.

    Raises:
      CheckpointError: the folder holds something.
      TrainingError: it cannot be written.
    """
    if workdir.exists() and any(workdir.iterdir()):
        raise CheckpointError(f"{at(workdir)}: not empty; name a new folder to write the model to")
    workdir.mkdir(parents=True, exist_ok=True)
    card = {
        "architecture": checkpoint.config.to_dict(),
        "vocabulary": checkpoint.vocabulary,
        "lowercase": checkpoint.lowercase,
        "labels": checkpoint.labels,
    }
    checkpoints = Checkpoints(workdir, keep_best=0, asynchronous=False)
    params = jax.device_put(checkpoint.params)
    checkpoints.save(_Untrained(jnp.zeros([], jnp.int32), params), {}, card)
    checkpoints.wait()
    checkpoints.close()
    (workdir / "config.json").write_text(json.dumps({"converted_from": checkpoint.source}) + "\n")


class _Untrained(flax.struct.PyTreeNode):
    """What `read_card` reads of a `training.state.TrainState`."""

    step: jax.Array
    params: Any
