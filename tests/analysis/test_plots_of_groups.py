"""Figures of several runs: overlays, differences and the Region matrix."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.analysis import plots
from harness.analysis.compare import Difference, Group, compare_groups, holm
from harness.analysis.matrix import MatrixCell
from harness.analysis.percentiles import estimate_percentiles
from harness.analysis.plots.comparison import comparison_title, difference_text
from harness.analysis.run_groups import Comparison, RunGroup
from tests.analysis.simulated import polled, values_of
from tests.analysis.test_plots import by_gid, drawn_texts, everything


def run_group(
    label, n, factor=1.0, verdict="VALID", spacing=20.0, unseen=0, replica="ap-southeast-2", seed=0
):
    rng = np.random.default_rng([seed, n])
    lower, upper = polled(factor * values_of(1, n, 0, rng)[0], spacing, rng)
    upper[rng.permutation(n)[:unseen]] = np.inf
    return RunGroup(label, "us-west-2", replica, (0,), (Group.of(lower, upper),), (verdict,))


def compared(first, second):
    return Comparison(first, second, False, tuple(holm([compare_groups(first.pooled, second.pooled)])[0]))


COMPARISONS = {
    "later": lambda: compared(run_group("4f2a10bc", 2000), run_group("9d3e77aa", 2000, 1.1, seed=1)),
    "equal": lambda: compared(run_group("4f2a10bc", 2000), run_group("9d3e77aa", 2000, seed=1)),
    "few and unseen": lambda: compared(
        run_group("lag=slow", 200), run_group("lag=fast", 200, 0.5, unseen=30, seed=1)
    ),
    "too few": lambda: compared(run_group("a", 5), run_group("b", 5, seed=1)),
    "invalid": lambda: compared(
        run_group("4f2a10bc", 2000, replica="eu-west-1"),
        run_group("9d3e77aa", 2000, 1.3, "INVALID", spacing=500.0, seed=1),
    ),
    "nothing seen": lambda: compared(run_group("a", 50, unseen=50), run_group("b", 50, unseen=50, seed=1)),
}
DRAWN = [plots.comparison_overlay, plots.difference_plot]


def assert_legible(figure):
    boxes = drawn_texts(figure)
    for words, box in boxes:
        inside = box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1
        assert inside, words
    for (words, box), (others, other) in itertools.combinations(boxes, 2):
        overlap_x = min(box.x1, other.x1) - max(box.x0, other.x0)
        overlap_y = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert min(overlap_x, overlap_y) <= 2, (words, others)


@pytest.mark.parametrize("make", DRAWN)
@pytest.mark.parametrize("case", COMPARISONS)
def test_comparisons_are_legible_and_say_where_they_come_from(make, case):
    figure = make(COMPARISONS[case](), ["simulated"])
    assert_legible(figure)
    assert "simulated" in everything(figure)
    assert "INVALID" in everything(figure) if case == "invalid" else "VALID" in everything(figure)


def test_the_overlay_draws_both_groups_with_their_n():
    comparison = COMPARISONS["later"]()
    axes = plots.comparison_overlay(comparison, ["simulated"]).axes[0]
    medians = []
    for label in ("4f2a10bc", "9d3e77aa"):
        (line,) = by_gid(axes, f"estimate-{label}")
        times, shares = line.get_data()
        medians.append(np.interp(0.5, shares, times))
    assert medians[1] > medians[0]
    assert "9d3e77aa (n = 2,000)" in everything(axes.figure)


def test_the_difference_plot_draws_values_intervals_and_worst_cases():
    comparison = COMPARISONS["later"]()
    axes = plots.difference_plot(comparison, ["simulated"]).axes[0]
    for row, cell in enumerate(comparison.cells):
        (point,) = by_gid(axes, f"point-{cell.name}")
        assert (point.get_xdata()[0], point.get_ydata()[0]) == (pytest.approx(cell.value), row)
        (interval,) = by_gid(axes, f"interval-{cell.name}")
        assert tuple(interval.get_xdata()) == pytest.approx((cell.low, cell.high))
        (worst,) = by_gid(axes, f"worst-{cell.name}")
        assert tuple(worst.get_xdata()) == pytest.approx((cell.worst_low, cell.worst_high))
        (label,) = by_gid(axes, f"label-{cell.name}")
        assert cell.words in label.get_text()


def test_a_cell_without_a_difference_says_why():
    figure = plots.difference_plot(COMPARISONS["too few"](), ["simulated"])
    assert "needs 368 samples, has 5" in everything(figure)
    assert not by_gid(figure.axes[0], "point-p99")


def test_titles_state_direction_and_size_or_that_nothing_is_significant():
    assert "9d3e77aa is later by" in comparison_title(COMPARISONS["later"]())
    assert comparison_title(COMPARISONS["equal"]()) == "No significant difference"
    assert "lag=fast is earlier by" in comparison_title(COMPARISONS["few and unseen"]())
    assert comparison_title(COMPARISONS["too few"]()) == "Too little data to tell whether they differ"


def test_a_negative_difference_in_words():
    cell = Difference("p50", -33.0, -53.0, -12.0)
    assert difference_text(cell) == "−33.0 ms [−53.0, −12.0]"
    assert difference_text(cell, signed=False) == "33.0 ms [12.0, 53.0]"


REGIONS = [
    "us-west-2",
    "eu-west-1",
    "ap-southeast-2",
    "us-east-1",
    "sa-east-1",
    "ap-northeast-1",
    "af-south-1",
]


def cell(source, replica, n, median, verdict="VALID"):
    values = values_of(1, n, 0, np.random.default_rng([n, int(median)]), median=median)[0]
    found = estimate_percentiles(values - 5, values + 5, (50.0, 99.0))
    return MatrixCell(source, replica, n, {"p50": found[50.0], "p99": found[99.0]}, verdict)


def cells_of(regions, verdict=lambda source: "VALID", n=lambda source: 400):
    return [
        cell(source, replica, n(source), 500 + 100 * at, verdict(source))
        for at, (source, replica) in enumerate(itertools.permutations(regions, 2))
    ]


MATRICES = {
    "three": lambda: cells_of(REGIONS[:3]),
    "seven": lambda: cells_of(REGIONS),
    "one": lambda: cells_of(REGIONS[:2])[:1],
    "none": list,
    "some too small": lambda: cells_of(REGIONS[:3], n=lambda source: 100 if source == "eu-west-1" else 400),
    "some invalid": lambda: cells_of(
        REGIONS[:3], verdict=lambda source: "INVALID" if source == "eu-west-1" else "VALID"
    ),
}


@pytest.mark.parametrize("name", ["p50", "p99"])
@pytest.mark.parametrize("case", MATRICES)
def test_matrices_are_legible(case, name):
    assert_legible(plots.matrix_heat_map(MATRICES[case](), name, ["simulated"]))


def test_each_cell_shows_percentile_interval_and_n():
    cells = MATRICES["three"]()
    axes = plots.matrix_heat_map(cells, "p99", ["AWS"]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == sorted(REGIONS[:3])
    for found in cells:
        (text,) = by_gid(axes, f"{found.source} → {found.replica}")
        value, interval, n = text.get_text().split("\n")
        assert n == "n = 400"
        assert value.endswith(" s")
        assert interval.startswith("[")
    assert "AWS" in everything(axes.figure)


def test_a_slower_cell_is_darker():
    cells = MATRICES["three"]()
    axes = plots.matrix_heat_map(cells, "p50", ["AWS"]).axes[0]
    brightness = [sum(patch.get_facecolor()[:3]) for patch in by_gid(axes, "cell")]
    values = [found.estimates["p50"].value for found in cells]
    assert np.argsort(brightness)[::-1].tolist() == np.argsort(values).tolist()


def test_a_cell_without_support_says_what_it_needs_and_an_invalid_one_says_so():
    small = plots.matrix_heat_map(MATRICES["some too small"](), "p99", ["simulated"])
    (text,) = by_gid(small.axes[0], "eu-west-1 → us-west-2")
    assert text.get_text() == "needs 368\nhas 100"
    invalid = plots.matrix_heat_map(MATRICES["some invalid"](), "p99", ["simulated"])
    (text,) = by_gid(invalid.axes[0], "eu-west-1 → us-west-2")
    assert text.get_text().endswith("INVALID")
    assert by_gid(invalid, "banner")
    assert sum(bool(patch.get_hatch()) for patch in by_gid(invalid.axes[0], "cell")) == 2
