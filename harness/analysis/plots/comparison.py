"""Two groups of samples side by side: their distributions, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from harness.analysis.censoring import npmle
from harness.analysis.plots import style
from harness.analysis.plots.axis import time_unit
from harness.analysis.plots.curves import LABEL_ROOM, as_note, draw_band
from harness.analysis.plots.frame import framed, styled
from harness.analysis.plots.text import wrapped
from harness.analysis.plots.view import drawn_curve, extended
from harness.analysis.plots.words import Marks, estimate_text, unbroken
from harness.units import NS_PER_MS, format_count

if TYPE_CHECKING:
    from harness.analysis.compare import Difference, Group
    from harness.analysis.run_groups import Comparison, RunGroup

Floats = NDArray[np.float64]

_COLOURS = ((style.BLUE, style.SKY), (style.VERMILION, style.ORANGE))
_WORDS_IN = 2.75  # room for words to the right of the rows


@styled
def comparison_overlay(comparison: Comparison, labels: Sequence[str]) -> Figure:
    """The distributions of both groups over each other, each with the band of its brackets.

    `labels` says where the data come from: simulated, AWS, endpoint.
    """
    sides = (comparison.first, comparison.second)
    groups = [side.pooled for side in sides]
    figure, (axes,) = framed(
        comparison_title(comparison),
        _marks(comparison, labels),
        _caption(comparison)
        + "\nLatency from commit to visible. Lines: interval-censored estimates. Bands: all that the brackets allow.",
        as_note([note for side, group in zip(sides, groups, strict=True) for note in _unseen(side, group)]),
    )
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 0.9, 1.0]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_ylabel("share of writes visible")
    low, high = _span(groups)
    scale, unit = time_unit(high)
    axes.set_xlim(low / scale, high / scale)
    axes.set_xlabel(f"replication latency ({unit})")
    for side, group, (colour, band) in zip(sides, groups, _COLOURS, strict=True):
        lower, upper = group.lower * NS_PER_MS, group.upper * NS_PER_MS
        draw_band(axes, lower, upper, scale, colour=band)
        times, shares = extended(*drawn_curve(npmle(lower, upper)), low, high)
        label = f"{side.label} (n = {format_count(group.n)})"
        axes.plot(times / scale, shares, color=colour, label=label, gid=f"estimate-{side.label}")
    handles, names = axes.get_legend_handles_labels()
    lines = [(h, n) for h, n in zip(handles, names, strict=True) if n != "what the brackets allow"]
    axes.legend(*zip(*lines, strict=True), loc="lower right", fontsize=style.TEXT_PT, handlelength=1.6)
    return figure


@styled
def difference_plot(comparison: Comparison, labels: Sequence[str]) -> Figure:
    """What differs by how much: a row per percentile and for the shift, with the interval and the worst case."""
    cells = comparison.cells
    figure, (axes,) = framed(
        comparison_title(comparison),
        _marks(comparison, labels),
        _caption(comparison)
        + "\nThick: 95\u00a0% interval by block bootstrap of the model bracket. Thin: worst case over the brackets. "
        "Shift: Hodges–Lehmann. Significance after Holm's correction.",
        left_in=1.25,
        right_in=_WORDS_IN,
        axes_in=0.35 + 0.62 * len(cells),
    )
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_yticks(range(len(cells)), [cell.name for cell in cells])
    axes.tick_params(axis="y", length=0, labelsize=style.TEXT_PT)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    ends = [
        abs(v) for c in cells for v in (c.value, c.low, c.high, c.worst_low, c.worst_high) if v is not None
    ]
    reach = 1.08 * max(ends, default=1.0) or 1.0
    scale, unit = time_unit(reach * NS_PER_MS)
    per_unit = NS_PER_MS / scale
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlim(-reach * per_unit, reach * per_unit)
    axes.set_xlabel(f"earlier ←  difference ({unit})  → later")
    axes.axvline(0, color=style.INK, linewidth=1.2, zorder=1.5)
    for row, cell in enumerate(cells):
        _draw_cell(axes, row, cell, per_unit)
    return figure


def comparison_title(comparison: Comparison) -> str:
    """The finding: the most robust significant difference, or that there is none."""
    second = comparison.second.label
    order = {"shift": 0, "p50": 1, "p90": 2, "p99": 3}
    cells = sorted(comparison.cells, key=lambda cell: order.get(cell.name, 4))
    for cell in cells:
        if cell.significant and cell.value is not None:
            where = "" if cell.name == "shift" else f" at {cell.name}"
            direction = "later" if cell.value > 0 else "earlier"
            return f"{second} is {direction}{where} by {difference_text(cell, signed=False)}"
    if any(cell.significant is not None for cell in cells):
        return "No significant difference"
    return "Too little data to tell whether they differ"


def difference_text(cell: Difference, signed: bool = True) -> str:
    """ "+33 ms [12, 53]"; unsigned where a word says the direction."""
    if cell.value is None:
        return cell.reason
    ends = {"value": cell.value, "low": cell.low, "high": cell.high}
    if not signed and cell.value < 0:
        ends = {"value": -cell.value, "low": _negated(cell.high), "high": _negated(cell.low)}
    text = estimate_text(ends)
    return f"+{text}" if signed and cell.value > 0 else text


def _draw_cell(axes: Axes, row: int, cell: Difference, per_unit: float) -> None:
    colour = style.VERMILION if cell.significant else style.INK
    if cell.worst_low is not None and cell.worst_high is not None:
        worst = [cell.worst_low * per_unit, cell.worst_high * per_unit]
        axes.plot(worst, [row, row], color=colour, linewidth=1.2, gid=f"worst-{cell.name}")
    if cell.low is not None and cell.high is not None:
        inner = [cell.low * per_unit, cell.high * per_unit]
        axes.plot(
            inner, [row, row], color=colour, linewidth=5, solid_capstyle="butt", gid=f"interval-{cell.name}"
        )
    if cell.value is not None:
        (point,) = axes.plot(
            [cell.value * per_unit], [row], "o", color=colour, zorder=4, gid=f"point-{cell.name}"
        )
        point.set(markersize=9, markerfacecolor=style.PAPER)
    words = difference_text(cell) + ("" if cell.value is None else f"\n{cell.words}")
    words = "\n".join(wrapped(words, style.SMALL_PT, _WORDS_IN - 0.2))
    axes.annotate(
        words,
        (1, row),
        xycoords=axes.get_yaxis_transform(),
        xytext=(8, 0),
        textcoords="offset points",
        verticalalignment="center",
        fontsize=style.SMALL_PT,
        color=colour,
        fontweight="bold" if cell.significant else "normal",
        annotation_clip=False,
        gid=f"label-{cell.name}",
    )


def _marks(comparison: Comparison, labels: Sequence[str]) -> Marks:
    sides = (comparison.first, comparison.second)
    broken = [f"{side.label} holds an INVALID run" for side in sides if set(side.verdicts) - {"VALID"}]
    pairs = list(dict.fromkeys(f"{side.source} → {side.replica}" for side in sides))
    subject = f"{comparison.second.label} against {comparison.first.label}"
    if comparison.first.label not in pairs:
        subject = f"{', '.join(pairs)}: {subject}"
    return Marks(subject, ", ".join(labels), "INVALID" if broken else "VALID", broken)


def _caption(comparison: Comparison) -> str:
    told = []
    for side in (comparison.first, comparison.second):
        runs = len(side.parts)
        told.append(f"{side.label}: n = {format_count(side.pooled.n)} in {runs} run{'s' if runs > 1 else ''}")
    if comparison.interleaved:
        told.append("measured in turns, compared block by block")
    return " · ".join(unbroken(text) for text in told)


def _unseen(side: RunGroup, group: Group) -> list[str]:
    unseen = int(np.isinf(group.upper).sum())
    if not unseen:
        return []
    return [f"{side.label}: {format_count(unseen)} of {format_count(group.n)} not seen by the deadline"]


def _span(groups: Sequence[Group]) -> tuple[float, float]:
    """From 0, or where values begin when 0 is far off, to beyond nearly all, in ns."""
    closed = [np.isfinite(group.upper) for group in groups]
    if not any(mask.any() for mask in closed):
        return 0.0, 1.1 * NS_PER_MS * max(1.0, *(float(group.lower.max()) for group in groups))
    least = min(
        float(group.lower[mask].min()) for group, mask in zip(groups, closed, strict=True) if mask.any()
    )
    most = max(
        float(np.quantile(group.upper[mask], 0.995))
        for group, mask in zip(groups, closed, strict=True)
        if mask.any()
    )
    spread = max(most - least, 1e-3)
    low = 0.0 if least >= 0 and spread > 0.25 * most else least - 0.08 * spread
    return low * NS_PER_MS, (low + (most - low) / (LABEL_ROOM + 0.25)) * NS_PER_MS


def _negated(value: float | None) -> float | None:
    return None if value is None else -value
