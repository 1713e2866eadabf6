"""A model as StableHLO, which runs without this project (the extra `export`).

The artefact is `jax.export`'s: compiled where it runs, for any number of rows and any length up to
the model's positions. Weights lie beside it, since constants in a program slow down its compiler.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from biobert_jax.errors import CheckpointError, UserError
from biobert_jax.files import write_json, write_text, writing
from biobert_jax.interop.checkpoint import Checkpoint, check_vocabulary
from biobert_jax.interop.forward import INPUTS, Forward, forward_of, parameters_of

PLATFORMS = ("cpu", "cuda", "tpu")
ARTEFACT, WEIGHTS, LOADER = "model.stablehlo", "weights.npz", "load_model.py"

_LOADER = '''"""Loads this folder's model: needs jax, numpy, flatbuffers (for jax.export)."""

from pathlib import Path

import jax
import jax.export
import numpy as np


def load(folder=Path(__file__).parent):
    """Returns model(input_ids, token_type_ids, attention_mask), each [B, S] int32."""
    program = jax.export.deserialize(bytearray((Path(folder) / "model.stablehlo").read_bytes()))
    weights = jax.device_put(dict(np.load(Path(folder) / "weights.npz", allow_pickle=False)))
    return lambda *inputs: jax.jit(program.call)(weights, *inputs)
'''


def write_stablehlo(
    folder: Path,
    checkpoint: Checkpoint,
    dtype: str = "float32",
    platforms: Sequence[str] = PLATFORMS,
) -> Forward:
    """Writes the artefact, weights, vocab.txt, labels.txt, model.json and a loader.

    Args:
      folder: exists and is empty.
      checkpoint: any model; `forward_of` says what comes out.
      dtype: what matrix products are computed in.
      platforms: which devices the artefact is lowered for, of `PLATFORMS`.

    Returns:
      The function that was exported.

    Raises:
      UserError: flatbuffers is not installed.
      CheckpointError: the vocabulary does not match the matrices, or a label has a line break.
      WriteError: it cannot be written.
    """
    check_flatbuffers()
    check_vocabulary(folder, checkpoint.vocabulary, checkpoint.config.vocab_size)
    labels = checkpoint.labels or []
    if any(len(label.splitlines()) != 1 for label in labels):
        raise CheckpointError(
            f"{checkpoint.source}: a label is empty or has a line break, of {labels!r}; expected "
            "names of one line, as labels.txt has them"
        )
    forward = forward_of(checkpoint, dtype)
    weights: dict[str, Any] = traverse_util.flatten_dict(
        parameters_of(checkpoint, forward), sep="/"
    )
    weights = {name: np.asarray(leaf, np.float32) for name, leaf in weights.items()}
    program = _lowered(forward, weights, checkpoint.config.max_position_embeddings, platforms)
    said = {
        "made_from": checkpoint.source,
        "head": forward.kind,
        "inputs": dict.fromkeys(INPUTS, "[B, S] int32"),
        "outputs": forward.outputs,
        "max_length": checkpoint.config.max_position_embeddings,
        "lowercase": checkpoint.lowercase,
        "compute_dtype": dtype,
        "platforms": list(program.platforms),
        "jax": jax.__version__,
        "calling_convention_version": program.calling_convention_version,
    }
    if forward.kind == "token":
        said["labels_of"] = "the first piece of each word; other pieces were not trained"
    with writing(folder):
        (folder / ARTEFACT).write_bytes(program.serialize())
        with (folder / WEIGHTS).open("wb") as file:
            np.savez(file, **weights)
    write_text(folder / "vocab.txt", (f"{token}\n" for token in checkpoint.vocabulary))
    if labels:
        write_text(folder / "labels.txt", (f"{label}\n" for label in labels))
    write_text(folder / LOADER, _LOADER)
    write_json(folder / "model.json", said)
    return forward


def check_flatbuffers() -> None:
    """Raises UserError where jax.export cannot write or read its files."""
    if importlib.util.find_spec("flatbuffers") is None:
        raise UserError(
            "jax.export needs the package flatbuffers, which is not installed: "
            "pip install 'biobert_jax[export]'"
        )


def _lowered(
    forward: Forward, weights: dict[str, np.ndarray], positions: int, platforms: Sequence[str]
) -> Any:
    from jax import export

    def apply(weights, *inputs):
        return forward.apply(traverse_util.unflatten_dict(weights, sep="/"), *inputs)

    bounds = ["b >= 1", "s >= 1", f"s <= {positions}"]
    row = jax.ShapeDtypeStruct(export.symbolic_shape("b, s", constraints=bounds), np.int32)
    shapes = {n: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for n, leaf in weights.items()}
    return export.export(jax.jit(apply), platforms=list(platforms))(shapes, row, row, row)


def read_stablehlo(folder: Path) -> Any:
    """The model of a folder as its loader gives it, for the check that follows writing."""
    from jax import export

    check_flatbuffers()
    program = export.deserialize(bytearray((folder / ARTEFACT).read_bytes()))
    with np.load(folder / WEIGHTS, allow_pickle=False) as file:
        weights = jax.device_put(dict(file))
    call = jax.jit(program.call)
    return lambda *inputs: call(weights, *inputs)
