"""Where arrays lie. Shapes and byte counts need only an abstract mesh of any size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, PartitionSpec

from biobert_jax.training.sharding import make_mesh, over_rows, state_shardings, to_devices


def abstract(**shapes):
    return {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}


STATE = abstract(embeddings=(800, 64), kernel=(2, 64, 3, 8, 24), bias=(2, 63), step=(), odd=(7, 9))


def bytes_on_a_device(state, shardings) -> int:
    shapes = jax.tree.map(lambda leaf, s: s.shard_shape(leaf.shape), state, shardings)
    return 4 * sum(int(np.prod(shape)) for shape in shapes.values())


def test_replicated_unless_asked():
    mesh = AbstractMesh((8,), ("data",))
    for sharding in state_shardings(STATE, mesh, shard=False).values():
        assert sharding.spec == PartitionSpec()


def test_sharded_over_the_largest_axis_that_divides():
    mesh = AbstractMesh((8,), ("data",))
    specs = {name: s.spec for name, s in state_shardings(STATE, mesh, shard=True).items()}
    assert specs == {
        "embeddings": PartitionSpec("data"),
        "kernel": PartitionSpec(None, "data"),
        "bias": PartitionSpec(),
        "step": PartitionSpec(),
        "odd": PartitionSpec(),
    }


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_each_device_holds_its_share(devices):
    mesh = AbstractMesh((devices,), ("data",))
    undivided = 4 * (2 * 63 + 1 + 7 * 9)
    if devices == 2:
        undivided = 4 * (2 * 63 // 2 + 1 + 7 * 9)  # the bias's two layers
    if devices == 1:
        undivided = 4 * (2 * 63 + 1 + 7 * 9)
    divided = 4 * (800 * 64 + 2 * 64 * 3 * 8 * 24)
    found = bytes_on_a_device(STATE, state_shardings(STATE, mesh, shard=True))
    assert found == divided // devices + undivided


def test_rows_go_to_the_devices_of_the_mesh():
    mesh = make_mesh(jax.local_devices()[:1])
    rows = {"input_ids": np.arange(12, dtype=np.int32).reshape(4, 3)}
    placed = to_devices(rows, mesh)
    assert placed["input_ids"].sharding.is_equivalent_to(over_rows(mesh), 2)
    np.testing.assert_array_equal(placed["input_ids"], rows["input_ids"])
