"""Parts of a training set, for scores against its size."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def drawn(items: Sequence[Item], count: int) -> list[Item]:
    """A random part of a training set, the same for every run; 0: all of it.

    A smaller part is contained in every larger one. Items keep their order.
    """
    if not 0 < count < len(items):
        return list(items)
    chosen = np.random.default_rng(0).permutation(len(items))[:count]
    return [items[number] for number in sorted(chosen)]
