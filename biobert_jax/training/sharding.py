"""How arrays lie on devices: rows over the `data` axis, parameters replicated or spread over it."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def make_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """One `data` axis over all devices of all processes."""
    return Mesh(np.array(devices if devices is not None else jax.devices()), ("data",))


def replicated(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())


def over_rows(mesh: Mesh) -> NamedSharding:
    """The first axis, a batch's rows, over `data`."""
    return NamedSharding(mesh, PartitionSpec("data"))


def state_shardings(abstract: Any, mesh: Mesh, shard: bool) -> Any:
    """Where each array of a training state lies.

    Args:
      abstract: the state's shapes.
      mesh: with a `data` axis.
      shard: spread every array over `data` along its largest axis that divides evenly (parameters,
        gradients and optimiser moments then take 1/n of the memory); else replicate all.
    """
    devices = mesh.shape["data"]

    def place(leaf: jax.ShapeDtypeStruct) -> NamedSharding:
        dividing = [axis for axis, size in enumerate(leaf.shape) if size % devices == 0 and size]
        if not shard or not dividing:
            return replicated(mesh)
        axis = max(dividing, key=lambda a: leaf.shape[a])
        return NamedSharding(mesh, PartitionSpec(*[None] * axis, "data"))

    return jax.tree.map(place, abstract)


def to_devices(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Makes global arrays out of each process's own rows of a batch."""
    sharding = over_rows(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, rows) for name, rows in batch.items()
    }
