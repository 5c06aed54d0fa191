"""How often the 95 % interval holds the true percentile, over many simulated runs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from harness.analysis.percentiles import BLOCKS, Estimate, estimate_percentiles
from tests.analysis.simulated import polled, true_percentile, values_of

PERCENTILES = (50, 90, 99)
PROMISED = 0.93

# n, correlation time in samples, poll spacing in ms (the values' median is 650 ms)
INDEPENDENT_RUNS = [(400, 0, 20.0), (400, 0, 1.0), (3_000, 0, 5.0)]
AUTOCORRELATED_RUNS = [(2_000, 1, 1.0), (10_000, 5, 5.0), (20_000, 20, 1.0), (60_000, 50, 20.0)]


def coverage(runs, n, correlation_time, spacing, seed):
    """Per percentile, how many of the runs have an interval, and how many of those hold the truth."""
    rng = np.random.default_rng(seed)
    held, given, methods = Counter(), Counter(), Counter()
    for start in range(0, runs, 50):
        values = values_of(min(50, runs - start), n, correlation_time, rng)
        for lower, upper in zip(*polled(values, spacing, rng), strict=True):
            for p, found in estimate_percentiles(lower, upper, PERCENTILES).items():
                assert isinstance(found, Estimate)
                methods[found.method] += 1
                if found.has_interval:
                    given[p] += 1
                    high = np.inf if found.high is None else found.high
                    held[p] += found.low <= true_percentile(p) <= high
    return held, given, methods


def assert_promise_not_disproved(held, given):
    for p in PERCENTILES:
        # So few would be a chance of one in 10,000 even if the interval just kept its promise.
        assert held[p] >= binom.ppf(1e-4, given[p], PROMISED), (p, held[p], given[p])


@pytest.mark.parametrize(("n", "correlation_time", "spacing"), INDEPENDENT_RUNS[:2])
def test_the_interval_of_independent_samples_keeps_its_promise(n, correlation_time, spacing):
    held, given, _ = coverage(150, n, correlation_time, spacing, seed=1)
    assert min(given.values()) >= 145
    assert_promise_not_disproved(held, given)


@pytest.mark.parametrize(("n", "correlation_time", "spacing"), AUTOCORRELATED_RUNS[:2])
def test_the_interval_of_autocorrelated_samples_keeps_its_promise(n, correlation_time, spacing):
    held, given, methods = coverage(60, n, correlation_time, spacing, seed=2)
    assert methods[BLOCKS] >= 0.9 * 60 * len(PERCENTILES)
    assert_promise_not_disproved(held, given)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "correlation_time", "spacing"), INDEPENDENT_RUNS + AUTOCORRELATED_RUNS)
def test_full_coverage_study(n, correlation_time, spacing):
    runs = 2_000 if n <= 400 else 500
    held, given, methods = coverage(runs, n, correlation_time, spacing, seed=3)
    rates = {p: held[p] / given[p] for p in PERCENTILES}
    print(f"\nn={n} T={correlation_time} polls={spacing:g} ms runs={runs}: {rates} {dict(methods)}")  # noqa: T201
    assert min(rates.values()) >= PROMISED
    if correlation_time == 0:
        assert methods["order statistics"] >= 0.98 * sum(methods.values())
