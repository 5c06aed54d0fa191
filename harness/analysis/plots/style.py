"""The look of every figure: sizes, colours (Okabe & Ito, told apart by the colour-blind) and matplotlib settings.

Sizes are chosen for a figure shown 900 pixels wide and still legible at 450: 8 inches wide, no text under 10 points.
"""

from __future__ import annotations

from typing import Any

WIDTH_IN = 8.0
AXES_IN = 3.4  # height of the axes, all panels together
AXIS_LABELS_IN = 0.66  # room for the x axis's labels
DPI = 200
MARGIN_IN = 0.16
TEXT_IN = 0.975 * (WIDTH_IN - 2 * MARGIN_IN)  # a line of text; hinting may widen glyphs by 2 %

TITLE_PT = 15.0
TEXT_PT = 12.0
SMALL_PT = 10.5

INK = "#1a1a1a"
QUIET = "#595959"
GRID = "#d9d9d9"
PAPER = "#ffffff"

BLUE = "#0072B2"
SKY = "#56B4E9"
VERMILION = "#D55E00"
GREEN = "#00795a"  # a darker bluish green: 5:1 against white
ORANGE = "#E69F00"
PURPLE = "#8f3f75"

ESTIMATE = BLUE
BAND = SKY
INTERVAL = INK
CENSORED = VERMILION
ALERT = "#b00020"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)

BAND_ALPHA = 0.35

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_PT,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelsize": TEXT_PT,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.labelsize": TEXT_PT - 1,
    "ytick.labelsize": TEXT_PT - 1,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.solid_joinstyle": "round",
    "hatch.linewidth": 1.2,
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "savefig.facecolor": PAPER,
    "path.simplify": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "harness",
}
