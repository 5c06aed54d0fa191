"""Ranks and proportions from the binomial law, against scipy's."""

from __future__ import annotations

import pytest
from scipy.stats import beta, binom

from harness.analysis.order_statistics import (
    binomial_at_least,
    needed_samples,
    proportion_interval,
    quantile_ranks,
)


@pytest.mark.parametrize(
    ("p", "needs"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688), (0.1, 36)]
)
def test_a_percentile_needs_so_many_samples(p, needs):
    assert needed_samples(p) == needs
    assert quantile_ranks(needs - 1, p) is None
    assert quantile_ranks(needs, p) is not None


@pytest.mark.parametrize("n", [6, 36, 72, 368, 1000, 3688, 100_000, 10_000_000])
@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.95, 0.99, 0.999])
def test_ranks_are_the_closest_that_miss_at_most_a_fortieth_on_either_side(n, p):
    ranks = quantile_ranks(n, p)
    if ranks is None:
        assert n < needed_samples(p)
        return
    j, k = ranks
    slack = 1e-9
    assert binom.cdf(j - 1, n, p) <= 0.025 + slack
    assert binom.cdf(j, n, p) > 0.025 - slack
    assert binom.sf(k - 1, n, p) <= 0.025 + slack
    assert binom.sf(k - 2, n, p) > 0.025 - slack


@pytest.mark.parametrize(("found", "n"), [(0, 10), (3, 400), (200, 400), (400, 400), (5, 1_000_000), (1, 1)])
def test_a_proportion_has_its_exact_interval(found, n):
    low, high = proportion_interval(found, n)
    assert low == pytest.approx(0.0 if found == 0 else beta.ppf(0.025, found, n - found + 1), abs=1e-9)
    assert high == pytest.approx(1.0 if found == n else beta.ppf(0.975, found + 1, n - found), abs=1e-9)


def test_binomial_tail_agrees_with_scipy_far_out():
    for count in (0, 1, 40, 100, 101, 180, 1001):
        assert binomial_at_least(count, 1000, 0.1) == pytest.approx(
            binom.sf(count - 1, 1000, 0.1), rel=1e-6, abs=1e-14
        )


@pytest.mark.parametrize(("found", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_what_is_not_a_proportion_is_refused(found, n):
    with pytest.raises(ValueError, match="not a proportion"):
        proportion_interval(found, n)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_quantile_at_zero_or_one_is_refused(p):
    with pytest.raises(ValueError, match="lies in"):
        needed_samples(p)
