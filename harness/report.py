"""`python -m harness.report`: rebuild everything below the journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli import Parser, run_verb
from harness.errors import ExitCode


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, rebuild, print."""
    parser = Parser(
        "report",
        "Rebuild samples, summary and plots of a run from its manifest and journal, also after a crash.",
        ("latest", "results/20261123T101500Z-us-west-2-ap-southeast-2-1a2b3c4d"),
    )
    parser.add_argument("run", help="a run directory, its name in --results, or latest")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--no-plots", action="store_true", help="draw no figures")
    arguments = parser.parse_args(argv)

    from harness.analysis.derive import derive_results
    from harness.records.run_directory import find_run
    from harness.terminal import make_console, print_summary

    directory = find_run(arguments.run, arguments.results)
    summary, samples = derive_results(directory)
    if not arguments.no_plots:
        from harness.analysis.draw import draw_run

        draw_run(directory, summary, samples)
    print_summary(make_console(), summary)
    print(f"run       {directory.path}")
    return ExitCode.OK if summary["verdict"] == "VALID" else ExitCode.INVALID


if __name__ == "__main__":
    run_verb(main)
