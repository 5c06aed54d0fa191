"""Percentiles side by side: one row per condition of an experiment and Region pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from harness.analysis.plots import style
from harness.analysis.plots.axis import log_time_axis, time_unit
from harness.analysis.plots.frame import framed, say_beside, say_in_middle, styled
from harness.analysis.plots.text import text_width_in
from harness.analysis.plots.words import Marks, estimate_text, unbroken
from harness.units import NS_PER_MS, format_count, format_duration

_MARKS = {"p50": ("o", style.BLUE), "p90": ("s", style.VERMILION), "p99": ("D", style.PURPLE)}
_LOG_FROM = 12.0  # ratio of the largest to the smallest above which the axis is logarithmic
_CAPTION = (
    "Latency from commit to visible: interval-censored estimates of the pooled runs. "
    "Bars: 95\u00a0% intervals. A percentile that the samples cannot carry is left out."
)


@styled
def condition_plot(
    rows: Sequence[Mapping[str, Any]], subject: str, label: str, reasons: Sequence[str] = ()
) -> Figure:
    """p50, p90 and p99 of each row with their intervals, and the emulator's own median where there is one.

    `rows` are those of outcome.json: condition, from, to, n, verdict, latency_ms, truth. `label` says where the data
    come from: simulated, AWS, endpoint.
    """
    names = [_name(row, rows) for row in rows]
    invalid = any(row["verdict"] != "VALID" for row in rows)
    font = FontProperties(family="DejaVu Sans", size=style.TEXT_PT - 1)
    left_in = min(
        3.6,
        0.3 + max((text_width_in(line, font) for name in names for line in name.split("\n")), default=0.6),
    )
    figure, (axes,) = framed(
        _title(rows, names),
        Marks(subject, label, "INVALID" if invalid else "VALID", reasons),
        _CAPTION
        + (" Thin upright line: the emulator's own median." if any(row.get("truth") for row in rows) else ""),
        left_in=left_in,
        right_in=1.05,
        axes_in=0.75 + 0.42 * len(rows),
    )
    axes.set_ylim(len(rows) - 0.5, -1.15)
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    for at, row in enumerate(rows):
        say_beside(axes, at, f"n = {format_count(row['n'])}")
    scale = _latency_axis(axes, _ends(rows))
    if scale is None:
        return figure
    for at, row in enumerate(rows):
        _draw_row(axes, at, row, NS_PER_MS / scale)
    handles = [
        Line2D([], [], marker=marker, color=colour, markersize=7, label=name, linewidth=2.2)
        for name, (marker, colour) in _MARKS.items()
    ]
    axes.legend(handles=handles, loc="upper center", ncols=3, fontsize=style.SMALL_PT, borderaxespad=0.1)
    return figure


def _draw_row(axes: Axes, at: int, row: Mapping[str, Any], per_unit: float) -> None:
    for name, (marker, colour) in _MARKS.items():
        estimate = row["latency_ms"].get(name, {})
        if estimate.get("value") is None:
            continue
        low, high = estimate["low"], estimate["high"]
        if low is not None:
            right = axes.get_xlim()[1] if high is None else high * per_unit
            axes.plot([low * per_unit, right], [at, at], color=colour, linewidth=2.4, solid_capstyle="butt")
        axes.plot([estimate["value"] * per_unit], [at], marker, color=colour, markersize=7, zorder=4)
    if row.get("truth"):
        axes.plot([row["truth"]["p50_ms"] * per_unit], [at], "|", color=style.INK, markersize=18, zorder=5)


def _name(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    pair = f"{row['from']} → {row['to']}"
    several = len({(other["from"], other["to"]) for other in rows}) > 1
    return "\n".join(
        part for part in (row["condition"], pair if several or not row["condition"] else "") if part
    )


def _ends(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """Every value and closed end, milliseconds."""
    estimates = [estimate for row in rows for estimate in row["latency_ms"].values()]
    return [v for e in estimates for key in ("value", "low", "high") if (v := e.get(key)) is not None]


def _latency_axis(axes: Axes, ends_ms: Sequence[float]) -> float | None:
    """Limits, linear or logarithmic; nanoseconds per unit, None where there is nothing to show."""
    axes.set_xlabel("replication latency")
    if not ends_ms:
        axes.set_xticks([])
        say_in_middle(axes, "too few samples for any percentile")
        return None
    least, most = min(ends_ms) * NS_PER_MS, max(ends_ms) * NS_PER_MS
    scale, unit = time_unit(most)
    if least > 0 and most > _LOG_FROM * least:
        axes.set_xscale("log")
        log_time_axis(axes.xaxis, least / scale, most / scale)
        axes.set_xlim(least / scale / 1.2, most / scale * 1.2)
        axes.set_xlabel(f"replication latency ({unit}, logarithmic)")
        return scale
    axes.set_xlim(min(0.0, least) / scale, 1.06 * most / scale)
    axes.set_xlabel(f"replication latency ({unit})")
    return scale


def _title(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    medians = [
        (estimate, name.replace("\n", ", "))
        for row, name in zip(rows, names, strict=True)
        if (estimate := row["latency_ms"].get("p50", {})).get("value") is not None
    ]
    if not medians:
        return "No condition has a median"
    (least, fastest), (most, slowest) = (
        choose(medians, key=lambda m: m[0]["value"]) for choose in (min, max)
    )
    if fastest == slowest:
        return f"Median {unbroken(estimate_text(least))}"
    if (
        least["low"] is not None
        and most["low"] is not None
        and least["high"]
        and most["low"] <= least["high"]
    ):
        span = (
            f"{format_duration(least['value'] * NS_PER_MS)} to {format_duration(most['value'] * NS_PER_MS)}"
        )
        return f"Medians of {span}: their intervals overlap"
    low, high = unbroken(estimate_text(least)), unbroken(estimate_text(most))
    return f"Median from {low} ({unbroken(fastest)}) to {high} ({unbroken(slowest)})"
