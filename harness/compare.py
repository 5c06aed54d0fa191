"""`python -m harness.compare`: do runs or Region pairs differ, by how much, and how sure is that?

As `harness.compare(runs)` the module itself is `harness.analysis.tables.compare`, whichever was there first.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.cli import Parser, run_verb, say
from harness.errors import ExitCode, UsageError
from harness.thresholds import limit_ms
from harness.units import NS_PER_MS, format_duration

if TYPE_CHECKING:
    from harness.analysis.load import Run
    from harness.analysis.matrix import MatrixCell
    from harness.analysis.run_groups import Comparison, RunGroup

_EXAMPLES = (
    "results/RUN-A results/RUN-B",
    "'results/2026*' --by variant --regression",
    "results/RUN-A latest --fail-if 'p99>200ms'",
    "--matrix 'results/2026*' --plots matrix-plots --html matrix.html",
)
_THRESHOLD = re.compile(r"\s*(p50|p90|p99|shift)\s*>=?\s*(\S+)\s*")


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "compare",
        "Compare runs of a Region pair, or the Region pairs of a run, by percentiles with intervals. "
        "The first run named is what the others are compared with.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run directories, names in --results, globs, or latest")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="(results)")
    add(
        "--by",
        metavar="TAG",
        help="pool runs by the value of this tag; runs that took turns are compared in blocks",
    )
    add("--matrix", action="store_true", help="p50 and p99 of every ordered Region pair instead")
    add("--include-invalid", action="store_true", help="use INVALID runs too; they are marked")
    add("--force", action="store_true", help="compare different targets, simulated with real included")
    add(
        "--fail-if",
        action="append",
        default=[],
        metavar="'p99>200ms'",
        help="exit 1 when it is later by more",
    )
    add("--regression", action="store_true", help="exit 1 when anything is significantly later")
    add("--plots", type=Path, metavar="DIR", help="draw the figures into this directory")
    add(
        "--html",
        type=Path,
        metavar="FILE",
        help="with --matrix: one page, its cells leading to the runs' reports",
    )
    add("--json", action="store_true", help="print the result as JSON alone on stdout")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, compare, print."""
    arguments = make_parser().parse_args(argv)
    thresholds = [parse_threshold(text) for text in arguments.fail_if]
    if arguments.html and not arguments.matrix:
        raise UsageError("--html is the page of a --matrix; add --matrix")

    from harness.analysis.load import load_runs
    from harness.analysis.run_groups import compare_all, group_runs, usable_runs

    runs = load_runs(arguments.runs, arguments.results)
    kept, left = usable_runs(runs, include_invalid=arguments.include_invalid, force=arguments.force)
    for run in left:
        say(f"left out, INVALID: {run.directory.path.name} (--include-invalid uses it)")
    if not kept:
        raise UsageError("no VALID run is left; --include-invalid uses the INVALID ones")
    if arguments.matrix:
        _show_matrix(arguments, kept)
        return ExitCode.OK
    comparisons = compare_all(group_runs(kept, arguments.by))
    labels = sorted({run.summary["label"] for run in kept})
    _show(arguments, comparisons, labels)
    return _judge(comparisons, thresholds, regression=arguments.regression)


def parse_threshold(text: str) -> tuple[str, float]:
    """Read "p99>200ms" as (cell, milliseconds).

    Raises:
        UsageError: not of that form.
    """
    match = _THRESHOLD.fullmatch(text)
    if match is None:
        raise UsageError(f"--fail-if {text!r} is not p50, p90, p99 or shift, >, and a duration: 'p99>200ms'")
    return match[1], limit_ms(text, match[2])


def _show(arguments: argparse.Namespace, comparisons: Sequence[Comparison], labels: Sequence[str]) -> None:
    if arguments.plots:
        from harness.analysis.plots import comparison_overlay, difference_plot, save

        arguments.plots.mkdir(parents=True, exist_ok=True)
        for number, comparison in enumerate(comparisons, 1):
            for name, draw in (("overlay", comparison_overlay), ("difference", difference_plot)):
                path = arguments.plots / f"{name}-{number}.png"
                save(draw(comparison, labels), path)
                say(f"plot      {path}")
    if arguments.json:
        import orjson

        value = {"targets": labels, "comparisons": [comparison.to_json() for comparison in comparisons]}
        print(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())
        return
    from rich.table import Table

    from harness.terminal import make_console

    console = make_console()
    for comparison in comparisons:
        first, second = comparison.first, comparison.second
        title = f"{_name(second)} minus {_name(first)}   {', '.join(labels)}"
        marked = {*first.verdicts, *second.verdicts} - {"VALID"}
        console.print(title + ("   INVALID" if marked else ""), style="bold", markup=False, soft_wrap=True)
        table = Table()
        for heading in (
            "",
            "difference",
            "95 % interval",
            "worst case over the brackets",
            "p (Holm)",
            "verdict",
        ):
            table.add_column(heading, justify="left" if heading in ("", "verdict") else "right")
        for cell in comparison.cells:
            p = "–" if cell.p_adjusted is None else f"{cell.p_adjusted:.3f}"
            interval, worst = _interval(cell.low, cell.high), _interval(cell.worst_low, cell.worst_high)
            table.add_row(cell.name, _ms(cell.value), interval, worst, p, cell.words)
        console.print(table)
        if comparison.interleaved:
            console.print(f"measured in turns: compared as {len(first.parts)} pairs of blocks", style="dim")
    console.print(
        "Intervals by block bootstrap of the model bracket; shift is Hodges-Lehmann; p corrected over all cells.",
        style="dim",
    )


def _show_matrix(arguments: argparse.Namespace, runs: Sequence[Run]) -> None:
    from harness.analysis.matrix import region_matrix

    cells = region_matrix(runs)
    labels = sorted({run.summary["label"] for run in runs})
    if arguments.plots:
        from harness.analysis.plots import matrix_heat_map, save

        arguments.plots.mkdir(parents=True, exist_ok=True)
        for name in ("p50", "p99"):
            path = arguments.plots / f"matrix-{name}.png"
            save(matrix_heat_map(cells, name, labels), path)
            say(f"plot      {path}")
    if arguments.html:
        _write_matrix_page(arguments.html, cells, labels, runs)
    if arguments.json:
        import orjson

        value = {"targets": labels, "cells": [cell.to_json() for cell in cells]}
        print(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())
        return
    from rich.table import Table

    from harness.result_lines import format_estimate
    from harness.terminal import make_console

    table = Table(title=f"Region matrix   {', '.join(labels)}", title_justify="left")
    for heading in ("from", "to", "n", "p50", "p99", "verdict"):
        table.add_column(heading, justify="right" if heading in ("n", "p50", "p99") else "left")
    for cell in cells:
        estimates = (format_estimate(cell.estimates[name].to_json()) for name in ("p50", "p99"))
        table.add_row(cell.source, cell.replica, f"{cell.n:,}", *estimates, cell.verdict)
    make_console().print(table)


def _write_matrix_page(
    path: Path, cells: Sequence[MatrixCell], labels: Sequence[str], runs: Sequence[Run]
) -> None:
    from harness.analysis.html import RunLink, matrix_page, write_page

    links = [
        RunLink(source, replica, run.directory.path.name, run.summary["verdict"], _address(run, path))
        for run in runs
        for source, replica in run.pairs
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_page(path, matrix_page(cells, labels, links))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another --html") from None
    say(f"report    {path}")


def _address(run: Run, page: Path) -> str | None:
    """Where the run's report lies, seen from the page; None where it has none."""
    report = run.directory.report
    if not report.exists():
        return None
    return quote(os.path.relpath(report, page.parent.resolve()))


def _judge(
    comparisons: Sequence[Comparison], thresholds: Sequence[tuple[str, float]], *, regression: bool
) -> ExitCode:
    code = ExitCode.OK
    for comparison in comparisons:
        for cell in comparison.cells:
            where = f"{comparison.second.label} against {comparison.first.label}: {cell.name}"
            for name, most_ms in thresholds:
                if name == cell.name and (cell.value is None or cell.value > most_ms):
                    say(
                        f"--fail-if {name}>{format_duration(most_ms * NS_PER_MS)}: {where} is {_ms(cell.value)}"
                    )
                    code = ExitCode.THRESHOLD
            if regression and cell.significant and cell.value is not None and cell.value > 0:
                say(f"--regression: {where} is significantly later, by {_ms(cell.value)}")
                code = ExitCode.THRESHOLD
    return code


def _name(group: RunGroup) -> str:
    pair = f"{group.source} → {group.replica}"
    where = "" if group.label == pair else f"{pair}, "
    return f"{group.label} ({where}n = {group.pooled.n:,})"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None and high is None else f"[{_ms(low)}, {_ms(high)}]"


def _ms(value: Any) -> str:
    return "n/a" if value is None else format_duration(value * NS_PER_MS)


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from harness.analysis.tables import compare

        return compare(*arguments, **options)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    run_verb(main)
