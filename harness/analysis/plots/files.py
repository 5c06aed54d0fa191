"""Figures as files: PNG with a palette, SVG with short coordinates, equal figures as equal bytes."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from harness.analysis.plots import style
from harness.records.whole import written_whole

_OUTLINE = re.compile(r' d="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")


def save(figure: Figure, path: Path | str) -> None:
    """Write the figure as PNG or SVG, by the path's suffix, whole or not at all: equal figures give equal bytes.

    Raises:
        ValueError: another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise ValueError(f"figures are saved as .png or .svg, not {path.name}")
    with mpl.rc_context(style.STYLE), written_whole(path) as temporary:
        _WRITERS[path.suffix.lower()](figure, temporary)


def _write_png(figure: Figure, path: Path) -> None:
    """With a palette of the figure's own: a third of the bytes, and no difference to see."""
    figure.set_dpi(style.DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    palette = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.save(path, format="PNG", dpi=(style.DPI, style.DPI))


def _write_svg(figure: Figure, path: Path) -> None:
    """With coordinates to a hundredth of a point."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    short = _OUTLINE.sub(
        lambda found: _LONG.sub(lambda long: f"{float(long[0]):.2f}", found[0]), text.getvalue()
    )
    path.write_text(short, encoding="utf-8")


_WRITERS = {".png": _write_png, ".svg": _write_svg}
