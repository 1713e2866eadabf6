"""What a compiled program sends between devices, read from its text.

XLA's own cost analysis does not list them, and counts the body of a loop once. Here each
collective is counted as often as the loops around it run.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) \(.*\{$")
_OPERATION = re.compile(
    rf"= (?P<shape>.*?) (?P<kind>{'|'.join(KINDS)})(?P<start>-start)?\((?P<operands>.*)"
)
_WHILE = re.compile(r" while\(.*condition=%?([\w.\-]+), body=%?([\w.\-]+)")
_TRIP_COUNT = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CALLED = re.compile(r"(?:calls|to_apply|true_computation|false_computation)=%?([\w.\-]+)")
_CONSTANT = re.compile(r"= s32\[\][^ ]* constant\((\d+)\)")
# What libtpu hands to the host, which sends it to other slices.
_SEND = re.compile(r"= (?P<shape>.*?) send\(.*_xla_megascale_transfer_type=\"(?P<kind>\w+)\"")
_SEND_KINDS = re.compile(r"_xla_megascale_transfer_type=\"(\w+)\"")
_ARRAY = re.compile(r"\b([a-z]+\d*(?:e\d+m\d+\w*)?)\[([\d,]*)\]")
_BITS = {"pred": 8, "bf16": 16, "token": 0}


class Traffic(NamedTuple):
    """Collectives of one kind in one run of the program, on one device."""

    count: int
    bytes: int  # of their results


def collectives(text: str) -> dict[str, Traffic]:
    """Counts the collectives of an optimised HLO module.

    Args:
      text: `compiled.as_text()`.

    Returns:
      By kind; those that do not occur are left out.

    Raises:
      ValueError: the text has no entry computation.
    """
    return _count(text, _OPERATION, KINDS, _result_bytes)


def between_slices(text: str) -> dict[str, Traffic]:
    """Counts what a device sends to other slices, over the data centre's network.

    libtpu compiles a collective of several slices into one within each, a transfer between hosts,
    and again one within each; the transfer has no part in `collectives`.

    Args:
      text: `compiled.as_text()` of a program for several TPU slices.

    Returns:
      By kind, as all-reduce; bytes are those that the device hands to its host.

    Raises:
      ValueError: the text has no entry computation.
    """
    kinds = {kind: kind.lower().replace("_", "-") for kind in _SEND_KINDS.findall(text)}
    found = _count(text, _SEND, kinds, _sent_bytes)
    return {kinds[kind]: traffic for kind, traffic in found.items()}


def _count(
    text: str,
    operation: re.Pattern[str],
    kinds: Iterable[str],
    size: Callable[[re.Match[str]], int],
) -> dict[str, Traffic]:
    """Adds up operations by kind, each as often as the loops around it run."""
    computations, entry = _computations(text)
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def visit(name: str, times: int) -> None:
        for line in computations.get(name, ()):
            if loop := _WHILE.search(line):
                condition, body = loop.groups()
                known = _TRIP_COUNT.search(line)
                count = int(known[1]) if known else _bound(computations.get(condition, []))
                visit(body, times * count)
            elif found := operation.search(line):
                total = totals[found["kind"]]
                total[0] += times
                total[1] += times * size(found)
            else:
                for called in _CALLED.findall(line):
                    visit(called, times)

    visit(entry, 1)
    return {kind: Traffic(*totals[kind]) for kind in kinds if kind in totals}


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    computations: dict[str, list[str]] = {}
    entry, lines = "", None
    for line in text.splitlines():
        if head := _COMPUTATION.match(line):
            lines = computations[head[1]] = []
            if line.startswith("ENTRY"):
                entry = head[1]
        elif lines is not None:
            lines.append(line)
    if not entry:
        raise ValueError("no ENTRY computation: not the text of a compiled program")
    return computations, entry


def _bound(condition: list[str]) -> int:
    """How often a loop runs that counts from 0 up to the one constant of its condition."""
    constants = [int(value) for line in condition for value in _CONSTANT.findall(line)]
    return max(constants, default=1)


def _result_bytes(found: re.Match[str]) -> int:
    sizes = [_bytes(*array) for array in _ARRAY.findall(found["shape"])]
    # A start returns its operands, its results and a few numbers of its own.
    if found["start"] and found["kind"] != "all-reduce":
        return max(sizes, default=0)
    return sum(sizes)


def _sent_bytes(found: re.Match[str]) -> int:
    # Beside the array stand a number and a token.
    return max((_bytes(*array) for array in _ARRAY.findall(found["shape"])), default=0)


def _bytes(kind: str, shape: str) -> int:
    bits = _BITS[kind] if kind in _BITS else int(re.findall(r"\d+", kind)[0])
    return math.prod(int(size) for size in shape.split(",") if size) * bits // 8
