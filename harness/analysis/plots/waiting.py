"""How long to wait for what share of writes to be visible: t-visibility with read-offs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from harness.analysis.plots import style
from harness.analysis.plots.axis import time_unit
from harness.analysis.plots.curves import NOTHING, as_note, draw_band, unseen_note
from harness.analysis.plots.frame import framed, say_in_middle, styled
from harness.analysis.plots.view import PairView, drawn_curve, pair_view
from harness.analysis.plots.words import (
    caption,
    estimate_text,
    headline,
    missing_texts,
    run_marks,
    share_text,
)
from harness.units import NS_PER_MS

_READ_OFF = ("p50", "p90", "p99", "p99.9")
_BOTTOM = -0.3  # room for the words of p50
_METHOD = (
    "Latency from commit to visible; the axis spaces 90, 99, 99.9\u00a0% evenly. Line: interval-censored estimate. "
    "Band: all that the brackets allow. Bars: 95\u00a0% intervals."
)


@styled
def waiting_time(samples: pd.DataFrame, summary: Mapping[str, Any], pair: tuple[str, str]) -> Figure:
    """The share of writes visible after a wait on an axis of nines, with "wait t for p %" read off.

    Raises:
        ValueError: the run did not measure this pair.
    """
    view = pair_view(samples, summary, pair)
    figure, (axes,) = framed(
        _title(view.estimates),
        run_marks(summary, view.subject),
        caption(summary, view.entry, _METHOD),
        as_note(missing_texts(view.estimates, _READ_OFF) + unseen_note(view, summary)),
        left_in=1.05,
    )
    axes.set_ylabel("share of writes visible")
    if view.n == 0:
        axes.set_xticks([])
        say_in_middle(axes, NOTHING)
        return figure
    read_offs = [
        (name, found)
        for name in _READ_OFF
        if (found := view.estimates.get(name)) and found.get("value") is not None
    ]
    _nines_axis(axes, [float(name[1:]) / 100 for name, _ in read_offs])
    low, high = _span(view, read_offs)
    scale, unit = time_unit(high)
    axes.set_xlim(low / scale, high / scale)
    axes.set_xlabel(f"wait after the commit ({unit})")
    draw_band(axes, view.lower, view.upper, scale)
    times, shares = drawn_curve(view.distribution())
    axes.plot(times / scale, shares, color=style.ESTIMATE, label="estimate", gid="estimate")
    for name, found in read_offs:
        _read_off(axes, name, found, scale)
    axes.legend(loc="upper left", handlelength=1.6, frameon=True, facecolor=style.PAPER, edgecolor="none")
    return figure


def _title(estimates: Mapping[str, Any]) -> str:
    found = headline(estimates)
    if found is None:
        return "Too few writes became visible to say how long to wait"
    name, estimate = found
    return f"Wait {estimate_text(estimate)} and {share_text(name)} of writes are visible"


def _nines_axis(axes: Axes, read_off: list[float]) -> None:
    """Share s at −log10(1 − s): each further nine is as far up as the last; one more than is read off."""
    top = 1.0 - float(np.log10(1 - max(read_off, default=0.9)))
    axes.set_yscale("function", functions=(_to_nines, _from_nines))
    axes.set_ylim(_BOTTOM, float(_from_nines(np.array(top))))
    shares = [0.0, 0.5, *(1 - 10.0**-k for k in range(1, round(top) + 1))]
    axes.yaxis.set_major_locator(FixedLocator(shares))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(shares, [f"{100 * share:.6g} %" for share in shares])


def _to_nines(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.log10(np.maximum(1 - np.asarray(share, np.float64), 1e-9))


def _from_nines(nines: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 - 10.0 ** -np.asarray(nines, np.float64)


def _span(view: PairView, read_offs: list[tuple[str, Mapping[str, Any]]]) -> tuple[float, float]:
    closed = view.upper[np.isfinite(view.upper)]
    if not len(closed):
        return 0.0, 1.1 * max(float(view.lower.max()), float(NS_PER_MS))
    ends = [found[end] * NS_PER_MS for _, found in read_offs for end in ("value", "high") if found.get(end)]
    values = [found["value"] * NS_PER_MS for _, found in read_offs]
    low = min(0.0, float(view.lower.min()))
    high = 1.04 * max([float(np.quantile(closed, max(0.0, 1 - 1.5 / len(closed)))), *ends])
    if ends and high > 3 * max(ends):
        high = 1.5 * max(ends)  # a few outliers would leave no room for the rest
    # The last read-off's words stand to its right.
    return low, max(high, low + (max(values, default=low) - low) / 0.62)


def _read_off(axes: Axes, name: str, found: Mapping[str, Any], scale: float) -> None:
    """Lines from the share to the curve and down to the wait, and the words beside the corner."""
    share, value = float(name[1:]) / 100, found["value"] * NS_PER_MS / scale
    left, right = axes.get_xlim()
    axes.plot(
        [value, value],
        [share, _BOTTOM],
        color=style.QUIET,
        linewidth=1,
        linestyle=(0, (4, 3)),
        zorder=3,
    )
    if found.get("low") is not None or found.get("high") is not None:
        low = left if found.get("low") is None else found["low"] * NS_PER_MS / scale
        high = right if found.get("high") is None else found["high"] * NS_PER_MS / scale
        axes.plot(
            [max(low, left), min(high, right)],
            [share, share],
            color=style.INTERVAL,
            linewidth=2.4,
            marker="|",
            markersize=8,
            zorder=4,
            gid="interval",
            label="95 % interval" if not any(line.get_gid() == "interval" for line in axes.lines) else None,
        )
    axes.plot([value], [share], "o", color=style.INTERVAL, markersize=6, zorder=5, gid=f"point-{name}")
    axes.annotate(
        f"{share_text(name)}: {estimate_text(found)}",
        (value, share),
        xytext=(7, -7),
        textcoords="offset points",
        verticalalignment="top",
        fontsize=style.TEXT_PT,
        gid=f"label-{name}",
        bbox={"facecolor": "white", "alpha": 0.9, "edgecolor": "none", "pad": 1},
        zorder=4.5,
    )
