"""Several Regions of DynamoDB on this machine, with simulated replication lag, for the AWS CLI and any SDK."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from harness.cli import Parser, attempt, whole_number
from harness.emulator.faults.grammar import parse_faults, spelled
from harness.emulator.faults.kinds import help_table
from harness.emulator.lag import PRESETS, parse_lag
from harness.emulator.pace import parse_pace
from harness.emulator.replication import Settings, World, parse_eventual
from harness.emulator.rtt import PairRtt, check_region, parse_rtt
from harness.emulator.server import Server
from harness.emulator.truth import Truth
from harness.errors import ExitCode, UsageError
from harness.measure.clock import now_ns, wall_ns
from harness.streams import steady_streams
from harness.units import NS_PER_MS

SEEDS = range(2**63)
_EXAMPLES = (
    "--regions us-west-2,ap-southeast-2",
    "--regions us-west-2,eu-west-1 --lag median=400ms,sigma=0.3 --rtt none --seed 7",
    "--regions us-east-1,us-west-2 --lag slow --truth truth.jsonl --port 8000",
    "--regions us-east-1,us-west-2 --fault pause=8s-16s --fault throttle:us-west-2:reads=20s-25s",
    "--regions us-east-1,us-west-2 --control-plane aws/100 --ignore-updates 1",
)


def main(argv: Sequence[str]) -> ExitCode:
    """Run the emulator until it is told to stop."""
    arguments = make_parser().parse_args(argv)
    settings = _settings(arguments)
    client = check_region(arguments.client) if arguments.client else settings.regions[0]
    rtt = parse_rtt(arguments.rtt, client, settings.regions)
    asyncio.run(_serve(arguments, settings, rtt))
    return ExitCode.OK


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser("emulator", __doc__ or "", _EXAMPLES)
    faults = "faults, also at /_admin/faults while it runs (see harness/emulator/admin.py):"
    parser.epilog = f"{parser.epilog}\n\n{faults}\n{help_table()}"
    add = parser.add_argument
    add("--regions", required=True, metavar="R,R", help="Regions to emulate, separated by commas")
    add("--client", metavar="R", help="the Region requests come from (default: the first of --regions)")
    add(
        "--lag",
        default="typical",
        metavar="MODEL",
        help=f"{', '.join(PRESETS)}, constant=400ms or median=400ms,sigma=0.3 (default: typical)",
    )
    add(
        "--rtt",
        action="append",
        default=[],
        metavar="RTT",
        help="round trip of requests: matrix (default), none, 70ms (every Region but the client's) "
        "or REGION=70ms; repeatable",
    )
    add(
        "--eventual-lag",
        default="0.005:100ms",
        metavar="SHARE:AGE",
        help="stale eventually consistent reads: none, or a share and a greatest age (default: 0.005:100ms)",
    )
    _add_faults(add)
    add("--truth", type=Path, metavar="FILE", help="write when each write became visible at each replica")
    add(
        "--seed",
        type=whole_number(SEEDS),
        metavar="N",
        help="seed of all random draws (default: a new one, shown)",
    )
    add(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="combined port; Regions get the ones after it (default: any free)",
    )
    _add_control_plane(add)
    add("--json", action="store_true", help="print one line of JSON when ready")
    add("--die-with-parent", action="store_true", help="stop when standard input is closed")
    return parser


def _add_faults(add: Callable[..., Any]) -> None:
    add(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:OPTION…]=WINDOW",
        help="something goes wrong, from and to so long after the first write (2s-4s, or 2s- for good), in any order "
        "of options: throttle:us-west-2:reads:30%%=2s-4s; kinds below; repeatable",
    )
    for kind, where in (("pause", "[FROM/TO=]"), ("throttle", "REGION[:reads|writes]=")):
        add(
            f"--{kind}",
            dest="fault",
            action="append",
            type=partial(spelled, kind),
            metavar=f"{where}WINDOW",
            help=f"the same as --fault {kind}",
        )


def _add_control_plane(add: Callable[..., Any]) -> None:
    add(
        "--control-plane",
        default="fast",
        metavar="PACE",
        help="how long tables and replicas take: fast (default), aws (minutes, as AWS does) or aws/100 "
        "(a hundred times faster)",
    )
    add("--table-delay", metavar="T", help="fast: how long a table takes to become ACTIVE (default: 50ms)")
    add("--replica-delay", metavar="T", help="fast: the same for a replica (default: 200ms)")
    add(
        "--ignore-updates",
        type=int,
        default=0,
        metavar="N",
        help="the first N UpdateTable calls that change a replica answer 200 and do nothing (default: 0)",
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    regions = tuple(check_region(region.strip()) for region in arguments.regions.split(","))
    if len(set(regions)) < len(regions):
        raise UsageError(f"--regions {arguments.regions} names a Region twice")
    if not 0 <= arguments.port <= 65535:
        raise UsageError(
            f"--port {arguments.port} is not a port; use a number from 1 to 65535, or 0 for any free one"
        )
    if arguments.ignore_updates < 0:
        raise UsageError(
            f"--ignore-updates {arguments.ignore_updates} is not a number of calls; use 0 or more"
        )
    return Settings(
        regions=regions,
        lag=parse_lag(arguments.lag),
        seed=random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed,
        eventual=parse_eventual(arguments.eventual_lag),
        pace=parse_pace(arguments.control_plane, arguments.table_delay, arguments.replica_delay),
        ignored_updates=arguments.ignore_updates,
        faults=parse_faults(arguments.fault, regions),
    )


async def _serve(arguments: argparse.Namespace, settings: Settings, rtt: dict[str, PairRtt]) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    truth = Truth(arguments.truth) if arguments.truth else None
    if truth is not None:
        truth.on_failure = stopped.set
    server = Server(World(settings, truth, wall_ns() - now_ns()), rtt, truth)
    try:
        await server.listen(arguments.port)
        if arguments.die_with_parent:
            _watch_stdin(stopped)
        _announce(arguments.json, server, settings, rtt)
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection is a pause; the request path makes no reference cycles
        await stopped.wait()
    finally:
        await server.close()
    if truth is not None and truth.failure is not None:
        raise truth.failure


def _watch_stdin(stopped: asyncio.Event) -> None:
    try:
        asyncio.get_running_loop().add_reader(0, _on_stdin, stopped)
    except OSError:
        raise UsageError("--die-with-parent needs a pipe as standard input, not a file or nothing") from None


def _on_stdin(stopped: asyncio.Event) -> None:
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        stopped.set()


def _announce(as_json: bool, server: Server, settings: Settings, rtt: dict[str, PairRtt]) -> None:
    rtt_ms = {region: pair.p50_ns / NS_PER_MS for region, pair in rtt.items()}
    if as_json:
        ready = {
            "combined": server.url(),
            "regions": {region: server.url(region) for region in settings.regions},
            "pid": os.getpid(),
            "lag": settings.lag.describe(),
            "faults": [fault.describe() for fault in settings.faults],
            "control_plane": settings.pace.describe(),
            "rtt_ms": rtt_ms,
            "seed": settings.seed,
        }
        print(orjson.dumps(ready).decode(), flush=True)
        return
    print(f"DynamoDB emulator, simulated replication lag (seed {settings.seed})")
    print(f"  lag            {settings.lag.describe()}")
    print(f"  eventual reads {settings.eventual.describe()}")
    print(f"  control plane  {settings.pace.describe()}")
    for fault in settings.faults:
        print(f"  fault          {fault.describe()}")
    for region in settings.regions:
        print(f"  {region:<14} {server.url(region)}   round trip {rtt_ms[region]:.4g} ms (p50)")
    print(
        f"  any Region     {server.url()}   (the Region a request is signed for; signatures are not verified)"
    )
    print("try:")
    print(
        f"  aws dynamodb list-tables --region {settings.regions[0]} --endpoint-url {server.url()}", flush=True
    )


if __name__ == "__main__":
    steady_streams()  # whoever started it may be gone before it is ready
    sys.exit(attempt(main, sys.argv[1:]))
