"""One run from a configuration to a finished run directory; the verbs that measure share it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.cli import say
from harness.dynamodb.access import Access
from harness.dynamodb.creations import Noted
from harness.dynamodb.global_table import GlobalTable, temporary_table
from harness.dynamodb.schema import Schema, schema_of
from harness.dynamodb.store import OWN, DynamoStore
from harness.errors import TargetUnavailable
from harness.interrupts import handled_by
from harness.measure.clock import MonotonicClock, wall_ns
from harness.measure.plan import RunConfig
from harness.measure.session import Session
from harness.preflight.fitting import fitting
from harness.progress import show_progress
from harness.records.journal import Journal
from harness.records.ledger import LEDGER, Ledger
from harness.records.manifest import describe_run, write_json
from harness.records.run_directory import RunDirectory, create_run_directory, point_latest
from harness.target import EMULATOR_KEYS, EmulatorOptions, Target, emulator, remote_access
from harness.units import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to perform: what (`config`), against what, and where its results go.

    `witness` is who will be asked about it afterwards, by whoever performs it, as --witness has it.
    """

    config: RunConfig
    kind: str = "local"
    endpoints: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    table: str | None = None
    keep_table: bool = False
    create_per_region: bool = False
    emulator: EmulatorOptions = field(default_factory=EmulatorOptions)
    results: Path = Path("results")
    tags: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    show_progress: bool = True
    quiet: bool = False
    witness: str | None = None


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run directory whose measurement is over, why it ended early if it did, and what it left behind.

    `left` has a sentence, with the command that removes it, for what could not be removed from the target.
    """

    directory: RunDirectory
    interrupted: str | None
    left: tuple[str, ...] = ()


def perform_run(request: RunRequest) -> FinishedRun:
    """Measure: target up, table made, session run, table removed, target down.

    The run directory holds manifest and journal afterwards (`harness.analysis.derive` makes the rest); when nothing
    was measured, it is removed again.

    Raises:
        UsageError, TargetUnavailable: nothing was measured.
    """
    run_id = os.urandom(4).hex()
    source, replica = request.config.pairs[0]
    directory = create_run_directory(request.results, run_id, wall_ns(), source, replica)
    try:
        with _target(request, directory) as (target, access):
            return _measure(request, run_id, directory, target, access)
    except BaseException:
        if not directory.journal.exists():
            shutil.rmtree(directory.path, ignore_errors=True)
        raise


@contextlib.contextmanager
def _target(request: RunRequest, directory: RunDirectory) -> Iterator[tuple[Target, Access]]:
    if request.kind == "local":
        options = EmulatorOptions(
            lag=request.emulator.lag,
            seed=request.emulator.seed,
            client=request.emulator.client,
            truth=directory.truth,
            log=directory.emulator_log,
            extra=request.emulator.extra,
        )
        try:
            with emulator(request.config.participants, options) as target:
                yield target, Access(target.endpoints, keys=EMULATOR_KEYS)
        finally:
            _drop_if_empty(directory.emulator_log)
    else:
        access = remote_access(request.kind, request.endpoints, request.profile)
        yield Target(request.kind, request.endpoints), access


def _drop_if_empty(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone with its directory, perhaps
        if not path.stat().st_size:
            path.unlink()


def _measure(
    request: RunRequest, run_id: str, directory: RunDirectory, target: Target, access: Access
) -> FinishedRun:
    table = GlobalTable(
        access,
        request.table or f"replication-latency-{run_id}",
        request.config.regions,
        per_region=request.create_per_region,
        say=_silent if request.quiet else say,
        poll_ns=50 * NS_PER_MS if target.simulated else 2 * NS_PER_S,
        ledger=Noted() if target.simulated else Ledger(request.results / LEDGER),
        strong=request.config.strong,
        witness=request.config.quorum_witness,
    )
    existing = _existing(request, table)
    schema = None
    if existing is not None:
        schema = schema_of(existing, table.name, table.regions[0])
        request = replace(request, config=fitting(request.config, existing, schema, table.name))
        table = replace(table, keys=schema.keys)
        table.check()
    description = {
        "kind": target.kind,
        "label": target.label,
        "endpoints": dict(target.endpoints),
        "table": table.name,
        "regions": list(table.regions),
        "existing": schema is not None,
        "emulator": dict(target.details),
    }
    write_json(
        directory.manifest,
        describe_run(
            run_id, request.config, list(request.argv), description, dict(request.tags), request.witness
        ),
    )
    finished: FinishedRun | None = None
    try:
        with contextlib.ExitStack() as stack:
            if schema is None:
                stack.enter_context(temporary_table(table, keep=request.keep_table))
            finished = asyncio.run(_session(request, run_id, directory, access, table.name, schema))
    except TargetUnavailable as error:
        if finished is None:
            raise
        if not target.simulated:  # the embedded emulator takes its tables with it
            finished = replace(finished, left=(*finished.left, _table_left(request, table, error)))
    point_latest(directory)
    return finished


def _table_left(request: RunRequest, table: GlobalTable, error: TargetUnavailable) -> str:
    source, *others = table.regions
    where = [f"--table {table.name} --from {source} --to {','.join(others)} --results {request.results}"]
    where += [f"--endpoint {region}={url}" for region, url in request.endpoints.items()]
    where += ["--target aws"] if request.kind == "aws" else []
    where += [f"--profile {request.profile}"] if request.profile else []
    return f"the table could not be removed: {error}; remove it with python -m harness.table teardown {' '.join(where)}"


def _existing(request: RunRequest, table: GlobalTable) -> Mapping[str, Any] | None:
    """What is known of a table that was named and exists; None where the run makes its own."""
    if request.table is None or request.create_per_region:
        return None
    return table.describe(table.regions[0])


async def _session(
    request: RunRequest,
    run_id: str,
    directory: RunDirectory,
    access: Access,
    table: str,
    schema: Schema | None,
) -> FinishedRun:
    """Measure; from a table that was there before (`schema`), the items are removed again."""
    clock, workload = MonotonicClock(), request.config.workload
    try:
        async with access.stores(
            request.config.regions, table, workload.keys, schema or OWN, workload.versions
        ) as stores:
            journal = Journal(directory.journal)
            session = Session(run_id, request.config, stores, clock, journal.append)
            loop = asyncio.get_running_loop()
            with handled_by(lambda name: loop.call_soon_threadsafe(session.stop, name)):
                async with journal:  # which no signal cuts short
                    left = await _attended(request, session, directory, tidy=schema is not None)
            _say_failure(stores)
        return FinishedRun(directory, session.interrupted, left)
    finally:
        clock.close()


async def _attended(
    request: RunRequest, session: Session, directory: RunDirectory, *, tidy: bool
) -> tuple[str, ...]:
    """Run the session and then, whatever became of it, `tidy`; returns what is left behind, in sentences."""
    shown = asyncio.create_task(show_progress(session.progress)) if request.show_progress else None
    left: tuple[str, ...] = ()
    failed = True
    try:
        try:
            await session.run()
            failed = False
        finally:
            if tidy:
                left = await _tidy(request, session, directory)
            for sentence in left if failed else ():
                say(f"left behind: {sentence}")
        return left
    finally:
        if shown is not None:
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)


async def _tidy(request: RunRequest, session: Session, directory: RunDirectory) -> tuple[str, ...]:
    """Remove the run's items; what is left of them, in a sentence."""
    try:
        await session.tidy()
    except TargetUnavailable as error:
        profile = f" --profile {request.profile}" if request.profile else ""
        command = f"python -m harness.table clean {directory.path}{profile}"
        return (f"{error}; remove them with {command}",)
    return ()


def _say_failure(stores: Mapping[str, DynamoStore]) -> None:
    """Why requests could no longer be signed, if they could not."""
    for sentence in dict.fromkeys(store.http.credentials.failure for store in stores.values()):
        if sentence is not None:
            say(sentence)


def _silent(_: str) -> None:
    """Say nothing."""
