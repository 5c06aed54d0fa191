"""The strip above a figure over time: rows of marks for what has no place on its axis, named in the margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

from harness.analysis.plots import style
from harness.analysis.plots.text import text_width_in
from harness.analysis.plots.view import Floats
from harness.units import format_count

# Outcome → (marker, colour, words); in a strip above the latencies, for they have none.
UNSEEN = {
    "late": ("^", style.ORANGE, "late"),
    "lost": ("X", style.CENSORED, "lost"),
    "write_failed": ("|", style.PURPLE, "write failed"),
    "write_indeterminate": ("d", style.QUIET, "write indeterminate"),
}


def unseen_label(name: str, mask: NDArray[np.bool_]) -> str:
    """ "3 lost"."""
    return f"{format_count(mask.sum())} {UNSEEN[name][2]}"


def margin_in(labels: Sequence[str]) -> float:
    """Room for the words in the right margin."""
    font = FontProperties(family="DejaVu Sans", size=style.SMALL_PT)
    return max([1.0, *(text_width_in(label, font) + 0.25 for label in labels)])


def draw_unseen(strip: Axes, at: Floats, unseen: Mapping[str, NDArray[np.bool_]]) -> None:
    """One row per outcome that has no latency, its marks at their times."""
    for row, (name, mask) in enumerate(unseen.items()):
        marker, colour, _ = UNSEEN[name]
        strip.plot(
            at[mask],
            np.full(int(mask.sum()), row),
            marker,
            color=colour,
            markersize=8,
            markeredgewidth=1.6 if marker == "|" else 0.5,
            clip_on=False,
            gid=name,
        )


def label_strip(strip: Axes, labels: Sequence[str]) -> None:
    """A line along each row, and its words in the right margin."""
    strip.set_ylim(len(labels) - 0.5, -0.5)
    strip.set_yticks([])
    strip.grid(visible=False)
    strip.tick_params(axis="x", bottom=False, labelbottom=False)
    strip.spines[["left", "bottom"]].set_visible(False)
    for row, words in enumerate(labels):
        strip.axhline(row, color=style.GRID, linewidth=0.8, zorder=0.5)
        strip.annotate(
            words,
            (1, row),
            xycoords=strip.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=style.SMALL_PT,
            color=style.INK,
            annotation_clip=False,
        )
