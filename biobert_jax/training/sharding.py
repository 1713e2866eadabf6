"""How arrays are sharded: rows over `data` and `fsdp`, parameters over `fsdp` and `tensor`."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from biobert_jax.configuration.settings import AXES
from biobert_jax.errors import TrainingError
from biobert_jax.models.partitioning import ROWS

logger = logging.getLogger(__name__)

Rules = Sequence[tuple[str, Sequence[Any]]]
"""(pattern, mesh axis or None for each dimension); the first whose pattern is found in an array's
path sets its sharding."""


def make_mesh(sizes: Mapping[str, int] | None = None, devices: Sequence[Any] | None = None) -> Mesh:
    """Lays out devices, those of all processes by default.

    Several slices are joined by `data` alone: what it sends is once a step, and the network between
    slices is slow. `fsdp` and `tensor` stay within one.

    Args:
      sizes: of the axes, those of all slices together; at most one is -1 and takes what the others
        leave. `slices`: how many there are; 0: as a TPU's devices say. None: all in `data`.
      devices: which.

    Raises:
      TrainingError: the sizes do not fit the number of devices or of slices, or `tensor` spans
        processes.
    """
    devices = jax.devices() if devices is None else list(devices)
    sizes = {"data": -1, "fsdp": 1, "tensor": 1, "slices": 0} | dict(sizes or {})
    slices, of_processes = _slices(sizes.pop("slices"), devices)
    shape = [sizes[axis] for axis in AXES]
    known = int(np.prod([size for size in shape if size != -1]))
    if shape.count(-1) > 1 or known < 1 or any(size < -1 for size in shape):
        raise TrainingError(f"config.mesh is {sizes}; expected positive numbers and at most one -1")
    shape = [len(devices) // known if size == -1 else size for size in shape]
    if int(np.prod(shape)) != len(devices):
        raise TrainingError(
            f"config.mesh is {sizes}, which does not multiply to the {len(devices)} devices that "
            "there are; set one axis to -1"
        )
    on_a_process = sum(device.process_index == devices[0].process_index for device in devices)
    if on_a_process % shape[2]:
        raise TrainingError(
            f"config.mesh.tensor is {shape[2]}, and a process has {on_a_process} devices; "
            "heads are spread over devices of one process only: take a divisor of that"
        )
    kinds = (AxisType.Auto,) * len(AXES)
    if slices == 1 and slices_of(devices) > 1:  # hosts of GPUs, which make_mesh takes for slices
        return Mesh(np.array(devices, object).reshape(shape), AXES, axis_types=kinds)
    if slices == 1:
        return jax.make_mesh(shape, AXES, kinds, devices=devices)
    if shape[0] % slices:
        raise TrainingError(
            f"config.mesh.data is {shape[0]}, and there are {slices} slices, which fsdp and tensor "
            "cannot span; take a multiple of the slices, or -1 and smaller other axes"
        )
    within = (shape[0] // slices, *shape[1:])
    array = mesh_utils.create_hybrid_device_mesh(
        within, (slices, 1, 1), devices, process_is_granule=of_processes
    )
    return Mesh(array, AXES, axis_types=kinds)


def slices_of(devices: Sequence[Any]) -> int:
    """The number of slices that devices belong to; those of one slice share a fast network."""
    return len({getattr(device, "slice_index", None) for device in devices})


def _slices(asked: int, devices: Sequence[Any]) -> tuple[int, bool]:
    """How many slices a mesh has, and whether its processes stand for them.

    Raises:
      TrainingError: the devices are of another number of slices.
    """
    there = slices_of(devices)
    # GPUs say of which host they are, and between hosts any axis may go.
    if asked == 0:
        return (there if devices[0].platform == "tpu" else 1), False
    if asked == there:
        return there, False
    # Devices that know nothing of slices: hosts of GPUs, and CPUs that play them.
    processes = len({device.process_index for device in devices})
    if there == 1 and asked == processes:
        return asked, True
    raise TrainingError(
        f"config.mesh.slices is {asked}, and the {len(devices)} devices of {processes} "
        f"{'process is' if processes == 1 else 'processes are'} in {there}; leave it at 0, which "
        "takes what the devices say, or start as many slices"
    )


def mesh_sizes(config: ml_collections.ConfigDict) -> dict[str, int]:
    """`config.mesh` without its rules."""
    return {axis: config.mesh[axis] for axis in AXES} | {"slices": config.mesh.get("slices", 0)}


def row_shards(mesh: Mesh) -> int:
    """In how many parts a batch's rows are split."""
    return int(np.prod([mesh.shape[axis] for axis in ROWS]))


def replicated(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())


def over_rows(mesh: Mesh) -> NamedSharding:
    """The first axis, a batch's rows, over `data` and `fsdp`."""
    return NamedSharding(mesh, PartitionSpec(ROWS))


def state_shardings(abstract: Any, mesh: Mesh, rules: Rules) -> Any:
    """The sharding of each array of a training state.

    Args:
      abstract: the state's shapes.
      mesh: with the axes of `AXES`.
      rules: which axes spread which arrays. Scalars need none. A mesh axis that does not divide
        its dimension is left out there.

    Raises:
      TrainingError: an array that no rule covers, or a rule with another number of dimensions.
    """

    def place(path: Any, leaf: jax.ShapeDtypeStruct) -> NamedSharding:
        if not leaf.shape:
            return replicated(mesh)
        name = path_name(path)
        spec = next((spec for pattern, spec in rules if re.search(pattern, name)), None)
        if spec is None:
            raise TrainingError(
                f"{name} {leaf.shape}: no rule of config.mesh.rules covers it; add one, "
                "with () for an array that every device shall hold"
            )
        if len(spec) > len(leaf.shape):
            raise TrainingError(
                f"{name} {leaf.shape}: its rule in config.mesh.rules names {len(spec)} dimensions"
            )
        return NamedSharding(mesh, PartitionSpec(*map(dividing, spec, leaf.shape)))

    def dividing(axis: str | None, size: int) -> str | None:
        return axis if axis is not None and size % mesh.shape[axis] == 0 else None

    return jax.tree_util.tree_map_with_path(place, abstract)


def path_name(path: Any) -> str:
    """A path in a tree of arrays as `params/encoder/layers/...`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def bytes_on_a_device(abstract: Any) -> int:
    """What one device holds of arrays that carry their sharding."""
    return sum(
        int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(abstract)
    )


def check_divides(mesh: Mesh, architecture: Any) -> None:
    """Refuses a `tensor` axis that a model's heads or feed-forward width cannot be split over.

    Args:
      mesh: of `make_mesh`.
      architecture: of the encoder, with `num_attention_heads` and `intermediate_size`.

    Raises:
      TrainingError: it does not divide one of them, so that every device would compute all of it.
    """
    parts = mesh.shape["tensor"]
    for name in ("num_attention_heads", "intermediate_size"):
        size = getattr(architecture, name, parts)
        if size % parts:
            heads = architecture.num_attention_heads
            fitting = [n for n in range(1, heads + 1) if heads % n == 0]
            raise TrainingError(
                f"config.mesh.tensor is {parts}, which does not divide the model's {name}, {size}; "
                f"take a divisor of its {heads} heads: {', '.join(map(str, fitting))}"
            )


def log_bytes(params: Any, opt_state: Any, mesh: Mesh) -> None:
    """Logs bytes per device, and those of parameters that are replicated but could be sharded."""
    shape = " x ".join(f"{axis} {mesh.shape[axis]}" for axis in AXES)
    if isinstance(mesh, Mesh) and (slices := slices_of(list(mesh.devices.flat))) > 1:
        shape += f" ({slices} slices)"
    logger.info(
        "mesh %s: parameters %.1f MB and optimiser %.1f MB on each device",
        shape,
        bytes_on_a_device(params) / 1e6,
        bytes_on_a_device(opt_state) / 1e6,
    )
    if mesh.shape["fsdp"] * mesh.shape["tensor"] == 1:
        return
    whole = [
        leaf for leaf in jax.tree.leaves(params) if leaf.sharding.is_fully_replicated and leaf.shape
    ]
    logger.info("of those, %.1f MB are replicated on every device", bytes_on_a_device(whole) / 1e6)


def to_devices(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Makes global arrays out of each process's own rows of a batch."""
    sharding = over_rows(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, rows) for name, rows in batch.items()
    }
