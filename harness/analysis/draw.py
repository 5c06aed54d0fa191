"""The figures of a run, drawn into its directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis.plots import latency_ecdf, latency_over_run, save
from harness.analysis.summary import measured_pairs
from harness.records.run_directory import RunDirectory

FIGURES = {"ecdf": latency_ecdf, "latency-over-run": latency_over_run}


def draw_run(run: RunDirectory, summary: Mapping[str, Any], samples: pd.DataFrame) -> list[Path]:
    """Draw every figure of every Region pair; returns where they are."""
    paths = []
    for pair in measured_pairs(summary):
        source, replica = pair["from"], pair["to"]
        for name, draw in FIGURES.items():
            path = run.plot(name, source, replica)
            save(draw(samples, summary, (source, replica)), path)
            paths.append(path)
    return paths
