"""`python -m harness.experiment`: a question declared in a TOML file, swept, measured, and resumed where it stopped."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import Parser, printable, run_verb, say, whole_number
from harness.errors import ExitCode, UsageError
from harness.experiments.plan import Destination, Plan, make_plan
from harness.experiments.spec import load_experiment
from harness.flags import add_results_flag, add_target_flags, choose_target
from harness.measure.plan import SAMPLES

if TYPE_CHECKING:
    from harness.experiments.directory import ExperimentDirectory
    from harness.experiments.perform import Performed

_EXAMPLES = (
    "experiments/one-pair.toml",
    "experiments/region-matrix.toml --dry-run",
    "experiments/region-matrix.toml --resume",
    "experiments/item-size.toml --scale 0.1",
)


LARGEST_SCALE = 1_000_000


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "experiment",
        "Measure all runs of an experiment, one after the other, and say what came out. Runs of different conditions "
        "take turns in random order. Without --target the emulator is measured, and every output says so.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE.toml", help="the experiment; with --resume also its directory")
    add("--resume", action="store_true", help="continue the newest one of this name; finished runs stay")
    add(
        "--samples",
        type=whole_number(SAMPLES),
        metavar="N",
        help="measured writes per source of every run, for a try",
    )
    add(
        "--scale",
        type=float,
        metavar="X",
        help="or so many times the samples, warm-up and faults of the file",
    )
    add_target_flags(parser)
    add_results_flag(parser, "its experiments/ is written to")
    add("--dry-run", action="store_true", help="print plan and cost; nothing is measured or written")
    add("--no-plots", action="store_true", help="draw no figures")
    add(
        "--json",
        action="store_true",
        help="print the outcome (of --dry-run: the plan) as JSON alone on stdout",
    )
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, plan, measure, print."""
    arguments = make_parser().parse_args(argv)
    if arguments.resume:
        directory, plan = _resumed(arguments)
    else:
        directory, plan = None, _planned(arguments)
    _show_plan(arguments, plan)
    if arguments.dry_run:
        return ExitCode.OK

    from harness.experiments.directory import create_directory
    from harness.experiments.perform import check_emulator, perform_plan

    if plan.destination.kind == "local":
        check_emulator(plan)
    directory = directory or create_directory(arguments.results, plan)
    say(f"experiment in {directory.path}")
    with directory.locked():
        try:
            performed = perform_plan(directory, plan, ("python", "-m", "harness.experiment", *argv))
        except KeyboardInterrupt:
            say(_how_to_go_on(directory))
            raise
        if performed.interrupted:
            say(f"interrupted by {performed.interrupted}; {_how_to_go_on(directory)}")
            return ExitCode.INTERRUPTED
        return _conclude(arguments, directory, plan, performed)


def _planned(arguments: argparse.Namespace) -> Plan:
    if arguments.samples is not None and arguments.scale is not None:
        raise UsageError("--samples and --scale exclude each other")
    if arguments.scale is not None and not 0 < arguments.scale <= LARGEST_SCALE:
        raise UsageError(f"--scale {arguments.scale:g} must be above 0, and at most {LARGEST_SCALE:,}")
    experiment = load_experiment(arguments.file).scaled(arguments.samples, arguments.scale or 1.0)
    seed = secrets.randbelow(2**31) if experiment.seed is None else experiment.seed
    kind, endpoints = choose_target(arguments, experiment.regions)
    destination = Destination(kind, endpoints, arguments.profile, arguments.create_per_region)
    plan = make_plan(experiment, destination, seed, arguments.file.read_text(encoding="utf-8"))
    if destination.kind != "local" and any(run.emulator for run in plan.runs):
        raise UsageError(
            f"{arguments.file}: rtt, eventual_lag, pause, throttle and fault of [emulator] can only be had on the "
            "emulator; leave out --target and --endpoint"
        )
    return plan


def _resumed(arguments: argparse.Namespace) -> tuple[ExperimentDirectory, Plan]:
    from harness.experiments.directory import ExperimentDirectory, find_experiment

    given = [
        flag
        for flag in ("samples", "scale", "target", "endpoint", "create_per_region", "profile")
        if getattr(arguments, flag) not in (None, [], False)
    ]
    if given:
        flags = ", ".join("--" + flag.replace("_", "-") for flag in given)
        raise UsageError(f"--resume continues the plan as it was written; leave out {flags}")
    if arguments.file.is_dir():
        directory = ExperimentDirectory(arguments.file)
        return directory, directory.read_plan()
    experiment = load_experiment(arguments.file)
    directory = find_experiment(arguments.results, experiment.name)
    plan = directory.read_plan()
    if plan.file != arguments.file.read_text(encoding="utf-8"):
        raise UsageError(
            f"{arguments.file} has changed since the plan in {directory.path} was written; start it anew without "
            f"--resume, or continue the old plan with: harness.experiment {directory.path} --resume"
        )
    return directory, plan


def _show_plan(arguments: argparse.Namespace, plan: Plan) -> None:
    from harness.experiments.words import plan_cost, plan_lines
    from harness.result_lines import format_usd

    if arguments.dry_run and arguments.json:
        _print_json(plan.to_json())
    else:
        print(
            "\n".join(map(printable, plan_lines(plan))),
            file=sys.stdout if arguments.dry_run else sys.stderr,
            flush=True,
        )
    usd = plan_cost(plan)
    if arguments.max_usd is not None and (usd is None or usd > arguments.max_usd):
        raise UsageError(
            f"the estimate of {format_usd(usd)} is above --max-usd {arguments.max_usd:g}; nothing was started"
        )


def _conclude(
    arguments: argparse.Namespace, directory: ExperimentDirectory, plan: Plan, performed: Performed
) -> ExitCode:
    """Write, draw and print the outcome."""
    from harness.experiments.outcome import describe_outcome
    from harness.records.manifest import write_json

    outcome = describe_outcome(directory, plan, performed.failures)
    write_json(directory.outcome, outcome.summary)
    figures: list[Path] = []
    if not arguments.no_plots and outcome.used:
        from harness.experiments.figures import draw_outcome

        figures = draw_outcome(directory, plan, outcome)
    if arguments.json:
        _print_json(outcome.summary)
    else:
        _print_outcome(outcome.summary, directory, figures)
    if performed.failures:
        return max(failure.exit_code for failure in performed.failures.values())
    return ExitCode.OK if outcome.summary["verdict"] == "VALID" else ExitCode.INVALID


def _print_outcome(
    summary: Mapping[str, Any], directory: ExperimentDirectory, figures: Sequence[Path]
) -> None:
    from harness.experiments.lab_tables import lab_tables
    from harness.experiments.words import condition_table, matrix_table, outcome_lines, run_lines
    from harness.result_lines import format_usd
    from harness.terminal import make_console

    console = make_console()
    if summary["conditions"]:
        console.print(condition_table(summary))
    for name in ("p50", "p99") if summary["matrix"] else ():
        console.print(matrix_table(summary, name))
    for table in lab_tables(summary):
        console.print(table)
    for line in (*outcome_lines(summary), *run_lines(summary["runs"])):
        console.print(line, markup=False)
    prefix = "cost at AWS would be" if summary["simulated"] else "cost"
    console.print(f"{prefix} {format_usd(summary['cost']['usd'])} (transfer not included)", markup=False)
    valid = sum(run["verdict"] == "VALID" for run in summary["runs"])
    verdict = f"{summary['verdict']}: {valid} of {len(summary['runs'])} runs are VALID"
    console.print(verdict, style="bold green" if summary["verdict"] == "VALID" else "bold red")
    print(f"experiment {directory.path}")
    own = [path for path in figures if path.parent == directory.path and path != directory.report]
    for path in own:
        print(f"plot       {path}")
    others = sum(path.parent != directory.path for path in figures)
    if others:
        print(f"plots      {others} more in the directories of its runs")
    if directory.report in figures:
        print(f"report     {directory.report}")


def _print_json(value: Mapping[str, Any]) -> None:
    import orjson

    print(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())


def _how_to_go_on(directory: ExperimentDirectory) -> str:
    return f"finished runs are kept; continue with: python -m harness.experiment {directory.path} --resume"


if __name__ == "__main__":
    run_verb(main)
