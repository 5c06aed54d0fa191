"""Figures: what they state, what they draw, and that nothing in them is cut off or lies on top of something else."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text

from harness.analysis import draw as draw_module
from harness.analysis import plots
from harness.analysis.plots import style
from harness.analysis.plots.text import wrapped
from harness.analysis.plots.words import estimate_text, setting_text, unbroken
from tests.analysis.simulated import simulated_run


def lognormal(n, seed=1, median=650.0, sigma=0.35):
    return np.random.default_rng(seed).lognormal(np.log(median), sigma, n)


def heavy(n):
    rng = np.random.default_rng(2)
    return np.minimum(lognormal(n, median=400) + (rng.random(n) < 0.03) * 1000 * rng.pareto(0.9, n), 60_000)


CASES = {
    "ordinary": lambda: simulated_run(lognormal(2000)),
    "invalid": lambda: simulated_run(
        lognormal(2000), verdict="INVALID", unseen={"lost": 3}, troubled=[0, 1, 20, 40, 41, 42]
    ),
    "troubled but valid": lambda: simulated_run(lognormal(400), troubled=[7]),
    "fifty thousand": lambda: simulated_run(lognormal(50_000), troubled=range(60, 64)),
    "too few for p99": lambda: simulated_run(lognormal(60)),
    "too few for anything": lambda: simulated_run(lognormal(4)),
    "one": lambda: simulated_run(lognormal(1)),
    "many unseen": lambda: simulated_run(
        lognormal(500),
        label="AWS",
        unseen={"late": 5, "lost": 20, "write_failed": 4, "write_indeterminate": 2},
    ),
    "heavy tail": lambda: simulated_run(heavy(3000)),
    "below zero": lambda: simulated_run(np.random.default_rng(3).normal(4, 6, 800), spacing_ms=2),
    "constant": lambda: simulated_run(np.full(800, 500.0)),
    "coarse polls": lambda: simulated_run(lognormal(400), spacing_ms=500),
    "drifting": lambda: simulated_run(lognormal(6000) * np.linspace(1, 3, 6000)),
    "nothing visible": lambda: simulated_run(lognormal(50), unseen={"lost": 50}),
    "nothing acknowledged": lambda: simulated_run(lognormal(10), unseen={"write_failed": 10}),
    "long names": lambda: simulated_run(
        lognormal(400), pair=("ap-southeast-5", "ap-northeast-3"), label="endpoint", verdict="INVALID"
    ),
}
FIGURES = list(draw_module.FIGURES.values())


def draw(figure, run):
    return figure(run.samples, run.summary, run.pair)


def texts(figure):
    return [text.get_text().replace("\u00a0", " ") for text in figure.findobj(Text) if text.get_text()]


def everything(figure):
    return " ".join(texts(figure))


def by_gid(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def drawn_texts(figure):
    """Every text as drawn, with its box in pixels; the watermark and ticks out of view left out."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if not low - slack <= tick.get_loc() <= high + slack or not tick.label1.get_visible():
                    hidden |= {tick.label1}
                hidden |= {tick.label2}
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible() and text not in hidden and text.get_alpha() is None
        if text.get_rotation() in (0, 90)  # the box of slanted words is larger than they are
    ]


@pytest.mark.parametrize("make", FIGURES)
@pytest.mark.parametrize("case", CASES)
def test_no_text_is_cut_off_or_overlaps_another(make, case):
    figure = draw(make, CASES[case]())
    boxes = drawn_texts(figure)
    page = figure.bbox
    for words, box in boxes:
        inside = box.x0 >= 0 and box.x1 <= page.x1 and box.y0 >= 0 and box.y1 <= page.y1
        assert inside, words
    for (words, box), (others, other) in itertools.combinations(boxes, 2):
        overlap_x = min(box.x1, other.x1) - max(box.x0, other.x0)
        overlap_y = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert min(overlap_x, overlap_y) <= 2, (words, others)


@pytest.mark.parametrize("make", FIGURES)
def test_every_figure_says_pair_source_verdict_n_and_settings(make):
    said = everything(draw(make, CASES["ordinary"]()))
    for words in (
        "us-west-2 → ap-southeast-2",
        "simulated",
        "VALID",
        "n = 2,000 writes",
        "20 writes/s",
        "polls every 20 ms",
        "strong reads",
        "deadline 30 s",
        "lag “typical”",
        "20261104T101500Z-4f2a",
    ):
        assert words in said, words
    assert "AWS" not in said


@pytest.mark.parametrize("make", FIGURES)
def test_a_run_on_aws_says_so_and_never_simulated(make):
    said = everything(draw(make, CASES["many unseen"]()))
    assert "AWS" in said
    assert "simulated" not in said


@pytest.mark.parametrize("make", FIGURES)
def test_an_invalid_run_has_a_banner_with_reasons_a_watermark_and_hatching(make):
    figure = draw(make, CASES["invalid"]())
    said = texts(figure)
    assert "INVALID: do not use these numbers" in said
    assert "poll adherence: 81.3% of 40,000 (must be ≥ 95%)" in " ".join(said)
    assert "and 1 more" in " ".join(said)
    assert said.count("INVALID") == 2  # the mark and the watermark
    assert by_gid(figure, "banner")
    for axes in figure.axes:
        assert any(patch.get_hatch() for patch in axes.patches)


def test_a_valid_run_has_none_of_that():
    figure = draw(plots.latency_ecdf, CASES["ordinary"]())
    assert not by_gid(figure, "banner")
    assert "INVALID" not in everything(figure)
    assert not any(patch.get_hatch() for patch in figure.axes[0].patches)


def test_the_title_states_the_finding_with_its_interval():
    run = CASES["ordinary"]()
    p99 = run.summary["pairs"][0]["latency_ms"]["p99"]
    title = f"99 % of writes visible within {estimate_text(p99)}"
    assert title in texts(draw(plots.latency_ecdf, run))
    assert title in texts(draw(plots.latency_over_run, run))


def test_a_small_run_is_titled_by_the_percentile_it_carries_and_says_what_p99_needs():
    said = everything(draw(plots.latency_ecdf, CASES["too few for p99"]()))
    assert "90 % of writes visible within" in said
    assert "p99 needs 368 samples, has 60" in said
    assert "p99 1" not in said


def test_a_run_without_any_percentile_says_so():
    for case in ("too few for anything", "nothing visible", "nothing acknowledged"):
        said = everything(draw(plots.latency_ecdf, CASES[case]()))
        assert "Too few writes became visible for any percentile" in said


def test_ecdf_draws_the_estimate_inside_the_band_of_the_brackets():
    run = CASES["coarse polls"]()
    axes = draw(plots.latency_ecdf, run).axes[0]
    (curve,) = by_gid(axes, "estimate")
    times, shares = curve.get_data()
    assert (np.diff(times) >= 0).all()
    assert (np.diff(shares) >= -1e-12).all()
    lower = np.sort(run.samples["model_lower_ns"].to_numpy(np.float64)) / 1e9
    upper = np.sort(run.samples["model_upper_ns"].to_numpy(np.float64)) / 1e9
    most = np.searchsorted(lower, times, side="right") / len(lower)
    least = np.searchsorted(upper, times, side="left") / len(upper)
    assert (shares <= most + 1e-6).all()
    assert (shares >= least - 1e-6).all()
    assert by_gid(axes, "band")


def test_ecdf_marks_percentiles_at_their_values_with_their_intervals():
    run = CASES["ordinary"]()
    estimates = run.summary["pairs"][0]["latency_ms"]
    axes = draw(plots.latency_ecdf, run).axes[0]
    assert axes.get_xlabel() == "replication latency (s)"
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        (point,) = by_gid(axes, f"point-{name}")
        assert point.get_xdata()[0] == pytest.approx(estimates[name]["value"] / 1000)
        assert point.get_ydata()[0] == share
        (label,) = by_gid(axes, f"label-{name}")
        assert label.get_text() == f"{name}  {estimate_text(estimates[name])}"
    bars = [tuple(bar.get_xdata()) for bar in by_gid(axes, "interval")]
    assert bars == [
        pytest.approx((estimates[name]["low"] / 1000, estimates[name]["high"] / 1000))
        for name in ("p50", "p90", "p99")
    ]


def test_ecdf_counts_what_lies_beyond_its_axis():
    assert "beyond this axis, the slowest 60.0 s" in everything(
        draw(plots.latency_ecdf, CASES["heavy tail"]())
    )


def test_unseen_writes_are_counted_and_keep_the_curve_below_one():
    run = CASES["many unseen"]()
    figure = draw(plots.latency_ecdf, run)
    assert "25 of 494 not seen within 30 s" in everything(figure)
    assert "p99 over 30.0 s: not seen by the deadline" in everything(figure)
    (curve,) = by_gid(figure.axes[0], "estimate")
    assert curve.get_ydata()[-1] == pytest.approx(469 / 494, abs=1e-4)


def test_negative_brackets_stay_in_view_and_are_counted():
    run = CASES["below zero"]()
    figure = draw(plots.latency_ecdf, run)
    negative = int((run.samples["model_upper_ns"] < 0).sum())
    assert f"{negative} of 800 wholly below zero" in everything(figure)
    lowest = run.samples["model_lower_ns"].min() / 1e6
    assert figure.axes[0].get_xlim()[0] <= lowest


def test_tail_is_logarithmic_and_named_by_the_rarest_percentile_it_carries():
    run = simulated_run(lognormal(4000))
    figure = draw(plots.latency_tail, run)
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")
    assert "1 write in 1,000 took longer than" in everything(figure)
    assert "1 % of writes took longer than" in everything(draw(plots.latency_tail, CASES["ordinary"]()))


def test_over_the_run_each_write_is_a_line_as_long_as_its_bracket():
    run = CASES["too few for p99"]()
    axes = draw(plots.latency_over_run, run).axes[-1]
    (lines,) = by_gid(axes, "brackets")
    segments = np.array(lines.get_segments())
    assert segments.shape == (60, 2, 2)
    np.testing.assert_allclose(segments[:, 0, 1], run.samples["model_lower_ns"].to_numpy(float) / 1e6)
    np.testing.assert_allclose(segments[:, 1, 1], run.samples["model_upper_ns"].to_numpy(float) / 1e6)
    due = run.samples["due_ns"].to_numpy(np.int64)
    np.testing.assert_allclose(segments[:, 0, 0], (due - due[0]) / 1e9)


def test_over_the_run_unseen_writes_stand_in_a_row_of_their_own_at_their_times():
    run = CASES["many unseen"]()
    strip, axes = draw(plots.latency_over_run, run).axes
    due = (run.samples["due_ns"] - run.samples["due_ns"].min()).to_numpy(np.int64) / 1e9
    for name, count in (("late", 5), ("lost", 20), ("write_failed", 4), ("write_indeterminate", 2)):
        (marks,) = by_gid(strip, name)
        np.testing.assert_allclose(np.sort(marks.get_xdata()), due[run.samples["outcome"] == name])
        assert len(marks.get_xdata()) == count
    assert "20 lost" in everything(strip)
    (lines,) = by_gid(axes, "brackets")
    assert len(lines.get_segments()) == 469


def test_over_a_long_run_bands_take_the_place_of_single_writes():
    axes = draw(plots.latency_over_run, CASES["drifting"]()).axes[-1]
    assert not by_gid(axes, "brackets")
    (median,) = by_gid(axes, "median")
    assert median.get_ydata()[-1] > 2 * median.get_ydata()[0]


def test_over_the_run_a_heavy_tail_makes_the_axis_logarithmic():
    assert draw(plots.latency_over_run, CASES["heavy tail"]()).axes[-1].get_yscale() == "log"
    assert draw(plots.latency_over_run, CASES["constant"]()).axes[-1].get_yscale() == "linear"
    assert draw(plots.latency_over_run, CASES["below zero"]()).axes[-1].get_yscale() == "linear"


def test_over_the_run_stretches_beyond_a_limit_are_bars_at_their_times():
    run = CASES["invalid"]()
    strip, _ = draw(plots.latency_over_run, run).axes
    for gate, words in (("event_loop_delay_p99", "loop late: 6 of 101 s"), ("throttles", "6 throttled")):
        (bars,) = by_gid(strip, gate)
        starts = [path.vertices[:, 0].min() for path in bars.get_paths()]
        assert starts == [-2.0, -1.0, 18.0, 38.0, 39.0, 40.0]
        assert words in texts(strip)
    assert strip.get_xlim()[0] < -2


def test_a_bar_is_red_only_where_the_gate_failed():
    def colour(case):
        (bars,) = by_gid(draw(plots.latency_over_run, CASES[case]()).axes[0], "event_loop_delay_p99")
        return mpl.colors.to_hex(bars.get_facecolor()[0])

    assert colour("invalid") == style.ALERT
    assert colour("troubled but valid") == style.QUIET


def test_conditions_draw_the_medians_and_limits_of_the_timeline():
    run = CASES["ordinary"]()
    timeline = run.summary["timeline"]
    reads, writes, loop = draw(plots.run_conditions, run).axes
    for axes, name, values in (
        (reads, "read", timeline["round_trips"][0]["p50_ms"]),
        (writes, "write", timeline["round_trips"][1]["p50_ms"]),
        (loop, "loop", timeline["loop_delay"]["p50_ms"]),
    ):
        (median,) = by_gid(axes, f"median-{name}")
        np.testing.assert_allclose(median.get_xdata()[:-1], np.arange(timeline["bins"]) - 2.0)
        np.testing.assert_allclose(median.get_ydata()[:-1], values)
    assert set(by_gid(reads, "limit-read")[0].get_ydata()) == {161.0}
    assert set(by_gid(loop, "limit-loop")[0].get_ydata()) == {10.0}
    assert "All 101 s were within every limit" in texts(reads.figure)


def test_conditions_say_how_much_of_the_run_was_within_the_limits_and_what_was_not():
    said = everything(draw(plots.run_conditions, CASES["invalid"]()))
    assert "95 of 101 s were within every limit" in said
    assert "6 throttled · loop late: 6 of 101 s · RTT excess: 6 of 101 s" in said


def test_conditions_without_a_record_say_so():
    run = CASES["ordinary"]()
    del run.summary["timeline"]
    assert "rebuild it with python -m harness.report" in everything(draw(plots.run_conditions, run))


def test_an_unknown_pair_is_refused():
    run = CASES["too few for anything"]()
    with pytest.raises(ValueError, match="no pair a → b"):
        plots.latency_ecdf(run.samples, run.summary, ("a", "b"))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_equal_figures_are_saved_as_equal_bytes_without_metadata(tmp_path, suffix):
    paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        plots.save(draw(plots.latency_ecdf, CASES["too few for p99"]()), path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"matplotlib.org" not in first.lower()
    assert len(first) < 400_000


def test_other_kinds_of_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.png or \.svg"):
        plots.save(draw(plots.latency_ecdf, CASES["too few for p99"]()), tmp_path / "figure.jpg")


def test_drawing_leaves_matplotlibs_settings_alone():
    before = dict(mpl.rcParams)
    draw(plots.latency_ecdf, CASES["ordinary"]())
    assert dict(mpl.rcParams) == before


def test_text_from_the_run_is_never_read_as_mathematics():
    run = simulated_run(lognormal(60), pair=("$x_1$", "$y$"))
    figure = draw(plots.latency_ecdf, run)
    figure.canvas.draw()
    assert "$x_1$ → $y$" in everything(figure)


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        ({"value": 1710, "low": 1620, "high": 1840}, "1.71 s [1.62, 1.84]"),
        ({"value": 970, "low": 874, "high": 1400}, "970 ms [874 ms, 1.40 s]"),
        ({"value": 970, "low": 874, "high": None}, "970 ms [874, ∞]"),
        ({"value": 970, "low": None, "high": None}, "970 ms (no interval)"),
        ({"value": None, "low": 30_000, "high": None}, "over 30.0 s"),
        ({"value": None, "low": None, "high": None}, "not known"),
    ],
)
def test_an_estimate_in_words(estimate, words):
    assert estimate_text(estimate) == words


@pytest.mark.parametrize(("given", "words"), [(20, "20 ms"), (30_000, "30 s"), (2.5, "2.50 ms")])
def test_a_setting_is_written_as_it_was_chosen(given, words):
    assert setting_text(given) == words


def test_wrapping_keeps_line_breaks_and_never_exceeds_the_width():
    lines = wrapped("aaa bbb ccc\nddd", 12, 0.8)
    assert "".join(lines).replace(" ", "") == "aaabbbcccddd"
    assert lines[-1] == "ddd"
    assert len(lines) > 2


def test_words_that_are_kept_on_one_line_are_shown_whole() -> None:
    lag = unbroken(
        "simulated lag “typical: LogNormal(median 650 ms, sigma 0.35) + round trip + 8 ms + rare tail”"
    )
    assert lag in wrapped(f"n = 400 writes · {lag}", 8, 5.5)
