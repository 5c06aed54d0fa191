"""Percentiles side by side: legible, with n, intervals, truth and verdict."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.percentiles import estimate_percentiles
from harness.analysis.plots.side_by_side import condition_plot
from harness.units import percentile_name
from tests.analysis.simulated import polled, values_of
from tests.analysis.test_plots import everything, texts
from tests.analysis.test_plots_of_groups import assert_legible

PERCENTILES = (50.0, 90.0, 99.0)


def row(condition="", factor=1.0, n=2000, verdict="VALID", replica="ap-southeast-2", truth=True):
    rng = np.random.default_rng([n, round(100 * factor)])
    lower, upper = polled(factor * values_of(1, n, 0, rng)[0], 20.0, rng)
    found = estimate_percentiles(lower, upper, PERCENTILES)
    return {
        "condition": condition,
        "from": "us-west-2",
        "to": replica,
        "n": n,
        "verdict": verdict,
        "latency_ms": {percentile_name(p): estimate.to_json() for p, estimate in found.items()},
        "truth": {"p50_ms": 650.0 * factor, "p50_holds": True} if truth else None,
    }


CASES = {
    "equal": [row(f"item_size={size}", 1.0 + 0.005 * n) for n, size in enumerate(("200B", "4KB", "64KB"))],
    "different": [row("rate=5/s"), row("rate=100/s", 3.0)],
    "far apart": [row("lag=fast", 0.1), row("lag=degraded", 40.0)],
    "few": [row("a=1", n=4, truth=False), row("a=2", n=40, truth=False)],
    "nothing": [row("a=1", n=3, truth=False), row("a=2", n=3, truth=False)],
    "pairs": [row("read=strong"), row("read=strong", replica="ap-northeast-1"), row("read=eventual", 1.2)],
    "invalid": [row("a=1"), row("a=2", 1.5, verdict="INVALID")],
    "many": [row(f"interval={n}ms", 1 + n / 50) for n in range(20)],
    "long": [row("item_size=64KB, rate=100/s, read=eventual", 1 + n / 10) for n in range(3)],
}


@pytest.mark.parametrize("case", CASES)
def test_conditions_are_legible_with_source_verdict_and_n(case):
    figure = condition_plot(CASES[case], "try: does it?", "simulated", ["failed gate: throttles"])
    assert_legible(figure)
    said = everything(figure)
    assert "simulated" in said
    assert ("INVALID: do not use these numbers" in said) == (case == "invalid")
    for entry in CASES[case]:
        assert f"n = {entry['n']:,}" in texts(figure)


def test_the_title_says_whether_the_medians_differ():
    assert "intervals overlap" in everything(condition_plot(CASES["equal"], "s", "simulated"))
    different = everything(condition_plot(CASES["different"], "s", "simulated"))
    assert "(rate=5/s) to" in different
    assert "(rate=100/s)" in different


def test_percentiles_that_cannot_be_carried_are_not_drawn():
    axes = condition_plot(CASES["few"], "s", "AWS").axes[0]
    drawn = [line for line in axes.lines if line.get_marker() in ("o", "s", "D")]
    assert len(drawn) == 2  # p50 and p90 of the 40 samples
