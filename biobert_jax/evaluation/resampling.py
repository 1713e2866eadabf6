"""Scores of resampled test sets: units drawn with replacement, outcomes swapped between systems.

Every resample is a row of weights [n] for a table of counts [n, K], so that a block of resamples is
one product of matrices.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from biobert_jax.evaluation.units import Outcomes

RESAMPLES = 10_000
_CELLS = 1_000_000  # resamples times units that are in memory at once


def bootstrap(systems: Sequence[Outcomes], resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Scores of test sets that are drawn with replacement, within each group, from the given one.

    Args:
      systems: on the same units; all of their runs are scored on the same draws.
      resamples: how many test sets.
      seed: of the draws.

    Returns:
      [resamples, systems] mean scores over each system's runs.
    """
    check_units(systems)
    random = np.random.default_rng(seed)
    out = np.empty((resamples, len(systems)))
    for part in _chunks(resamples, len(systems[0].groups)):
        sums: list[list[np.ndarray]] = [[] for _ in systems]
        for units in systems[0].units():
            times = _draws(random, part.stop - part.start, len(units))
            for system, of_system in zip(systems, sums, strict=True):
                of_system.append(_weighted(times, system.counts[:, units]))
        for i, system in enumerate(systems):
            out[part, i] = system.of_sums(sums[i]).mean(-1)
    return out


def swapped_differences(
    a: Outcomes, b: Outcomes, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, bool]:
    """Differences of mean scores, b minus a, after the outcomes of random units were swapped.

    Args:
      a, b: equally many runs on the same units; those of a unit are swapped together, run by run.
      resamples: how many random swaps; where the units with different outcomes have no more than so
        many swaps, each of these once.
      seed: of the swaps.

    Returns:
      [T] the differences; whether they are all that there are.

    Raises:
      ValueError: the systems have different numbers of runs or other units.
    """
    check_units([a, b])
    if a.counts.shape != b.counts.shape:
        raise ValueError(f"runs of shape {a.counts.shape} and {b.counts.shape} cannot be swapped")
    differing = (a.counts != b.counts).any((0, 2))
    count, column = int(differing.sum()), np.cumsum(differing) - 1
    exact = 2**count <= resamples
    random = np.random.default_rng(seed)
    out = np.empty(2**count if exact else resamples)
    for part in _chunks(len(out), count):
        if exact:
            swaps = (np.arange(part.start, part.stop)[:, None] >> np.arange(count)) & 1
        else:
            swaps = _coins(random, part.stop - part.start, count)
        swaps, sums_a, sums_b = swaps.astype(np.float64), [], []
        for units in a.units():
            moving = units[differing[units]]
            gain = _weighted(swaps[:, column[moving]], b.counts[:, moving] - a.counts[:, moving])
            sums_a.append(a.counts[:, units].sum(1) + gain)
            sums_b.append(b.counts[:, units].sum(1) - gain)
        out[part] = (b.of_sums(sums_b) - a.of_sums(sums_a)).mean(-1)
    return out, exact


def check_units(systems: Sequence[Outcomes]) -> None:
    for system in systems:
        if not np.array_equal(system.groups, systems[0].groups):
            raise ValueError("the systems were scored on different test units")


def _weighted(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """[T, R, K] sums over units of weights [T, n] times counts [R, n, K]."""
    runs, units, columns = counts.shape
    flat = counts.transpose(1, 0, 2).reshape(units, runs * columns)
    return (weights @ flat).reshape(len(weights), runs, columns)


def _draws(random: np.random.Generator, resamples: int, units: int) -> np.ndarray:
    """[T, n] how often each unit is drawn, n times in all."""
    drawn = random.integers(0, units, (resamples, units), dtype=np.int32)
    drawn += np.arange(resamples, dtype=np.int32)[:, None] * units
    times = np.bincount(drawn.ravel(), minlength=resamples * units)
    return times.reshape(resamples, units).astype(np.float64)


def _coins(random: np.random.Generator, resamples: int, units: int) -> np.ndarray:
    """[T, n] zeros and ones."""
    size = resamples * units
    bits = np.unpackbits(np.frombuffer(random.bytes((size + 7) // 8), np.uint8), count=size)
    return bits.reshape(resamples, units)


def _chunks(total: int, width: int) -> Iterator[slice]:
    size = max(1, _CELLS // max(1, width))
    for start in range(0, total, size):
        yield slice(start, min(total, start + size))
