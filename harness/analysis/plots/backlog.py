"""The backlog of a Region pair over a run in which replication stood still for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.backlog import Backlog, CatchUp, catch_up
from harness.analysis.plots import style
from harness.analysis.plots.frame import framed, say_in_middle, styled
from harness.analysis.plots.words import caption, pair_entry, run_marks
from harness.units import NS_PER_S, format_count, format_duration

_LEFT_FROM = 0.65  # of the width, from where words to the right of a point would not fit
_METHOD = (
    "Acknowledged writes that were not visible yet; the band is all that the model brackets allow. "
    "Grey: replication paused. Dotted: the most that was under way before."
)


@styled
def backlog_plot(
    found: Backlog, summary: Mapping[str, Any], pair: tuple[str, str], pause_ns: tuple[float, float]
) -> Figure:
    """Writes under way against the time of the run, with the pause (on the same clock as `found`) shaded.

    Raises:
        ValueError: the run did not measure this pair.
    """
    caught = catch_up(found, pause_ns)
    figure, (axes,) = framed(
        _title(caught),
        run_marks(summary, f"backlog {pair[0]} → {pair[1]}"),
        caption(summary, pair_entry(summary, pair), _METHOD),
        left_in=0.95,
    )
    axes.set_ylabel("writes not visible yet")
    if not len(found.times_ns):
        say_in_middle(axes, "no write was acknowledged")
        return figure
    origin_ns = found.times_ns[0]
    at = (found.times_ns - origin_ns) / NS_PER_S
    axes.set_xlabel("time of the run (s)")
    axes.set_xlim(0, at[-1])
    axes.set_ylim(0, 1.12 * max(1, int(found.most.max())))
    start, end = ((instant - origin_ns) / NS_PER_S for instant in pause_ns)
    axes.axvspan(start, end, color=style.GRID, alpha=0.6, linewidth=0, gid="pause")
    axes.fill_between(at, found.least, found.most, color=style.BAND, alpha=style.BAND_ALPHA, linewidth=0)
    axes.plot(at, (found.least + found.most) / 2, color=style.ESTIMATE, gid="backlog")
    if caught is not None:
        _mark(axes, found, caught, at, end)
    return figure


def _mark(axes: Axes, found: Backlog, caught: CatchUp, at: Any, end: float) -> None:
    axes.axhline(caught.usual, color=style.INK, linewidth=1.2, linestyle=(0, (1, 2)), gid="usual")
    top = int(np.argmax(found.most))
    _say(axes, f"{format_count(caught.peak)} writes", (at[top], caught.peak))
    if caught.caught_up_s is not None:
        x = end + caught.caught_up_s
        axes.plot([x], [caught.usual], "o", color=style.INK, markersize=7, zorder=4)
        _say(axes, f"caught up after {format_duration(caught.caught_up_s * NS_PER_S)}", (x, caught.usual))


def _say(axes: Axes, words: str, at: tuple[float, float]) -> None:
    """Words beside a point: to its right, or near the right edge to its left."""
    left = at[0] > _LEFT_FROM * axes.get_xlim()[1]
    axes.annotate(
        words,
        at,
        xytext=(-7, 5) if left else (7, 5),
        textcoords="offset points",
        horizontalalignment="right" if left else "left",
        fontsize=style.TEXT_PT,
    )


def _title(caught: CatchUp | None) -> str:
    if caught is None:
        return "The pause lies outside the measured writes"
    pause = format_duration(caught.pause_s * NS_PER_S)
    built = f"{pause} without replication left {format_count(caught.peak)} writes behind"
    if caught.caught_up_s is None:
        return f"{built}, not caught up while writes went on"
    return f"{built}, caught up in {format_duration(caught.caught_up_s * NS_PER_S)}"
