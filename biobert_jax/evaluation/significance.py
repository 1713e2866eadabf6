"""Is a difference between two systems more than chance? Intervals and tests over test units.

Two kinds of chance separate a score from a claim about a method: which test units (sentences,
pairs, questions) were drawn, and which seed a run had. A test is right for a claim only if it
counts the chance that the claim abstracts from:

- Two *runs* on one set: `approximate_randomisation` (Noreen, 1989; Yeh, 2000) and
  `paired_bootstrap` (Efron and Tibshirani, 1993; Koehn, 2004) over test units. They say whether
  this trained model beats that one on more such text. They say nothing about methods: with two
  seeds of one method they find "significant" differences far more often than in 5% of cases
  (Reimers and Gurevych, 2018; docs/significance.md has our count).
- Two *methods*, several seeds each, on one set: `compare_methods`. All runs read the same test
  units, so that neither the seeds nor the pairs (seed, unit) are independent observations: a t-test
  over seeds takes the test set for the whole population, and swapping seed-averaged outcomes per
  unit takes the seeds for the only ones possible. Both chances are crossed, as readers and cases
  are in diagnostics and subjects and words in psycholinguistics, and their variances add up
  (Clark, 1973; Obuchowski and Rockette, 1995; for seeds: Bouthillier et al., 2021).
- Two methods on several *sets*: `over_sets` for the mean difference on just these sets, and
  `wilcoxon_over_sets` (Demsar, 2006) for sets like these, which needs at least six to reach 0.05.
- Several comparisons in one table: `holm` (Holm, 1979).

Units count as independent. Sentences of one abstract are not quite, which makes all of these
somewhat too sure of themselves. Everything is a function of its arguments and `seed`.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from biobert_jax.evaluation.resampling import (
    RESAMPLES,
    bootstrap,
    check_units,
    swapped_differences,
)
from biobert_jax.evaluation.units import Outcomes

_ROUNDING = 1e-9  # what adding up in another order may change


class Summary(NamedTuple):
    """Mean, sample standard deviation (None for a single value) and number of values."""

    mean: float
    deviation: float | None
    count: int


class Comparison(NamedTuple):
    """What a test says of b minus a.

    Attributes:
      difference: of the mean scores, in percentage points.
      low, high: confidence limits of the difference; None where the test gives none.
      p_value: two-sided, of no difference.
      test: its name.
      variance: of the difference; None where it was not estimated.
      degrees: of freedom of that variance.
    """

    difference: float
    low: float | None
    high: float | None
    p_value: float
    test: str
    variance: float | None = None
    degrees: float = math.inf


def summarise(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and count of the scores of several seeds."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(float(np.mean(values)), deviation, len(values))


def bootstrap_interval(
    system: Outcomes, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean score of these runs over other test units of the kind."""
    drawn = bootstrap([system], resamples, seed)[:, 0]
    low, high = np.quantile(drawn, _tails(confidence))
    return float(low), float(high)


def paired_bootstrap(
    a: Outcomes, b: Outcomes, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compares runs by resampling test units; conditional on the runs.

    The p-value is the share of resamples whose difference is as far from the observed one as that
    is from zero.
    """
    observed = float(b.scores().mean() - a.scores().mean())
    drawn = bootstrap([a, b], resamples, seed)
    differences = drawn[:, 1] - drawn[:, 0]
    low, high = np.quantile(differences, _tails(confidence))
    extreme = np.abs(differences - observed) >= abs(observed) - _ROUNDING
    p_value = (1 + int(extreme.sum())) / (1 + resamples)
    return Comparison(observed, float(low), float(high), p_value, "paired bootstrap")


def approximate_randomisation(
    a: Outcomes, b: Outcomes, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compares runs by swapping their outcomes, unit by unit; conditional on the runs.

    If both are the same in distribution, every swap is as likely as none. Of several runs, those of
    a unit are swapped together, run by run. Where the units with different outcomes are few enough,
    all swaps are enumerated and the p-value is exact; else the observed one counts as a swap.

    Raises:
      ValueError: the systems have different numbers of runs or other units.
    """
    observed = float(b.scores().mean() - a.scores().mean())
    differences, exact = swapped_differences(a, b, resamples, seed)
    extreme = int((np.abs(differences) >= abs(observed) - _ROUNDING).sum())
    unseen = 0 if exact else 1
    p_value = (unseen + extreme) / (unseen + len(differences))
    return Comparison(observed, None, None, p_value, "approximate randomisation")


def compare_methods(a: Outcomes, b: Outcomes, confidence: float = 0.95) -> Comparison:
    """Compares methods with several runs (seeds) each on one test set: a t-test that counts both.

    With u the jackknife influence of a unit on a run's score, the variance of the difference is

        sum over units of (mean u of b - mean u of a)^2       other test units
        + for each method max(0, s^2 / R - e)                 other seeds

    where s^2 is the variance of its R runs' scores, and e, from the spread of a unit's influences
    over runs, the part of it that the first line has counted already. Degrees of freedom are
    Satterthwaite's. Runs of a and b count as independent; equal seeds make that cautious at worst.

    Raises:
      ValueError: a system has a single run, or the units differ.
    """
    check_units([a, b])
    if min(len(a.counts), len(b.counts)) < 2:
        raise ValueError("the spread over seeds needs at least two runs of each method")
    difference = float(b.scores().mean() - a.scores().mean())
    variance, degrees = _variance([(1, b), (-1, a)])
    return _t_test(difference, variance, degrees, confidence, "t-test over seeds and test units")


def method_interval(system: Outcomes, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a method's score over other test units and, with several runs, other seeds."""
    result = method_estimate(system, confidence)
    assert result.low is not None
    assert result.high is not None
    return max(0.0, result.low), min(100.0, result.high)


def method_estimate(system: Outcomes, confidence: float = 0.95) -> Comparison:
    """The mean score of a method, as `difference`, with its variance; see `method_interval`."""
    mean = float(system.scores().mean())
    return _t_test(mean, *_variance([(1, system)]), confidence, "")


def weighted(
    parts: Sequence[Comparison], weights: Sequence[float] | np.ndarray, confidence: float = 0.95
) -> Comparison:
    """A sum of weighted estimates; their errors count as independent.

    Args:
      parts: estimates or differences, each with its variance.
      weights: of each.
      confidence: of the interval.

    Raises:
      ValueError: one has no variance.
    """
    if any(part.variance is None for part in parts):
        raise ValueError("each part needs a variance, as compare_methods gives it")
    total = float(np.dot(weights, [part.difference for part in parts]))
    variances = np.square(weights) * np.array([part.variance for part in parts])
    variance = float(variances.sum())
    squares = sum(v * v / part.degrees for v, part in zip(variances, parts, strict=True))
    degrees = variance * variance / squares if squares else math.inf
    return _t_test(total, variance, degrees, confidence, "mean over these sets")


def over_sets(comparisons: Sequence[Comparison], confidence: float = 0.95) -> Comparison:
    """The mean difference over just these sets; their errors count as independent.

    Raises:
      ValueError: a comparison has no variance.
    """
    count = len(comparisons)
    return weighted(comparisons, np.full(count, 1 / count), confidence)


def wilcoxon_over_sets(differences: Sequence[float]) -> float:
    """Two-sided p-value of the signed-rank test, exact up to 25 sets without ties."""
    from scipy import stats

    if not np.any(differences):
        return 1.0
    found: Any = stats.wilcoxon(differences, zero_method="zsplit")
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the given order (Holm, 1979).

    Under 0.05 they are all true but with probability 0.05, whatever their dependence. Own code:
    statsmodels has it, and takes two seconds and pandas to import.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    out = np.empty(len(p_values))
    out[order] = corrected
    return out.tolist()


def _variance(systems: Sequence[tuple[int, Outcomes]]) -> tuple[float, float]:
    """Variance and degrees of freedom of a sum of signed mean scores; see `compare_methods`."""
    influences = [(sign, system, _influences(system)) for sign, system in systems]
    of_units = np.asarray(sum(sign * u.mean(0) for sign, _, u in influences))
    total = float((of_units**2).sum())
    units = max(1, len(of_units) - len(systems[0][1].units()))
    squares = total**2 / units
    for _, system, u in influences:
        runs = len(u)
        if runs < 2:
            continue
        of_seeds = float(np.var(system.scores(), ddof=1)) / runs
        counted = float(np.var(u, axis=0, ddof=1).sum()) / runs
        total += max(0.0, of_seeds - counted)
        squares += of_seeds**2 / (runs - 1)
    return total, (total**2 / squares if squares else math.inf)


def _influences(system: Outcomes) -> np.ndarray:
    """[R, N] what each unit adds to each run's score; their squares add up to its variance.

    Leaving units out one at a time, the jackknife.
    """
    out = np.zeros(system.counts.shape[:2])
    groups = system.units()
    for units in groups:
        if len(units) < 2:
            continue
        counts = system.counts[:, units]
        without = system.measure(counts.sum(1, keepdims=True) - counts) / len(groups)
        centred = without.mean(1, keepdims=True) - without
        out[:, units] = centred * math.sqrt((len(units) - 1) / len(units))
    return out


def _t_test(
    difference: float, variance: float, degrees: float, confidence: float, test: str
) -> Comparison:
    from scipy import stats

    error = math.sqrt(variance)
    distribution = stats.t(max(1.0, degrees)) if math.isfinite(degrees) else stats.norm()
    if error:
        p_value = 2 * float(distribution.sf(abs(difference) / error))
    else:
        p_value = float(abs(difference) <= _ROUNDING)
    reach = float(distribution.ppf(_tails(confidence)[1])) * error
    low, high = difference - reach, difference + reach
    return Comparison(difference, low, high, p_value, test, variance, degrees)


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2
