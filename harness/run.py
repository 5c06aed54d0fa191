"""`python -m harness.run`: measure how long a write in one Region takes to become visible in others."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.cli import run_verb, say
from harness.errors import ExitCode, UsageError
from harness.flags import choose_target
from harness.measure.plan import RunConfig
from harness.run_flags import build_config, make_parser, parse_tags
from harness.thresholds import check_thresholds, parse_threshold
from harness.units import format_count, format_duration
from harness.witness import ask_after_run, parse_witness


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, measure, print."""
    arguments = make_parser().parse_args(argv)
    if arguments.seed is None:  # runs of one seed draw the same lags: they could not be compared
        arguments.seed = secrets.randbelow(2**31)
    config = build_config(arguments)
    thresholds = [parse_threshold(text) for text in arguments.fail_if]
    kind, endpoints = choose_target(arguments, config.regions)
    if arguments.fault and kind != "local":
        raise UsageError("--fault can only be had on the emulator; leave out --target and --endpoint")
    tags = parse_tags(arguments.tag)
    witness = parse_witness(arguments.witness, kind, strong=config.strong)
    if arguments.dry_run or kind == "aws" or arguments.max_usd is not None:
        stream = sys.stdout if arguments.dry_run else sys.stderr
        _announce(config, kind, arguments.max_usd, stream, tidied=arguments.table is not None)
    if arguments.dry_run:
        return ExitCode.OK

    from harness.runner import RunRequest, perform_run  # heavy: not for --help
    from harness.target import EmulatorOptions

    finished = perform_run(
        RunRequest(
            config,
            kind,
            endpoints,
            arguments.profile,
            arguments.table,
            arguments.keep_table,
            arguments.create_per_region,
            EmulatorOptions(
                lag=arguments.lag,
                seed=arguments.seed,
                extra=tuple(word for fault in arguments.fault for word in ("--fault", fault)),
            ),
            arguments.results,
            tags,
            ("python", "-m", "harness.run", *argv),
            witness=None if witness is None else str(witness),
        )
    )
    if witness is not None:
        ask_after_run(finished.directory, witness, arguments.profile, finished.interrupted)

    from harness.analysis.derive import derive_results

    summary, samples = derive_results(finished.directory)
    _show(arguments, finished.directory, summary, samples)
    for sentence in finished.left:
        say(f"left behind: {sentence}")
    found = summary["strong_reads"]
    if finished.interrupted:
        say(f"interrupted by {finished.interrupted}: what was measured is kept in {finished.directory.path}")
        return ExitCode.INTERRUPTED
    if found is not None and found["stale_reads"]:
        return ExitCode.THRESHOLD
    if summary["verdict"] != "VALID":
        return ExitCode.INVALID
    return ExitCode.UNAVAILABLE if finished.left else check_thresholds(thresholds, summary)


def _announce(config: RunConfig, kind: str, max_usd: float | None, stream: Any, *, tidied: bool) -> None:
    from harness.measure.forecast import estimate_run
    from harness.result_lines import format_usd

    estimate = estimate_run(config, tidied=tidied)
    pairs = ", ".join(f"{source} → {replica}" for source, replica in config.pairs)
    usd = estimate.cost["usd"]
    lines = (
        f"target    {kind}",
        *([f"witness   {config.quorum_witness}, holds no items"] if config.quorum_witness else []),
        f"pairs     {pairs}",
        f"plan      {format_count(config.workload.samples)} samples per source at {config.workload.rate_per_s:g}/s, "
        f"polled every {format_duration(config.polling.interval_ns)}, about {format_duration(estimate.duration_ns)}",
        f"requests  {format_count(estimate.writes)} writes, {format_count(estimate.reads)} reads",
        f"cost      about {format_usd(usd)}{'' if kind == 'aws' else ' if it were AWS'} "
        f"({estimate.cost['basis']}; transfer not included)",
    )
    print("\n".join(lines), file=stream, flush=True)
    if max_usd is not None and (usd is None or usd > max_usd):
        raise UsageError(
            f"the estimate of {format_usd(usd)} is above --max-usd {max_usd:g}; nothing was started"
        )


def _show(arguments: argparse.Namespace, directory: Any, summary: dict[str, Any], samples: Any) -> None:
    import orjson

    plots: list[Path] = []
    if not arguments.no_plots:
        from harness.analysis.draw import draw_run
        from harness.analysis.html import write_report

        plots = draw_run(directory, summary, samples)
        write_report(directory, summary, samples)
    if arguments.json:
        print(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())
        return
    from harness.terminal import make_console, print_summary

    print_summary(make_console(), summary)
    print(f"run       {directory.path}")
    for path in plots:
        print(f"plot      {path}")
    if not arguments.no_plots:
        print(f"report    {directory.report}")


if __name__ == "__main__":
    run_verb(main)
