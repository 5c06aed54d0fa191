"""Figures: from samples and a summary to a matplotlib `Figure`, and from there to PNG or SVG.

Every figure states a finding in its title, carries where its data come from, the verdict, n and the settings, and
looks unmistakably different when the run is invalid.
"""

from harness.analysis.plots.calibration import brackets_against_truth, error_by_condition
from harness.analysis.plots.comparison import comparison_overlay, difference_plot
from harness.analysis.plots.conditions import run_conditions
from harness.analysis.plots.ecdf import latency_ecdf
from harness.analysis.plots.files import save
from harness.analysis.plots.matrix import matrix_heat_map
from harness.analysis.plots.over_run import latency_over_run
from harness.analysis.plots.tail import latency_tail
from harness.analysis.plots.waiting import waiting_time

__all__ = [
    "brackets_against_truth",
    "comparison_overlay",
    "difference_plot",
    "error_by_condition",
    "latency_ecdf",
    "latency_over_run",
    "latency_tail",
    "matrix_heat_map",
    "run_conditions",
    "save",
    "waiting_time",
]
