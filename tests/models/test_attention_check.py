"""A kernel that is wrong in one thing is found out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.models import attention, attention_gpu, attention_kernel, attention_tpu
from biobert_jax.models.attention_check import compare

SHAPE = {"row_length": 48, "heads": 2, "head_size": 8}


def instead(broken):
    """attend, with another function for everything but `xla`."""

    def attend(q, k, v, segments, *, implementation, **more):
        if implementation == "xla":
            return attention.attend(q, k, v, segments, implementation="xla", **more)
        return broken(q, k, v, segments, **more)

    return attend


def plain(q, k, v, segments, **more):
    return attention.attend(q, k, v, segments, implementation="xla", **more)


def one_segment(q, k, v, segments, **more):
    return plain(q, k, v, jnp.minimum(segments, 1), **more)


def padding_attends(q, k, v, segments, **more):
    return plain(q, k, v, segments + 1, **more)


def no_scale(q, k, v, segments, **more):
    return plain(q * q.shape[-1] ** 0.5, k, v, segments, **more)


def no_dropout(q, k, v, segments, dropout_rng, **more):
    return plain(q, k, v, segments, dropout_rng=None, **more)


def other_masks(q, k, v, segments, dropout_rng, **more):
    return plain(q, k, v, segments, dropout_rng=jax.random.key(2), **more)


@jax.custom_vjp
def _wrong_gradient(k):
    return k


_wrong_gradient.defvjp(lambda k: (k, None), lambda _, g: (0.9 * g,))


def wrong_key_gradient(q, k, v, segments, **more):
    return plain(q, _wrong_gradient(k), v, segments, **more)


def nan_at_the_end(q, k, v, segments, **more):
    return plain(q, k, v, segments, **more).at[0, 0, 0, 0].set(jnp.nan)


def fails(q, k, v, segments, **more):
    raise NotImplementedError("no such instruction\non this device")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("broken", "array"),
    [
        (one_segment, None),
        (no_scale, None),
        (no_dropout, None),
        (other_masks, None),
        (wrong_key_gradient, "key gradient"),
        (nan_at_the_end, "output"),
        (fails, ""),
    ],
)
def test_what_is_wrong_does_not_agree(broken, array, dtype):
    found = compare("own", dtype=dtype, dropout_rate=0.1, attend=instead(broken), **SHAPE)
    assert not found.agrees
    assert array in (None, found.array)
    assert bool(found.error) == (broken is fails), found
    assert found.difference > 2 * found.tolerance
    if broken is fails:
        assert str(found) == "does not run: NotImplementedError: no such instruction"


@pytest.mark.parametrize("rate", [0.0, 0.1])
@pytest.mark.parametrize("kernel", [attention_tpu.attend, attention_gpu.attend])
def test_our_kernels_agree_in_interpret_mode(kernel, rate):
    ours = functools.partial(attention_kernel.attend, kernel, interpret=True)
    attend = instead(lambda q, k, v, s, generator, **more: ours(q, k, v, s, **more))
    found = compare("own", dtype="float32", dropout_rate=rate, attend=attend, **SHAPE)
    assert found.agrees, str(found)
    assert found.difference < 1e-5


def test_padding_is_left_open():
    """cuDNN's form lets padding attend to padding."""
    found = compare("own", dtype="float32", attend=instead(padding_attends), **SHAPE)
    assert found.agrees, str(found)


def test_cudnn_on_a_cpu_does_not_run():
    found = compare("cudnn", dtype="bfloat16", **SHAPE)
    assert found.difference == np.inf
    assert found.error
