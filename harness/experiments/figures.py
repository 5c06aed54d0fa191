"""The figures of an experiment, drawn into its directory."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.backlog import backlog_over_run
from harness.analysis.draw import draw_run
from harness.analysis.plots import comparison_overlay, difference_plot, matrix_heat_map, save
from harness.analysis.plots.backlog import backlog_plot
from harness.analysis.plots.contest import contest_plot
from harness.analysis.plots.side_by_side import condition_plot
from harness.experiments.directory import ExperimentDirectory
from harness.experiments.outcome import Outcome, pauses_of
from harness.experiments.plan import Plan

RUN_FIGURES_UP_TO = 4  # Region pairs of all runs together; harness.report draws those of any run
ROWS_MAX = 24


def draw_outcome(directory: ExperimentDirectory, plan: Plan, outcome: Outcome) -> list[Path]:
    """Draw what helps to read this outcome; returns where the figures are."""
    paths = [*_matrix(directory, outcome), *_conditions(directory, outcome), *_comparison(directory, outcome)]
    paths += _contests(directory, outcome)
    for number, run, pair, pause_ns in pauses_of(plan, outcome.used):
        path = directory.path / f"backlog-{number}-{pair[0]}-{pair[1]}.png"
        save(backlog_plot(backlog_over_run(run.samples, *pair), run.summary, pair, pause_ns), path)
        paths.append(path)
    if sum(len(run.pairs) for run in outcome.used) <= RUN_FIGURES_UP_TO:
        for run in outcome.used:
            paths += draw_run(run.directory, run.summary, run.samples)
    return paths


def _matrix(directory: ExperimentDirectory, outcome: Outcome) -> list[Path]:
    paths = []
    for name in ("p50", "p99") if outcome.matrix else ():
        path = directory.path / f"matrix-{name}.png"
        save(matrix_heat_map(outcome.matrix, name, [outcome.summary["label"]]), path)
        paths.append(path)
    return paths


def _contests(directory: ExperimentDirectory, outcome: Outcome) -> list[Path]:
    rows = [row for row in outcome.summary["contests"] if row["lost_updates"] is not None]
    if not rows:
        return []
    path = directory.path / "contest.png"
    save(contest_plot(rows, outcome.summary["label"], _reasons(outcome)), path)
    return [path]


def _reasons(outcome: Outcome) -> list[str]:
    return [f"run {run['number']}: {why}" for run in outcome.summary["runs"] for why in run["reasons"]]


def _conditions(directory: ExperimentDirectory, outcome: Outcome) -> list[Path]:
    rows = outcome.summary["conditions"]
    if outcome.matrix or not 2 <= len(rows) <= ROWS_MAX:
        return []
    path = directory.path / "conditions.png"
    about = outcome.summary["experiment"]
    save(
        condition_plot(
            rows, f"{about['name']}: {about['question']}", outcome.summary["label"], _reasons(outcome)
        ),
        path,
    )
    return [path]


def _comparison(directory: ExperimentDirectory, outcome: Outcome) -> list[Path]:
    """Two conditions over each other; of more, the rows of `condition_plot` say enough."""
    if len(outcome.comparisons) != 1:
        return []
    paths = []
    for name, draw in (("overlay", comparison_overlay), ("difference", difference_plot)):
        path = directory.path / f"{name}.png"
        save(draw(outcome.comparisons[0], [outcome.summary["label"]]), path)
        paths.append(path)
    return paths
