"""`python -m harness.report`: rebuild everything below the journal."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from harness.cli import Parser, run_verb, say
from harness.errors import ExitCode, UsageError


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "report",
        "Rebuild samples, summary, plots and report.html of a run from its manifest and journal, also after a crash.",
        ("latest", "latest --open", "results/20261123T101500Z-us-west-2-ap-southeast-2-1a2b3c4d --csv"),
    )
    parser.add_argument("run", help="a run directory, its name in --results, or latest")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--no-plots", action="store_true", help="draw no figures and no page")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    parser.add_argument("--csv", action="store_true", help="write samples.csv as well")
    witness = "ask CloudWatch again for its ReplicationLatency (AWS; =URL for another server)"
    parser.add_argument("--witness", metavar="cloudwatch[=URL]", help=witness)
    parser.add_argument("--profile", metavar="NAME", help="AWS profile, for --witness")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, rebuild, print."""
    arguments = make_parser().parse_args(argv)
    if arguments.open and arguments.no_plots:
        raise UsageError("--open shows the page that --no-plots leaves out; give one of them")

    from harness.analysis.derive import derive_results
    from harness.records.run_directory import find_run
    from harness.records.samples import write_csv
    from harness.terminal import make_console, print_summary
    from harness.witness import ask_later

    directory = find_run(arguments.run, arguments.results)
    if arguments.witness is not None:
        ask_later(directory, arguments.witness, arguments.profile)
    summary, samples = derive_results(directory)
    if arguments.csv:
        write_csv(directory.samples_csv, samples)
    if not arguments.no_plots:
        from harness.analysis.draw import draw_run
        from harness.analysis.html import write_report

        draw_run(directory, summary, samples)
        write_report(directory, summary, samples)
    print_summary(make_console(), summary)
    print(f"run       {directory.path}")
    if arguments.csv:
        print(f"samples   {directory.samples_csv}")
    if not arguments.no_plots:
        print(f"report    {directory.report}")
    if arguments.open and not webbrowser.open(directory.report.as_uri()):
        say(f"no browser could be started; open {directory.report} in one")
    return ExitCode.OK if summary["verdict"] == "VALID" else ExitCode.INVALID


if __name__ == "__main__":
    run_verb(main)
