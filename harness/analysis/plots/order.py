"""What became of the order of writes, by condition: overtaken, torn, never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from harness.analysis.plots import style
from harness.analysis.plots.frame import framed, say_beside, styled
from harness.analysis.plots.text import text_width_in
from harness.analysis.plots.words import Marks
from harness.units import format_count

_SHARES = (
    ("overtaken", "writes overtaken by a later one", "o", style.BLUE),
    ("torn", "transactions visible in part", "s", style.VERMILION),
    ("skipped_versions", "versions never shown", "D", style.PURPLE),
)
_APART = 0.2  # of a row, between its marks


@styled
def order_plot(
    rows: Sequence[Mapping[str, Any]], subject: str, label: str, reasons: Sequence[str] = ()
) -> Figure:
    """A row for each condition and Region pair with the shares that it has, and their intervals.

    `rows` are those under "order" in outcome.json. `label` says where the data come from: simulated, AWS, endpoint.
    """
    names = [_name(row, rows) for row in rows]
    invalid = any(row["verdict"] != "VALID" for row in rows)
    font = FontProperties(family="DejaVu Sans", size=style.TEXT_PT - 1)
    widest = max((text_width_in(line, font) for name in names for line in name.split("\n")), default=0.6)
    figure, (axes,) = framed(
        _title(rows, names),
        Marks(subject, label, "INVALID" if invalid else "VALID", reasons),
        "Shares of writes, transactions or versions for which the brackets leave no doubt. Bars: 95\u00a0% intervals. "
        "Never shown: replaced by a later version before any read saw it.",
        left_in=min(3.6, 0.3 + widest),
        right_in=1.25,
        axes_in=0.75 + 0.55 * len(rows),
        above_in=0.34,
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_xlabel("share")
    for at, row in enumerate(rows):
        _draw_row(axes, at, row)
    used = {name for row in rows for name, *_ in _SHARES if share_of_row(row, name)}
    handles = [
        Line2D([], [], marker=marker, color=colour, markersize=7, label=words, linewidth=2.2)
        for name, words, marker, colour in _SHARES
        if name in used
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=3,
        fontsize=style.SMALL_PT,
        borderaxespad=0.3,
    )
    return figure


def share_of_row(row: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The share of this name, None where the condition has none."""
    torn = row["torn_window"]
    found: Mapping[str, Any] | None = row.get(name)
    return (None if torn is None else torn["certainly_torn"]) if name == "torn" else found


def _draw_row(axes: Axes, at: int, row: Mapping[str, Any]) -> None:
    counts = []
    for place, (name, _, marker, colour) in enumerate(_SHARES):
        share = share_of_row(row, name)
        if share is None:
            continue
        y = at + (place - 1) * _APART
        axes.plot([share["low"], share["high"]], [y, y], color=colour, linewidth=2.4, solid_capstyle="butt")
        axes.plot([share["value"]], [y], marker, color=colour, markersize=7, zorder=4, gid=f"{name}-{at}")
        counts.append(format_count(share["n"]))
    say_beside(axes, at, f"n = {', '.join(dict.fromkeys(counts)) or '0'}")


def _name(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    several = len({(other["from"], other["to"]) for other in rows}) > 1
    pair = f"{row['from']} → {row['to']}" if several or not row["condition"] else ""
    return "\n".join(part for part in (row["condition"].replace(", ", "\n"), pair) if part)


def _title(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """The finding: the greatest share of the rarest kind that was looked for."""
    for name, words, *_ in reversed(_SHARES):
        found = [(share["value"], at) for at, row in enumerate(rows) if (share := share_of_row(row, name))]
        if found:
            most, at = max(found)
            least, _ = min(found)
            span = (
                f"{100 * most:.0f}\u00a0%"
                if least == most
                else f"{100 * least:.0f} to {100 * most:.0f}\u00a0%"
            )
            where = "" if least == most else f", most with {names[at].replace(chr(10), ', ')}"
            return f"{span} of {words}{where}"
    return "No write was acknowledged"
