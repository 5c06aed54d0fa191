"""`python -m harness.table`: create, look at or remove the global table of a measurement; print its IAM policy."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import Parser, parsed_by, run_verb, say
from harness.errors import ExitCode, TargetUnavailable, UsageError
from harness.flags import add_consistency_flags, choose_quorum_witness, table_name
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from harness.dynamodb.global_table import GlobalTable
    from harness.records.ledger import Ledger

_EXAMPLES = (
    "setup --table latency --from us-west-2 --to ap-southeast-2 --target aws --profile sandbox",
    "status --table latency --from us-west-2 --to ap-southeast-2 --target aws",
    "teardown --table latency --from us-west-2 --to ap-southeast-2 --target aws --yes",
    "clean results/20261124T120000Z-us-west-2-ap-southeast-2-0123abcd",
    "--iam-policy --table latency --from us-west-2 --to ap-southeast-2",
)
MILLION = 1_000_000


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "table",
        "Set up a global table for measurements (then: harness.run --table NAME), say how it is, or remove it. "
        "Only what the ledger lists, because this harness made it, is ever removed. From a table of yours, clean "
        "removes what a killed run left in it.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("action", nargs="?", choices=(*_ACTIONS, "clean"), help="what to do")
    add("run", nargs="?", metavar="RUN", help="of clean: the run directory; nothing else is needed")
    add(
        "--iam-policy",
        action="store_true",
        help="print the least-privilege policy as JSON; no request is made",
    )
    add("--from", dest="source", metavar="REGION", help="the Region the table is created in")
    add("--to", metavar="REGION[,REGION…]", help="the Regions of its replicas")
    add("--witness", choices=("cloudwatch",), help="of the policy: with what harness.run --witness reads")
    add(
        "--table",
        type=parsed_by(table_name),
        metavar="NAME",
        help="its name (of the policy: replication-latency-*, what runs make)",
    )
    add_consistency_flags(parser)
    add("--target", choices=("aws",), help="real DynamoDB, billed")
    add(
        "--endpoint",
        action="append",
        default=[],
        metavar="REGION=URL",
        help="any DynamoDB API; once per Region",
    )
    add("--profile", metavar="NAME", help="AWS profile")
    add("--yes", action="store_true", help="do not ask")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="where the ledger is (results)")
    add("--json", action="store_true", help="print the status as JSON on stdout")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, do, print."""
    arguments = make_parser().parse_args(argv)
    if arguments.iam_policy == (arguments.action is not None):
        raise UsageError(f"say either one of {', '.join((*_ACTIONS, 'clean'))}, or --iam-policy")
    if arguments.action == "clean":
        return _clean(arguments)
    if arguments.run is not None:
        raise UsageError(f"unknown argument {arguments.run!r}; only clean takes a run directory")
    if not arguments.source or not arguments.to:
        raise UsageError(
            "--from REGION and --to REGION[,REGION…] are needed: where the table is, and its replicas"
        )
    from harness.measure.plan import RunConfig  # heavy, with what follows: not for --help
    from harness.target import parse_regions

    regions = RunConfig((arguments.source,), (parse_regions(arguments.to),)).regions
    if arguments.witness and not arguments.iam_policy:
        raise UsageError("--witness is for --iam-policy: a table is made and removed without it")
    if arguments.iam_policy:
        return _print_policy(arguments, regions)
    if arguments.table is None:
        raise UsageError(f"--table NAME is needed: which table to {arguments.action}")
    from harness.records.ledger import LEDGER, Ledger

    ledger = Ledger(arguments.results / LEDGER)
    return _ACTIONS[arguments.action](arguments, _table(arguments, regions, ledger), ledger)


def _table(arguments: Namespace, regions: Sequence[str], ledger: Ledger) -> GlobalTable:
    from harness.dynamodb.global_table import GlobalTable
    from harness.target import choose_target, remote_access

    if not arguments.target and not arguments.endpoint:
        raise UsageError(
            "which table? say --target aws, or --endpoint REGION=URL for each Region; the embedded emulator ends with "
            "its run, so start one by itself with python -m harness.emulator"
        )
    kind, endpoints = choose_target(arguments.target, arguments.endpoint, regions)
    access = remote_access(kind, endpoints, arguments.profile)
    return GlobalTable(
        access,
        arguments.table,
        regions,
        say=say,
        poll_ns=(2 if kind == "aws" else 1) * NS_PER_S,
        ledger=ledger,
        strong=arguments.consistency == "strong",
        witness=choose_quorum_witness(arguments, regions),
    )


def _setup(arguments: Namespace, table: GlobalTable, ledger: Ledger) -> ExitCode:
    """Create the table everywhere; one that is there already, and of this harness, is completed or left as it is."""
    _announce(table)
    _agree(arguments, "create it")
    table.create()
    print(f"table {table.name} is ACTIVE in {', '.join(table.regions)}")
    print(f"measure:  python -m harness.run {_flags(arguments)}")
    print(f"remove:   python -m harness.table teardown {_flags(arguments)}")
    return ExitCode.OK


def _status(arguments: Namespace, table: GlobalTable, ledger: Ledger) -> ExitCode:
    """What each Region says."""
    found = {region: _describe(table, ledger, region) for region in table.regions}
    ready = all(table.complete(region) for region in table.regions)
    if arguments.json:
        print(json.dumps({"table": table.name, "ready": ready, "regions": found}))
    else:
        for region, state in found.items():
            print(f"{region:<{max(map(len, found))}}  {_in_words(state)}")
        print(f"{table.name} is {'ready' if ready else 'not ready'} for a run in these Regions")
    return ExitCode.OK if ready else ExitCode.UNAVAILABLE


def _describe(table: GlobalTable, ledger: Ledger, region: str) -> dict[str, Any]:
    from harness.preflight.tables import consistency, replica_states

    description = table.describe(region)
    listed = ledger.holds(table.name, region)
    if description is None:
        return {"status": None, "listed": listed}
    return {
        "status": description["TableStatus"],
        "listed": listed,
        "consistency": consistency(description),
        "billing": description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "items": description.get("ItemCount"),
        "replicas": replica_states(description),
    }


def _in_words(state: dict[str, Any]) -> str:
    made = "made by this harness" if state["listed"] else "not made by this harness"
    if state["status"] is None:
        return "no such table" + (", though the ledger lists it" if state["listed"] else "")
    replicas = ", ".join(f"{region} {status}" for region, status in state["replicas"].items())
    items = "" if state["items"] is None else f", about {state['items']} items"
    others = f"; says of others: {replicas}" if replicas else ""
    return f"{state['status']}, {state['consistency']}, {state['billing']}{items}, {made}{others}"


def _teardown(arguments: Namespace, table: GlobalTable, ledger: Ledger) -> ExitCode:
    """Remove what the ledger lists, and look whether it is gone."""
    listed = [region for region in ledger.regions(table.name) if region in table.regions]
    if listed:
        say(f"this removes table {table.name}, with all its items, from {', '.join(listed)}")
        _agree(arguments, "remove it")
        table.delete()
    left = [region for region in table.regions if table.status(region) is not None]
    for region in left:
        if region not in listed:
            say(f"table {table.name} in {region} is left alone: {ledger.path} does not list it")
    if still := [region for region in left if region in listed]:
        raise TargetUnavailable(
            f"table {table.name} is still there in {', '.join(still)}; run teardown again in a few minutes"
        )
    if listed:
        print(f"looked: no table {table.name} is left in {', '.join(listed)}")
    else:
        print(f"nothing to remove: {ledger.path} lists no table {table.name} in {', '.join(table.regions)}")
    return ExitCode.OK


def _clean(arguments: Namespace) -> ExitCode:
    """Remove what a run left in a table that was there before it."""
    from harness.records.run_directory import find_run
    from harness.remains import clean, remains_of

    if arguments.run is None:
        raise UsageError("which run? name its directory: python -m harness.table clean results/…")
    remains = remains_of(find_run(arguments.run, arguments.results))
    for line in remains.announcement():
        say(line)
    _agree(arguments, "remove them", remains.kind)
    removed = clean(remains, arguments.profile, say)
    where = ", ".join(remains.config.regions)
    print(f"removed {removed} items of run {remains.run_id} from table {remains.table}")
    print(f"looked: none of the {len(remains.keys)} it may have written is left in {where}")
    return ExitCode.OK


def _announce(table: GlobalTable) -> None:
    """What is going to be created, and what it costs to have it."""
    from harness.dynamodb.cost import price_run
    from harness.result_lines import format_usd

    first, *others = table.regions
    if table.strong:
        witness = f", {table.witness} its witness without items" if table.witness else ""
        say(
            f"strong    consistent across its Regions (MRSC){witness}; its Regions cannot be changed afterwards"
        )
    keys = " and ".join(f"{name} ({kind})" for name, kind in table.keys)
    writes = price_run(dict.fromkeys(table.regions, MILLION), {})
    reads = price_run({}, dict.fromkeys(others, MILLION))
    say(f"table     {table.name}, on demand, keys {keys}, in {first} with replicas in {', '.join(others)}")
    say(
        "standing  nothing while it is empty and unused; storage is billed per GB and month in each Region (not shown)"
    )
    say(
        f"writes    {format_usd(writes['usd'])} per million items of 1 KB, all Regions together ({writes['basis']})"
    )
    say(f"reads     {format_usd(reads['usd'])} per million units in each of the replicas ({reads['basis']})")


def _agree(arguments: Namespace, to_what: str, kind: str | None = None) -> None:
    """On AWS, have a person agree.

    Raises:
        UsageError: nobody did.
    """
    if (kind or arguments.target) != "aws" or arguments.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is there to ask; say --yes to {to_what}")
    say(f"{to_what}? type yes to go on")
    if sys.stdin.readline().strip().lower() != "yes":
        raise UsageError("not agreed; nothing was changed")


def _flags(arguments: Namespace) -> str:
    flags = [f"--table {arguments.table} --from {arguments.source} --to {arguments.to}"]
    flags += ["--consistency strong"] if arguments.consistency == "strong" else []
    flags += ["--target aws"] if arguments.target else [f"--endpoint {text}" for text in arguments.endpoint]
    return " ".join([*flags, f"--profile {arguments.profile}"] if arguments.profile else flags)


def _print_policy(arguments: Namespace, regions: Sequence[str]) -> ExitCode:
    from harness.dynamodb.access import aws_regions
    from harness.dynamodb.policy import OWN_TABLES, make_policy
    from harness.target import check_regions

    check_regions(regions, aws_regions())
    policy = make_policy(
        arguments.table or OWN_TABLES,
        regions,
        witness=arguments.witness is not None,
        quorum_witness=choose_quorum_witness(arguments, regions),
    )
    print(json.dumps(policy, indent=2))
    return ExitCode.OK


_ACTIONS: dict[str, Callable[[Namespace, GlobalTable, Ledger], ExitCode]] = {
    "setup": _setup,
    "status": _status,
    "teardown": _teardown,
}


if __name__ == "__main__":
    run_verb(main)
