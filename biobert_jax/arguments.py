"""What command lines give: numbers within their range, and paths that begin with `~`."""

import argparse
import math
import os
from collections.abc import Callable, Mapping
from typing import Any


def expand_home(value: Any) -> Any:
    """A value, or a nest of them, with the user's folder in the place of a leading `~`.

    A shell expands `--workdir ~/x`, but not `--workdir=~/x`.
    """
    if isinstance(value, str):
        return os.path.expanduser(value) if value.startswith("~") else value
    if isinstance(value, Mapping):
        return {name: expand_home(one) for name, one in value.items()}
    return type(value)(map(expand_home, value)) if isinstance(value, tuple | list) else value


def expand_option(argument: str) -> str:
    """`--NAME=~/x` with the user's folder in it; any other argument as it is."""
    name, equals, value = argument.partition("=")
    return name + equals + expand_home(value) if name.startswith("--") else argument


def whole_number(at_least: int) -> Callable[[str], int]:
    """A type for whole numbers from `at_least` on."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < at_least:
            raise argparse.ArgumentTypeError(
                f"{text!r}: expected a whole number, {at_least} or more"
            )
        return value

    return parse


def positive_number(text: str) -> float:
    """A type for finite numbers above 0."""
    return _number(text, math.inf, "a number above 0")


def share(text: str) -> float:
    """A type for shares: above 0, and 1 at the most."""
    return _number(text, 1.0, "a number above 0, and 1 at the most")


def _number(text: str, highest: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and 0 < value <= highest):
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return value
