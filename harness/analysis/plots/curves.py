"""What figures of a distribution share: the band of the brackets, percentiles with their intervals, remarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from harness.analysis.plots import style
from harness.analysis.plots.view import PairView, curve_points
from harness.analysis.plots.words import estimate_text, setting_text, unbroken
from harness.units import NS_PER_MS, format_count

Floats = NDArray[np.float64]

LABEL_ROOM = 0.60  # of the width: the highest percentile lies left of it, its label right
NOTHING = "no write was acknowledged:\nthere is nothing to show"
METHOD = (
    "Latency from commit to visible. Line: interval-censored estimate. Band: all that the brackets allow. "
    "Bars: 95\u00a0% intervals."
)


def draw_band(
    axes: Axes, lower: Floats, upper: Floats, scale: float, tail: bool = False, colour: str = style.BAND
) -> None:
    """Between the step curves of the upper ends (visible at the latest) and of the lower ends (at the earliest)."""
    early, late = np.sort(lower), np.sort(upper)
    times = np.unique(np.concatenate((early[curve_points(early)], late[curve_points(late)])))
    times = times[np.isfinite(times)]
    most = np.searchsorted(early, times, side="right") / len(early)
    least = np.searchsorted(late, times, side="right") / len(late)
    left, right = axes.get_xlim()
    times = np.concatenate(([min(left, times[0] / scale)], times / scale, [max(right, times[-1] / scale)]))
    most, least = np.concatenate(([0], most, most[-1:])), np.concatenate(([0], least, least[-1:]))
    if tail:
        floor = 0.01 / len(early)
        most, least = np.maximum(1 - most, floor), np.maximum(1 - least, floor)
    axes.fill_between(
        times,
        least,
        most,
        step="post",
        color=colour,
        alpha=style.BAND_ALPHA,
        linewidth=0,
        label="what the brackets allow",
        gid="band",
    )


def draw_percentile(
    axes: Axes, estimates: Mapping[str, Any], name: str, y: float, scale: float, above: bool = False
) -> None:
    """A percentile's point, its interval as a bar, and its label to the lower (upper) right."""
    estimate = estimates.get(name)
    if not estimate or estimate.get("value") is None:
        return
    per_unit = NS_PER_MS / scale
    x = estimate["value"] * per_unit
    left, right = axes.get_xlim()
    if estimate.get("low") is not None or estimate.get("high") is not None:
        low = left if estimate["low"] is None else estimate["low"] * per_unit
        high = right if estimate["high"] is None else estimate["high"] * per_unit
        label = None if any(line.get_gid() == "interval" for line in axes.lines) else "95 % interval"
        axes.plot(
            [max(low, left), min(high, right)],
            [y, y],
            color=style.INTERVAL,
            linewidth=2.4,
            solid_capstyle="butt",
            marker="|",
            markersize=8,
            label=label,
            gid="interval",
            zorder=4,
        )
    axes.plot([x], [y], "o", color=style.INTERVAL, markersize=6, zorder=5, gid=f"point-{name}")
    axes.annotate(
        f"{name}  {estimate_text(estimate)}",
        (x, y),
        xytext=(7, 6 if above else -7),
        textcoords="offset points",
        verticalalignment="bottom" if above else "top",
        horizontalalignment="left",
        fontsize=style.TEXT_PT,
        gid=f"label-{name}",
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
        zorder=4.5,
    )


def unseen_note(view: PairView, summary: Mapping[str, Any]) -> list[str]:
    unseen = int(np.isinf(view.upper).sum())
    if not unseen:
        return []
    timeout = summary.get("settings", {}).get("timeout_ms")
    within = "the deadline" if timeout is None else setting_text(timeout)
    return [f"{format_count(unseen)} of {format_count(view.n)} not seen within {within}"]


def as_note(texts: list[str]) -> list[str]:
    """Short remarks as one paragraph."""
    return [" · ".join(unbroken(text) for text in texts)] if texts else []
