"""What a config's `compute` becomes on a platform."""

import pytest

from biobert_jax.configuration.defaults import defaults
from biobert_jax.launcher import start


@pytest.mark.parametrize(
    ("platform", "remat", "asked", "expected"),
    [
        ("cpu", "none", -1, 0),
        ("cpu", "full", -1, 1),  # without a loop nothing would be saved
        ("tpu", "none", -1, 1),
        ("cuda", "dots", -1, 1),
        ("cpu", "full", 0, 0),
        ("cpu", "none", 3, 3),
    ],
)
def test_how_many_layers_a_turn_of_the_loop_holds(platform, remat, asked, expected):
    config = defaults()
    config.compute.remat, config.compute.unroll = remat, asked
    assert start.compute(config, platform).unroll == expected
