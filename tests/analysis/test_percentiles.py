"""Percentiles: what the point and the interval are, when there is none, and which method is used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.analysis.bootstrap import block_count, block_weights, resampled_quantile, sorted_blocks
from harness.analysis.dependence import rank_dependence, tail_dependence
from harness.analysis.percentiles import (
    BLOCKS,
    INDEPENDENT,
    TOO_SHORT,
    Estimate,
    Unsupported,
    estimate_percentiles,
)


def autocorrelated(n, correlation_time, seed, median=650.0, sigma=0.35):
    """Log-normal values whose logarithm is an AR(1) series with the given correlation time, in samples."""
    rng = np.random.default_rng(seed)
    phi = np.exp(-1 / correlation_time)
    steps = rng.standard_normal(n) * np.sqrt(1 - phi**2)
    series = np.empty(n)
    state = rng.standard_normal()
    for i in range(n):
        state = phi * state + steps[i]
        series[i] = state
    return median * np.exp(sigma * series)


def lognormal(n, seed):
    return np.random.default_rng(seed).lognormal(np.log(650), 0.35, n)


def test_the_interval_of_independent_samples_joins_order_statistics_of_the_two_ends():
    values = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    found = estimate_percentiles(values - 0.25, values + 0.5, [50])[50]
    assert isinstance(found, Estimate)
    # Binomial(100, ½): ranks 40 and 61.
    assert (found.low, found.high, found.n) == (40 - 0.25, 61 + 0.5, 100)
    assert found.method == INDEPENDENT
    assert found.value is not None
    assert found.low < found.value < found.high


def test_a_percentile_without_enough_samples_says_how_many_it_needs():
    values = lognormal(100, 2)
    found = estimate_percentiles(values, values, (50.0, 99.0, 99.9))
    assert isinstance(found[50.0], Estimate)
    assert found[99.0] == Unsupported(needs=368, n=100)
    assert found[99.9].to_json() == {"needs": 3688, "n": 100}


def test_no_samples_support_nothing():
    assert estimate_percentiles([], [], [50]) == {50: Unsupported(6, 0)}


def test_a_percentile_among_censored_samples_has_no_value_but_a_lower_end():
    values = lognormal(1000, 3)
    upper = np.where(values > np.quantile(values, 0.95), np.inf, values)
    lower = np.minimum(values, 2000.0)
    found = estimate_percentiles(lower, upper, (50, 99))
    p99 = found[99]
    assert isinstance(p99, Estimate)
    assert (p99.value, p99.high) == (None, None)
    assert p99.low is not None
    assert json.loads(json.dumps(p99.to_json()))["reason"] == "not seen by the deadline"
    assert isinstance(found[50], Estimate)
    assert found[50].value == pytest.approx(650, rel=0.05)


def test_all_censored_samples_have_an_open_interval():
    found = estimate_percentiles(np.full(50, 30.0), np.full(50, np.inf), [50])[50]
    assert isinstance(found, Estimate)
    assert (found.value, found.low, found.high) == (None, 30.0, None)


def test_an_inverted_bracket_is_read_as_covering_both_its_ends():
    lower, upper = np.full(10, 5.0), np.full(10, 9.0)
    lower[3], upper[3] = 9.0, 5.0
    found = estimate_percentiles(lower, upper, [50])[50]
    assert isinstance(found, Estimate)
    assert (found.low, found.high) == (5.0, 9.0)


def test_negative_brackets_give_negative_percentiles():
    found = estimate_percentiles(np.full(10, -9.0), np.full(10, -5.0), [50])[50]
    assert isinstance(found, Estimate)
    assert (found.value, found.low, found.high) == (-7.0, -9.0, -5.0)


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match="one length"):
        estimate_percentiles([1.0, 2.0], [3.0], [50])


def test_autocorrelated_samples_get_a_wider_interval_from_blocks():
    values = autocorrelated(20_000, 20, seed=4)
    found = estimate_percentiles(values, values, (50, 99))
    shuffled = estimate_percentiles(*[np.random.default_rng(0).permutation(values)] * 2, (50, 99))
    for p in (50, 99):
        assert found[p].method == BLOCKS
        assert shuffled[p].method == INDEPENDENT
    assert found[50].value == shuffled[50].value
    assert found[50].high - found[50].low > 3 * (shuffled[50].high - shuffled[50].low)
    assert found[50].effective_n == pytest.approx(20_000 / 41, rel=0.4)
    assert found[50].to_json()["correlation_time"] == pytest.approx(20, rel=0.4)


def test_a_series_of_too_few_correlation_times_has_a_point_but_no_interval():
    values = autocorrelated(2_000, 100, seed=5)
    found = estimate_percentiles(values, values, [50])[50]
    assert found.value is not None
    assert (found.low, found.high, found.method, found.has_interval) == (None, None, TOO_SHORT, False)


def test_a_drifting_series_has_no_interval_and_no_correlation_time():
    values = np.linspace(100, 200, 1000) + np.random.default_rng(6).normal(0, 5, 1000)
    found = estimate_percentiles(values, values, [50])[50]
    assert (found.method, found.correlation_time) == (TOO_SHORT, None)
    assert found.to_json()["correlation_time"] is None


def test_one_stretch_of_slow_samples_is_seen_by_the_tail_alone():
    values = lognormal(10_000, 7)
    values[4000:4150] += 5000
    found = estimate_percentiles(values, values, (50, 99))
    assert found[99].method != INDEPENDENT
    assert found[99].effective_n < 1000


def test_equal_samples_give_equal_intervals():
    values = autocorrelated(5_000, 5, seed=8)
    assert estimate_percentiles(values, values, [90]) == estimate_percentiles(values, values, [90])


def test_independent_samples_keep_the_plain_interval():
    alarms = 0
    for seed in range(300):
        values = lognormal(400, 100 + seed)
        found = estimate_percentiles(values, values, (50, 99))
        alarms += any(estimate.method != INDEPENDENT for estimate in found.values())
    assert alarms <= 12  # 1.3 % expected; P(more than 12) < 0.1 % at 1.5 %


def test_censored_and_tied_samples_do_not_look_dependent():
    values = np.round(lognormal(5_000, 9), -2)
    values[np.random.default_rng(1).random(5_000) < 0.05] = np.inf
    assert rank_dependence(values).correlation_time == 0


def test_correlation_time_of_an_autoregressive_series():
    assert rank_dependence(autocorrelated(100_000, 10, 10)).correlation_time == pytest.approx(10, rel=0.25)


@pytest.mark.parametrize("n", [1, 2, 5, 19])
def test_a_handful_of_samples_shows_no_dependence(n):
    values = np.arange(n, dtype=float)
    assert rank_dependence(values).correlation_time == 0
    assert tail_dependence(values, 0.9).correlation_time == 0


def test_blocks_span_ten_correlation_times_and_are_at_least_fifty():
    assert block_count(10_000, 1.0) == 60
    assert block_count(10_000, 19.0) == 52
    assert block_count(10_000, 21.0) is None
    assert block_count(10_000, np.inf) is None


def test_a_resampled_quantile_is_that_of_the_copied_out_blocks():
    series = lognormal(3_000, 11)
    weights = block_weights(60, resamples=20)
    drawn = resampled_quantile(np.sort(series), sorted_blocks(series, 60), weights, 0.9)
    blocks = series.reshape(60, 50)
    for row, value in zip(weights.astype(int), drawn, strict=True):
        copied = np.repeat(blocks, row, axis=0).ravel()
        assert value == pytest.approx(np.quantile(copied, 0.9, method="inverted_cdf"), rel=2e-3)
