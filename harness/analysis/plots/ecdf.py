"""The share of writes visible within a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, PercentFormatter

from harness.analysis.plots import style
from harness.analysis.plots.axis import time_unit
from harness.analysis.plots.curves import (
    LABEL_ROOM,
    METHOD,
    NOTHING,
    as_note,
    draw_band,
    draw_percentile,
    unseen_note,
)
from harness.analysis.plots.frame import framed, say_in_middle, styled
from harness.analysis.plots.view import PairView, drawn_curve, extended, pair_view
from harness.analysis.plots.words import caption, latency_title, missing_texts, run_marks
from harness.units import NS_PER_MS, format_count, format_duration

_SHOWN = ("p50", "p90", "p99")


@styled
def latency_ecdf(samples: pd.DataFrame, summary: Mapping[str, Any], pair: tuple[str, str]) -> Figure:
    """The share of writes visible within a time: estimate, band of the brackets, percentiles with intervals.

    Raises:
        ValueError: the run did not measure this pair.
    """
    view = pair_view(samples, summary, pair)
    low, high = _linear_view(view)
    figure, (axes,) = framed(
        latency_title(view.estimates, view.since),
        run_marks(summary, view.subject),
        caption(summary, view.entry, METHOD),
        _ecdf_notes(view, summary, high),
    )
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 0.9, 1.0]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_ylabel("share of writes visible")
    if view.n == 0:
        axes.set_xticks([])
        say_in_middle(axes, NOTHING)
        return figure
    scale, unit = time_unit(high)
    axes.set_xlim(low / scale, high / scale)
    axes.set_xlabel(f"{view.quantity} ({unit})")
    draw_band(axes, view.lower, view.upper, scale)
    times, shares = drawn_curve(view.distribution())
    times, shares = extended(times, shares, low, high)
    axes.plot(times / scale, shares, color=style.ESTIMATE, label="estimate", gid="estimate")
    for name in _SHOWN:
        draw_percentile(axes, view.estimates, name, int(name[1:]) / 100, scale)
    axes.legend(loc="lower right", handlelength=1.6)
    return figure


def _linear_view(view: PairView) -> tuple[float, float]:
    """The stretch of time to show, in ns: from 0, or from where values begin when 0 is far off, to beyond p99."""
    closed = np.isfinite(view.upper)
    if not closed.any():
        return 0.0, 1.1 * max([float(NS_PER_MS), *view.lower[:1]])
    least, most = float(view.lower[closed].min()), float(np.quantile(view.upper[closed], 0.995))
    labelled = [e for name in _SHOWN if (e := view.estimates.get(name)) and e.get("value") is not None]
    points = [e["value"] * NS_PER_MS for e in labelled]
    ends = [e["high"] * NS_PER_MS for e in labelled if e.get("high") is not None]
    spread = max(most - least, 1.0)
    low = 0.0 if least >= 0 and spread > 0.25 * most else least - 0.08 * spread
    high = max([low + 1.05 * (most - low), *[low + 1.03 * (end - low) for end in ends]])
    if points:
        high = max(high, low + (max(points) - low) / LABEL_ROOM)
    return low, high


def _ecdf_notes(view: PairView, summary: Mapping[str, Any], edge: float) -> list[str]:
    notes = missing_texts(view.estimates, _SHOWN) + unseen_note(view, summary)
    finite = view.upper[np.isfinite(view.upper)]
    beyond = int((finite > edge).sum())
    if beyond:
        slowest = format_duration(finite.max())
        notes.append(
            f"{format_count(beyond)} of {format_count(view.n)} beyond this axis, the slowest {slowest}"
        )
    negative = int((view.upper < 0).sum())
    if negative:
        notes.append(f"{format_count(negative)} of {format_count(view.n)} wholly below zero")
    return as_note(notes)
