"""What a killed run left in somebody's table: which items may be there, and their removal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.dynamodb.cost import price_run
from harness.dynamodb.schema import FOREIGN_PREFIX, Schema, schema_of
from harness.dynamodb.store import Key
from harness.dynamodb.table_calls import TableCalls
from harness.errors import DamagedRun, TargetUnavailable, UsageError
from harness.measure.clock import MonotonicClock, wall_ns
from harness.measure.events import Event, Write
from harness.measure.plan import RunConfig
from harness.measure.tidy import clean_items, keys_of
from harness.records.journal import read_journal
from harness.records.manifest import read_manifest
from harness.records.run_directory import RunDirectory
from harness.result_lines import format_usd
from harness.target import remote_access
from harness.units import NS_PER_S, format_count

QUIET_NS = 5 * NS_PER_S  # a run that goes on flushes its journal every half second


@dataclass(frozen=True, slots=True)
class Remains:
    """The items of one run that may be in a table that is not its own."""

    run_id: str
    kind: str
    endpoints: dict[str, str]
    table: str
    config: RunConfig
    keys: list[Key]

    @property
    def prefix(self) -> str:
        """How their partition keys begin."""
        return f"{FOREIGN_PREFIX}{self.run_id}#"

    def announcement(self) -> list[str]:
        """What removing them means, line by line."""
        count, regions = len(self.keys), self.config.regions
        cost = price_run(dict.fromkeys(regions, count), dict.fromkeys(regions, count))
        return [
            f"run       {self.run_id} may have left up to {format_count(count)} items in table {self.table}",
            f"remove    every item of it there, in {', '.join(regions)}; partition keys begin with {self.prefix}",
            f"cost      at most {format_usd(cost['usd'])} ({cost['basis']})",
        ]


def remains_of(run: RunDirectory) -> Remains:
    """What may be left of a run, from its manifest and journal.

    Raises:
        DamagedRun: the manifest cannot be read.
        UsageError: the run left nothing that is to be cleaned so: it was on the embedded emulator, made its table
            itself, or goes on.
    """
    manifest, config = read_manifest(run.manifest)
    run_id, target = manifest["run_id"], manifest["target"]
    kind, table, existing = target["kind"], target.get("table"), target.get("existing", False)
    if table is None:
        raise DamagedRun(f"{run.manifest} lacks the table: what the run wrote cannot be told from it")
    if kind == "local":
        raise UsageError(
            f"run {run_id} was on the embedded emulator, which ended with it: nothing is left to clean"
        )
    if not existing:
        source, *others = config.regions
        raise UsageError(
            f"table {table} was made by run {run_id} itself; remove it with python -m harness.table teardown "
            f"--table {table} --from {source} --to {','.join(others)} and the run's target"
        )
    if _goes_on(run):
        raise UsageError(f"run {run_id} still writes its journal; wait for its end, or stop it and try again")
    return Remains(run_id, kind, dict(target.get("endpoints", {})), table, config, _keys(run, run_id, config))


def clean(remains: Remains, profile: str | None, say: Callable[[str], None]) -> int:
    """Remove them, and make sure in every Region that none is left; how many there were.

    Raises:
        UsageError, TargetUnavailable: the table is gone or cannot be reached, or items stay.
    """
    access = remote_access(remains.kind, remains.endpoints, profile)
    region = remains.config.regions[0]
    description = TableCalls(access, remains.table).describe(region)
    if description is None:
        raise TargetUnavailable(
            f"there is no table {remains.table} in {region} any more: nothing is left to clean"
        )
    schema = schema_of(description, remains.table, region)
    return asyncio.run(_clean(remains, access, schema, say))


async def _clean(remains: Remains, access: Any, schema: Schema, say: Callable[[str], None]) -> int:
    clock, workload = MonotonicClock(), remains.config.workload
    spent: Counter[str] = Counter()

    def spend(_region: str, read_units: float, write_units: float) -> None:
        spent.update(read=round(read_units), write=round(write_units))

    try:
        async with access.stores(
            remains.config.regions, remains.table, workload.keys, schema, workload.versions
        ) as stores:
            removed = await clean_items(remains.keys, stores, clock, spend)
    finally:
        clock.close()
    say(f"used {format_count(spent['read'])} read and {format_count(spent['write'])} write units")
    return len(removed)


def _keys(run: RunDirectory, run_id: str, config: RunConfig) -> list[Key]:
    """Every planned item but those whose writes, as the journal says, never left; what it does not say may be there."""
    events = _events(run)
    prepared = config.workload.keys in ("update", "delete")
    found: dict[Key, None] = {}
    for source in config.sources:
        unsent = {
            event.seq
            for event in events
            if isinstance(event, Write) and event.source == source and event.sent_ns is None and not prepared
        }
        found.update(dict.fromkeys(keys_of(config.plan(run_id, source), unsent)))
    return list(found)


def _events(run: RunDirectory) -> list[Event]:
    try:
        return read_journal(run.journal).events
    except DamagedRun:  # or there is none yet: then all of the plan may be there
        return []


def _goes_on(run: RunDirectory) -> bool:
    return (
        run.journal.exists()
        and not run.summary.exists()
        and wall_ns() - run.journal.stat().st_mtime_ns < QUIET_NS
    )
