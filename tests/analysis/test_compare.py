"""Comparing two groups: what a difference is, when it is significant, and how often that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, t

from harness.analysis.bootstrap import block_weights, split_blocks
from harness.analysis.compare import (
    SHIFT,
    Difference,
    Group,
    compare_groups,
    compare_interleaved,
    holm,
)
from harness.analysis.shift import hodges_lehmann, resampled_shift
from harness.analysis.student import student_quantile, student_two_sided
from tests.analysis.simulated import polled, true_percentile, values_of


def group(values, spacing=20.0, seed=0):
    return Group.of(*polled(values, spacing, np.random.default_rng(seed)))


def by_name(cells):
    return {cell.name: cell for cell in cells}


def test_a_clear_shift_is_found_with_its_size_and_sign():
    first, second = values_of(2, 4000, 0, np.random.default_rng(1))
    cells = by_name(holm([compare_groups(group(first), group(second * 1.2, seed=1))])[0])
    for percentile in (50, 90):
        cell = cells[f"p{percentile}"]
        assert cell.significant
        assert cell.words == "significant"
        assert cell.low < 0.2 * true_percentile(percentile) < cell.high
    assert cells[SHIFT].significant
    reverse = by_name(compare_groups(group(second * 1.2, seed=1), group(first)))
    assert reverse["p50"].value == -cells["p50"].value


def test_the_worst_case_over_the_brackets_holds_the_interval():
    first, second = values_of(2, 2000, 0, np.random.default_rng(2))
    for cell in compare_groups(group(first), group(second, seed=1)):
        assert cell.worst_low < cell.low <= cell.value <= cell.high < cell.worst_high


def test_no_difference_is_said_plainly():
    first, second = values_of(2, 2000, 0, np.random.default_rng(3))
    cells = holm([compare_groups(group(first), group(second, seed=1))])[0]
    assert [cell.words for cell in cells] == ["not significant"] * 4
    assert cells[0].to_json()["verdict"] == "not significant"


def test_equal_data_differ_by_nothing():
    first = group(values_of(1, 1000, 0, np.random.default_rng(4))[0])
    for cell in compare_groups(first, first):
        assert cell.value == pytest.approx(0, abs=1e-6)
        assert not cell.significant


def test_a_percentile_too_rare_for_either_group_has_no_difference():
    values = values_of(1, 400, 0, np.random.default_rng(5))[0]
    cells = by_name(compare_groups(group(values), group(values[:200])))
    assert (cells["p99"].value, cells["p99"].reason) == (None, "needs 368 samples, has 200")
    assert cells["p99"].significant is None
    assert cells["p50"].value is not None


def test_runs_too_short_for_their_correlation_have_differences_without_intervals():
    values = values_of(2, 2000, 100, np.random.default_rng(6))
    cells = compare_groups(group(values[0]), group(values[1]))
    assert cells[0].value is not None
    assert {cell.words for cell in cells} == {"too short for an interval"}


def test_a_percentile_not_seen_by_the_deadline_has_no_difference():
    values = values_of(1, 1000, 0, np.random.default_rng(7))[0]
    upper = np.where(values > np.quantile(values, 0.9), np.inf, values)
    cells = by_name(compare_groups(group(values), Group.of(values, upper)))
    assert cells["p99"].reason == "not seen by the deadline in one of the groups"
    assert cells["p50"].value is not None
    assert cells[SHIFT].value is not None


def test_interleaved_blocks_cancel_a_drift_that_hides_the_difference():
    rng = np.random.default_rng(8)
    drift = np.repeat(np.linspace(1, 3, 20), 200)
    first, second = values_of(2, 4000, 0, rng)
    first, second = first * drift, second * drift * 1.1
    pairs = [
        (group(a), group(b)) for a, b in zip(split_blocks(first, 20), split_blocks(second, 20), strict=True)
    ]
    interleaved = by_name(compare_interleaved(pairs))
    assert interleaved["p50"].significant
    assert interleaved[SHIFT].significant
    assert by_name(compare_groups(group(first), group(second)))["p50"].significant is None


def test_few_interleaved_pairs_are_compared_as_two_groups():
    values = values_of(2, 100, 0, np.random.default_rng(9))
    pair = (group(values[0]), group(values[1]))
    whole = [Group(np.tile(side.lower, 3), np.tile(side.upper, 3)) for side in pair]
    assert compare_interleaved([pair] * 3) == compare_groups(*whole)
    with pytest.raises(ValueError, match="no pair"):
        compare_interleaved([])


def test_holm_corrects_over_all_tables_together():
    def cell(p):
        return Difference("p50", 1.0, p_value=p)

    tables = holm([[cell(0.01), cell(0.04)], [cell(None), cell(0.03)]])
    adjusted = [[found.p_adjusted for found in row] for row in tables]
    assert adjusted == [[pytest.approx(0.03), pytest.approx(0.06)], [None, pytest.approx(0.06)]]
    assert [found.significant for found in tables[0]] == [True, False]


def test_hodges_lehmann_is_the_median_of_all_differences():
    rng = np.random.default_rng(10)
    first, second = rng.normal(0, 1, 151), rng.normal(0.4, 2, 121)
    pairwise = np.median(second[:, None] - first[None])
    assert hodges_lehmann(first, second) == pytest.approx(pairwise, abs=1e-6)
    assert np.isnan(hodges_lehmann(np.array([np.inf]), second))


def test_a_resampled_shift_is_that_of_the_copied_out_blocks():
    rng = np.random.default_rng(11)
    first, second = rng.lognormal(6.5, 0.35, 600), rng.lognormal(6.55, 0.35, 660)
    weights = [block_weights(60, resamples=12, stream=s) for s in (0, 1)]
    drawn = resampled_shift(split_blocks(first, 60), split_blocks(second, 60), *weights)
    for row, value in enumerate(drawn):
        copies = [
            np.repeat(series.reshape(60, -1), chosen[row].astype(int), axis=0).ravel()
            for series, chosen in zip((first, second), weights, strict=True)
        ]
        assert value == pytest.approx(hodges_lehmann(*copies), abs=1.0)


@pytest.mark.parametrize("freedom", [7, 9, 19, 58, 118])
def test_student_agrees_with_scipy(freedom):
    assert student_quantile(0.975, freedom) == pytest.approx(t.ppf(0.975, freedom), rel=0.03)
    assert student_two_sided(2.5, freedom) == pytest.approx(2 * t.sf(2.5, freedom), abs=0.005)


def significant_share(runs, n, correlation_time, factor, seed):
    """In how many of the simulated comparisons any cell, and the shift or the median, is called significant."""
    rng = np.random.default_rng(seed)
    anything = median = 0
    for _ in range(runs):
        first, second = values_of(2, n, correlation_time, rng)
        sides = [Group.of(*polled(values, 20.0, rng)) for values in (first, factor * second)]
        cells = holm([compare_groups(*sides)])[0]
        anything += any(cell.significant for cell in cells)
        median += any(cell.significant for cell in cells if cell.name in ("p50", SHIFT))
    return anything, median


def test_runs_without_a_difference_are_rarely_called_significant():
    anything, _ = significant_share(20, 1000, 0, 1.0, seed=1)
    assert anything <= binom.ppf(1 - 1e-3, 20, 0.08)


def test_a_small_shift_is_usually_found():
    _, median = significant_share(20, 2000, 0, 1.05, seed=2)
    assert median >= binom.ppf(1e-3, 20, 0.9)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "correlation_time"), [(2_000, 0), (400, 0), (5_000, 5), (20_000, 20)])
def test_full_false_alarm_study(n, correlation_time):
    anything, _ = significant_share(200, n, correlation_time, 1.0, seed=3)
    print(f"\nn={n} T={correlation_time}: {anything} of 200 called significant")  # noqa: T201
    assert anything <= 0.08 * 200


@pytest.mark.slow
def test_full_power_study():
    _, median = significant_share(200, 2000, 0, 1.05, seed=4)
    print(f"\n5 % shift of the median, n=2,000: found in {median} of 200")  # noqa: T201
    assert median >= 0.9 * 200
