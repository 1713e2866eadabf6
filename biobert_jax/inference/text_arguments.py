"""Texts that callers give from Python: checked, and cut into the batches that models read."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import DataError

T = TypeVar("T")
U = TypeVar("U")

_SURROGATE = re.compile("[\ud800-\udfff]")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cuts items into lists of `size`, the last one perhaps shorter."""
    items = iter(items)
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def in_chunks(
    apply: Callable[[list[T]], Iterable[U]], items: Iterable[T], size: int
) -> Iterator[U]:
    """What `apply` gives for lists of `size` items, one result after the other."""
    for some in chunks(items, size):
        yield from apply(some)


def text_records(texts: str | Sequence[str], seconds: str | Sequence[str] | None) -> list[Record]:
    """Texts, or pairs of texts, without labels; DataError where one is empty or has no partner."""
    firsts = checked(texts, "texts", empty=False)
    others = None if seconds is None else checked(seconds, "seconds", empty=False)
    if others is not None and len(others) != len(firsts):
        raise DataError(
            f"found {len(firsts)} texts and {len(others)} seconds; expected one for each text"
        )
    return [
        Record(
            *(str(i), text, None if others is None else others[i]),
            *((), False, float("nan"), "", f"texts[{i}]"),
        )
        for i, text in enumerate(firsts)
    ]


def checked(texts: str | Sequence[Any], name: str, empty: bool = True) -> list[str]:
    """Texts as a list; DataError where one is no string of Unicode text."""
    texts = [texts] if isinstance(texts, str) else list(texts)
    for i, text in enumerate(texts):
        place = f"{name}[{i}]"
        if not isinstance(text, str):
            raise DataError(f"{place}: found {type(text).__name__}; expected a string")
        if not empty and not text.strip():
            raise DataError(f"{place}: is empty; expected text")
        if not text.isascii() and (bad := _SURROGATE.search(text)):
            raise DataError(
                f"{place}: half a surrogate pair at character {bad.start()}; expected Unicode text"
            )
    return texts
