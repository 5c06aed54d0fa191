"""The interval-censored estimator against an independent implementation, closed forms and its own optimality."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lifelines.fitters.npmle import npmle as lifelines_npmle

from harness.analysis import turnbull
from harness.analysis.censoring import npmle

INF = np.inf


def polled(n, seed, spacing=20.0, censored=0.0, median=650.0, sigma=0.35):
    """Log-normal values seen through polls every `spacing` at a random phase, as (lower, upper)."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(np.log(median), sigma, n)
    phase = rng.uniform(0, spacing, n)
    lower = np.floor((values - phase) / spacing) * spacing + phase
    upper = np.where(rng.random(n) < censored, INF, lower + spacing)
    return lower, upper


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_an_independent_implementation_on_small_samples(seed):
    lower, upper = polled(25, seed, spacing=300.0, censored=0.1)
    ours = npmle(lower, upper)
    masses, intervals = lifelines_npmle(lower, np.where(np.isinf(upper), 1e9, upper), tol=1e-11)
    theirs = [(i.left, i.right, m) for i, m in zip(intervals, masses, strict=True) if m > 1e-4]
    assert len(theirs) == (ours.mass > 1e-4).sum()
    kept = ours.mass > 1e-4
    np.testing.assert_allclose(ours.left[kept], [left for left, _, _ in theirs])
    np.testing.assert_allclose(np.minimum(ours.right[kept], 1e9), [right for _, right, _ in theirs])
    np.testing.assert_allclose(ours.mass[kept], [mass for _, _, mass in theirs], atol=2e-4)


def test_exact_values_give_the_empirical_distribution():
    estimate = npmle([3, 1, 2, 2], [3, 1, 2, 2])
    np.testing.assert_array_equal(estimate.left, [1, 2, 3])
    np.testing.assert_array_equal(estimate.right, [1, 2, 3])
    np.testing.assert_allclose(estimate.mass, [0.25, 0.5, 0.25])


def test_right_censored_exact_values_give_kaplan_meier():
    values = np.array([1.0, 2, 3, 4, 5, 6])
    censored = np.array([False, True, False, False, True, False])
    estimate = npmle(values, np.where(censored, INF, values))
    # Survival: 5/6 after 1; × 3/4 after 3; × 2/3 after 4; 0 after 6.
    np.testing.assert_array_equal(estimate.left, [1, 3, 4, 6])
    np.testing.assert_allclose(estimate.mass, [1 / 6, 5 / 24, 5 / 24, 5 / 12], atol=1e-5)


def test_kaplan_meier_leaves_the_mass_beyond_the_last_censored_value_open():
    estimate = npmle([1, 2, 3, 4], [1, 2, 3, INF])
    assert estimate.quantile(0.75) == (3, 3)
    assert estimate.quantile(0.8) == (4, INF)


def test_two_overlapping_brackets_share_all_mass_on_the_overlap():
    estimate = npmle([0, 5], [10, 20])
    assert estimate.quantile(0.5) == (5, 10)
    np.testing.assert_allclose(estimate.mass, [1.0])


def test_three_brackets_solved_by_hand():
    # [0,2] [1,4] [3,5]: supports [1,2] (in the first two) and [3,4] (in the last two); by symmetry ½ each.
    estimate = npmle([0, 1, 3], [2, 4, 5])
    np.testing.assert_array_equal(estimate.left, [1, 3])
    np.testing.assert_array_equal(estimate.right, [2, 4])
    np.testing.assert_allclose(estimate.mass, [0.5, 0.5], atol=1e-6)


def test_brackets_that_touch_share_the_point():
    assert npmle([0, 10], [10, 20]).quantile(0.5) == (10, 10)


def test_an_exact_value_inside_wider_brackets_takes_their_mass():
    estimate = npmle([0, 4, 3], [10, 4, 6])
    np.testing.assert_array_equal([estimate.left[0], estimate.right[0]], [4, 4])


def test_one_sample_is_its_own_bracket():
    estimate = npmle([7], [9])
    assert (estimate.quantile(0.01), estimate.quantile(1.0)) == ((7, 9), (7, 9))


def test_when_all_are_censored_only_a_lower_end_is_known():
    estimate = npmle([3, 1, 2], [INF, INF, INF])
    assert estimate.quantile(0.5) == (3, INF)


def test_equal_brackets_count_as_often_as_they_occur():
    estimate = npmle([0, 0, 0, 5], [1, 1, 1, 6])
    np.testing.assert_allclose(estimate.mass, [0.75, 0.25])


def test_negative_brackets_are_kept_as_they_are():
    assert npmle([-9, -8], [-4, -3]).quantile(0.5) == (-8, -4)


def test_cumulative_probability_is_an_interval_inside_a_support_interval():
    estimate = npmle([0, 1, 3], [2, 4, 5])
    least, greatest = estimate.cdf([0.5, 1.5, 2.5, 3.5, 9.0])
    np.testing.assert_allclose(least, [0, 0, 0.5, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(greatest, [0, 0.5, 0.5, 1, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        ([], [], "no sample"),
        ([2.0], [1.0], "1 of 1 brackets"),
        ([np.nan], [1.0], "not a number"),
        ([-INF], [1.0], "infinite"),
        ([1.0, 2.0], [3.0], "one length"),
    ],
)
def test_what_is_not_a_set_of_brackets_is_refused(lower, upper, message):
    with pytest.raises(ValueError, match=message):
        npmle(lower, upper)


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1])
def test_a_quantile_outside_zero_to_one_is_refused(p):
    with pytest.raises(ValueError, match="lies in"):
        npmle([1], [2]).quantile(p)


brackets = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        arrays(np.int64, n, elements=st.integers(-20, 60)),
        arrays(np.int64, n, elements=st.integers(0, 25)),
        arrays(np.bool_, n),
    )
)


@given(brackets)
def test_masses_sum_to_one_on_disjoint_ascending_support(drawn):
    lower, width, censored = drawn
    estimate = npmle(lower, np.where(censored, INF, lower + width))
    assert estimate.mass.sum() == pytest.approx(1.0)
    assert (estimate.mass > 0).all()
    assert (estimate.left <= estimate.right).all()
    assert (estimate.right[:-1] < estimate.left[1:]).all()


@given(brackets)
def test_the_maximum_satisfies_the_kuhn_tucker_conditions(drawn):
    lower, width, censored = drawn
    low = lower.astype(float)
    high = np.where(censored, INF, lower + width)
    left, right = turnbull.innermost(np.sort(low), np.sort(high))
    given_problem = turnbull.problem(*turnbull.covered(low, high, left, right), len(left))
    mass = turnbull.maximise(given_problem, 1e-9)
    score = turnbull.cell_scores(given_problem, mass)
    assert score.max() <= 1 + 1e-5
    assert score @ mass == pytest.approx(1.0)  # self-consistency: 1 wherever there is mass
    np.testing.assert_allclose(score[mass > 1e-3], 1.0, atol=2e-3)


@given(brackets, st.floats(0.01, 1.0))
def test_no_value_of_the_support_lies_outside_every_bracket(drawn, p):
    lower, width, censored = drawn
    high = np.where(censored, INF, lower + width)
    left, right = npmle(lower, high).quantile(p)
    assert ((lower <= left) & (right <= high)).any()


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-100, 100)))
def test_isotonic_regression_is_increasing_and_keeps_the_weighted_mean(values):
    weights = np.linspace(1, 2, len(values))
    fitted = turnbull.isotonic(values, weights)
    assert (np.diff(fitted) >= -1e-9).all()
    assert fitted @ weights == pytest.approx(values @ weights, abs=1e-6)


def test_recovers_the_quantiles_where_the_first_hit_is_off_by_half_the_spacing():
    lower, upper = polled(20_000, seed=3, spacing=500.0)
    median = npmle(lower, upper).midpoint(0.5)
    assert abs(median - 650) < 25
    assert np.median(upper) - 650 > 200


def test_rounding_large_samples_onto_a_grid_moves_no_quantile_by_more_than_half_a_bracket():
    lower, upper = polled(20_000, seed=4, censored=0.002)
    plain = npmle(lower, upper)
    repeated = npmle(np.tile(lower, 3), np.tile(upper, 3))  # the same distribution, above the limit
    for p in (0.1, 0.5, 0.9, 0.99):
        assert repeated.midpoint(p) == pytest.approx(plain.midpoint(p), abs=10.0)


def test_the_grid_is_as_fine_far_out_as_the_samples_there_allow():
    rng = np.random.default_rng(6)
    values = rng.lognormal(np.log(650), 0.35, 300_000) + (rng.random(300_000) < 0.003) * 1000 * (
        1 + rng.pareto(1.8, 300_000)
    )
    before = rng.uniform(0, 20, 300_000)
    estimate = npmle(values - before, values + 20 - before)
    for p in (0.001, 0.5, 0.99, 0.999, 0.9999):
        nearby = np.quantile(values, [p - 0.1 * min(p, 1 - p), p + 0.1 * min(p, 1 - p)])
        assert nearby[0] - 20 <= estimate.midpoint(p) <= nearby[1] + 20, p


@pytest.mark.parametrize(("n", "limit_s"), [(10_000, 0.1), (1_000_000, 2.0)])
def test_is_fast_enough_to_run_after_every_measurement(n, limit_s):
    lower, upper = polled(n, seed=5, censored=0.001)
    took = []
    for _ in range(3):
        start = time.process_time()
        npmle(lower, upper)
        took.append(time.process_time() - start)
        if took[-1] <= limit_s:
            break
    assert min(took) <= limit_s
