"""The frame around every figure: title, marks (source and verdict), caption, and the alarm of an invalid run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from harness.analysis.plots import style
from harness.analysis.plots.text import line_in, place_text, text_width_in, wrapped
from harness.analysis.plots.words import Marks

_MAX_REASONS = 3


def styled(draw: Any) -> Any:
    """Decorator: draw under the harness's style, leaving matplotlib's global settings as they were."""

    @functools.wraps(draw)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with mpl.rc_context(style.STYLE):
            return draw(*args, **kwargs)

    return wrapper


def framed(
    title: str,
    marks: Marks,
    caption: str,
    notes: Sequence[str] = (),
    heights: Sequence[float] = (1.0,),
    left_in: float = 0.95,
    right_in: float = 0.3,
    axes_in: float = style.AXES_IN,
    labels_in: float = style.AXIS_LABELS_IN,
    gap: float = 0.08,
    above_in: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """An empty figure: axes stacked with these relative heights, sharing x, between a header and a caption.

    `notes` are what a reader must know about this very figure; they stand, darker, above the caption. The figure is as
    tall as its texts, `axes_in` inches of axes and `labels_in` for the labels of the x axis need; `gap` between the
    axes is a share of their mean height.
    """
    heads, feet = _header_lines(title, marks), _foot_lines(notes, caption)
    foot_in = style.MARGIN_IN + len(feet) * line_in(style.SMALL_PT)
    height_in = foot_in + labels_in + axes_in + above_in + _header_in(heads, marks)
    figure = Figure(figsize=(style.WIDTH_IN, height_in), dpi=style.DPI)
    FigureCanvasAgg(figure)
    top = _header(figure, heads, marks)
    _foot(figure, feet, foot_in)
    bottom = foot_in + labels_in
    grid = figure.add_gridspec(
        len(heights),
        1,
        height_ratios=list(heights),
        left=left_in / style.WIDTH_IN,
        right=1 - right_in / style.WIDTH_IN,
        bottom=bottom / height_in,
        top=(top - above_in) / height_in,
        hspace=gap,
    )
    axes: list[Axes] = []
    for row in range(len(heights)):
        axes.append(figure.add_subplot(grid[row], sharex=axes[0] if axes else None))
    if marks.invalid:
        for panel in axes:
            _hatch(panel)
        _watermark(axes[-1])
    return figure, axes


def say_beside(axes: Axes, at: float, words: str) -> None:
    """Quiet words in the right margin, at a height of the axes' data."""
    axes.annotate(
        words,
        (1, at),
        xycoords=axes.get_yaxis_transform(),
        xytext=(8, 0),
        textcoords="offset points",
        verticalalignment="center",
        fontsize=style.SMALL_PT,
        color=style.QUIET,
        annotation_clip=False,
    )


def say_in_middle(axes: Axes, words: str) -> None:
    """Words in place of data there are none of."""
    axes.text(
        0.5,
        0.5,
        words,
        transform=axes.transAxes,
        horizontalalignment="center",
        verticalalignment="center",
        fontsize=style.TITLE_PT,
        color=style.QUIET,
    )


@dataclass(frozen=True, slots=True)
class _Heads:
    title: list[str]
    subject: list[str]
    reasons: list[str]


def _header_lines(title: str, marks: Marks) -> _Heads:
    width = style.TEXT_IN
    shown = list(marks.reasons[:_MAX_REASONS])
    if len(marks.reasons) > len(shown):
        shown.append(f"and {len(marks.reasons) - len(shown)} more")
    reasons = wrapped(" · ".join(shown), style.SMALL_PT, width) if shown else []
    beside_badges = width - sum(_badge_in(text) for text in (marks.verdict, marks.source))
    return _Heads(
        wrapped(title, style.TITLE_PT, width, bold=True),
        wrapped(marks.subject, style.TEXT_PT, beside_badges),
        reasons,
    )


def _header_in(heads: _Heads, marks: Marks) -> float:
    below_banner = style.MARGIN_IN + len(heads.title) * line_in(style.TITLE_PT) + 0.06
    below_banner += len(heads.subject) * line_in(style.TEXT_PT) + 0.14
    return below_banner + (_banner_in(heads) if marks.invalid else 0.0)


def _banner_in(heads: _Heads) -> float:
    return 1.6 * style.MARGIN_IN + line_in(style.TEXT_PT) + len(heads.reasons) * line_in(style.SMALL_PT)


def _header(figure: Figure, heads: _Heads, marks: Marks) -> float:
    """Banner, title and marks from the top down; returns the height left below them, in inches."""
    y = float(figure.get_figheight())
    if marks.invalid:
        y = _banner(figure, heads, marks)
    y -= style.MARGIN_IN
    colour = style.QUIET if marks.invalid else style.INK
    for line in heads.title:
        place_text(figure, style.MARGIN_IN, y, line, size=style.TITLE_PT, weight="bold", color=colour)
        y -= line_in(style.TITLE_PT)
    y -= 0.06
    _badges(figure, y, marks)
    for line in heads.subject:
        place_text(figure, style.MARGIN_IN, y, line, size=style.TEXT_PT, color=style.QUIET)
        y -= line_in(style.TEXT_PT)
    return y - 0.14


def _badges(figure: Figure, y_in: float, marks: Marks) -> None:
    """The verdict and the source of the data, right-aligned on one line."""
    x = style.WIDTH_IN - style.MARGIN_IN - 0.08
    verdict_colour = style.ALERT if marks.invalid else style.GREEN
    source_colour = style.PURPLE if marks.source == "simulated" else style.BLUE
    for text, colour in ((marks.verdict, verdict_colour), (marks.source, source_colour)):
        place_text(
            figure,
            x,
            y_in,
            text,
            size=style.SMALL_PT,
            weight="bold",
            color=style.PAPER,
            horizontalalignment="right",
            bbox={"boxstyle": "round,pad=0.3", "facecolor": colour, "edgecolor": "none"},
        )
        x -= _badge_in(text)


def _badge_in(text: str) -> float:
    """The width a badge takes, with the gap beside it."""
    return (
        text_width_in(text, FontProperties(family="DejaVu Sans", size=style.SMALL_PT, weight="bold")) + 0.24
    )


def _banner(figure: Figure, heads: _Heads, marks: Marks) -> float:
    """A red banner over the whole width with the reasons; returns the height left below it, in inches."""
    height, tall = figure.get_figheight(), _banner_in(heads)
    place = Rectangle((0, 1 - tall / height), 1, tall / height, transform=figure.transFigure)
    place.set(facecolor=style.ALERT, edgecolor="none", gid="banner")
    figure.add_artist(place)
    y = height - 0.8 * style.MARGIN_IN
    words = f"{marks.verdict}: do not use these numbers"
    place_text(figure, style.MARGIN_IN, y, words, size=style.TEXT_PT, weight="bold", color=style.PAPER)
    y -= line_in(style.TEXT_PT)
    for line in heads.reasons:
        place_text(figure, style.MARGIN_IN, y, line, size=style.SMALL_PT, color=style.PAPER)
        y -= line_in(style.SMALL_PT)
    return float(height - tall)


def _foot_lines(notes: Sequence[str], caption: str) -> list[tuple[str, str]]:
    """Lines with their colours."""
    width = style.TEXT_IN
    told = [(line, style.INK) for note in notes for line in wrapped(note, style.SMALL_PT, width)]
    return told + [(line, style.QUIET) for line in wrapped(caption, style.SMALL_PT, width)]


def _foot(figure: Figure, lines: Sequence[tuple[str, str]], top_in: float) -> None:
    for at, (line, colour) in enumerate(lines):
        y = top_in - at * line_in(style.SMALL_PT)
        place_text(figure, style.MARGIN_IN, y, line, size=style.SMALL_PT, color=colour)


def _hatch(axes: Axes) -> None:
    axes.set_facecolor("#fdf0f1")
    axes.add_patch(
        Rectangle(
            (0, 0),
            1,
            1,
            transform=axes.transAxes,
            facecolor="none",
            edgecolor="#f0b8bf",
            hatch="//",
            linewidth=0,
            zorder=0.1,
        )
    )


def _watermark(axes: Axes) -> None:
    axes.text(
        0.5,
        0.5,
        "INVALID",
        transform=axes.transAxes,
        rotation=24,
        fontsize=64,
        fontweight="bold",
        color=style.ALERT,
        alpha=0.16,
        horizontalalignment="center",
        verticalalignment="center",
        zorder=6,
    )
