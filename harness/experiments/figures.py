"""The figures of an experiment, drawn into its directory, and the page that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from harness.analysis.backlog import backlog_over_run
from harness.analysis.draw import draw_run
from harness.analysis.html import write_report
from harness.analysis.html.experiment_page import experiment_page
from harness.analysis.html.render import write_page
from harness.analysis.plots import comparison_overlay, difference_plot, matrix_heat_map, save
from harness.analysis.plots.backlog import backlog_plot
from harness.analysis.plots.contest import contest_plot
from harness.analysis.plots.order import order_plot
from harness.analysis.plots.side_by_side import condition_plot
from harness.experiments.directory import ExperimentDirectory
from harness.experiments.outcome import Outcome, pauses_of
from harness.experiments.plan import Plan
from harness.experiments.words import outcome_lines

RUN_FIGURES_UP_TO = 4  # Region pairs of all runs together; harness.report draws those of any run
ROWS_MAX = 24

Drawn = tuple[str, str, Figure]  # name of the file, heading, figure


def draw_outcome(directory: ExperimentDirectory, plan: Plan, outcome: Outcome) -> list[Path]:
    """Draw what helps to read this outcome and write its page; returns where the figures are, the page last."""
    drawn = list(outcome_figures(plan, outcome))
    paths = []
    for name, _, figure in drawn:
        paths.append(directory.path / f"{name}.png")
        save(figure, paths[-1])
    if sum(len(run.pairs) for run in outcome.used) <= RUN_FIGURES_UP_TO:
        for run in outcome.used:
            paths += draw_run(run.directory, run.summary, run.samples)
            write_report(run.directory, run.summary, run.samples)
    return [*paths, _write_page(directory, outcome, drawn)]


def outcome_figures(plan: Plan, outcome: Outcome) -> Iterator[Drawn]:
    """The figures of the experiment itself, those of its runs left out."""
    yield from _matrix(outcome)
    yield from _conditions(outcome)
    yield from _comparison(outcome)
    yield from _contests(outcome)
    yield from _order(outcome)
    for number, run, pair, pause_ns in pauses_of(plan, outcome.used):
        figure = backlog_plot(backlog_over_run(run.samples, *pair), run.summary, pair, pause_ns)
        yield (
            f"backlog-{number}-{pair[0]}-{pair[1]}",
            f"Backlog of run {number}, {pair[0]} → {pair[1]}",
            figure,
        )


def _write_page(directory: ExperimentDirectory, outcome: Outcome, drawn: list[Drawn]) -> Path:
    reports = {
        run.directory.path.name: f"{run.directory.path.name}/{run.directory.report.name}"
        for run in outcome.used
        if run.directory.report.exists()
    }
    figures = [(heading, figure) for _, heading, figure in drawn]
    page = experiment_page(outcome.summary, list(outcome_lines(outcome.summary)), figures, reports)
    return write_page(directory.report, page)


def _matrix(outcome: Outcome) -> Iterator[Drawn]:
    for name in ("p50", "p99") if outcome.matrix else ():
        heading = f"{name}, Region to Region"
        yield f"matrix-{name}", heading, matrix_heat_map(outcome.matrix, name, [outcome.summary["label"]])


def _contests(outcome: Outcome) -> Iterator[Drawn]:
    rows = [row for row in outcome.summary["contests"] if row["lost_updates"] is not None]
    if rows:
        yield "contest", "Contested items", contest_plot(rows, outcome.summary["label"], _reasons(outcome))


def _order(outcome: Outcome) -> Iterator[Drawn]:
    rows = outcome.summary["order"]
    if rows:
        figure = order_plot(rows, _subject(outcome), outcome.summary["label"], _reasons(outcome))
        yield "order", "Order of the writes", figure


def _subject(outcome: Outcome) -> str:
    about = outcome.summary["experiment"]
    return f"{about['name']}: {about['question']}"


def _conditions(outcome: Outcome) -> Iterator[Drawn]:
    rows = outcome.summary["conditions"]
    if outcome.matrix or not 2 <= len(rows) <= ROWS_MAX:
        return
    figure = condition_plot(rows, _subject(outcome), outcome.summary["label"], _reasons(outcome))
    yield "conditions", "Conditions side by side", figure


def _comparison(outcome: Outcome) -> Iterator[Drawn]:
    """Two conditions over each other; of more, the rows of `condition_plot` say enough."""
    if len(outcome.comparisons) != 1:
        return
    labels = [outcome.summary["label"]]
    yield "overlay", "One over the other", comparison_overlay(outcome.comparisons[0], labels)
    yield "difference", "The difference", difference_plot(outcome.comparisons[0], labels)


def _reasons(outcome: Outcome) -> list[str]:
    return [f"run {run['number']}: {why}" for run in outcome.summary["runs"] for why in run["reasons"]]
