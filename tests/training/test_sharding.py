"""Where arrays lie. Shapes and byte counts need only an abstract mesh of any size."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, PartitionSpec

from biobert_jax.configuration.defaults import SHARDING_RULES, defaults
from biobert_jax.errors import TrainingError
from biobert_jax.input.packing import Feature
from biobert_jax.models.config import BertConfig
from biobert_jax.models.heads import PretrainingModel
from biobert_jax.training.optimizer import make_optimizer
from biobert_jax.training.sharding import (
    AXES,
    bytes_on_a_device,
    check_divides,
    make_mesh,
    over_rows,
    path_name,
    row_shards,
    state_shardings,
    to_devices,
)
from biobert_jax.training.step import abstract_state, make_init

MESHES = [(8, 1, 1), (1, 8, 1), (2, 2, 2), (1, 2, 4)]
BASE = BertConfig()
LARGE = BertConfig(
    hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
)


def mesh_of(shape):
    return AbstractMesh(shape, AXES)


def state_of(architecture, mesh):
    features = dict.fromkeys(("input_ids", "token_type_ids"), Feature("token"))
    task = types.SimpleNamespace(model=PretrainingModel(architecture), features=features)
    optimizer, _ = make_optimizer(defaults().optimizer, 10)
    return abstract_state(make_init(task, optimizer), mesh, SHARDING_RULES)


@pytest.mark.parametrize("shape", MESHES)
@pytest.mark.parametrize("architecture", [BASE, LARGE], ids=["base", "large"])
def test_nothing_large_lies_whole_on_every_device(architecture, shape):
    state = state_of(architecture, mesh_of(shape))
    parts = shape[1] * shape[2]
    total = sum(leaf.size * 4 for leaf in jax.tree.leaves(state.params))
    vectors = sum(leaf.size * 4 for leaf in jax.tree.leaves(state.params) if leaf.size < 200_000)
    # Vectors are replicated; nsp's and the position table's few rows are spread over fsdp alone.
    found = bytes_on_a_device(state.params)
    assert total / parts <= found
    small = vectors + 4 * 600 * architecture.hidden_size + 8 * architecture.hidden_size**2
    assert found <= total / parts + small
    # The moments lie as their parameters do.
    moments = bytes_on_a_device(state.opt_state)
    assert abs(moments - 2 * found) <= 16


def test_everything_is_whole_on_a_data_mesh():
    for leaf in jax.tree.leaves(state_of(BASE, mesh_of((8, 1, 1)))):
        assert leaf.sharding.is_fully_replicated


def test_rules_spread_as_they_say():
    state = state_of(BASE, mesh_of((2, 2, 2)))
    specs = {
        path_name(path): leaf.sharding.spec
        for path, leaf in jax.tree_util.tree_leaves_with_path(state.params)
    }
    layer = "encoder/layers/attention/qkv"
    assert specs[f"{layer}/kernel"] == PartitionSpec(None, "fsdp", None, "tensor", None)
    assert specs[f"{layer}/bias"] == PartitionSpec(None, None, "tensor", None)
    assert specs["encoder/layers/mlp/output/kernel"] == PartitionSpec(None, "tensor", "fsdp")
    assert specs["encoder/embeddings/layer_norm/scale"] == PartitionSpec()


def test_an_axis_that_does_not_divide_is_left_out():
    leaf = {"word_embeddings": {"embedding": jax.ShapeDtypeStruct((7, 64), jnp.float32)}}
    found = state_shardings(leaf, mesh_of((1, 4, 2)), SHARDING_RULES)
    assert found["word_embeddings"]["embedding"].spec == PartitionSpec(None, "fsdp")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ((), r"head/kernel \(4, 4\): no rule of config.mesh.rules covers it"),
        ((("kernel$", ("fsdp", None, None)),), "its rule in config.mesh.rules names 3 dimensions"),
    ],
)
def test_an_array_without_a_fitting_rule_is_named(rules, message):
    leaf = {"head": {"kernel": jax.ShapeDtypeStruct((4, 4), jnp.float32)}}
    with pytest.raises(TrainingError, match=message):
        state_shardings(leaf, mesh_of((1, 2, 1)), rules)


@pytest.mark.parametrize(
    "sizes", [{"data": 3}, {"data": -1, "fsdp": -1}, {"fsdp": 0}, {"data": 1, "tensor": 2}]
)
def test_meshes_that_cannot_be(sizes):
    with pytest.raises(TrainingError, match=r"config\.mesh"):
        make_mesh(sizes, jax.local_devices()[:1])


@dataclasses.dataclass(frozen=True)
class Device:
    """A device of a slice, as much of it as a mesh asks for."""

    id: int
    process_index: int
    slice_index: int | None = None
    platform: str = "tpu"
    device_kind: str = "TPU v5 lite"
    coords: tuple[int, ...] = (0, 0, 0)
    core_on_chip: int = 0


def devices_of(slices, each, known=True, platform="cpu"):
    return [
        Device(number, number // each, number // each if known else None, platform, platform)
        for number in range(slices * each)
    ]


def test_data_alone_spans_slices():
    # In whatever order the devices come.
    devices = devices_of(2, 4)[::-1]
    mesh = make_mesh({"data": -1, "fsdp": 2, "tensor": 1, "slices": 2}, devices)
    assert dict(mesh.shape) == {"data": 4, "fsdp": 2, "tensor": 1}
    of = [[device.slice_index for device in row.flat] for row in mesh.devices]
    assert of == [[0, 0], [0, 0], [1, 1], [1, 1]]


def test_processes_stand_for_slices_where_devices_do_not_say():
    mesh = make_mesh({"slices": 2}, devices_of(2, 2, known=False))
    assert [device.process_index for device in mesh.devices.flat] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"fsdp": 8, "data": 1, "slices": 2}, r"config\.mesh\.data is 1, and there are 2 slices"),
        ({"slices": 4}, r"config\.mesh\.slices is 4, and the 8 devices of 2 processes are in 2"),
        ({"slices": 3}, r"config\.mesh\.slices is 3"),
    ],
)
def test_slices_that_cannot_be(sizes, message):
    with pytest.raises(TrainingError, match=message):
        make_mesh(sizes, devices_of(2, 4))


def test_a_tpu_says_how_many_slices_there_are(monkeypatch):
    monkeypatch.setattr(
        "jax.experimental.mesh_utils.create_hybrid_device_mesh",
        lambda within, slices, devices, process_is_granule: np.array([within, slices]),
    )
    monkeypatch.setattr(
        "biobert_jax.training.sharding.Mesh", lambda array, *_, **__: array.tolist()
    )
    assert make_mesh({"fsdp": 4}, devices_of(2, 4, platform="tpu")) == [[1, 4, 1], [2, 1, 1]]


def test_gpus_of_several_hosts_are_one_slice_unless_asked():
    mesh = make_mesh({"data": 1, "fsdp": 8}, devices_of(2, 4, platform="gpu"))
    assert dict(mesh.shape) == {"data": 1, "fsdp": 8, "tensor": 1}


def test_heads_divide_by_tensor():
    check_divides(mesh_of((1, 1, 4)), BASE)
    with pytest.raises(TrainingError, match=r"num_attention_heads, 12; .*1, 2, 3, 4"):
        check_divides(mesh_of((1, 1, 8)), BASE)
    odd = BertConfig(intermediate_size=3070)
    with pytest.raises(TrainingError, match="intermediate_size, 3070"):
        check_divides(mesh_of((1, 1, 4)), odd)


def test_rows_go_to_the_devices_of_the_mesh():
    mesh = make_mesh(devices=jax.local_devices()[:1])
    assert row_shards(mesh) == 1
    rows = {"input_ids": np.arange(12, dtype=np.int32).reshape(4, 3)}
    placed = to_devices(rows, mesh)
    assert placed["input_ids"].sharding.is_equivalent_to(over_rows(mesh), 2)
    np.testing.assert_array_equal(placed["input_ids"], rows["input_ids"])
