"""Named tensors from safetensors and PyTorch files, whole or sharded."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from biobert_jax.errors import CheckpointError, DataError, at
from biobert_jax.files import read_json

FILES = ("model.safetensors", "pytorch_model.bin")
"""In order of preference; each may also be sharded, with an index `<name>.index.json`."""

_AGAIN = "copy or download it again"


def find_weights(folder: Path) -> Path | None:
    """The weights, or the index of their shards, of a Hugging Face folder; None without either."""
    for name in FILES:
        for path in (folder / name, folder / f"{name}.index.json"):
            if path.is_file():
                return path
    return None


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file that `find_weights` found, real floating point as float32.

    Raises:
      CheckpointError: a file or shard is missing, truncated, or of another format.
    """
    if path.name.endswith(".index.json"):
        tensors = {}
        for shard in _shards(path):
            tensors.update(read_tensors(shard))
        return tensors
    _check_not_pointer(path)
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(read_json(index)["weight_map"].values()))
        if any(Path(name).name != name for name in names):
            raise ValueError("a shard's name is a path")
    except (DataError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{at(index)}: no index of shards ({error!r}); expected a JSON object with weight_map"
        ) from error
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise CheckpointError(
            f"{at(index)}: names {len(names)} shards, of which {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not in the folder; {_AGAIN}"
        )
    return [index.parent / name for name in names]


def _check_not_pointer(path: Path) -> None:
    with open(path, "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise CheckpointError(
                f"{at(path)}: a Git LFS pointer of {path.stat().st_size} bytes instead of weights; "
                "run `git lfs pull` in the clone"
            )


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    _check_safetensors_size(path)
    try:
        with safe_open(path, "numpy") as file:
            return {name: float32(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError) as error:
        raise CheckpointError(f"{at(path)}: not a readable safetensors file ({error})") from error


def _check_safetensors_size(path: Path) -> None:
    """The library says only that a file is short; this says by how much."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        prefix = file.read(8)
        needed = 8 + (struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0)
        if needed <= size and len(prefix) == 8:
            try:
                header = json.loads(file.read(needed - 8))
                tensors = [entry for name, entry in header.items() if name != "__metadata__"]
                needed += max((entry["data_offsets"][1] for entry in tensors), default=0)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                raise CheckpointError(
                    f"{at(path)}: the header is not that of a safetensors file; {_AGAIN}"
                ) from error
    if size < needed:
        raise CheckpointError(
            f"{at(path)}: truncated: {size:,} bytes of at least {needed:,} that its header "
            f"announces; {_AGAIN}"
        )


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise CheckpointError(
            f"{at(path)}: reading a PyTorch file needs torch; "
            "pip install 'biobert-jax[torch]', or convert the file to model.safetensors"
        ) from error
    try:
        # weights_only: a pickle may otherwise run any code that its author put in.
        state = torch.load(os.fspath(path), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for damaged files
        raise CheckpointError(
            f"{at(path)}: torch cannot load it with weights_only ({_first_line(error)}); the file "
            f"of {path.stat().st_size:,} bytes is truncated or holds more than tensors: {_AGAIN}"
        ) from error
    if not isinstance(state, dict) or not all(torch.is_tensor(t) for t in state.values()):
        raise CheckpointError(
            f"{at(path)}: expected a dictionary of tensors (a state_dict), found "
            f"{type(state).__name__} with other things in it"
        )
    try:
        return {name: _from_torch(tensor) for name, tensor in state.items()}
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise CheckpointError(
            f"{at(path)}: holds tensors that are no plain arrays ({_first_line(error)}), such as "
            "quantized or sparse ones; expected floating-point weights as they were trained"
        ) from error


def _from_torch(tensor: Any) -> np.ndarray:
    eight_bits = tensor.is_floating_point() and tensor.element_size() == 1
    if eight_bits:
        raise TypeError(f"tensors of type {tensor.dtype}")
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {''.join(str(error).strip().splitlines()[:1])}"


def float32(tensor: np.ndarray) -> np.ndarray:
    """Real floating point as float32; other types as they are."""
    # bfloat16 comes as ml_dtypes', whose kind is not "f". `interop.checkpoint.check_values` names
    # other types where they are weights.
    real = tensor.dtype.kind == "f" or tensor.dtype.name == "bfloat16"
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused as such
        return tensor.astype(np.float32, copy=False) if real else tensor
