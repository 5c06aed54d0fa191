"""The instrument against the truth that only a simulation knows: brackets one by one, and the error by condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from harness.analysis.plots import style
from harness.analysis.plots.axis import log_time_axis, time_unit
from harness.analysis.plots.frame import framed, styled
from harness.analysis.plots.view import Floats, column_ns
from harness.analysis.plots.words import Marks, caption, pair_entry, run_marks
from harness.units import NS_PER_MS, format_count, format_duration

_SHOWN = 300  # brackets drawn; more cannot be told apart
_LINE_PT = 1.0
_BRACKETS = (
    "Each upright line is one write: its bracket less the true latency by the simulation’s own record, so that it "
    "holds the truth where it crosses zero; those that do not are red. Sorted by the model bracket’s middle{evenly}."
)
_ERRORS = (
    "Rows: round trip, lag, way to poll, writes per second. Error: distance of the model bracket’s middle from the "
    "true latency. Dot: median; bar: up to the largest; diamond: half the median width of a bracket."
)


@styled
def brackets_against_truth(joined: pd.DataFrame, summary: Mapping[str, Any], pair: tuple[str, str]) -> Figure:
    """Each visible write's brackets less its true latency; `joined` as `with_truth` returns it.

    Raises:
        ValueError: the run did not measure this pair.
    """
    entry = pair_entry(summary, pair)
    mine = joined[(joined["from_region"] == pair[0]) & (joined["to_region"] == pair[1])]
    n, of = len(mine), format_count(len(mine))
    holds = {kind: format_count(mine[f"{kind}_holds"].sum()) for kind in ("hard", "model")}
    chosen = _evenly(mine.sort_values("error_ns"))
    evenly = f", {format_count(len(chosen))} of {of} shown" if len(chosen) < n else ""
    figure, panels = framed(
        f"Truth inside: {holds['hard']} of {of} hard, {holds['model']} of {of} model brackets",
        run_marks(summary, f"{pair[0]} → {pair[1]}"),
        caption(summary, entry, _BRACKETS.format(evenly=evenly)),
        heights=(1.0, 1.0),
        left_in=1.05,
        axes_in=4.0,
        labels_in=0.4,
        gap=0.28,
        above_in=0.2,
    )
    for axes, kind, colour in zip(panels, ("model", "hard"), (style.ESTIMATE, style.BAND), strict=True):
        _draw_brackets(axes, chosen, kind, colour)
    panels[-1].set_xlim(-0.01 * max(1, len(chosen)), 1.01 * max(1, len(chosen)))
    panels[-1].set_xlabel("writes, sorted")
    return figure


def _draw_brackets(axes: Axes, chosen: pd.DataFrame, kind: str, colour: str) -> None:
    truth = column_ns(chosen, "true_ns")
    low, high = (column_ns(chosen, f"{kind}_{end}_ns") - truth for end in ("lower", "upper"))
    reach = max(float(np.abs((low, high)).max()), 1.0) if len(chosen) else float(NS_PER_MS)
    scale, unit = time_unit(reach)
    at, held = np.arange(len(chosen)), (low <= 0) & (high >= 0)
    for mask, shade, name in ((held, colour, kind), (~held, style.ALERT, f"{kind}-missing")):
        axes.vlines(
            at[mask],
            low[mask] / scale,
            high[mask] / scale,
            colors=shade,
            linewidth=_LINE_PT,
            gid=f"brackets-{name}",
        )
    axes.axhline(0, color=style.INK, linewidth=1.4, gid="truth")
    axes.set_ylim(-1.1 * reach / scale, 1.1 * reach / scale)
    axes.set_xticks([])
    axes.set_title(
        f"{kind.capitalize()} bracket less the truth ({unit})", loc="left", fontsize=style.SMALL_PT, pad=5
    )


@styled
def error_by_condition(cells: Sequence[Mapping[str, Any]]) -> Figure:
    """A row per condition of a calibration: median and largest error, and half a bracket's width."""
    invalid = [f"{_condition(cell)}" for cell in cells if cell["verdict"] != "VALID"]
    missed = sum(cell["hard_coverage"] < 1 for cell in cells)
    samples = sum(cell["n"] for cell in cells)
    medians = [cell["error_p50_ms"] * NS_PER_MS for cell in cells]
    figure, (axes,) = framed(
        f"Median error {format_duration(min(medians))} to {format_duration(max(medians))}, "
        + (f"hard brackets miss in {missed}" if missed else "every hard bracket holds"),
        Marks(f"{len(cells)} conditions", "simulated", "INVALID" if invalid else "VALID", invalid),
        f"n = {format_count(samples)} writes in all. {_ERRORS}",
        left_in=3.35,
        right_in=1.0,
        axes_in=0.5 + 0.34 * len(cells),
    )
    ends = np.array([[cell[name] for name in ("error_p50_ms", "error_max_ms")] for cell in cells], np.float64)
    widths = np.array([cell["width_p50_ms"] / 2 for cell in cells], np.float64)
    _error_axis(axes, np.concatenate((ends.ravel(), widths)))
    rows = np.arange(len(cells))
    axes.hlines(rows, ends[:, 0], ends[:, 1], colors=style.ESTIMATE, linewidth=2.4, gid="errors")
    axes.plot(ends[:, 0], rows, "o", color=style.ESTIMATE, markersize=7, label="median error", gid="medians")
    axes.plot(
        ends[:, 1],
        rows,
        "|",
        color=style.ESTIMATE,
        markersize=10,
        markeredgewidth=2.4,
        label="largest",
        gid="largest",
    )
    axes.plot(widths, rows, "D", color=style.VERMILION, markersize=5, label="half a bracket", gid="widths")
    axes.set_ylim(len(cells) - 0.5, -1.5)
    axes.set_yticks(rows, [_condition(cell) for cell in cells], fontsize=style.SMALL_PT)
    axes.tick_params(axis="y", length=0)
    for row, cell in zip(rows, cells, strict=True):
        axes.annotate(
            f"n = {format_count(cell['n'])}" + ("" if cell["verdict"] == "VALID" else "\nINVALID"),
            (1, row),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=style.SMALL_PT,
            color=style.INK if cell["verdict"] == "VALID" else style.ALERT,
            annotation_clip=False,
        )
    axes.legend(loc="upper center", ncols=3, handletextpad=0.2, columnspacing=1.0)
    return figure


def _error_axis(axes: Axes, values: Floats) -> None:
    shown = values[values > 0]
    low, high = float(shown.min()) / 1.3, float(shown.max()) * 1.3
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    log_time_axis(axes.xaxis, low, high)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("error (ms, logarithmic)")


def _condition(cell: Mapping[str, Any]) -> str:
    return f"{cell['rtt_ms']} ms · {cell['lag']} · {cell['strategy']} · {cell['rate_per_s']:g}/s"


def _evenly(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= _SHOWN:
        return frame
    return frame.iloc[np.linspace(0, len(frame) - 1, _SHOWN).astype(np.int64)]
