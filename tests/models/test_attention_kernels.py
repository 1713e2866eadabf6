"""Every attention implementation against the plain one, on packed rows with padding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.models import attention_kernel
from biobert_jax.models.attention import IMPLEMENTATIONS, attend, choose

BATCH, LENGTH, HEADS, SIZE = 3, 32, 2, 16


def packed_segments() -> np.ndarray:
    """Three sequences and padding; one that fills its row; a row of padding alone."""
    rows = np.zeros((BATCH, LENGTH), np.int32)
    rows[0, :10], rows[0, 10:11], rows[0, 11:28] = 1, 2, 3
    rows[1] = 1
    return rows


def arrays(dtype=jnp.float32):
    shape = (BATCH, LENGTH, HEADS, SIZE)
    keys = jax.random.split(jax.random.key(0), 4)
    return [2 * jax.random.normal(key, shape).astype(dtype) for key in keys]


def outputs_and_gradients(function, q, k, v, weight, real):
    """Of the real positions; padding's are left open."""

    def total(q, k, v):
        out = function(q, k, v).astype(jnp.float32)
        return jnp.sum(jnp.where(real[:, :, None, None], out * weight, 0)), out

    (_, out), gradients = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))(
        q, k, v
    )
    return [np.asarray(x, np.float32)[real] for x in (out, *gradients)]


def compare(function, tolerance, dtype=jnp.float32, **dropout):
    segments = packed_segments()
    *qkv, weight = arrays(dtype)
    real = segments > 0
    plain = functools.partial(attend, segment_ids=segments, **dropout)
    expected = outputs_and_gradients(plain, *qkv, weight, real)
    found = outputs_and_gradients(
        functools.partial(function, segment_ids=segments, **dropout), *qkv, weight, real
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
    return found, expected


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_tpu_kernel_interpreted(rate):
    kernel = functools.partial(attention_kernel.attend, interpret=True)
    rng = jax.random.key(7) if rate else None
    found, _ = compare(kernel, 2e-6, dropout_rate=rate, dropout_rng=rng)
    if rate:
        without, _ = compare(kernel, 2e-6)
        assert not np.allclose(found[0], without[0])


def test_the_tpu_kernel_in_bfloat16():
    kernel = functools.partial(attention_kernel.attend, interpret=True)
    compare(kernel, 0.03, jnp.bfloat16, dropout_rate=0.1, dropout_rng=jax.random.key(7))


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
    compare(attention_kernel.attend, 1e-4, dropout_rate=rate, dropout_rng=rng)


@pytest.mark.parametrize(
    ("platform", "dtype", "rate", "generator", "chosen"),
    [
        ("cpu", "float32", 0.1, "hash", "xla"),
        ("gpu", "bfloat16", 0.0, "hash", "cudnn"),
        ("gpu", "bfloat16", 0.1, "hash", "xla"),
        ("gpu", "float32", 0.0, "hash", "xla"),
        ("tpu", "bfloat16", 0.1, "hash", "pallas"),
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
    with pytest.raises(ValueError, match=r"pallas.*'hash'"):
        attend(q, q, q, segments, implementation="pallas", generator="rbg", **dropped)
