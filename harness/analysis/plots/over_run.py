"""How latency went over the run: every write, or bands where there are too many, with all that went wrong meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.analysis.plots import style
from harness.analysis.plots.axis import log_time_axis, time_unit
from harness.analysis.plots.frame import framed, say_in_middle, styled
from harness.analysis.plots.strip import UNSEEN, draw_unseen, label_strip, margin_in, unseen_label
from harness.analysis.plots.view import PairView, column_ns, pair_view
from harness.analysis.plots.violations import Violation, mark_violation, violations
from harness.analysis.plots.words import caption, latency_title, run_marks
from harness.units import NS_PER_MS, NS_PER_S, format_duration

Floats = NDArray[np.float64]

EACH_UP_TO = 3_000  # writes drawn one by one; more become bands
_MAX_BINS = 120
_BIN_LEAST = 40  # writes in a bin, so that its p95 means something
_SLOWEST = 300  # writes drawn one by one beside the bands
_LOG_FROM = 6.0  # ratio of the slowest to the median above which the axis is logarithmic
_LABEL_APART = 0.13  # of the height of the axes, under which two labels in the margin would touch


@styled
def latency_over_run(samples: pd.DataFrame, summary: Mapping[str, Any], pair: tuple[str, str]) -> Figure:
    """Each write's bracket against when it was due; above 3,000 writes bands of p5–p95 and p25–p75 with the median.

    Writes without a latency stand in a strip above, by outcome, and below them the stretches in which a gate's limit
    was passed. The axis is logarithmic where the slowest write took more than six times the median.

    Raises:
        ValueError: the run did not measure this pair.
    """
    view = pair_view(samples, summary, pair)
    unseen = {name: view.samples["outcome"].to_numpy() == name for name in UNSEEN}
    unseen = {name: mask for name, mask in unseen.items() if mask.any()}
    beyond = violations(summary, pair)
    labels = [unseen_label(name, mask) for name, mask in unseen.items()] + [found.words for found in beyond]
    each = view.n <= EACH_UP_TO
    method = (_METHOD_EACH if each else _METHOD_BANDS) + (_METHOD_BEYOND if beyond else "")
    figure, panels = framed(
        latency_title(view.estimates, view.since),
        run_marks(summary, view.subject),
        caption(summary, view.entry, method),
        heights=(0.10 * len(labels), 1.0) if labels else (1.0,),
        left_in=1.05,
        right_in=margin_in(labels),
        axes_in=style.AXES_IN + 0.2 * len(labels),
    )
    axes = panels[-1]
    at, per_unit = _time_axis(axes, view, summary, beyond)
    lower, upper = column_ns(view.samples, "model_lower_ns"), column_ns(view.samples, "model_upper_ns")
    closed = np.isfinite(lower) & np.isfinite(upper)
    scale = _latency_axis(axes, lower[closed], upper[closed], view.quantity)
    if each:
        _draw_each(axes, at[closed], lower[closed] / scale, upper[closed] / scale)
    else:
        _draw_bands(axes, at[closed], (lower + upper)[closed] / 2 / scale)
    _draw_percentiles(axes, view, scale)
    if labels:
        draw_unseen(panels[0], at, unseen)
        for row, found in enumerate(beyond, len(unseen)):
            mark_violation(panels[0], row, found, per_unit)
        label_strip(panels[0], labels)
    return figure


_METHOD_EACH = (
    "Each line: one write, from commit to visible, as long as its bracket. Dashed: percentiles of the run."
)
_METHOD_BANDS = (
    "Commit to visible. Bands: p5–p95 and p25–p75 of bracket middles, with their median; dots: the slowest "
    f"{_SLOWEST} writes. Dashed: percentiles of the run."
)
_METHOD_BEYOND = " Bars: seconds in which a gate’s limit was passed, red where the gate failed."


def _time_axis(
    axes: Axes, view: PairView, summary: Mapping[str, Any], beyond: Sequence[Violation]
) -> tuple[Floats, float]:
    """Span the writes and what is marked; returns when each write was due, and the seconds per unit."""
    due = column_ns(view.samples, "due_ns")
    if not len(due):
        return due, 1.0
    origin = (summary.get("timeline") or {}).get("origin_ns", np.nanmin(due))
    at = (due - origin) / NS_PER_S
    first = min([float(at.min()), *(float(found.starts_s.min()) for found in beyond)])
    last = max([float(at.max()), *(float(found.starts_s.max()) + found.step_s for found in beyond)])
    per_unit, unit = (60.0, "min") if last > 300 else (1.0, "s")
    last = max(last, first + 1.0)
    slack = 0.01 * (last - first)
    axes.set_xlim((first - slack) / per_unit, (last + slack) / per_unit)
    axes.set_xlabel(f"time of the run ({unit})")
    return at / per_unit, per_unit


def _latency_axis(axes: Axes, lower: Floats, upper: Floats, quantity: str) -> float:
    """Choose limits and linear or logarithmic; returns nanoseconds per unit."""
    if not len(lower):
        axes.set_ylabel(quantity)
        axes.set_yticks([])
        axes.set_ylim(0, 1)
        say_in_middle(axes, "no write became visible")
        return float(NS_PER_MS)
    middles = (lower + upper) / 2
    least, most = float(lower.min()), float(upper.max())
    scale, unit = time_unit(most)
    bottom = float(np.quantile(middles, 0.001))
    if bottom > 0 and most > _LOG_FROM * float(np.median(middles)):
        axes.set_yscale("log")
        log_time_axis(axes.yaxis, bottom / scale, most / scale)
        axes.set_ylim(bottom / scale / 1.5, most / scale * 1.4)
        axes.set_ylabel(f"{quantity} ({unit}, logarithmic)")
        return scale
    span = max(most - least, 1.0)
    from_zero = least >= 0 and span > 0.25 * most
    axes.set_ylim(0 if from_zero else (least - 0.08 * span) / scale, (most + 0.06 * span) / scale)
    axes.set_ylabel(f"{quantity} ({unit})")
    return scale


def _draw_each(axes: Axes, at: Floats, lower: Floats, upper: Floats) -> None:
    """A vertical line per bracket, never shorter than a dot."""
    bottom = axes.get_ylim()[0]
    segments = np.stack(
        (np.column_stack((at, np.maximum(lower, bottom))), np.column_stack((at, upper))), axis=1
    )
    few = len(at) <= 1_000
    lines = LineCollection(
        list(segments),
        colors=style.ESTIMATE,
        linewidths=2.6 if few else 1.8,
        alpha=0.8 if few else 0.55,
        capstyle="round",
        gid="brackets",
    )
    axes.add_collection(lines, autolim=False)
    middles = (lower + upper) / 2
    slow = middles > np.quantile(middles, 0.99) if len(at) else np.zeros(0, bool)
    axes.plot(at[slow], middles[slow], ".", color=style.ESTIMATE, markersize=6, gid="slowest")


def _draw_bands(axes: Axes, at: Floats, middles: Floats) -> None:
    bins = int(min(_MAX_BINS, max(1, len(at) // _BIN_LEAST)))
    order = np.argsort(at, kind="stable")
    edges = np.linspace(at.min(), at.max(), bins + 1)
    cuts = np.searchsorted(at[order], edges[1:-1])
    centres, rows = [], []
    for start, members in zip(edges, np.split(middles[order], cuts), strict=False):
        if len(members):
            centres.append(start + (edges[1] - edges[0]) / 2)
            rows.append(np.quantile(members, [0.05, 0.25, 0.5, 0.75, 0.95]))
    p5, p25, p50, p75, p95 = np.array(rows).T
    axes.fill_between(centres, p5, p95, color=style.BAND, alpha=0.3, linewidth=0, gid="p5-p95")
    axes.fill_between(centres, p25, p75, color=style.BAND, alpha=0.45, linewidth=0, gid="p25-p75")
    axes.plot(centres, p50, color=style.ESTIMATE, gid="median")
    slowest = np.argpartition(middles, -_SLOWEST)[-_SLOWEST:]
    axes.plot(
        at[slowest], middles[slowest], ".", color=style.ESTIMATE, markersize=4, alpha=0.6, gid="slowest"
    )


def _draw_percentiles(axes: Axes, view: PairView, scale: float) -> None:
    """Dashed lines for p50 and p99, labelled in the right margin, at a distance that keeps the labels apart."""
    values = {
        name: found["value"] * NS_PER_MS / scale
        for name in ("p50", "p99")
        if (found := view.estimates.get(name)) and found.get("value") is not None
    }
    heights = [
        axes.transAxes.inverted().transform(axes.transData.transform((0, y)))[1] for y in values.values()
    ]
    crowded = len(heights) == 2 and abs(heights[1] - heights[0]) < _LABEL_APART
    for name, value in values.items():
        axes.axhline(value, color=style.INK, linewidth=1.4, linestyle=(0, (5, 3)), gid=f"line-{name}")
        aside = {"p50": "top", "p99": "bottom"}[name] if crowded else "center"
        words = format_duration(value * scale)
        axes.annotate(
            f"{name}\n{words}",
            (1, value),
            xycoords=axes.get_yaxis_transform(),
            xytext=(5, {"top": -2, "bottom": 2, "center": 0}[aside]),
            textcoords="offset points",
            verticalalignment=aside,
            fontsize=style.SMALL_PT,
            annotation_clip=False,
            gid=f"label-{name}",
        )
