"""Random choices that a failed test can be repeated with."""

import os
import random

VARIABLE = "BIOBERT_TEST_SEED"


def random_step(first: int, end: int) -> int:
    """A step of `first` to `end` - 1, another one in every run.

    pytest shows the seed where the test fails; BIOBERT_TEST_SEED=SEED draws the same step again.
    """
    seed = int(os.environ.get(VARIABLE) or random.randrange(1 << 32))
    step = random.Random(seed).randrange(first, end)
    print(f"step {step}; {VARIABLE}={seed} repeats it")
    return step
