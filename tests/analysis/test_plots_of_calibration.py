"""Figures of the instrument against the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis import plots
from harness.analysis.plots import style
from tests.analysis.simulated import simulated_run
from tests.analysis.test_plots import by_gid, everything, lognormal
from tests.analysis.test_plots_of_groups import assert_legible


def against_truth(n, off_ms=0.0):
    """A run and its samples with a truth: hard brackets 150 ms wider; of every tenth write off by so much."""
    run = simulated_run(lognormal(n))
    lower, upper = (run.samples[f"model_{end}_ns"].to_numpy(np.int64) for end in ("lower", "upper"))
    middle = (lower + upper) // 2
    truth = middle - round(off_ms * 1e6) * (np.arange(n) % 10 == 0)
    columns = {
        "hard_lower_ns": lower - 75_000_000,
        "hard_upper_ns": upper + 75_000_000,
        "true_ns": truth,
        "error_ns": middle - truth,
        "hard_holds": True,
        "model_holds": (lower <= truth) & (truth <= upper),
    }
    joined = run.samples.assign(
        **{name: pd.array(values) for name, values in columns.items() if name[-2:] == "ns"}
    )
    return run, joined.assign(hard_holds=True, model_holds=columns["model_holds"])


@pytest.mark.parametrize("n", [0, 1, 40, 5_000])
def test_brackets_against_the_truth_are_legible_and_say_how_many_hold(n):
    run, joined = against_truth(max(n, 1))
    figure = plots.brackets_against_truth(joined.head(n), run.summary, run.pair)
    assert_legible(figure)
    assert f"Truth inside: {n:,} of {n:,} hard, {n:,} of {n:,} model brackets" in everything(figure)
    assert "simulated" in everything(figure)


def test_each_bracket_is_drawn_less_its_truth_and_those_that_miss_are_red():
    run, joined = against_truth(100, off_ms=60)
    figure = plots.brackets_against_truth(joined, run.summary, run.pair)
    model, hard = figure.axes
    (held,), (missing,) = by_gid(model, "brackets-model"), by_gid(model, "brackets-model-missing")
    assert (len(held.get_segments()), len(missing.get_segments())) == (90, 10)
    assert all(segment[0, 1] <= 0 <= segment[1, 1] for segment in held.get_segments())
    assert all(segment[0, 1] > 0 for segment in missing.get_segments())
    assert style.ALERT == "#b00020"
    assert missing.get_colors()[0][:3] == pytest.approx((0xB0 / 255, 0, 0x20 / 255))
    assert len(by_gid(hard, "brackets-hard")[0].get_segments()) == 100
    assert "100 of 100 hard, 90 of 100 model" in everything(figure)


def cell(rtt_ms=141, verdict="VALID", hard_coverage=1.0, **how):
    return {
        "rtt_ms": rtt_ms,
        "lag": "constant=400ms",
        "strategy": "query",
        "rate_per_s": 100.0,
        "verdict": verdict,
        "n": 200,
        "hard_coverage": hard_coverage,
        "error_p50_ms": 1.4,
        "error_max_ms": 5.0,
        "width_p50_ms": 8.0,
    } | how


@pytest.mark.parametrize("count", [1, 11, 40])
@pytest.mark.parametrize("verdict", ["VALID", "INVALID"])
def test_the_error_by_condition_is_legible(count, verdict):
    cells = [cell(rtt_ms, error_p50_ms=0.5 + 0.1 * rtt_ms) for rtt_ms in range(count - 1)] + [
        cell(verdict=verdict)
    ]
    figure = plots.error_by_condition(cells)
    assert_legible(figure)
    assert f"n = {200 * count:,} writes in all" in everything(figure)
    assert bool(by_gid(figure, "banner")) == (verdict == "INVALID")


def test_each_condition_has_its_median_largest_and_half_width():
    figure = plots.error_by_condition([cell(), cell(2, error_p50_ms=0.7, error_max_ms=2.0, width_p50_ms=4.0)])
    axes = figure.axes[0]
    for gid, values in (("medians", [1.4, 0.7]), ("largest", [5.0, 2.0]), ("widths", [4.0, 2.0])):
        assert by_gid(axes, gid)[0].get_xdata().tolist() == values
    assert "Median error 700 µs to 1.40 ms, every hard bracket holds" in everything(figure)


def test_a_hard_bracket_that_misses_is_in_the_title():
    figure = plots.error_by_condition([cell(), cell(2, hard_coverage=0.995)])
    assert "hard brackets miss in 1" in everything(figure)
