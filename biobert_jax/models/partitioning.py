"""How the model's arrays are sharded over a mesh. Without a mesh, no constraints."""

import jax
from jax.sharding import PartitionSpec

ROWS = ("data", "fsdp")
"""The mesh axes that a batch's rows are spread over."""

HEADS = "tensor"
"""The mesh axis that attention heads and the feed-forward layer's width are spread over."""


def current_mesh() -> jax.sharding.AbstractMesh | None:
    """The mesh of `jax.set_mesh`, if it has our axes."""
    mesh = jax.sharding.get_abstract_mesh()
    return mesh if set(ROWS) <= set(mesh.axis_names) else None


def constrain_rows(x: jax.Array) -> jax.Array:
    """Keeps an activation [B, ...] spread over rows alone.

    Parameters spread over `fsdp` would else tempt the compiler to spread activations as they are
    and to send those around, which are larger.
    """
    if current_mesh() is None:
        return x
    spec = PartitionSpec(ROWS, *[None] * (x.ndim - 1))
    return jax.lax.with_sharding_constraint(x, spec)
