"""Contested items by offset: whose write survived, which were lost, and how long the Regions disagreed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, PercentFormatter

from harness.analysis.plots import style
from harness.analysis.plots.axis import time_unit
from harness.analysis.plots.frame import framed, styled
from harness.analysis.plots.words import Marks, estimate_text
from harness.units import NS_PER_MS, format_count

_SHARES = (
    ("second_survives", "the second Region’s write survived", style.BLUE, "o", "-"),
    ("lost_updates", "the other write was lost unseen", style.VERMILION, "D", (0, (5, 3))),
)


@styled
def contest_plot(rows: Sequence[Mapping[str, Any]], label: str, reasons: Sequence[str] = ()) -> Figure:
    """Shares of contested items over the offset between their two commits, and below them the time to agreement.

    `rows` are the contests of outcome.json with at least one settled item. `label` says where the data come from.
    """
    ordered = sorted(rows, key=lambda row: float(row["offset_ms"]))
    first, second = ordered[0]["first"], ordered[0]["second"]
    invalid = any(row["verdict"] != "VALID" for row in rows)
    counts = sorted({int(row["lost_updates"]["n"]) for row in rows})
    n = (
        format_count(counts[0])
        if len(counts) == 1
        else f"{format_count(counts[0])}–{format_count(counts[-1])}"
    )
    figure, (shares, agreement) = framed(
        _title(ordered),
        Marks(f"items written in {first} and in {second}", label, "INVALID" if invalid else "VALID", reasons),
        f"n = {n} items at each offset. Bars: 95\u00a0% intervals. Offset: median of the middles of the writes’ round "
        "trips. Lost unseen: acknowledged, and overwritten without the other Region ever having shown it. Agreement: "
        "from the surviving commit until both Regions show it, median.",
        heights=(1.0, 0.8),
        left_in=1.05,
        axes_in=4.4,
        gap=0.16,
        above_in=0.34,
    )
    reach_ms = max(1.0, *(1.1 * abs(float(row["offset_ms"])) for row in ordered))
    scale, unit = time_unit(reach_ms * NS_PER_MS)
    per_unit = NS_PER_MS / scale
    at = [float(row["offset_ms"]) * per_unit for row in ordered]
    _draw_shares(shares, at, ordered)
    _draw_agreement(agreement, at, ordered)
    agreement.set_xlim(-reach_ms * per_unit, reach_ms * per_unit)
    agreement.set_xlabel(f"{second} earlier ←  offset of the commits ({unit})  → {second} later")
    shares.tick_params(labelbottom=False)
    return figure


def _draw_shares(axes: Axes, at: Sequence[float], rows: Sequence[Mapping[str, Any]]) -> None:
    axes.set_ylim(-0.04, 1.04)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1.0]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_ylabel("share of items")
    axes.axvline(0, color=style.GRID, linewidth=1.2, zorder=0.5)
    for name, words, colour, marker, line in _SHARES:
        values = [row[name]["value"] for row in rows]
        lows = [row[name]["value"] - row[name]["low"] for row in rows]
        highs = [row[name]["high"] - row[name]["value"] for row in rows]
        axes.errorbar(
            at, values, yerr=[lows, highs], color=colour, marker=marker, linestyle=line, label=words, gid=name
        )
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, fontsize=style.SMALL_PT, borderaxespad=0.3
    )


def _draw_agreement(axes: Axes, at: Sequence[float], rows: Sequence[Mapping[str, Any]]) -> None:
    found = [
        (x, estimate["value"], estimate["low"], estimate["high"])
        for x, row in zip(at, rows, strict=True)
        if (estimate := row["agreement_ms"]["p50"]).get("value") is not None
    ]
    most = max((high or value for _, value, _, high in found), default=1.0)
    scale, unit = time_unit(most * NS_PER_MS)
    per_unit = NS_PER_MS / scale
    axes.set_ylabel(f"agreement p50 ({unit})")
    axes.set_ylim(0, 1.15 * most * per_unit)
    axes.axvline(0, color=style.GRID, linewidth=1.2, zorder=0.5)
    for x, value, low, high in found:
        if low is not None:
            top = axes.get_ylim()[1] if high is None else high * per_unit
            axes.plot([x, x], [low * per_unit, top], color=style.INK, linewidth=2.4, solid_capstyle="butt")
        axes.plot([x], [value * per_unit], "o", color=style.INK, markersize=7)


def _title(rows: Sequence[Mapping[str, Any]]) -> str:
    """The finding: the offset from which no write is lost any more, or the worst that was measured."""
    worst = max(rows, key=lambda row: float(row["lost_updates"]["value"]))
    share = f"{100 * worst['lost_updates']['value']:.0f}\u00a0%"
    slowest = max(
        (row["agreement_ms"]["p50"] for row in rows if row["agreement_ms"]["p50"].get("value") is not None),
        key=lambda estimate: float(estimate["value"]),
        default=None,
    )
    words = f"Up to {share} of contested writes are lost unseen"
    return words if slowest is None else f"{words}; Regions agree after {estimate_text(slowest)}"
