"""From the string in `config.init` to the parameters that training starts with."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from flax import traverse_util

from biobert_jax.errors import CheckpointError
from biobert_jax.files import similar, to_path
from biobert_jax.interop import hub, huggingface, tensorflow
from biobert_jax.interop.checkpoint import Checkpoint, listed
from biobert_jax.interop.layout import Params
from biobert_jax.interop.tensor_files import find_weights
from biobert_jax.training.checkpoint_index import split_name

_EXPECTED = (
    "`random`; a workdir (config.json and checkpoints/); a Hugging Face folder "
    "(config.json with model.safetensors or pytorch_model.bin); a hub id "
    f"({hub.SCHEME}owner/name); the prefix of a TensorFlow checkpoint (that and .index, .data-*) "
    "or the folder of one"
)


def load_checkpoint(
    init: str,
    read_workdir: Callable[[Path, str], Checkpoint] | None = None,
    head: str | None = None,
    labels: Sequence[str] | None = None,
) -> Checkpoint | None:
    """Resolves `config.init`.

    Args:
      init: `random`, a workdir (`runs/p`, `runs/p@500`, `runs/p@best`), a Hugging Face
        folder, a hub id (`hf://owner/name[@revision]`), the prefix of a TensorFlow checkpoint or
        the folder of one.
      read_workdir: reads a workdir (a folder with config.json and checkpoints/). Given by the
        caller, because the form of a workdir is training's business.
      head, labels: what the outputs of a fine-tuned TensorFlow checkpoint are; see
        `read_tensorflow`. Other formats hold both.

    Returns:
      The checkpoint; None for `random`.

    Raises:
      CheckpointError: `init` is none of these (says what was tried), what it names is damaged, or
        `head` is given for another format.
    """
    try:
        read = _reader(init, read_workdir)
    except (OSError, RuntimeError) as error:  # no permission, a name too long, no such ~user
        raise CheckpointError(
            f"{init}: cannot be opened ({error}); expected a checkpoint"
        ) from error
    if isinstance(read, PurePath):
        return tensorflow.read_tensorflow(read, head, labels)
    if head or labels:
        raise CheckpointError(
            f"{init}: no TensorFlow checkpoint; --head and --labels describe the outputs of one, "
            "other formats name theirs. Leave them out"
        )
    return read()


def _reader(
    init: str, read_workdir: Callable[[Path, str], Checkpoint] | None
) -> Callable[[], Checkpoint | None] | Path:
    """What reads `init`; for a TensorFlow checkpoint its prefix, since it takes arguments."""
    if init == "random":
        return lambda: None
    if init.startswith(hub.SCHEME):
        return lambda: hub.read_hub(init)
    name, which = split_name(init)
    run = to_path(name).expanduser()
    if which and (run / "checkpoints").is_dir() and read_workdir is not None:
        return lambda: read_workdir(run, which)
    path = to_path(init).expanduser()
    if path.is_dir():
        has_config = (path / "config.json").is_file()
        if has_config and find_weights(path):
            return lambda: huggingface.read_huggingface(path)
        if has_config and (path / "checkpoints").is_dir() and read_workdir is not None:
            return lambda: read_workdir(path, "")
        prefixes = tensorflow.prefixes_in(path)
        if len(prefixes) > 1:
            raise CheckpointError(
                f"{init}: holds {len(prefixes)} TensorFlow checkpoints; name one of "
                f"{listed(str(prefix) for prefix in prefixes)}"
            )
        if prefixes:
            return prefixes[0]
    elif tensorflow.is_prefix(path):
        return path
    raise CheckpointError(_unresolved(init, path))


def _unresolved(init: str, path: Path) -> str:
    if path.is_dir():
        here = (
            f"a folder with {listed(sorted(one.name for one in path.iterdir())) or 'nothing in it'}"
        )
    else:
        here = "another file" if path.exists() else "no file or folder"
    hint = similar(path).removeprefix(".")
    if not hint and not path.exists() and init.count("/") == 1:
        hint = f" For a model of the Hugging Face hub write {hub.SCHEME}{init}."
    return f"{init}: names no checkpoint ({here}). Tried: {_EXPECTED}.{hint}"


@dataclasses.dataclass(frozen=True)
class InitReport:
    """Where the initial parameters came from, by group; `str()` gives the sentence for the log."""

    source: str
    restored: list[str]
    fresh: dict[str, str]
    """Group to the reason why it starts fresh."""
    unused: list[str]
    """Groups of the checkpoint that this task does not have."""

    def __str__(self) -> str:
        fresh = "; ".join(f"{group} starts fresh ({why})" for group, why in self.fresh.items())
        unused = f"; not used: {', '.join(self.unused)}" if self.unused else ""
        restored = f"{', '.join(self.restored)} from {self.source}"
        return f"{restored}; {fresh or 'nothing starts fresh'}{unused}"


def initial_params(
    fresh: Params, checkpoint: Checkpoint, labels: Sequence[str] | None = None
) -> tuple[Params, InitReport]:
    """Puts a checkpoint's parameters in the place of freshly initialised ones.

    A head that the checkpoint lacks keeps its fresh values. So does a `classifier` with another
    number of outputs or, where `labels` gives this task's, with other labels: equal shapes alone
    would let one task's classes pass for another's.

    Args:
      fresh: the parameters of any of our models, as nested dicts of arrays.
      checkpoint: what `load_checkpoint` returned.
      labels: the names of this task's classes in order, for tasks that have a `classifier`.

    Returns:
      Parameters with `fresh`'s structure, shapes and dtypes, restored leaves as numpy arrays;
      and a report for the log.

    Raises:
      CheckpointError: an encoder parameter is missing or misshapen, or a head is misshapen or
        incomplete; names it with both shapes.
    """
    params: Params = {}
    restored, reasons = [], {}
    for group, values in fresh.items():
        reason = _why_fresh(group, values, checkpoint, labels)
        if reason is None:
            params[group] = _restored(group, values, checkpoint)
            restored.append(group)
        else:
            params[group] = values
            reasons[group] = reason
    unused = [group for group in checkpoint.params if group not in fresh]
    return params, InitReport(checkpoint.source, restored, reasons, unused)


def _why_fresh(
    group: str, values: Params, checkpoint: Checkpoint, labels: Sequence[str] | None
) -> str | None:
    if group == "encoder":
        return None
    if group not in checkpoint.params:
        return "not in the checkpoint"
    if group != "classifier":
        return None
    theirs, ours = checkpoint.params[group]["bias"].shape[0], values["bias"].shape[0]
    if theirs != ours:
        return f"{theirs} labels there, {ours} here"
    if labels is not None and list(labels) != (checkpoint.labels or []):
        return f"labels there {listed(checkpoint.labels or ['unknown'])}; here {listed(labels)}"
    return None


def _restored(group: str, values: Any, checkpoint: Checkpoint) -> Any:
    wanted: dict[str, Any] = traverse_util.flatten_dict({group: values}, sep="/")
    found: dict[str, Any] = traverse_util.flatten_dict(
        {group: checkpoint.params.get(group, {})}, sep="/"
    )
    for name, leaf in wanted.items():
        if name not in found:
            raise CheckpointError(
                f"{checkpoint.source}: lacks {name} {list(leaf.shape)}; only a task head may start "
                "fresh"
            )
        if tuple(found[name].shape) != tuple(leaf.shape):
            raise CheckpointError(
                f"{checkpoint.source}: {name} is {list(found[name].shape)}, but this model's is "
                f"{list(leaf.shape)}; build the model with the checkpoint's own configuration"
            )
    leaves = {name: np.asarray(found[name], dtype=leaf.dtype) for name, leaf in wanted.items()}
    return traverse_util.unflatten_dict(leaves, sep="/")[group]
