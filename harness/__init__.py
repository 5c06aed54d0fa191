"""Measures how long a write in one AWS Region takes to become visible in another (DynamoDB global tables).

    import harness
    run = harness.load_run("latest")             one finished run: its tables and figures
    run.percentile_table()
    run.figure("ecdf")
    runs = harness.load_runs("2026*")            several, by names or globs
    harness.summarize(runs)                      percentiles with intervals, a row per run and Region pair
    harness.compare(runs)                        differences with intervals
    harness.matrix_figure(runs, "p50")           Region to Region
    harness.load_calibration("calibration.json") the instrument against the truth

What cannot be done raises a `harness.HarnessError` whose text is one sentence.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.analysis.calibration import Calibration, load_calibration
    from harness.analysis.draw import FIGURES
    from harness.analysis.load import Run, load_run, load_runs
    from harness.analysis.tables import comparison_figures, matrix_figure, summarize

__all__ = [
    "FIGURES",
    "Calibration",
    "HarnessError",
    "Run",
    "compare",
    "comparison_figures",
    "load_calibration",
    "load_run",
    "load_runs",
    "matrix_figure",
    "summarize",
]

_HOMES = {
    "Calibration": "harness.analysis.calibration",
    "load_calibration": "harness.analysis.calibration",
    "FIGURES": "harness.analysis.draw",
    "Run": "harness.analysis.load",
    "load_run": "harness.analysis.load",
    "load_runs": "harness.analysis.load",
    "comparison_figures": "harness.analysis.tables",
    "matrix_figure": "harness.analysis.tables",
    "summarize": "harness.analysis.tables",
}


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used: they need numpy, pandas and matplotlib."""
    if name == "compare":
        return import_module("harness.compare")  # the verb's module, which can be called
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
