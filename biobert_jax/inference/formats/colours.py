"""Colours of entity types, the same on a page and in a terminal."""

from collections.abc import Sequence
from itertools import count


class Order(dict[str, int]):
    """Numbers types as they turn up."""

    def __init__(self, types: Sequence[str] = ()):
        super().__init__(zip(types, count(), strict=False))

    def __missing__(self, kind: str) -> int:
        self[kind] = len(self)
        return self[kind]
