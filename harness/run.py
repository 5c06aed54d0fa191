"""`python -m harness.run`: measure how long a write in one Region takes to become visible in others."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.cli import Parser, parsed_by, run_verb, say
from harness.errors import ExitCode, UsageError
from harness.measure.plan import ARRIVALS, KEYS, READ_MODES, STRATEGIES, Polling, RunConfig, Workload
from harness.measure.schedules import SCHEDULES
from harness.units import (
    NS_PER_MS,
    NS_PER_S,
    format_count,
    format_duration,
    parse_duration_ns,
    parse_offset_ns,
    parse_positive_duration_ns,
    parse_rate_per_s,
    parse_size_bytes,
)

_EXAMPLES = (
    "--from us-west-2 --to ap-southeast-2",
    "--from us-west-2 --to ap-southeast-2,eu-west-1 --both-ways --samples 100",
    "--from us-west-2 --to eu-west-1 --lag median=400ms,sigma=0.3 --duration 10s",
    "--from us-west-2 --to ap-southeast-2 --target aws --dry-run",
)
_THRESHOLD = re.compile(r"\s*(p[0-9.]+)\s*([<>])=?\s*(\S+)\s*")
ITEM_BYTES_MAX = 400 * 1024


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "run",
        "Measure how long a write in one AWS Region takes to become visible in others (DynamoDB global tables). "
        "Without --target it measures an embedded emulator, and says so.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("--from", dest="source", required=True, metavar="REGION", help="the Region written to")
    add("--to", required=True, metavar="REGION[,REGION…]", help="the replica Regions that are watched")
    add("--both-ways", action="store_true", help="measure each pair in both directions at once")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--samples", type=int, metavar="N", help="measured writes per source Region (default 400)"
    )
    size.add_argument(
        "--duration", type=parsed_by(parse_positive_duration_ns), metavar="T", help="or for how long"
    )
    add(
        "--rate", type=parsed_by(parse_rate_per_s), default=20.0, metavar="R", help="writes per second (20/s)"
    )
    interval = parsed_by(parse_positive_duration_ns)
    add("--poll-interval", type=interval, default=5 * NS_PER_MS, metavar="T", help="poll spacing (5ms)")
    add(
        "--poll-with",
        choices=STRATEGIES,
        default="auto",
        help="query, batch or get; auto picks, and says what",
    )
    add("--schedule", choices=SCHEDULES, default="adaptive", help="of the polls (adaptive)")
    add(
        "--read",
        choices=READ_MODES,
        default="strong",
        help="read mode of the polls; both: side by side (strong)",
    )
    add("--shards", type=int, default=1, metavar="N", help="partition keys the writes are spread over (1)")
    add("--control", action="store_true", help="also watch the source Region itself: must be ≈ 0")
    timeout = parsed_by(parse_positive_duration_ns)
    add(
        "--timeout", type=timeout, default=30 * NS_PER_S, metavar="T", help="give a write up after this (30s)"
    )
    warmup = parsed_by(parse_duration_ns)
    add(
        "--warmup", type=warmup, default=2 * NS_PER_S, metavar="T", help="writes before those that count (2s)"
    )
    add(
        "--item-size",
        type=parsed_by(parse_size_bytes),
        default=100,
        metavar="B",
        help="size of an item (100B)",
    )
    add("--together", type=int, default=1, metavar="N", help="new items written by one transaction (1)")
    add(
        "--keys",
        choices=KEYS,
        default="new",
        help="new items, the update or delete of items made beforehand, or the same items written in both (new)",
    )
    offset = parsed_by(parse_offset_ns)
    add("--offset", type=offset, default=0, metavar="T", help="contested: --to writes so much later (0s)")
    add(
        "--arrivals",
        choices=ARRIVALS,
        default="constant",
        help="spacing of the writes (constant)",
    )
    add(
        "--seed",
        type=int,
        metavar="N",
        help="of arrivals and of the emulator's lag (a new one each run, kept)",
    )
    target = parser.add_argument_group("target")
    add = target.add_argument
    add(
        "--target", choices=("local", "aws"), help="local: the embedded emulator (default); aws: real, billed"
    )
    add(
        "--endpoint",
        action="append",
        default=[],
        metavar="REGION=URL",
        help="any DynamoDB API; once per Region",
    )
    add("--profile", metavar="NAME", help="AWS profile")
    add("--table", metavar="NAME", help="table to use or create (default: a new one, removed afterwards)")
    add("--keep-table", action="store_true", help="leave a created table in place")
    add(
        "--create-per-region",
        action="store_true",
        help="create the table in each Region by itself (--endpoint)",
    )
    add(
        "--lag", default="typical", metavar="MODEL", help="emulator only: a preset, or median=400ms,sigma=0.3"
    )
    add("--max-usd", type=float, metavar="X", help="refuse to start when the estimate is above X US dollars")
    output = parser.add_argument_group("output")
    add = output.add_argument
    add(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where run directories go (results)",
    )
    add("--tag", action="append", default=[], metavar="K=V", help="note kept with the run; repeatable")
    add(
        "--fail-if",
        action="append",
        default=[],
        metavar="'p99>3s'",
        help="exit 1 when a percentile is beyond",
    )
    add("--dry-run", action="store_true", help="print plan and cost; no request is made")
    add("--no-plots", action="store_true", help="draw no figures and no page")
    add("--json", action="store_true", help="print the summary object alone on stdout")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, measure, print."""
    arguments = make_parser().parse_args(argv)
    if arguments.seed is None:  # runs of one seed draw the same lags: they could not be compared
        arguments.seed = secrets.randbelow(2**31)
    config = build_config(arguments)
    thresholds = [parse_threshold(text) for text in arguments.fail_if]
    kind, endpoints = _choose_target(arguments, config)
    tags = _parse_tags(arguments.tag)
    if arguments.dry_run or kind == "aws" or arguments.max_usd is not None:
        _announce(config, kind, arguments.max_usd, stream=sys.stdout if arguments.dry_run else sys.stderr)
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
            EmulatorOptions(lag=arguments.lag, seed=arguments.seed),
            arguments.results,
            tags,
            ("python", "-m", "harness.run", *argv),
        )
    )

    from harness.analysis.derive import derive_results

    summary, samples = derive_results(finished.directory)
    _show(arguments, finished.directory, summary, samples)
    if finished.interrupted:
        say(f"interrupted by {finished.interrupted}: what was measured is kept in {finished.directory.path}")
        return ExitCode.INTERRUPTED
    if summary["verdict"] != "VALID":
        return ExitCode.INVALID
    return check_thresholds(thresholds, summary)


def build_config(arguments: argparse.Namespace) -> RunConfig:
    """The run's configuration from its flags.

    Raises:
        UsageError: a value makes no sense.
    """
    replicas = tuple(part.strip() for part in arguments.to.split(",") if part.strip())
    if not replicas:
        raise UsageError("--to names no Region")
    if len(set(replicas)) < len(replicas):
        raise UsageError(f"--to names a Region twice: {arguments.to}")
    if arguments.samples is not None and arguments.samples < 1:
        raise UsageError(f"--samples {arguments.samples} must be at least 1")
    if not 1 <= arguments.shards <= 64:
        raise UsageError(
            f"--shards {arguments.shards} must lie between 1 and 64: each costs a request per poll"
        )
    if not 1 <= arguments.together <= 100:
        raise UsageError(f"--together {arguments.together} must lie between 1 and 100, DynamoDB's limit")
    if arguments.together > 1 and arguments.keys != "new":
        raise UsageError(f"--together is for new items, not for --keys {arguments.keys}")
    if not 100 <= arguments.item_size <= ITEM_BYTES_MAX:
        raise UsageError(
            f"--item-size {arguments.item_size}B must lie between 100B and 400KB, DynamoDB's limit"
        )
    samples = arguments.samples or 400
    if arguments.duration is not None:
        samples = int(arguments.duration / NS_PER_S * arguments.rate)
        if samples < 1:
            raise UsageError(
                f"--duration {format_duration(arguments.duration)} at --rate {arguments.rate:g}/s is no write"
            )
    sources, groups = [arguments.source], [replicas]
    if arguments.both_ways:
        sources += replicas
        groups += [(arguments.source,)] * len(replicas)
    return RunConfig(
        tuple(sources),
        tuple(groups),
        Workload(
            samples,
            arguments.rate,
            arguments.arrivals,
            arguments.warmup,
            arguments.item_size,
            arguments.seed,
            arguments.shards,
            arguments.together,
            arguments.keys,
            arguments.offset,
        ),
        Polling(
            arguments.poll_interval,
            arguments.poll_with,
            arguments.schedule,
            arguments.read,
            arguments.timeout,
        ),
        arguments.control,
    )


def parse_threshold(text: str) -> tuple[str, str, float]:
    """Read "p99>3s" as (percentile, comparison, milliseconds).

    Raises:
        UsageError: not of that form.
    """
    match = _THRESHOLD.fullmatch(text)
    names = ("p50", "p90", "p95", "p99", "p99.9")
    if match is None or match[1] not in names:
        raise UsageError(
            f"--fail-if {text!r} is not a percentile, > or <, and a duration, for example 'p99>3s'"
        )
    return match[1], match[2], parse_duration_ns(match[3]) / NS_PER_MS


def _choose_target(arguments: argparse.Namespace, config: RunConfig) -> tuple[str, dict[str, str]]:
    from harness.target import check_regions, parse_endpoints

    endpoints = parse_endpoints(arguments.endpoint)
    if endpoints and arguments.target:
        raise UsageError("--endpoint and --target exclude each other")
    if endpoints:
        missing = [region for region in config.regions if region not in endpoints]
        if missing:
            raise UsageError(f"no --endpoint for {', '.join(missing)}; give one REGION=URL for each Region")
        return "endpoint", endpoints
    if arguments.create_per_region:
        raise UsageError("--create-per-region is for --endpoint: a global table is created once")
    if arguments.target == "aws":
        from harness.dynamodb.access import aws_regions

        check_regions(config.regions, aws_regions())
        return "aws", {}
    from harness.regions import matrix_regions

    check_regions(config.regions, matrix_regions())
    return "local", {}


def _parse_tags(texts: Sequence[str]) -> dict[str, str]:
    tags = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--tag {text!r} is not KEY=VALUE")
        tags[name] = value
    return tags


def _announce(config: RunConfig, kind: str, max_usd: float | None, stream: Any) -> None:
    from harness.dynamodb.cost import estimate_run
    from harness.terminal import format_usd

    estimate = estimate_run(config)
    pairs = ", ".join(f"{source} → {replica}" for source, replica in config.pairs)
    usd = estimate.cost["usd"]
    lines = (
        f"target    {kind}",
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


def check_thresholds(thresholds: Sequence[tuple[str, str, float]], summary: dict[str, Any]) -> ExitCode:
    from harness.analysis.summary import measured_pairs

    code = ExitCode.OK
    for name, comparison, limit_ms in thresholds:
        for pair in measured_pairs(summary):
            estimate = pair["latency_ms"][name]
            where = f"{pair['from']} → {pair['to']}"
            limit = format_duration(limit_ms * NS_PER_MS)
            if "value" not in estimate:
                say(f"--fail-if {name}{comparison}{limit}: {where} has too few samples to tell")
                code = ExitCode.THRESHOLD
                continue
            value = float("inf") if estimate["value"] is None else estimate["value"]
            if (value > limit_ms) if comparison == ">" else (value < limit_ms):
                say(f"--fail-if {name}{comparison}{limit}: {where} has {format_duration(value * NS_PER_MS)}")
                code = ExitCode.THRESHOLD
    return code


if __name__ == "__main__":
    run_verb(main)
