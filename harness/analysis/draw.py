"""The figures of a run, drawn into its directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

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


def draw_run(run: RunDirectory, summary: Mapping[str, Any], samples: pd.DataFrame) -> list[Path]:
    """Draw every figure of every Region pair as PNG, with an SVG beside it; returns where the PNGs are."""
    paths = []
    for pair in measured_pairs(summary):
        source, replica = pair["from"], pair["to"]
        for name, draw in FIGURES.items():
            figure = draw(samples, summary, (source, replica))
            for suffix in (".svg", ".png"):
                path = run.plot(name, source, replica, suffix)
                save(figure, path)
            paths.append(path)
    return paths
