"""`python -m harness.doctor`: would a measurement from here work, and be trusted? One line per check, with a remedy."""

from __future__ import annotations

import contextlib
import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.cli import Parser, parsed_by, run_verb
from harness.errors import ExitCode
from harness.flags import table_name
from harness.measure.plan import RunConfig
from harness.units import format_tally

if TYPE_CHECKING:
    from harness.dynamodb.access import Access
    from harness.preflight.check import Check

_EXAMPLES = (
    "",
    "--from us-west-2 --to ap-southeast-2,eu-west-1 --target aws --profile sandbox",
    "--from us-west-2 --to eu-west-1 --target aws --table my-table --json",
)


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "doctor",
        "Check credentials, permissions, Regions, table, round trips, clock and host before a measurement. Nothing is "
        "created or changed. Without --target the embedded emulator and this host are checked.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add(
        "--from",
        dest="source",
        default="us-west-2",
        metavar="REGION",
        help="the Region written to (us-west-2)",
    )
    add("--to", default="ap-southeast-2", metavar="REGION[,REGION…]", help="the replicas (ap-southeast-2)")
    add("--target", choices=("local", "aws"), help="local: the embedded emulator (default); aws: real")
    add(
        "--endpoint",
        action="append",
        default=[],
        metavar="REGION=URL",
        help="any DynamoDB API; once per Region",
    )
    add("--profile", metavar="NAME", help="AWS profile")
    add("--table", type=parsed_by(table_name), metavar="NAME", help="the table a run would use or create")
    add(
        "--witness",
        metavar="cloudwatch[=URL]",
        help="also check that CloudWatch may be asked, as a run would",
    )
    add("--json", action="store_true", help="print the checks as one object on stdout")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, look, print."""
    arguments = make_parser().parse_args(argv)
    from harness.dynamodb.permissions import own_name  # heavy, with what follows: not for --help
    from harness.dynamodb.witness import CloudWatch
    from harness.preflight.check import failures
    from harness.preflight.examine import Question, examine
    from harness.target import choose_target, parse_regions
    from harness.witness import parse_witness

    config = RunConfig((arguments.source,), (parse_regions(arguments.to),))
    kind, endpoints = choose_target(arguments.target, arguments.endpoint, config.regions)
    named = parse_witness(arguments.witness, kind)
    with _access(kind, endpoints, arguments.profile, config.regions) as access:
        witness = None if named is None else CloudWatch(access, arguments.table or own_name(), named.url)
        checks = examine(Question(config, kind, access, arguments.table, _policy_command(arguments), witness))
    failed = failures(checks)
    if arguments.json:
        print(json.dumps({"target": kind, "ok": not failed, "checks": [check.to_json() for check in checks]}))
    else:
        _show(checks, kind)
    return ExitCode.UNAVAILABLE if failed else ExitCode.OK


@contextlib.contextmanager
def _access(
    kind: str, endpoints: dict[str, str], profile: str | None, regions: Sequence[str]
) -> Iterator[Access]:
    from harness.dynamodb.access import Access
    from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator, remote_access

    if kind != "local":
        yield remote_access(kind, endpoints, profile)
        return
    with emulator(regions, EmulatorOptions()) as target:
        yield Access(target.endpoints, keys=EMULATOR_KEYS)


def _policy_command(arguments: Namespace) -> str:
    table = f" --table {arguments.table}" if arguments.table else ""
    witness = " --witness cloudwatch" if arguments.witness else ""
    return (
        f"python -m harness.table --iam-policy --from {arguments.source} --to {arguments.to}{table}{witness}"
    )


def _show(checks: Sequence[Check], kind: str) -> None:
    what = {"local": "the embedded emulator (simulated)", "aws": "AWS"}.get(kind, "endpoints")
    print(f"target: {what}")
    names = max(len(check.name) for check in checks)
    places = max(len(check.where) for check in checks)
    for check in checks:
        print(f"{check.status.value:<8} {check.name:<{names}} {check.where:<{places}} {check.detail}")
        if check.remedy:
            print(f"{'':<8} {'':<{names}} {'':<{places}} → {check.remedy}")
    print(f"{len(checks)} checks: {format_tally(check.status for check in checks)}")


if __name__ == "__main__":
    run_verb(main)
