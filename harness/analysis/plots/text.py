"""Lines of text on a figure: how wide they are, where they break, where they stand."""

from __future__ import annotations

import functools
import re
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

_PT_PER_IN = 72.0
_LEADING = 1.32
_ENDLESS = re.compile(
    r"([^ \u00a0]{60})[^ \u00a0]+"
)  # words that are kept on one line are several all the same


def wrapped(text: str, size_pt: float, width_in: float, bold: bool = False) -> list[str]:
    """The text in lines no wider than `width_in`; line breaks in it stay."""
    font = FontProperties(family="DejaVu Sans", size=size_pt, weight="bold" if bold else "normal")
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in drawable(paragraph).split(" "):
            candidate = f"{line} {word}" if line else word
            if line and text_width_in(candidate, font) > width_in:
                lines.append(line)
                candidate = word
            line = candidate
        lines.append(line)
    return lines


def drawable(text: str) -> str:
    """One line of it: what the font cannot show, or would turn it around, is �; a word goes on for so long only."""
    known = _characters()
    shown = "".join(c if (c.isprintable() or c == "\u00a0") and ord(c) in known else "\ufffd" for c in text)
    return _ENDLESS.sub(r"\1…", shown)


@functools.cache
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def text_width_in(text: str, font: FontProperties) -> float:
    """How wide a line of text is, in inches."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / _PT_PER_IN


def line_in(size_pt: float) -> float:
    """The height of a line, in inches."""
    return size_pt / _PT_PER_IN * _LEADING


def place_text(figure: Figure, x_in: float, y_in: float, text: str, **how: Any) -> None:
    """Text whose top is at a distance in inches from the lower left corner."""
    how.setdefault("verticalalignment", "top")
    figure.text(x_in / figure.get_figwidth(), y_in / figure.get_figheight(), text, parse_math=False, **how)
