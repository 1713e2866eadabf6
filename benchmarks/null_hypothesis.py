"""How often each significance test says p < 0.05 where there is nothing to find.

    python -m benchmarks.null_hypothesis --trials 2000

Each trial draws a new test set of sentences with entities, and new runs (seeds) of two systems that
are the same in distribution. A sentence has a difficulty that both share and one that each system
has for itself; a run has a quality that all its sentences share, which is what seeds do. A test for
runs is right if it keeps to 5% where runs differ by chance only (`seeds=0`); a test for methods, if
it does so whatever the seeds do. Coverage is how often a 95% interval holds the true score.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from biobert_jax.evaluation import units
from biobert_jax.evaluation.significance import (
    approximate_randomisation,
    bootstrap_interval,
    compare_methods,
    holm,
    method_interval,
    over_sets,
    paired_bootstrap,
    wilcoxon_over_sets,
)

LEVEL = 0.05
RESAMPLES = 999
EASE = 1.5  # mean of the logit of recall


class World(NamedTuple):
    """Where test sets and runs come from; standard deviations are on the logit scale of recall.

    Attributes:
      sentences: of a test set.
      runs: seeds of each system.
      seeds: spread of the quality of runs.
      shared, own: spread of a sentence's difficulty for both systems, and for one.
    """

    sentences: int
    runs: int = 1
    seeds: float = 0.0
    shared: float = 1.0
    own: float = 0.5


def draw(random: np.random.Generator, world: World) -> tuple[units.Outcomes, units.Outcomes]:
    """Two systems without a difference, on a test set."""
    gold = random.poisson(1.0, world.sentences)
    difficulty = random.normal(EASE, world.shared, world.sentences)
    groups = np.zeros(world.sentences, int)

    def system() -> units.Outcomes:
        own = random.normal(0, world.own, world.sentences)
        quality = random.normal(0, world.seeds, (world.runs, 1))
        chance = 1 / (1 + np.exp(-(difficulty + own + quality)))
        correct = random.binomial(gold, chance)
        # As many wrong entities as are missed, on average.
        predicted = correct + random.poisson(1 - chance)
        everywhere = np.broadcast_to(gold, correct.shape)
        counts = np.stack([correct, everywhere, predicted], -1).astype(np.float64)
        return units.Outcomes(counts, units.f1, groups)

    return system(), system()


def seeds_only(a: units.Outcomes, b: units.Outcomes) -> float:
    """Welch's t-test over seeds, which takes the test set for all there is."""
    from scipy import stats

    return float(stats.ttest_ind(a.scores(), b.scores(), equal_var=False).pvalue)


RUN_TESTS: dict[str, Callable[[units.Outcomes, units.Outcomes], float]] = {
    "approximate_randomisation": lambda a, b: approximate_randomisation(a, b, RESAMPLES).p_value,
    "paired_bootstrap": lambda a, b: paired_bootstrap(a, b, resamples=RESAMPLES).p_value,
}
METHOD_TESTS = {
    "compare_methods": lambda a, b: compare_methods(a, b).p_value,
    "welch_over_seeds": seeds_only,
    "approximate_randomisation": RUN_TESTS["approximate_randomisation"],
}


def false_positives(
    world: World, tests: Sequence[str], trials: int, seed: int = 0
) -> dict[str, float]:
    """The share of trials in which each test says p < 0.05."""
    random = np.random.default_rng(seed)
    known = RUN_TESTS | METHOD_TESTS
    hits = dict.fromkeys(tests, 0)
    for _ in range(trials):
        a, b = draw(random, world)
        for name in tests:
            hits[name] += known[name](a, b) < LEVEL
    return {name: count / trials for name, count in hits.items()}


def false_positives_over_sets(
    world: World, sets: int, trials: int, seed: int = 0
) -> dict[str, float]:
    """The same of the tests over sets, and of any p < 0.05 among the sets, corrected and not."""
    random = np.random.default_rng(seed)
    hits = dict.fromkeys(("over_sets", "wilcoxon_over_sets", "any, holm", "any, uncorrected"), 0)
    for _ in range(trials):
        found = [compare_methods(*draw(random, world)) for _ in range(sets)]
        each = [c.p_value for c in found]
        hits["over_sets"] += over_sets(found).p_value < LEVEL
        hits["wilcoxon_over_sets"] += wilcoxon_over_sets([c.difference for c in found]) < LEVEL
        hits["any, holm"] += min(holm(each)) < LEVEL
        hits["any, uncorrected"] += min(each) < LEVEL
    return {name: count / trials for name, count in hits.items()}


def expected_recall(world: World) -> float:
    """The mean recall over all sentences and seeds; precision and F1 are the same here."""
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    spread = np.sqrt(world.shared**2 + world.own**2 + world.seeds**2)
    return float((weights / (1 + np.exp(-(EASE + spread * points)))).sum() / weights.sum())


def coverage(world: World, trials: int, seed: int = 0) -> float:
    """How often the 95% interval of a system's score holds the score that it has on average."""
    random = np.random.default_rng(seed)
    true_score = 100 * expected_recall(world)
    inside = 0
    for _ in range(trials):
        system, _ = draw(random, world)
        if world.runs > 1:
            low, high = method_interval(system)
        else:
            low, high = bootstrap_interval(system, resamples=RESAMPLES)
        inside += low <= true_score <= high
    return inside / trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    for sentences in (100, 500, 2000):
        world = World(sentences)
        _print(world, false_positives(world, tuple(RUN_TESTS), trials))
        _print(world, {"coverage": coverage(world, trials)})
    for seeds in (0.0, 0.1, 0.3):
        world = World(500, seeds=seeds)
        _print(world, false_positives(world, tuple(RUN_TESTS), trials))
        for runs in (2, 3, 5, 10):
            world = World(500, runs, seeds)
            _print(world, false_positives(world, tuple(METHOD_TESTS), trials))
            _print(world, {"coverage": coverage(world, trials)})
    for sets in (3, 6, 9):
        world = World(500, 3, 0.1)
        rates = false_positives_over_sets(world, sets, trials)
        _print(world, {"sets": sets} | rates)


def _print(world: World, rates: dict[str, float]) -> None:
    print(json.dumps(world._asdict() | {k: round(v, 4) for k, v in rates.items()}), flush=True)


if __name__ == "__main__":
    main()
