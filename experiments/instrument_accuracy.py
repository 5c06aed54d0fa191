"""A benchmark: the harness beside the obvious ways to poll, all against one emulator in one run (simulated).

    python -m experiments.instrument_accuracy [--samples 200] [--strategies]

Every way watches writes sent at the same rate with the same lag model and is held against the emulator's truth.
`|error|` is of the best point each can give: the middle of the model bracket where misses are kept, the first hit
as it is where they are not. CPU is that of the measuring process, its writes included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aioboto3
import numpy as np
from botocore.config import Config

from harness.analysis.ground_truth import read_truth, with_truth
from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable, temporary_table
from harness.dynamodb.store import HASH_NAME, RANGE_NAME
from harness.measure.clock import MonotonicClock, cpu_ns
from harness.measure.events import Event, Phase, Poll
from harness.measure.plan import Polling, RunConfig, Workload, WritePlan
from harness.measure.session import Session
from harness.measure.writer import Writer
from harness.records.samples import join_samples
from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator
from harness.terminal import make_console
from harness.units import NS_PER_MS, NS_PER_S

SOURCE, REPLICA = "us-west-2", "ap-southeast-2"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    n: int
    hard: float
    model: float
    p50_ms: float
    p99_ms: float
    requests: float
    units: float
    cpu_ms: float


class NaivePoller:
    """One coroutine per item on a stock aioboto3 client: ask, wait for the answer, pause, ask again."""

    def __init__(
        self, plan: WritePlan, client: Any, table: str, start_ns: int, pause: Callable[[int], int]
    ) -> None:
        self.plan, self.client, self.table, self.start_ns, self.pause = plan, client, table, start_ns, pause
        self.events: list[Event] = []
        self.clock = MonotonicClock()

    async def run(self) -> None:
        await asyncio.gather(*(self._watch(seq) for seq in range(self.plan.total)))
        self.clock.close()

    async def _watch(self, seq: int) -> None:
        due_ns = self.start_ns + self.plan.due_ns(seq)
        await self.clock.sleep_until(due_ns)
        key = {HASH_NAME: {"S": self.plan.hash_key(seq)}, RANGE_NAME: {"N": str(seq)}}
        while True:
            sent_ns = self.clock.now_ns()
            answer = await self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
            received_ns = self.clock.now_ns()
            hits = (seq,) if "Item" in answer else ()
            self.events.append(Poll(SOURCE, REPLICA, sent_ns, received_ns, seqs=(seq,), hits=hits, units=1.0))
            if hits:
                return
            await self.clock.sleep_until(received_ns + self.pause(received_ns - due_ns))


@contextlib.asynccontextmanager
async def stock_client(url: str) -> AsyncIterator[Any]:
    session = aioboto3.Session(aws_access_key_id=EMULATOR_KEYS[0], aws_secret_access_key=EMULATOR_KEYS[1])
    config = Config(max_pool_connections=200)
    async with session.client("dynamodb", region_name=REPLICA, endpoint_url=url, config=config) as client:
        yield client


async def naive(
    run_id: str, access: Access, table: str, config: RunConfig, pause: Callable[[int], int]
) -> list[Event]:
    async with access.stores([SOURCE], table) as stores, stock_client(access.endpoints[REPLICA]) as client:
        clock = MonotonicClock()
        nothing = {HASH_NAME: {"S": "-"}, RANGE_NAME: {"N": "0"}}
        await asyncio.gather(*(client.get_item(TableName=table, Key=nothing) for _ in range(40)))  # connect
        start_ns = clock.now_ns() + 100 * NS_PER_MS
        plan = WritePlan(run_id, SOURCE, config.workload)
        poller = NaivePoller(plan, client, table, start_ns, pause)
        events: list[Event] = [Phase("measuring", start_ns, str(start_ns))]
        writer = Writer(plan, stores[SOURCE], clock, start_ns, config.workload.item_bytes, events.append)
        await asyncio.gather(writer.run(), poller.run())
        clock.close()
        return events + poller.events


async def harness(run_id: str, access: Access, table: str, config: RunConfig) -> list[Event]:
    events: list[Event] = []
    clock = MonotonicClock()
    async with access.stores(config.regions, table) as stores:
        await Session(run_id, config, stores, clock, events.append).run()
    clock.close()
    return events


def configure(samples: int, rate: float = 20.0, **polling: Any) -> RunConfig:
    workload = Workload(samples=samples, rate_per_s=rate, warmup_ns=2 * NS_PER_S)
    return RunConfig((SOURCE,), ((REPLICA,),), workload, Polling(**polling))


def rows(samples: int, strategies: bool) -> list[Row]:
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        truth_path = Path(scratch) / "truth.jsonl"
        with emulator((SOURCE, REPLICA), EmulatorOptions(truth=truth_path)) as target:
            access = Access(target.endpoints, keys=EMULATOR_KEYS)
            table = GlobalTable(access, "benchmark", (SOURCE, REPLICA), poll_ns=50 * NS_PER_MS)
            with temporary_table(table, keep=False):
                for number, (name, config, work, first_hit) in enumerate(cases(samples, strategies)):
                    run_id = f"case{number}"
                    before_ns = cpu_ns()
                    events = asyncio.run(work(run_id, access, table.name, config))
                    cpu_ms = (cpu_ns() - before_ns) / NS_PER_MS / samples
                    found += measure(name, run_id, config, events, cpu_ms, truth_path, first_hit)
                    print(found[-1], flush=True)
    return found


def cases(samples: int, strategies: bool) -> list[tuple[str, RunConfig, Any, bool]]:
    def pausing(pause: Callable[[int], int]) -> Any:
        return lambda run_id, access, table, config: naive(run_id, access, table, config, pause)

    fixed = {"interval_ns": 20 * NS_PER_MS, "strategy": "get", "schedule": "fixed"}
    listed = [
        ("watch -n1: 1 s polls, first hit", configure(samples), pausing(lambda age: NS_PER_S), True),
        ("sequential aioboto3, first hit", configure(samples), pausing(lambda age: 0), True),
        ("sequential aioboto3, misses kept", configure(samples), pausing(lambda age: 0), False),
        ("geometric back-off, first hit", configure(samples), pausing(lambda age: age // 2), True),
        ("pipelined GetItem 20 ms, first hit − RTT/2", configure(samples, **fixed), harness, True),
        ("harness, default", configure(samples), harness, False),
    ]
    if strategies:
        for strategy in ("query", "batch", "get"):
            for schedule in ("fixed", "geometric", "adaptive"):
                interval_ns = (5 if strategy == "query" else 20) * NS_PER_MS
                config = configure(samples, interval_ns=interval_ns, strategy=strategy, schedule=schedule)
                listed.append(
                    (f"{strategy} {schedule} {interval_ns // NS_PER_MS} ms", config, harness, False)
                )
        slow = configure(samples // 4, rate=2.0, schedule="fixed")
        listed.append(("query fixed 5 ms, 2 writes/s", slow, harness, False))
        listed.append(("query adaptive 5 ms, 2 writes/s", configure(samples // 4, rate=2.0), harness, False))
    return listed


def measure(
    name: str,
    run_id: str,
    config: RunConfig,
    events: list[Event],
    cpu_ms: float,
    truth: Path,
    first_hit: bool,
) -> list[Row]:
    samples = join_samples(run_id, config, events)
    joined = with_truth(samples, read_truth(truth))
    error = joined["error_ns"].to_numpy(np.float64) / 1e6
    if first_hit:
        seen = joined["first_hit_received_ns"] - joined["acked_ns"]
        if "RTT/2" in name:
            seen = seen - (joined["first_hit_received_ns"] - joined["first_hit_sent_ns"]) / 2
        error = (seen - joined["true_ns"]).to_numpy(np.float64) / 1e6
    start_ns = samples["due_ns"].min()
    polls = [event for event in events if isinstance(event, Poll) and event.received_ns >= start_ns]
    p50_ms, p99_ms = np.percentile(np.abs(error), [50, 99])
    return [
        Row(
            name, len(joined), joined["hard_holds"].mean(), joined["model_holds"].mean(), p50_ms, p99_ms,
            len(polls) / len(samples), sum(poll.units for poll in polls) / len(samples), cpu_ms,
        )
    ]  # fmt: skip


def main() -> None:
    from rich.table import Table

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--strategies", action="store_true", help="every strategy × schedule as well")
    arguments = parser.parse_args()
    found = rows(arguments.samples, arguments.strategies)
    naive_row = next(row for row in found if row.name == "sequential aioboto3, misses kept")
    title = "against the emulator's truth (simulated): 141 ms round trip, 20 writes/s, lag typical"
    table = Table(title=title)
    for heading in ("way to poll", "n", "hard", "model", "|error| p50 ms", "p99 ms", "× less error than sequential",
                    "requests", "read units", "CPU ms"):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "way to poll" else "right")
    for row in found:
        ratio = naive_row.p50_ms / row.p50_ms
        table.add_row(
            row.name, f"{row.n}", f"{row.hard:.1%}", f"{row.model:.1%}", f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}",
            f"{ratio:.1f}", f"{row.requests:.1f}", f"{row.units:.1f}", f"{row.cpu_ms:.1f}",
        )  # fmt: skip
    console = make_console()
    console.width = max(console.width, 140)
    console.print(table)


if __name__ == "__main__":
    main()
