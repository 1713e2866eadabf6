"""Every attention implementation against the plain one, on packed rows with padding."""

import functools
import importlib.util
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.models import attention_gpu, attention_kernel, attention_tpu
from biobert_jax.models.attention import IMPLEMENTATIONS, attend, choose
from biobert_jax.models.attention_gpu import Tile, Tiles

# Neither a whole number of the small tiles below nor a power of two.
BATCH, LENGTH, HEADS, SIZE = 4, 80, 2, 24
SMALL = Tiles(Tile(32, 16, 4, 2), Tile(16, 16, 4, 2), Tile(16, 32, 4, 2))


def packed_segments(length: int = LENGTH) -> np.ndarray:
    """Sequences and padding; one that fills its row; padding alone; no order in the numbers."""
    rows = np.zeros((BATCH, length), np.int32)
    first, second = length // 8, length // 2
    rows[0, :first], rows[0, first : first + 1], rows[0, first + 1 : second] = 1, 2, 3
    rows[1] = 1
    rows[3, :first], rows[3, first:second], rows[3, second:-1] = 7, 2, 7
    return rows


def arrays(dtype=jnp.float32, length: int = LENGTH, size: int = SIZE):
    shape = (BATCH, length, HEADS, size)
    keys = jax.random.split(jax.random.key(0), 4)
    return [2 * jax.random.normal(key, shape).astype(dtype) for key in keys]


def outputs_and_gradients(function, q, k, v, weight, real):
    """Of the real positions; padding's are finite and else left open."""

    def total(q, k, v):
        out = function(q, k, v).astype(jnp.float32)
        return jnp.sum(jnp.where(real[:, :, None, None], out * weight, 0)), out

    step = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))
    # On accelerators the plain form's products of float32 are less than that by default.
    with jax.default_matmul_precision("highest"):
        (_, out), gradients = step(q, k, v)
    found = [np.asarray(x, np.float32) for x in (out, *gradients)]
    assert all(np.isfinite(x).all() for x in found)
    return [x[real] for x in found]


def compare(function, tolerance, dtype=jnp.float32, length=LENGTH, size=SIZE, **dropout):
    segments = packed_segments(length)
    *qkv, weight = arrays(dtype, length, size)
    real = segments > 0
    plain = functools.partial(attend, segment_ids=segments, **dropout)
    expected = outputs_and_gradients(plain, *qkv, weight, real)
    found = outputs_and_gradients(
        functools.partial(function, segment_ids=segments, **dropout), *qkv, weight, real
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
    return found, expected


def interpreted(name):
    kernels = {
        "tpu": attention_tpu.attend,
        "gpu": functools.partial(attention_gpu.attend, tiles=SMALL),
    }
    return functools.partial(attention_kernel.attend, kernels[name], interpret=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpu", "gpu"])
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_a_kernel_interpreted(name, rate):
    rng = jax.random.key(7) if rate else None
    found, _ = compare(interpreted(name), 2e-6, dropout_rate=rate, dropout_rng=rng)
    if rate:
        without, _ = compare(interpreted(name), 2e-6)
        assert not np.allclose(found[0], without[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpu", "gpu"])
def test_a_kernel_in_bfloat16(name):
    rng = jax.random.key(7)
    compare(interpreted(name), 0.03, jnp.bfloat16, dropout_rate=0.1, dropout_rng=rng)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpu", "gpu"])
def test_a_kernel_on_a_mesh(name):
    """Of one device, or, where there are as many, four (JAX_NUM_CPU_DEVICES=4)."""
    sizes = (2, 1, 2) if jax.device_count() >= 4 else (1, 1, 1)
    axes = ("data", "fsdp", "tensor")
    mesh = jax.make_mesh(sizes, axes, (jax.sharding.AxisType.Auto,) * 3)
    with jax.set_mesh(mesh):
        compare(interpreted(name), 2e-6, dropout_rate=0.1, dropout_rng=jax.random.key(7))


@pytest.mark.slow
@pytest.mark.skipif(jax.device_count() >= 4, reason="the test above has done it")
def test_kernels_on_a_mesh_of_four_devices():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, "-k", "test_a_kernel_on_a_mesh"],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("..")  # nothing was skipped


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpu", "gpu"])
def test_a_kernel_over_stacked_trials(name):
    """As `training.trials` runs several seeds at once: each gets the masks it gets alone."""
    *qkv, weight = arrays(length=32)
    segments, rngs = packed_segments(32), jax.random.split(jax.random.key(3), 2)

    def gradients(rng):
        def total(q, k, v):
            return jnp.sum(interpreted(name)(q, k, v, segments, 0.1, rng) * weight)

        return jax.grad(total, argnums=(0, 1, 2))(*qkv)

    together = jax.jit(jax.vmap(gradients))(rngs)
    alone = jax.jit(gradients)
    for trial, rng in enumerate(rngs):
        for found, expected in zip(together, alone(rng), strict=True):
            np.testing.assert_allclose(found[trial], expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(together[0][0], together[0][1])


@pytest.mark.slow
def test_the_gpu_kernel_does_not_visit_blocks_without_a_common_segment():
    q, k, v, _ = arrays(length=64, size=16)
    segments = packed_segments(64)
    found = interpreted("gpu")(q, k, v, segments)
    # A block that is visited counts with weight 0 where it is not seen, and 0 times NaN is NaN.
    with_nan = interpreted("gpu")(q, k, v.at[0, 32:].set(jnp.nan), segments)
    np.testing.assert_array_equal(with_nan[0, :32], found[0, :32])
    assert np.isnan(with_nan[0, 32:]).all()


def test_a_kernel_that_ignored_segments_would_be_found_out():
    def ignoring(query, key, value, segment_ids):
        return attend(query, key, value, np.ones_like(segment_ids))

    with pytest.raises(AssertionError):
        compare(ignoring, 0.03)


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="cuDNN needs an NVIDIA GPU")
def test_cudnn():
    compare(functools.partial(attend, implementation="cudnn"), 0.03, jnp.bfloat16)


@pytest.mark.skipif(jax.default_backend() != "tpu", reason="needs a TPU")
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_tpu_kernel_compiled(rate):
    rng = jax.random.key(7) if rate else None
    kernel = functools.partial(attend, implementation="pallas_tpu")
    compare(kernel, 1e-4, dropout_rate=rate, dropout_rng=rng)


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs libtpu")
@pytest.mark.skipif("BIOBERT_FULL" not in os.environ, reason="libtpu; BIOBERT_FULL=1 runs it")
@pytest.mark.parametrize(
    ("chip", "rate"), [("v5e:2x2", 0.1), ("v6e:2x2", 0.1), ("v5p:2x2x1", 0.1), ("v5e:2x2", 0.0)]
)
def test_the_tpu_kernel_compiles_without_a_tpu(chip, rate):
    """In a process of its own: libtpu is set up for one kind of TPU."""
    command = [sys.executable, "-c", AHEAD_OF_TIME, chip, str(rate)]
    done = subprocess.run(
        command, env=os.environ | {"JAX_PLATFORMS": "cpu"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2, "the kernel's forward and backward pass are in the program"


AHEAD_OF_TIME = """
import sys, jax, jax.numpy as jnp
from biobert_jax.analysis.compile_only import find_topology
from biobert_jax.models.attention import attend
device = find_topology(sys.argv[1]).devices[0]
place = jax.sharding.SingleDeviceSharding(device)
shape = lambda *size, dtype=jnp.bfloat16: jax.ShapeDtypeStruct(size, dtype, sharding=place)
rate = float(sys.argv[2])
def total(q, k, v, segments):
    rng = jax.random.key(0) if rate else None
    out = attend(q, k, v, segments, dropout_rate=rate, dropout_rng=rng, implementation="pallas_tpu")
    return jnp.sum(out.astype(jnp.float32))
arrays = [shape(8, 512, 12, 64)] * 3 + [shape(8, 512, dtype=jnp.int32)]
text = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2))).lower(*arrays).compile().as_text()
print(text.count('custom_call_target="tpu_custom_call"'))
"""


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_gpu_kernel_compiled(rate, size):
    rng = jax.random.key(7) if rate else None
    kernel = functools.partial(attend, implementation="pallas_gpu")
    kind = {"length": 512, "size": size, "dropout_rate": rate, "dropout_rng": rng}
    compare(kernel, 0.03, jnp.bfloat16, **kind)
    compare(kernel, 1e-4, jnp.float32, **kind)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_the_gpu_kernel_lowers_to_triton_without_a_gpu(dtype):
    kind = jax.sharding.AbstractDevice("NVIDIA H100 80GB HBM3", num_cores=132, platform="gpu")
    rng = jax.random.key(7)

    def total(q, k, v, segments):
        dropped = {"dropout_rate": 0.1, "dropout_rng": rng}
        return attend(q, k, v, segments, implementation="pallas_gpu", **dropped).sum()

    shape = jax.ShapeDtypeStruct((2, 512, 2, 64), dtype)
    segments = jax.ShapeDtypeStruct((2, 512), jnp.int32)
    # A device that is not there has its place in a mesh that is not there.
    mesh = jax.sharding.AbstractMesh((1,), ("one",), abstract_device=kind)
    with jax.sharding.use_abstract_mesh(mesh):
        traced = jax.jit(jax.grad(total, argnums=(0, 1, 2))).trace(shape, shape, shape, segments)
        module = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert module.count("@__gpu$xla.gpu.triton") == 3  # forward; queries; keys and values
    for name in ("attention_forward", "attention_query_gradients", "attention_key_gradients"):
        assert name in module


@pytest.mark.parametrize(
    ("platform", "dtype", "rate", "generator", "chosen"),
    [
        ("cpu", "float32", 0.1, "hash", "xla"),
        ("cuda", "bfloat16", 0.0, "hash", "cudnn"),
        ("rocm", "bfloat16", 0.0, "hash", "xla"),
        ("cuda", "bfloat16", 0.1, "hash", "xla"),
        ("cuda", "float32", 0.0, "hash", "xla"),
        ("tpu", "bfloat16", 0.1, "hash", "pallas_tpu"),
        ("tpu", "bfloat16", 0.1, "rbg", "xla"),
    ],
)
def test_what_auto_stands_for(platform, dtype, rate, generator, chosen):
    assert choose(platform, dtype, rate, generator) == chosen
    assert chosen in IMPLEMENTATIONS


def test_what_an_implementation_cannot_do_is_said():
    q = jnp.zeros((1, 8, 1, 8))
    segments = jnp.ones((1, 8), jnp.int32)
    dropped = {"dropout_rate": 0.1, "dropout_rng": jax.random.key(0)}
    with pytest.raises(ValueError, match=r"cudnn.*no dropout"):
        attend(q, q, q, segments, implementation="cudnn", **dropped)
    for name in ("pallas_tpu", "pallas_gpu"):
        with pytest.raises(ValueError, match=rf"'{name}'.*'hash'; 'rbg' was"):
            attend(q, q, q, segments, implementation=name, generator="rbg", **dropped)
    wide = jnp.zeros((1, 8, 1, 256))
    with pytest.raises(ValueError, match="heads of up to 128; found 256: take 'xla'"):
        attend(wide, wide, wide, segments, implementation="pallas_gpu")
    long = jax.ShapeDtypeStruct((1, 2048, 1, 8), jnp.float32)
    with pytest.raises(ValueError, match="rows of up to 1024; found 2048"):
        jax.eval_shape(
            functools.partial(attend, implementation="pallas_tpu"),
            *[long] * 3,
            jax.ShapeDtypeStruct((1, 2048), jnp.int32),
        )


@pytest.mark.parametrize("name", ["xla", "pallas_tpu", "pallas_gpu"])
def test_more_than_2_to_the_32_probabilities_can_be_dropped(name):
    many = jax.ShapeDtypeStruct((4096, 1024, 16, 8), jnp.float32)  # 6.9e10
    rng = jax.random.key(0)
    attended = jax.eval_shape(
        functools.partial(attend, implementation=name, dropout_rate=0.1, dropout_rng=rng),
        *[many] * 3,
        jax.ShapeDtypeStruct((4096, 1024), jnp.int32),
    )
    assert attended.shape == many.shape
