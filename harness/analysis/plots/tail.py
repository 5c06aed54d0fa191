"""The share of writes that took longer, on logarithmic axes: what the ECDF hides in its upper corner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from harness.analysis.plots import style
from harness.analysis.plots.axis import log_time_axis, time_unit
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
from harness.analysis.plots.view import PairView, drawn_curve, pair_view
from harness.analysis.plots.words import (
    caption,
    estimate_text,
    headline,
    latency_title,
    missing_texts,
    run_marks,
)
from harness.units import NS_PER_MS, format_count

_SHOWN = ("p50", "p90", "p99", "p99.9")


@styled
def latency_tail(samples: pd.DataFrame, summary: Mapping[str, Any], pair: tuple[str, str]) -> Figure:
    """The share of writes that took longer, on logarithmic axes: what the ECDF hides in its upper corner.

    Raises:
        ValueError: the run did not measure this pair.
    """
    view = pair_view(samples, summary, pair)
    figure, (axes,) = framed(
        _tail_title(view.estimates),
        run_marks(summary, view.subject),
        caption(summary, view.entry, METHOD),
        as_note(missing_texts(view.estimates, _SHOWN) + unseen_note(view, summary)),
        left_in=1.25 if view.n < 100_000 else 1.5,
    )
    axes.set_ylabel("share of writes slower")
    if view.n == 0:
        axes.set_xticks([])
        say_in_middle(axes, NOTHING)
        return figure
    floor = 0.7 / view.n
    axes.set_yscale("log")
    axes.set_ylim(floor, 1.3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _one_in(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    low, high = _tail_view(view)
    scale, unit = time_unit(high)
    axes.set_xscale("log")
    axes.set_xlim(low / scale, high / scale)
    log_time_axis(axes.xaxis, low / scale, high / scale)
    axes.set_xlabel(f"replication latency ({unit}, logarithmic)")
    draw_band(axes, view.lower, view.upper, scale, tail=True)
    times, shares = drawn_curve(view.distribution())
    axes.plot(times / scale, np.maximum(1 - shares, floor / 10), color=style.ESTIMATE, label="estimate")
    for name in _SHOWN:
        draw_percentile(axes, view.estimates, name, 1 - float(name[1:]) / 100, scale, above=True)
    axes.legend(loc="lower left", handlelength=1.6)
    return figure


def _tail_view(view: PairView) -> tuple[float, float]:
    """The stretch to show on a logarithmic axis, in ns: from a little before the median to beyond the slowest."""
    ends = np.concatenate((view.lower, view.upper[np.isfinite(view.upper)]))
    ends = ends[ends > 0]
    if not len(ends):
        return float(NS_PER_MS), 10.0 * NS_PER_MS
    low = max(float(np.quantile(ends, 0.02)), float(np.median(ends)) / 8) / 1.2
    high = 1.3 * max(float(ends.max()), 2 * low)
    shown = [e["value"] * NS_PER_MS for e in view.estimates.values() if e.get("value") is not None]
    if shown and max(shown) > low:
        high = max(high, low * (max(shown) / low) ** (1 / LABEL_ROOM))
    return low, high


def _tail_title(estimates: Mapping[str, Any]) -> str:
    rarest = estimates.get("p99.9")
    if rarest and rarest.get("value") is not None:
        return f"1 write in 1,000 took longer than {estimate_text(rarest)}"
    found = headline(estimates)
    if found is None:
        return latency_title(estimates)
    name, estimate = found
    return f"{100 - float(name[1:]):g} % of writes took longer than {estimate_text(estimate)}"


def _one_in(share: float) -> str:
    if share >= 0.999:
        return "all"
    return f"1 in {format_count(1 / share)}" if share > 0 else ""
