"""A workdir of ours as a checkpoint to start from, and a checkpoint as a workdir."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from biobert_jax.errors import CheckpointError, at
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.tasks import cards
from biobert_jax.training.checkpointing import Checkpoints, read_card


def read_workdir(workdir: Path) -> Checkpoint:
    """Reads the model that a run ended with (or has come to).

    Settings that the run tuned on its validation split, which results.json has under `tuned`, take
    the place of those that its card began with.

    Raises:
      CheckpointError: the run has no finished checkpoint.
    """
    values, params, step = read_card(workdir)
    for section, settings in _tuned(workdir, step).items():
        values[section] = values.get(section, {}) | settings
    card = cards.read(at(workdir), values)
    return Checkpoint(
        config=card.architecture,
        params=params,
        vocabulary=list(card.vocabulary),
        lowercase=card.lowercase,
        labels=None if card.labels is None else list(card.labels),
        source=f"{workdir} (step {step})",
        card=card,
    )


def _tuned(workdir: Path, step: int) -> dict[str, dict[str, Any]]:
    path = workdir / "results.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return results.get("tuned", {}) if results.get("step") == step else {}


def write_workdir(workdir: Path, checkpoint: Checkpoint) -> None:
    """Writes a model as a run that has not made a step, for `config.init` and the console script.

    Raises:
      CheckpointError: the folder holds something.
      TrainingError: it cannot be written.
    """
    if workdir.exists() and any(workdir.iterdir()):
        raise CheckpointError(f"{at(workdir)}: not empty; name a new folder to write the model to")
    workdir.mkdir(parents=True, exist_ok=True)
    encoder = {
        "architecture": checkpoint.config,
        "vocabulary": checkpoint.vocabulary,
        "lowercase": checkpoint.lowercase,
        "labels": checkpoint.labels,
    }
    card = (
        cards.Card(**encoder)
        if checkpoint.card is None
        else dataclasses.replace(checkpoint.card, **encoder)
    )
    checkpoints = Checkpoints(workdir, keep_best=0, asynchronous=False)
    params = jax.device_put(checkpoint.params)
    checkpoints.save(_Untrained(jnp.zeros([], jnp.int32), params), {}, card.to_dict())
    checkpoints.wait()
    checkpoints.close()
    (workdir / "config.json").write_text(json.dumps({"converted_from": checkpoint.source}) + "\n")


class _Untrained(flax.struct.PyTreeNode):
    """What `read_card` reads of a `training.state.TrainState`."""

    step: jax.Array
    params: Any
