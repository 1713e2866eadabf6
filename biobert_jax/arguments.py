"""Types for argparse: numbers with the range that they make sense in."""

import argparse
import math
from collections.abc import Callable


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
