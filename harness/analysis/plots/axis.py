"""Axes of durations: their unit and, on logarithmic ones, ticks written plainly."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.units import NS_PER_MS, NS_PER_S

_SECONDS_FROM_NS = 2 * NS_PER_S


def time_unit(largest_ns: float) -> tuple[float, str]:
    """Nanoseconds per unit, and the unit, that an axis up to this value is best read in."""
    if largest_ns >= _SECONDS_FROM_NS:
        return float(NS_PER_S), "s"
    if largest_ns >= 2 * NS_PER_MS:
        return float(NS_PER_MS), "ms"
    return 1_000.0, "µs"


def log_time_axis(axis: Any, low: float, high: float) -> None:
    """Ticks at 1, 2 and 5 times powers of ten (at the powers alone over many decades), as plain numbers."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    axis.set_major_locator(FixedLocator([m * 10.0**d for d in decades for m in steps]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
