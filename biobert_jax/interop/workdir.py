"""A workdir as a checkpoint to start from, and a checkpoint as a workdir."""

import dataclasses
import reprlib
from pathlib import Path
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from biobert_jax.errors import CheckpointError, at
from biobert_jax.files import write_json, writing
from biobert_jax.interop import layout
from biobert_jax.interop.checkpoint import Checkpoint, check_tensors, check_values, check_vocabulary
from biobert_jax.models.config import BertConfig
from biobert_jax.tasks import cards
from biobert_jax.training.checkpoint_index import find_step
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.saved import read_card, read_results


def read_workdir(workdir: Path, which: str = "") -> Checkpoint:
    """Reads the model that a run ended with, or the newest of one that has not ended.

    Args:
      workdir: the run's folder.
      which: another of its checkpoints: a step, `best` or `last`.

    Settings that the run tuned on its validation split, which results.json has under `tuned`,
    override those of the card.

    Raises:
      CheckpointError: the run has no finished checkpoint, or a file of it is damaged; the card
        does not describe the parameters, or these are not finite.
    """
    values, params, step = read_card(workdir, find_step(workdir, which) if which else None)
    for section, settings in _tuned(workdir, step).items():
        own = values.get(section, {})
        values[section] = own | settings if isinstance(own, dict) else own
    card = cards.read(at(workdir), values)
    _check_params(workdir, params, card)
    return Checkpoint(
        config=card.architecture,
        params=params,
        vocabulary=list(card.vocabulary),
        lowercase=card.lowercase,
        labels=None if card.labels is None else list(card.labels),
        source=f"{workdir} (step {step})",
        card=card,
    )


def _check_params(workdir: Path, params: Any, card: cards.Card) -> None:
    """Compares the parameters with what the card says of them, and checks their values."""
    leaves: dict[str, Any] = traverse_util.flatten_dict(params, sep="/")
    check_values(workdir, leaves)
    check_vocabulary(workdir, card.vocabulary, card.architecture.vocab_size)
    outputs = leaves.get("classifier/bias", np.zeros(0)).shape[0]
    if card.labels is not None and "classifier" in params and len(card.labels) != outputs:
        raise CheckpointError(
            f"{at(workdir)}: {len(card.labels)} labels for a classifier of {outputs} outputs; "
            "expected as many. Train again, or name another workdir"
        )
    if isinstance(card.architecture, BertConfig):  # the encoder that there is a table for
        shapes = layout.leaf_shapes(card.architecture, outputs)
        expected = {"/".join(path): shape for path, shape in shapes.items() if path[0] in params}
        known = {name: leaf.shape for name, leaf in leaves.items() if name.split("/")[0] in _GROUPS}
        check_tensors(workdir, known, expected)


_GROUPS = ("encoder", *layout.HEADS)


def _tuned(workdir: Path, step: int) -> dict[str, dict[str, Any]]:
    results = read_results(workdir)
    tuned = results.get("tuned", {}) if results.get("step") == step else {}
    if not isinstance(tuned, dict) or not all(isinstance(own, dict) for own in tuned.values()):
        raise CheckpointError(
            f"{at(workdir / 'results.json')}: `tuned` is {reprlib.repr(tuned)}; expected an object "
            "of objects. Remove the file, or give the run's command again"
        )
    return tuned


def write_workdir(workdir: Path, checkpoint: Checkpoint) -> None:
    """Writes a model as a run that has not made a step, for `config.init` and the console script.

    Raises:
      CheckpointError: the folder holds something.
      TrainingError, WriteError: it cannot be written.
    """
    if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise CheckpointError(f"{at(workdir)}: not empty; name a new folder to write the model to")
    with writing(workdir):
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
    write_json(workdir / "config.json", {"converted_from": checkpoint.source})


class _Untrained(flax.struct.PyTreeNode):
    """What `read_card` reads of a `training.step.TrainState`."""

    step: jax.Array
    params: Any
