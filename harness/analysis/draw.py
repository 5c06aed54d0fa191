"""The figures of a run, drawn into its directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from harness.analysis.plots import (
    latency_ecdf,
    latency_over_run,
    latency_tail,
    run_conditions,
    save,
    waiting_time,
)
from harness.analysis.summary import measured_pairs
from harness.records.run_directory import RunDirectory

# Each draws (samples, summary, (source, replica)), in the order a reader wants them.
FIGURES = {
    "ecdf": latency_ecdf,
    "latency-over-run": latency_over_run,
    "tail": latency_tail,
    "waiting-time": waiting_time,
    "conditions": run_conditions,
}


_NOT_STRONG = frozenset(
    {"tail", "waiting-time"}
)  # where a write is visible once it is acknowledged, or before


def figures_of(pair: Mapping[str, Any]) -> dict[str, Callable[..., Figure]]:
    """The figures that say something of a pair of a summary."""
    strong = pair.get("since") == "acknowledgement"
    return {name: draw for name, draw in FIGURES.items() if not (strong and name in _NOT_STRONG)}


def draw_run(run: RunDirectory, summary: Mapping[str, Any], samples: pd.DataFrame) -> list[Path]:
    """Draw every figure of every Region pair as PNG, with an SVG beside it; returns where the PNGs are."""
    paths = []
    for pair in measured_pairs(summary):
        source, replica = pair["from"], pair["to"]
        for name, draw in figures_of(pair).items():
            figure = draw(samples, summary, (source, replica))
            for suffix in (".svg", ".png"):
                path = run.plot(name, source, replica, suffix)
                save(figure, path)
            paths.append(path)
    return paths
