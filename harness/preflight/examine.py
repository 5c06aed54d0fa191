"""Looks up what the checks need: the environment, the control plane of each Region, round trips, this process itself.

Nothing here changes anything (see `harness.dynamodb.permissions`), and what cannot be asked is not applicable.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.dynamodb.access import CONNECTIONS, Access
from harness.dynamodb.global_table import GlobalTable
from harness.dynamodb.permissions import (
    Attempt,
    attempts,
    describe,
    identity,
    leftovers,
    limits,
    own_name,
)
from harness.dynamodb.schema import Schema, schema_of
from harness.dynamodb.statement import MINUTE_NS
from harness.dynamodb.store import OWN, Key, Store
from harness.dynamodb.witness import CloudWatch
from harness.errors import TargetUnavailable
from harness.measure.clock import MonotonicClock, cpu_ns, now_ns, wall_ns
from harness.measure.plan import RunConfig
from harness.measure.session import LOOP_PROBE_NS, requests_per_s
from harness.preflight import host, rights, tables
from harness.preflight.check import Check, Status
from harness.preflight.wall_clock import CLOCKBOUND_PATH, judge_clock
from harness.units import NS_PER_S

WARM_UP = 2  # requests of each lane, not counted
LANES, ROUNDS = 4, 25  # requests in flight to one Region, and how many times
PROBES = 100
COMMAND_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be run, and where. `policy` is the command that prints the permissions it needs, `witness` who is to
    be asked about the run afterwards."""

    config: RunConfig
    kind: str
    access: Access
    table: str | None
    policy: str
    witness: CloudWatch | None = None


@dataclass(slots=True)
class _Timing:
    """Round trips and failures by Region, CPU per request, delays of timers."""

    trips_ns: dict[str, list[int]] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    cpu_ns: int = 0
    delays_ns: list[int] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many there were."""
        answered = sum(len(trips) for trips in self.trips_ns.values())
        return answered + sum(len(errors) for errors in self.errors.values())


def examine(question: Question) -> list[Check]:
    """Every check, in the order in which a failure of one explains those after it."""
    checks = host.judge_environment(os.environ, question.access.endpoints)
    checks.append(_credentials(question))
    checks.append(_clock())
    if checks[-2].status is Status.FAILED:
        reason = "not asked: there are no credentials to ask with"
        return checks + [
            Check("region", Status.NOT_APPLICABLE, reason, region) for region in question.config.regions
        ]
    with ThreadPoolExecutor(len(question.config.regions)) as threads:
        for region_checks in threads.map(lambda region: _region(question, region), question.config.regions):
            checks += region_checks
    unreachable = {
        check.where for check in checks if check.name == "region" and check.status is Status.FAILED
    }
    if unreachable:
        return checks
    return [*checks, *_witness(question), *_table(question), *_timed(question)]


def _witness(question: Question) -> list[Check]:
    """May CloudWatch be asked in each source Region? A run is valid without it."""
    if question.witness is None:
        return []
    checks = []
    for source, replica in question.config.pairs:
        try:
            question.witness.points(source, replica, [wall_ns() // MINUTE_NS * MINUTE_NS])
        except TargetUnavailable as error:
            remedy = f"attach what `{question.policy}` prints, or run without --witness"
            checks.append(Check("witness", Status.WARNING, str(error), source, remedy))
        else:
            detail = f"tells what it has of {source} → {replica}"
            checks.append(Check("witness", Status.OK, f"CloudWatch {detail}", source))
    return checks


def _credentials(question: Question) -> Check:
    if question.kind != "aws":
        detail = (
            "the embedded emulator takes any"
            if question.kind == "local"
            else "endpoints are not asked who you are"
        )
        return Check("credentials", Status.NOT_APPLICABLE, detail)
    try:
        found = question.access.has_credentials()
    except TargetUnavailable as error:
        detail, _, remedy = str(error).rpartition("; ")
        return Check("credentials", Status.FAILED, detail, "", remedy)
    if not found:
        remedy = "log in (aws sso login, aws configure), or name a profile with --profile"
        return Check("credentials", Status.FAILED, "there are none", "", remedy)
    try:
        return rights.judge_identity(identity(question.access, question.config.regions[0]))
    except TargetUnavailable as error:
        remedy = "see below what each Region says; a network may lead to DynamoDB and not to STS"
        return Check("credentials", Status.WARNING, f"STS was asked whose they are: {error}", "", remedy)


def _clock() -> Check:
    segment = None
    with contextlib.suppress(OSError):
        segment = Path(CLOCKBOUND_PATH).read_bytes()
    return judge_clock(segment, _said("chronyc", "-c", "tracking"), _said("timedatectl", "show"), now_ns())


def _region(question: Question, region: str) -> list[Check]:
    """What the control plane of one Region says."""
    try:
        first, description = describe(question.access, region, question.table or own_name())
        answers = rights.judge_region(region, first)
        if answers.status is Status.FAILED:
            return [answers]
        return [answers, *_granted(question, region, first, description)]
    except TargetUnavailable as error:
        return [
            Check("region", Status.FAILED, str(error), region, "check the endpoint, the network and proxies")
        ]


def _granted(
    question: Question, region: str, first: Attempt, description: Mapping[str, Any] | None
) -> Iterable[Check]:
    schema = None if description is None else _schema(question, region, description)
    tried = list(attempts(question.access, region, question.table, schema))
    needed = rights.NEEDED | rights.MAKING if schema is None else rights.NEEDED
    yield rights.judge_permissions(region, tried, needed, question.policy)
    skews_ns = [attempt.skew_ns for attempt in (first, *tried) if attempt.skew_ns is not None]
    yield rights.judge_skew(region, skews_ns)
    writes_per_s = question.config.workload.rate_per_s
    yield rights.judge_limits(region, *limits(question.access, region), writes_per_s)
    if question.kind == "aws":
        yield rights.judge_leftovers(region, *leftovers(question.access, region))


def _schema(question: Question, region: str, description: Mapping[str, Any]) -> Schema:
    """Of a table whose keys cannot hold ours, which another check says, the requests are those of our own."""
    try:
        return schema_of(description, str(question.table), region)
    except TargetUnavailable:
        return OWN


def _table(question: Question) -> list[Check]:
    if question.table is None:
        return [Check("table", Status.OK, "a run makes one of its own and removes it afterwards")]
    table = GlobalTable(question.access, question.table, question.config.regions)
    try:
        found = {region: table.describe(region) for region in table.regions}
    except TargetUnavailable as error:
        return [Check("table", Status.FAILED, str(error), "", "see the permissions above")]
    return tables.judge_table(question.table, found)


def _timed(question: Question) -> list[Check]:
    try:
        timing = asyncio.run(_time(question))
    except TargetUnavailable as error:
        return [Check("round_trip", Status.FAILED, str(error), "", "see the checks above")]
    config = question.config
    checks = [
        host.judge_round_trips(region, timing.trips_ns[region], timing.errors[region], config)
        for region in config.regions
    ]
    checks.append(host.judge_loop(timing.delays_ns, config))
    rates = {region: requests_per_s(config, region) for region in config.regions}
    checks.append(host.judge_cpu(timing.cpu_ns / timing.requests, sum(rates.values())))
    if all(timing.trips_ns.values()):
        in_flight = {
            region: rate * host.percentile(sorted(timing.trips_ns[region]), 50) / NS_PER_S
            for region, rate in rates.items()
        }
        checks.append(host.judge_connections(in_flight, CONNECTIONS, _files_limit()))
    return checks


async def _time(question: Question) -> _Timing:
    timing, clock, regions = _Timing(), MonotonicClock(), question.config.regions
    try:
        async with question.access.stores(regions, question.table or own_name()) as stores:
            await asyncio.gather(*(_ping(store, _Timing(), WARM_UP) for store in stores.values()))
            before_ns = cpu_ns()
            await asyncio.gather(*(_ping(store, timing, ROUNDS) for store in stores.values()))
            timing.cpu_ns = cpu_ns() - before_ns
            due_ns = clock.now_ns()
            for _ in range(PROBES):
                due_ns += LOOP_PROBE_NS
                await clock.sleep_until(due_ns)
                timing.delays_ns.append(clock.now_ns() - due_ns)
    finally:
        clock.close()
    return timing


async def _ping(store: Store, timing: _Timing, rounds: int) -> None:
    """Read an item that nobody wrote; that its table does not exist is an answer too."""
    trips_ns = timing.trips_ns.setdefault(store.region, [])
    errors = timing.errors.setdefault(store.region, [])

    async def lane() -> None:
        for _ in range(rounds):
            exchange = (await store.get(Key(own_name(), 0), consistent=True)).exchange
            if exchange.failure in (None, "rejected") and exchange.sent_ns is not None:
                trips_ns.append(exchange.received_ns - exchange.sent_ns)
            else:
                errors.append(str(exchange.error))

    await asyncio.gather(*(lane() for _ in range(LANES)))


def _said(*command: str) -> str | None:
    """What a program of this host prints, None where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _files_limit() -> int | None:
    """How many files this process may have open; None where that is not limited or not known."""
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft
