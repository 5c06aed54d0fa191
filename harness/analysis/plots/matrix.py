"""The Region matrix: one percentile of every ordered Region pair, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from harness.analysis.plots import style
from harness.analysis.plots.frame import framed, say_in_middle, styled
from harness.analysis.plots.words import Marks, estimate_text, unbroken
from harness.units import NS_PER_MS, format_count, format_duration

if TYPE_CHECKING:
    from harness.analysis.matrix import MatrixCell

_FULL_WORDS_UP_TO = 5  # replica columns with room for intervals in their cells
_UPRIGHT_UP_TO = 4  # and with room for their names side by side
_LIGHT, _DEEP = 0.06, 0.55  # the stretch of the colour map on which dark words read well


@styled
def matrix_heat_map(cells: Sequence[MatrixCell], name: str, labels: Sequence[str]) -> Figure:
    """The percentile `name` (p50, p99) from every source (rows) to every replica (columns), with interval and n.

    Cells without the percentile are grey and say what they lack; those of INVALID runs are hatched and say so.
    `labels` says where the data come from: simulated, AWS, endpoint.
    """
    sources = sorted({cell.source for cell in cells})
    replicas = sorted({cell.replica for cell in cells})
    invalid = [f"{cell.source} → {cell.replica}" for cell in cells if cell.verdict != "VALID"]
    verdict = "INVALID" if invalid else "VALID"
    rotated, short = len(replicas) > _UPRIGHT_UP_TO, len(replicas) > _FULL_WORDS_UP_TO
    figure, (axes,) = framed(
        _title(cells, name),
        Marks(f"{name} of the replication latency, Region to Region", ", ".join(labels), verdict, invalid),
        "Rows: written in. Columns: visible in. Latency from commit to visible, interval-censored estimate"
        + (_counts(cells) if short else " with 95\u00a0% interval")
        + ". The darker, the slower.",
        left_in=1.6,
        right_in=0.2,
        axes_in=max(1.2, (0.5 if short else 0.78) * len(sources)),
        labels_in=1.15 if rotated else 0.45,
    )
    axes.grid(visible=False)
    if not cells:
        axes.set_xticks([])
        axes.set_yticks([])
        say_in_middle(axes, "no Region pair was measured")
        return figure
    axes.set_xlim(-0.5, len(replicas) - 0.5)
    axes.set_ylim(len(sources) - 0.5, -0.5)
    axes.set_yticks(range(len(sources)), sources)
    turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if rotated else {}
    axes.set_xticks(range(len(replicas)), replicas, **turned)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    scale = _colours(cells, name)
    for cell in cells:
        _draw_cell(axes, (replicas.index(cell.replica), sources.index(cell.source)), cell, name, scale, short)
    return figure


def _draw_cell(
    axes: Axes, at: tuple[int, int], cell: MatrixCell, name: str, scale: Normalize, short: bool
) -> None:
    x, y = at
    entry = cell.estimates[name].to_json()
    value = entry.get("value")
    share = 0.0 if value is None else float(scale(value))
    fill = "#e8e8e8" if value is None else mpl.colormaps["Blues"](_LIGHT + (_DEEP - _LIGHT) * share)
    patch = Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=fill, edgecolor="none", gid="cell")
    axes.add_patch(patch)
    if cell.verdict != "VALID":
        patch.set(hatch="xx", edgecolor=style.ALERT)
    words = _words(entry, short)
    if cell.verdict != "VALID":
        words = "\n".join([*words.split("\n")[:2], "INVALID"])
    axes.text(
        x,
        y,
        words,
        color=style.ALERT if cell.verdict != "VALID" else style.INK,
        fontsize=style.SMALL_PT,
        horizontalalignment="center",
        verticalalignment="center",
        linespacing=1.3,
        fontweight="bold" if cell.verdict != "VALID" else "normal",
        bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.5} if cell.verdict != "VALID" else None,
        gid=f"{cell.source} → {cell.replica}",
    )


def _counts(cells: Sequence[MatrixCell]) -> str:
    counts = sorted({cell.n for cell in cells})
    words = format_count(counts[0])
    if len(counts) > 1:
        words += f"–{format_count(counts[-1])}"
    return f"; n = {words} for each pair, intervals in the table"


def _pair(cell: MatrixCell) -> str:
    return unbroken(f"{cell.source} → {cell.replica}")


def _words(entry: dict[str, Any], short: bool) -> str:
    n = format_count(entry["n"])
    if "needs" in entry:
        return f"needs {format_count(entry['needs'])}\nhas {n}"
    if entry["value"] is None:
        return estimate_text(entry)
    if short:
        return format_duration(entry["value"] * NS_PER_MS)
    value, _, interval = estimate_text(entry).partition(" [")
    lines = [value] if not interval else [value, f"[{interval}"]
    return "\n".join([*lines, f"n = {n}"])


def _colours(cells: Sequence[MatrixCell], name: str) -> Normalize:
    values = [v for cell in cells if (v := cell.estimates[name].to_json().get("value")) is not None and v > 0]
    if not values:
        return Normalize(0, 1, clip=True)
    low, high = min(values), max(values)
    # At least a factor of two from end to end, so that equal cells do not look different.
    stretch = max(1.0, 2.0 / (high / low)) ** 0.5
    return LogNorm(low / stretch, high * stretch, clip=True)


def _title(cells: Sequence[MatrixCell], name: str) -> str:
    known = [
        (value, cell) for cell in cells if (value := cell.estimates[name].to_json().get("value")) is not None
    ]
    if not known:
        return f"No Region pair has a {name}"
    (least, fastest), (most, slowest) = (choose(known, key=lambda found: found[0]) for choose in (min, max))
    if fastest is slowest:
        return f"{name} {format_duration(least * NS_PER_MS)} from {fastest.source} to {fastest.replica}"
    return (
        f"{name} from {format_duration(least * NS_PER_MS)} ({_pair(fastest)}) "
        f"to {format_duration(most * NS_PER_MS)} ({_pair(slowest)})"
    )
