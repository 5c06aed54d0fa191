"""The flags of `harness.run`, and the configuration they mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from harness.cli import Parser, parsed_by, whole_number
from harness.errors import UsageError
from harness.flags import (
    add_consistency_flags,
    add_results_flag,
    add_target_flags,
    choose_quorum_witness,
    table_name,
)
from harness.measure.plan import (
    ARRIVALS,
    ITEM_BYTES,
    KEYS,
    READ_MODES,
    SAMPLES,
    SEEDS,
    SHARDS,
    SPACINGS_NS,
    STRATEGIES,
    TOGETHER,
    VERSIONS,
    Polling,
    RunConfig,
    Workload,
)
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
_duration = parsed_by(parse_positive_duration_ns)


def make_parser() -> Parser:
    """The flags of the verb."""
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
    _add_workload(parser)
    _add_polling(parser)
    _add_target(parser)
    _add_output(parser)
    return parser


def _add_workload(parser: Parser) -> None:
    group = parser.add_argument_group("writes")
    size = group.add_mutually_exclusive_group()
    samples = whole_number(SAMPLES)
    size.add_argument("--samples", type=samples, metavar="N", help="measured writes per source Region (400)")
    size.add_argument("--duration", type=_duration, metavar="T", help="or for how long")
    add = group.add_argument
    add("--rate", type=parsed_by(parse_rate_per_s), default=20.0, metavar="R", help="a second (20/s)")
    add("--arrivals", choices=ARRIVALS, default="constant", help="spacing of the writes (constant)")
    warmup = parsed_by(parse_duration_ns)
    add("--warmup", type=warmup, default=2 * NS_PER_S, metavar="T", help="before those that count (2s)")
    size_bytes = parsed_by(parse_size_bytes)
    add("--item-size", type=size_bytes, default=100, metavar="B", help="size of an item (100B)")
    add(
        "--shards",
        type=whole_number(SHARDS),
        default=1,
        metavar="N",
        help="partition keys written to in turn (1)",
    )
    add(
        "--together",
        type=whole_number(TOGETHER),
        default=1,
        metavar="N",
        help="new items of one transaction (1)",
    )
    add(
        "--versions",
        type=whole_number(VERSIONS),
        default=1,
        metavar="N",
        help="writes of each new item in turn (1)",
    )
    add(
        "--keys",
        choices=KEYS,
        default="new",
        help="new items, the update or delete of items made beforehand, or the same items written in both (new)",
    )
    offset = parsed_by(parse_offset_ns)
    add("--offset", type=offset, default=0, metavar="T", help="contested: --to writes so much later (0s)")
    add(
        "--seed",
        type=whole_number(SEEDS),
        metavar="N",
        help="of arrivals and lags (a new one each run, kept)",
    )


def _add_polling(parser: Parser) -> None:
    add = parser.add_argument_group("polls").add_argument
    add("--poll-interval", type=_duration, default=5 * NS_PER_MS, metavar="T", help="poll spacing (5ms)")
    add("--poll-with", choices=STRATEGIES, default="auto", help="auto picks, and says what")
    add("--schedule", choices=SCHEDULES, default="adaptive", help="of the polls (adaptive)")
    reads = "read mode; both: side by side (strong; both where --consistency is strong)"
    add("--read", choices=READ_MODES, help=reads)
    add("--control", action="store_true", help="also watch the source Region itself: must be ≈ 0")
    add("--timeout", type=_duration, default=30 * NS_PER_S, metavar="T", help="give a write up after (30s)")


def _add_target(parser: Parser) -> None:
    group = add_target_flags(parser)
    add = group.add_argument
    add(
        "--table",
        type=parsed_by(table_name),
        metavar="NAME",
        help="table to use or create (a new one, removed afterwards)",
    )
    add("--keep-table", action="store_true", help="leave a created table in place")
    add_consistency_flags(group)
    witness = "afterwards ask CloudWatch for its ReplicationLatency too (AWS; =URL for another server)"
    add("--witness", metavar="cloudwatch[=URL]", help=witness)
    lag = "emulator only: a preset, or median=400ms,sigma=0.3"
    add("--lag", default="typical", metavar="MODEL", help=lag)
    fault = "emulator only: what goes wrong, such as reset:writes:5%%=2s-4s after the first write; repeatable"
    add("--fault", action="append", default=[], metavar="KIND[:OPTION…]=WINDOW", help=fault)


def _add_output(parser: Parser) -> None:
    group = parser.add_argument_group("output")
    add_results_flag(group, "where run directories go")
    add = group.add_argument
    add("--tag", action="append", default=[], metavar="K=V", help="note kept with the run; repeatable")
    beyond = "exit 1 when a percentile is beyond"
    add("--fail-if", action="append", default=[], metavar="'p99>3s'", help=beyond)
    add("--dry-run", action="store_true", help="print plan and cost; no request is made")
    add("--no-plots", action="store_true", help="draw no figures and no page")
    add("--json", action="store_true", help="print the summary object alone on stdout")


def build_config(arguments: argparse.Namespace) -> RunConfig:
    """The run's configuration from its flags.

    Raises:
        UsageError: a value makes no sense.
    """
    from harness.target import parse_regions

    replicas = parse_regions(arguments.to)
    _check_ranges(arguments)
    samples = _samples(arguments)
    sources, groups = [arguments.source], [replicas]
    if arguments.both_ways:
        sources += replicas
        groups += [(arguments.source,)] * len(replicas)
    quorum_witness = choose_quorum_witness(arguments, (arguments.source, *replicas))
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
            arguments.versions,
            arguments.keys,
            arguments.offset,
        ),
        Polling(
            arguments.poll_interval,
            arguments.poll_with,
            arguments.schedule,
            arguments.read or ("both" if arguments.consistency == "strong" else "strong"),
            arguments.timeout,
        ),
        arguments.control,
        arguments.consistency,
        quorum_witness,
    )


def parse_tags(texts: Sequence[str]) -> dict[str, str]:
    """Read `KEY=VALUE` arguments.

    Raises:
        UsageError: one is not of that form, or not text.
    """
    tags = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--tag {text!r} is not KEY=VALUE")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"--tag {text!r} is not text in UTF-8") from None
        tags[name] = value
    return tags


def _check_ranges(arguments: argparse.Namespace) -> None:
    if arguments.poll_interval not in SPACINGS_NS:
        raise UsageError(
            f"--poll-interval {format_duration(arguments.poll_interval)} must lie between 1ms and 1h"
        )
    if arguments.offset and arguments.keys != "contested":
        raise UsageError(f"--offset {format_duration(arguments.offset)} is for --keys contested")
    if arguments.item_size not in ITEM_BYTES:
        raise UsageError(
            f"--item-size {arguments.item_size}B must lie between 100B and 400KB, DynamoDB's limit"
        )


def _samples(arguments: argparse.Namespace) -> int:
    samples = arguments.samples or 400
    if arguments.duration is not None:
        samples = int(arguments.duration / NS_PER_S * arguments.rate)
        if samples not in SAMPLES:
            raise UsageError(
                f"--duration {format_duration(arguments.duration)} at --rate {arguments.rate:g}/s is "
                f"{format_count(samples) if samples else 'no'} writes; 1 to {format_count(SAMPLES[-1])} can be measured"
            )
    return samples
