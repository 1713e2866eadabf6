"""The hash behind dropout masks: rate, independence, and no dependence on the layout of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.models.dropout import dropout, hash_bits


def test_the_rate_and_the_scale_are_right():
    x = dropout(jnp.ones((1000, 1000)), 0.1, jax.random.key(0))
    kept = np.asarray(x) > 0
    assert abs(kept.mean() - 0.9) < 0.001  # three standard deviations of a million draws
    np.testing.assert_allclose(np.unique(np.asarray(x)[kept]), 1 / 0.9, rtol=1e-6)


def test_bits_are_balanced_and_neighbours_are_independent():
    bits = np.asarray(hash_bits(jax.random.key(3), (1024, 1024)))
    for bit in range(32):
        assert abs(((bits >> bit) & 1).mean() - 0.5) < 0.003
    uniform = bits / 2**32
    flat = uniform.ravel()
    for shift in (1, 2, 3, 64, 1023, 1024, 4096):
        # The standard deviation of a million independent pairs is 0.001.
        assert abs(np.corrcoef(flat, np.roll(flat, shift))[0, 1]) < 0.005
    counts = np.bincount((uniform.ravel() * 256).astype(int), minlength=256)
    chi_square = ((counts - 4096) ** 2 / 4096).sum()
    assert 150 < chi_square < 375  # 255 degrees of freedom: six standard deviations either way


def test_matrices_of_one_array_are_unrelated():
    bits = np.asarray(hash_bits(jax.random.key(5), (8, 4, 128, 128))).reshape(32, -1)
    dropped = (bits < 2**32 // 10).astype(float)
    together = dropped @ dropped.T / bits.shape[1]
    off_diagonal = together[~np.eye(32, dtype=bool)]
    assert abs(off_diagonal - 0.01).max() < 0.004  # 0.01 by chance; five standard deviations
    assert len(np.unique(bits[:, 0])) == 32


def test_arrays_of_more_than_2_to_the_32_elements_can_be_numbered():
    shape = (2048, 16, 512, 512)  # 8.6e9
    assert jax.eval_shape(lambda key: hash_bits(key, shape), jax.random.key(0)).shape == shape


def test_keys_give_unrelated_masks():
    keys = jax.random.split(jax.random.key(0), 20)
    dropped = np.stack([np.asarray(hash_bits(key, (256, 256))) < 2**32 // 10 for key in keys])
    together = np.einsum("aij,bij->ab", dropped.astype(float), dropped.astype(float)) / 256**2
    off_diagonal = together[~np.eye(20, dtype=bool)]
    assert abs(off_diagonal - 0.01).max() < 0.003


def test_no_key_means_no_dropout_and_bad_rates_are_refused():
    x = jnp.arange(4.0)
    assert dropout(x, 0.5, None) is x
    with pytest.raises(ValueError, match=r"must be in \[0, 1\); found 1.0"):
        dropout(x, 1.0, jax.random.key(0))
