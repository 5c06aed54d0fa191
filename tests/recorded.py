"""Run directories as a session would leave them, made without one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.measure.events import ClockPair, Event, LoopDelay, Phase, Poll, Swept, Ticks, Write
from harness.measure.plan import Polling, RunConfig, Workload, WritePlan
from harness.records.journal import Journal
from harness.records.manifest import describe_run, write_json
from harness.records.run_directory import RunDirectory

MS = 1_000_000
START_NS = 10**9
WALL_NS = 1_795_000_000 * 10**9  # of monotonic 0: 2026-11-18 11:06:40 UTC
PAIR = ("us-west-2", "ap-southeast-2")
ONE_PAIR = RunConfig(PAIR[:1], (PAIR[1:],), Workload(samples=400, rate_per_s=100, warmup_ns=0), Polling())
LABELS = {"local": "simulated", "aws": "AWS"}


def record_run(
    path: Path,
    config: RunConfig = ONE_PAIR,
    *,
    median_ms: float = 650,
    lost: int = 0,
    finished: bool = True,
    target: Mapping[str, Any] | None = None,
    argv: Sequence[str] = ("python", "-m", "harness.run"),
    tags: Mapping[str, str] | None = None,
    kind: str = "local",
    interrupted: str | None = None,
) -> RunDirectory:
    """Manifest and journal of a run, its latencies drawn around a median; the last `lost` writes never appear."""
    run = RunDirectory(path)
    path.mkdir(parents=True)
    described = {"kind": kind, "label": LABELS[kind], "table": "t", "emulator": {"lag": "typical"}}
    manifest = describe_run(path.name, config, list(argv), described | dict(target or {}), dict(tags or {}))
    manifest["started"] = {"wall_ns": WALL_NS, "monotonic_ns": 0}
    write_json(run.manifest, manifest)
    write_journal(run.journal, events_of(config, median_ms, lost, finished, interrupted))
    return run


def write_journal(path: Path, events: Sequence[Event]) -> None:
    """These events as a journal."""

    async def write() -> None:
        async with Journal(path) as journal:
            for event in events:
                journal.append(event)

    asyncio.run(write())


def events_of(
    config: RunConfig,
    median_ms: float,
    lost: int = 0,
    finished: bool = True,
    interrupted: str | None = None,
) -> list[Event]:
    """What a session records: per write its answer, a miss and a hit at each watched replica."""
    rng = random.Random(median_ms)
    found: list[Event] = [ClockPair(0, WALL_NS), Phase("measuring", 1, str(START_NS))]
    for source in config.sources:
        plan = WritePlan("r", source, config.workload)
        replicas = [watch.replica for watch in config.watched if watch.source == source]
        for seq in range(plan.total):
            due_ns = START_NS + plan.due_ns(seq)
            found.append(Write(source, seq, due_ns, due_ns, due_ns + 2 * MS, "acked", units=1.0))
            for replica in replicas:
                if seq >= plan.total - lost:
                    found.append(Swept(source, replica, seq, False, due_ns + 30 * 10**9))
                    continue
                lag_ns = 0 if replica == source else round(rng.lognormvariate(0, 0.35) * median_ms * MS)
                miss_ns = due_ns + lag_ns - (0 if replica == source else rng.randrange(5 * MS))
                for sent_ns, hits in ((miss_ns, ()), (miss_ns + 5 * MS, (seq,))):
                    found.append(
                        Poll(source, replica, sent_ns, sent_ns + 2 * MS, seqs=(seq,), hits=hits, units=1.0)
                    )
        found += [Ticks(source, replica, 1, 100, 0, 0) for replica in replicas]
    if interrupted is not None:
        found.append(Phase("interrupted", 2, interrupted))
    found += [LoopDelay(1, (0,) * 20), ClockPair(10**9, WALL_NS + 10**9)]
    return found + ([Phase("finished", 2)] if finished else [])
