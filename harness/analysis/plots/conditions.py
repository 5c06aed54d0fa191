"""Under what conditions a pair was measured: round trips and event-loop delay over the run, and the gates' limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.analysis.plots import style
from harness.analysis.plots.axis import log_time_axis
from harness.analysis.plots.curves import as_note
from harness.analysis.plots.frame import framed, say_in_middle, styled
from harness.analysis.plots.view import Floats, pair_view
from harness.analysis.plots.violations import Violation, bin_starts_s, series, violations
from harness.analysis.plots.words import caption, run_marks, setting_text, unbroken
from harness.units import NS_PER_MS, format_count, format_duration

_LOG_FROM = 8.0  # how many times the limit the worst may be before the axis is logarithmic
_APART = 0.2  # of a panel's height, under which two labels in the margin would touch
_UNRECORDED = "this summary holds no record of the conditions:\nrebuild it with python -m harness.report"
_METHOD = (
    "Per {step}: line, the median; band, from the least (of the loop the median) to the 99th percentile. Beyond the "
    "dashed line, the gate’s limit for the 99th percentile of the whole run, it is dark; red if the gate failed. "
    "Grey ground: before the first measured write."
)
_GATES = {"read": "rtt_excess_p99", "write": "rtt_excess_p99", "loop": "event_loop_delay_p99"}


@dataclass(frozen=True, slots=True)
class _Panel:
    """One quantity in ms over the bins: low … high is the band, `limit` what the gate allows of `high`."""

    name: str
    title: str
    low: Floats
    middle: Floats
    high: Floats
    limit: Floats
    limit_words: str


@styled
def run_conditions(samples: pd.DataFrame, summary: Mapping[str, Any], pair: tuple[str, str]) -> Figure:
    """Round trips of the pair's reads and writes and the event loop's delay, from the summary's timeline.

    Raises:
        ValueError: the run did not measure this pair.
    """
    view = pair_view(samples, summary, pair)
    timeline = summary.get("timeline")
    beyond = violations(summary, pair)
    panels = [] if timeline is None else _panels(timeline, pair)
    figure, axes = framed(
        _title(timeline, beyond),
        run_marks(summary, view.subject),
        caption(summary, view.entry, _METHOD.format(step=_step_text(timeline))),
        as_note([found.words for found in beyond]),
        heights=(1.0,) * max(1, len(panels)),
        left_in=0.95,
        right_in=1.35,
        axes_in=max(style.AXES_IN, 1.4 * len(panels)),
        gap=0.28,
        above_in=0.2,
    )
    if timeline is None or not panels:
        axes[0].set_xticks([])
        axes[0].set_yticks([])
        say_in_middle(axes[0], _UNRECORDED)
        return figure
    edges = np.append(bin_starts_s(timeline), bin_starts_s(timeline)[-1] + timeline["step_s"])
    per_unit, unit = (60.0, "min") if edges[-1] > 300 else (1.0, "s")
    failed = {gate["name"] for gate in summary["gates"] if gate["status"] == "fail"}
    for panel, place in zip(panels, axes, strict=True):
        colour = style.ALERT if _GATES[panel.name] in failed else style.QUIET
        _draw_panel(place, panel, edges / per_unit, colour)
        place.tick_params(labelbottom=place is axes[-1])
    axes[-1].set_xlim(edges[0] / per_unit, edges[-1] / per_unit)
    axes[-1].set_xlabel(f"time of the run ({unit})")
    return figure


def _panels(timeline: Mapping[str, Any], pair: tuple[str, str]) -> list[_Panel]:
    found = []
    for region, request in ((pair[1], "read"), (pair[0], "write")):
        for entry in timeline["round_trips"]:
            if (entry["region"], entry["request"]) == (region, request):
                least, middle, high = (series(entry[f"{name}_ms"]) for name in ("min", "p50", "p99"))
                title = f"Round trip of {request}s in {region} (ms)"
                limit = series(entry["floor_ms"]) + entry["limit_ms"]
                words = f"least + {_plain(entry['limit_ms'])}"
                found.append(_Panel(request, title, least, middle, high, limit, words))
    delay = timeline["loop_delay"]
    middle, high = series(delay["p50_ms"]), series(delay["p99_ms"])
    if np.isfinite(high).any():
        limit, words = np.full(len(high), float(delay["limit_ms"])), f"limit {_plain(delay['limit_ms'])}"
        found.append(_Panel("loop", "Delay of the event loop (ms)", middle, middle, high, limit, words))
    return found


def _draw_panel(axes: Axes, panel: _Panel, edges: Floats, colour: str) -> None:
    axes.set_title(panel.title, loc="left", fontsize=style.SMALL_PT, pad=5)
    axes.axvspan(edges[0], min(0.0, edges[-1]), color=style.GRID, alpha=0.5, linewidth=0, gid="warm-up")
    low, middle, high, limit = (
        np.append(values, values[-1]) for values in (panel.low, panel.middle, panel.high, panel.limit)
    )
    how: dict[str, Any] = {"step": "post", "linewidth": 0}
    axes.fill_between(edges, low, high, color=style.BAND, alpha=0.45, gid=f"band-{panel.name}", **how)
    over = high > limit
    within = np.minimum(high, limit)
    where = over | np.append(False, over[:-1])  # the step that ends where a bin begins belongs to it as well
    axes.fill_between(
        edges,
        within,
        np.where(over, high, within),
        where=where,
        color=colour,
        gid=f"over-{panel.name}",
        **how,
    )
    axes.step(edges, middle, where="post", color=style.ESTIMATE, linewidth=1.8, gid=f"median-{panel.name}")
    axes.step(
        edges,
        limit,
        where="post",
        color=style.INK,
        linewidth=1.3,
        linestyle=(0, (5, 3)),
        gid=f"limit-{panel.name}",
    )
    _delay_axis(axes, panel)
    _label(axes, panel)


def _delay_axis(axes: Axes, panel: _Panel) -> None:
    """Linear from zero, or from below the least where that is far off; logarithmic where the worst dwarfs the limit."""
    least, most, limit = np.nanmin(panel.low), np.nanmax(panel.high), np.nanmax(panel.limit)
    if most > _LOG_FROM * limit and least > 0:
        axes.set_yscale("log")
        axes.set_ylim(least / 1.5, 1.5 * most)
        log_time_axis(axes.yaxis, least, most)
        return
    top = max(most, limit)
    bottom = 0.0 if least < 0.5 * top else least - 0.15 * (top - least)
    axes.set_ylim(bottom, top + 0.12 * (top - bottom))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _label(axes: Axes, panel: _Panel) -> None:
    """The limit's words at its height, and the run's median, in the right margin."""
    known = np.flatnonzero(np.isfinite(panel.limit))
    shown = {"limit": (panel.limit[known[-1]], panel.limit_words)}
    middle = float(np.nanmedian(panel.middle))
    shown["median"] = (middle, f"median {format_duration(middle * NS_PER_MS)}")
    height = axes.transAxes.inverted()
    ys = {name: height.transform(axes.transData.transform((0, at)))[1] for name, (at, _) in shown.items()}
    upper = max(ys["limit"], ys["median"] + _APART)
    for name, y in (("limit", min(upper, 0.95)), ("median", min(ys["median"], upper - _APART))):
        axes.annotate(
            shown[name][1],
            (1, max(y, 0.08)),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=style.SMALL_PT,
            color=style.INK,
            annotation_clip=False,
            gid=f"label-{name}-{panel.name}",
        )


def _title(timeline: Mapping[str, Any] | None, beyond: Sequence[Violation]) -> str:
    """The finding: how much of the run was within every limit."""
    if timeline is None:
        return "The conditions of this run were not recorded"
    bins, step_s = timeline["bins"], timeline["step_s"]
    passed = len(set().union(*(found.starts_s.tolist() for found in beyond)))
    seconds, of = format_count(step_s * (bins - passed)), format_count(step_s * bins)
    return f"{seconds} of {of} s were within every limit" if passed else f"All {of} s were within every limit"


def _step_text(timeline: Mapping[str, Any] | None) -> str:
    return unbroken(setting_text(1_000 * (timeline["step_s"] if timeline else 1)))


def _plain(limit_ms: float) -> str:
    return f"{limit_ms:g} ms"
