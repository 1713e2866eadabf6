"""Tests and intervals against closed forms, and by simulation where nothing is to be found."""

import itertools
import math
import time

import numpy as np
import pytest
from scipy import stats

from benchmarks.null_hypothesis import World, draw, false_positives
from biobert_jax.evaluation import significance, units


def accuracy(values) -> units.Outcomes:
    """Questions [N] or [R, N] answered rightly (1) or wrongly (0)."""
    values = np.atleast_2d(np.asarray(values, float))
    counts = np.stack([values, np.ones_like(values)], -1)
    return units.Outcomes(counts, units.mean, np.zeros(values.shape[1], int))


def answers(share: float, count: int) -> units.Outcomes:
    return accuracy(np.arange(count) < share * count)


def test_summary_is_that_of_numpy():
    assert significance.summarise([80.0, 82.0, 84.0]) == (82.0, pytest.approx(2.0), 3)
    assert significance.summarise([80.0]) == (80.0, None, 1)


def test_bootstrap_of_a_mean_has_its_standard_error():
    system = answers(0.8, 1000)
    drawn = significance.bootstrap([system])[:, 0]
    error = 100 * math.sqrt(0.8 * 0.2 / 1000)
    assert drawn.mean() == pytest.approx(80, abs=4 * error / 100)
    assert drawn.std() == pytest.approx(error, rel=0.03)
    low, high = significance.bootstrap_interval(system)
    assert (low, high) == pytest.approx((80 - 1.96 * error, 80 + 1.96 * error), abs=0.15)


def test_bootstrap_draws_within_groups():
    system = accuracy([1] * 50 + [0] * 50)._replace(groups=np.repeat([0, 1], 50))
    assert np.ptp(significance.bootstrap([system], 100)) == 0  # each group is all right or wrong


def test_few_swaps_are_enumerated():
    """With 4 gains and no loss, 2 of the 16 swaps are as extreme: the sign test."""
    a, b = accuracy([0, 0, 0, 0, 1, 1, 1]), accuracy([1] * 7)
    result = significance.approximate_randomisation(a, b)
    assert result.p_value == 2 / 16
    assert result.difference == pytest.approx(400 / 7)


def test_swaps_of_counts_are_those_of_brute_force():
    random = np.random.default_rng(3)
    gold = random.integers(1, 4, 8)
    make = lambda: np.stack([random.binomial(gold, 0.6), gold, random.integers(0, 5, 8)], -1)
    a, b = make(), make()
    groups = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    systems = [units.Outcomes(c[None].astype(float), units.f1, groups) for c in (a, b)]

    def difference(swap):
        swap = np.array(swap, bool)[:, None]
        first, second = np.where(swap, b, a), np.where(swap, a, b)
        mean = lambda counts: np.mean([units.f1(counts[groups == g].sum(0)) for g in (0, 1)])
        return mean(second) - mean(first)

    every = np.array([difference(swap) for swap in itertools.product((0, 1), repeat=8)])
    observed = difference([0] * 8)
    expected = np.mean(np.abs(every) >= abs(observed) - 1e-9)
    result = significance.approximate_randomisation(*systems)
    assert result.difference == pytest.approx(observed)
    assert result.p_value == pytest.approx(expected)


def test_random_swaps_come_near_mcnemar_and_never_to_zero():
    random = np.random.default_rng(0)
    a = random.random(400) < 0.7
    b = np.where(random.random(400) < 0.15, ~a, a)
    gains, losses = int((b & ~a).sum()), int((a & ~b).sum())
    expected = stats.binomtest(gains, gains + losses).pvalue
    found = significance.approximate_randomisation(accuracy(a), accuracy(b)).p_value
    assert found == pytest.approx(expected, abs=4 * math.sqrt(expected / 10_000))
    best = significance.approximate_randomisation(answers(0, 500), answers(1, 500), 999)
    assert best.p_value == 1 / 1000


def test_paired_bootstrap_comes_near_the_paired_t_test():
    random = np.random.default_rng(5)
    a = random.random(2000) < 0.7
    b = np.where(random.random(2000) < 0.06, True, a)
    found = significance.paired_bootstrap(accuracy(a), accuracy(b))
    gains = b.astype(float) - a
    error = 100 * gains.std() / math.sqrt(2000)
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.05)
    noise = accuracy(np.where(random.random(2000) < 0.5, a, np.roll(a, 7)))
    unclear = significance.paired_bootstrap(accuracy(a), noise)
    expected = stats.ttest_rel(noise.counts[0, :, 0], a).pvalue
    assert unclear.p_value == pytest.approx(expected, abs=0.03)


def test_the_same_arguments_give_the_same_numbers():
    a, b = draw(np.random.default_rng(0), World(300))
    for test in (significance.paired_bootstrap, significance.approximate_randomisation):
        assert test(a, b, resamples=500, seed=1) == test(a, b, resamples=500, seed=1)
        assert test(a, b, resamples=500, seed=1) != test(a, b, resamples=500, seed=2)


def test_methods_whose_runs_agree_are_compared_over_units():
    """Without any spread over seeds the test is the paired t-test over questions."""
    random = np.random.default_rng(2)
    a, b = random.random(500) < 0.7, random.random(500) < 0.74
    found = significance.compare_methods(accuracy([a, a, a]), accuracy([b, b, b]))
    expected = stats.ttest_rel(b.astype(float), a.astype(float))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((100 * interval.low, 100 * interval.high))


def test_methods_whose_units_agree_are_compared_over_seeds():
    """Where all units of a run are alike, only seeds matter, and the test is Welch's."""
    a = accuracy(np.tile([[0.7], [0.72], [0.69]], (1, 400)))
    b = accuracy(np.tile([[0.75], [0.71], [0.74], [0.78]], (1, 400)))
    found = significance.compare_methods(a, b)
    expected = stats.ttest_ind(b.scores(), a.scores(), equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.degrees == pytest.approx(expected.df)


def test_one_run_says_nothing_of_seeds():
    with pytest.raises(ValueError, match="two runs"):
        significance.compare_methods(answers(0.5, 9), accuracy([[1] * 9, [0] * 9]))


def test_other_units_are_refused():
    with pytest.raises(ValueError, match="different test units"):
        significance.paired_bootstrap(answers(0.5, 10), answers(0.5, 12))


def test_a_mean_over_sets_has_the_variance_of_a_mean():
    one = significance.Comparison(1.0, None, None, 0.5, "t", variance=4.0)
    found = significance.over_sets([one, one._replace(difference=3.0, variance=12.0)])
    assert (found.difference, found.variance) == (2.0, 4.0)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(1.0))


def test_wilcoxon_is_exact():
    assert significance.wilcoxon_over_sets([1, 2, 3, 4, 5.5, 6]) == 2 / 2**6
    assert significance.wilcoxon_over_sets([1, 2, 3]) == 2 / 2**3
    assert significance.wilcoxon_over_sets([0, 0]) == 1


def test_holm_is_the_textbooks_and_statsmodels():
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.holm([]) == []
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = np.random.default_rng(0).random(30) ** 3
    expected = multitest.multipletests(p_values, method="holm")[1]
    assert significance.holm(p_values) == pytest.approx(expected.tolist())


@pytest.mark.parametrize(
    ("world", "test", "trials"),
    [
        (World(150), "approximate_randomisation", 400),
        (World(150), "paired_bootstrap", 150),
        (World(300, 3, seeds=0.1), "compare_methods", 400),
        (World(300, 5, seeds=0.0), "compare_methods", 400),
        (World(100, 10, seeds=0.5), "compare_methods", 400),
    ],
)
def test_nothing_is_found_where_there_is_nothing(world, test, trials):
    """No more than 5% and its binomial error; docs/significance.md has the long version."""
    rate = false_positives(world, [test], trials)[test]
    assert rate <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_swapping_takes_a_seed_for_a_method():
    """Why methods have a test of their own: two lucky seeds are no difference between methods."""
    rates = false_positives(World(300, 2, seeds=0.4), ["approximate_randomisation"], 100)
    assert rates["approximate_randomisation"] > 0.2


def test_ten_thousand_resamples_of_five_thousand_sentences_are_quick():
    a, b = draw(np.random.default_rng(0), World(5000))
    started = time.process_time()
    significance.paired_bootstrap(a, b)
    significance.approximate_randomisation(a, b)
    assert time.process_time() - started < 10  # 1.5 s on a quiet core
