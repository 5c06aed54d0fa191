"""A benchmark: the harness beside the obvious ways to poll, against one emulator (simulated).

    python -m experiments.instrument_accuracy [peers] [strategies] [lags] [scale] [--samples 400]

peers        the default settings, and others for as few read units as sequential polling takes, beside what one would
             write first: `watch -n1`, one coroutine per item on aioboto3, back-off, pipelined polls less half a RTT
strategies   every strategy × schedule
lags         constant lags of 100 ms, 1 s and 10 s: the error must not grow with the lag
scale        500 writes/s to one replica, 50 writes/s to five at once

Every way is held against the emulator's truth. `|error|` is of the best point each can give: the middle of the model
bracket where misses are kept, the first hit as it is where they are not. CPU is that of the measuring process, its
writes included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aioboto3
import numpy as np
from botocore.config import Config

from harness.analysis.evidence import FAIL, Evidence
from harness.analysis.gates import evaluate_gates
from harness.analysis.ground_truth import read_truth, with_truth
from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable, temporary_table
from harness.dynamodb.store import HASH_NAME, RANGE_NAME
from harness.measure.clock import MonotonicClock, cpu_ns
from harness.measure.events import Event, Phase, Poll
from harness.measure.plan import Polling, RunConfig, Workload, WritePlan
from harness.measure.sample import Outcome
from harness.measure.schedules import SCHEDULES
from harness.measure.session import Session
from harness.measure.writer import Writer
from harness.records.samples import join_samples
from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator
from harness.terminal import make_console
from harness.units import NS_PER_MS, NS_PER_S

SOURCE, REPLICA = "us-west-2", "ap-southeast-2"
FIVE = (REPLICA, "eu-west-1", "us-east-1", "ap-northeast-1", "sa-east-1")
SEQUENTIAL = "sequential aioboto3, misses kept"
MIDDLE, FIRST_HIT, FIRST_HIT_LESS_HALF = "middle of the bracket", "first hit", "first hit − RTT/2"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    n: int
    lost: int
    hard: float
    model: float
    p50_ms: float
    p99_ms: float
    requests: float
    units: float
    cpu_ms: float
    failed: str


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


@dataclass(frozen=True)
class Case:
    """One line of the table to measure: how, against which lag, and which point is taken for the latency."""

    name: str
    config: RunConfig
    way: Callable[[str, Access, str, RunConfig], Coroutine[Any, Any, list[Event]]] = harness
    point: str = MIDDLE
    lag: str = "typical"


def configure(
    samples: int, rate: float = 20.0, replicas: tuple[str, ...] = (REPLICA,), **polling: Any
) -> RunConfig:
    workload = Workload(samples=samples, rate_per_s=rate, warmup_ns=2 * NS_PER_S)
    return RunConfig((SOURCE,), (replicas,), workload, Polling(**polling))


def peers(samples: int) -> Iterator[Case]:
    def pausing(pause: Callable[[int], int]) -> Any:
        return lambda run_id, access, table, config: naive(run_id, access, table, config, pause)

    usual = configure(samples)
    yield Case("watch -n1: 1 s polls, first hit", usual, pausing(lambda age: NS_PER_S), FIRST_HIT)
    yield Case("sequential aioboto3, first hit", usual, pausing(lambda age: 0), FIRST_HIT)
    yield Case(SEQUENTIAL, usual, pausing(lambda age: 0))
    yield Case("geometric back-off, first hit", usual, pausing(lambda age: age // 2), FIRST_HIT)
    pipelined = configure(samples, interval_ns=20 * NS_PER_MS, strategy="get", schedule="fixed")
    yield Case("pipelined GetItem 20 ms, first hit − RTT/2", pipelined, point=FIRST_HIT_LESS_HALF)
    yield Case("harness, default", usual)
    yield Case("harness, polls every 8 ms", configure(samples, interval_ns=8 * NS_PER_MS))


def strategies(samples: int) -> Iterator[Case]:
    for strategy in ("query", "batch", "get"):
        for schedule in SCHEDULES:
            interval_ns = (5 if strategy == "query" else 20) * NS_PER_MS
            config = configure(samples, interval_ns=interval_ns, strategy=strategy, schedule=schedule)
            yield Case(f"{strategy} {schedule} {interval_ns // NS_PER_MS} ms", config)
    yield Case("query fixed 5 ms, 2 writes/s", configure(samples // 4, rate=2.0, schedule="fixed"))
    yield Case("query adaptive 5 ms, 2 writes/s", configure(samples // 4, rate=2.0))


def lags(samples: int) -> Iterator[Case]:
    for lag in ("100ms", "1s", "10s"):
        yield Case(f"harness, constant lag {lag}", configure(samples), lag=f"constant={lag}")


def scale(samples: int) -> Iterator[Case]:
    for strategy in ("query", "batch"):
        config = configure(10 * samples, rate=500.0, interval_ns=8 * NS_PER_MS, strategy=strategy)
        yield Case(f"500 writes/s, {strategy} every 8 ms", config)
    five = configure(2 * samples, rate=50.0, replicas=FIVE, interval_ns=10 * NS_PER_MS)
    yield Case("50 writes/s to five replicas, every 10 ms", five)


PARTS = {"peers": peers, "strategies": strategies, "lags": lags, "scale": scale}


def measure_case(case: Case, scratch: Path) -> Row:
    """Measure one case on an emulator of its own."""
    truth = scratch / f"{len(list(scratch.iterdir()))}.jsonl"
    with emulator(case.config.regions, EmulatorOptions(lag=case.lag, truth=truth)) as target:
        access = Access(target.endpoints, keys=EMULATOR_KEYS)
        table = GlobalTable(access, "benchmark", case.config.regions, poll_ns=50 * NS_PER_MS)
        with temporary_table(table, keep=False):
            before_ns = cpu_ns()
            events = asyncio.run(case.way("case", access, table.name, case.config))
            cpu_ms = (cpu_ns() - before_ns) / NS_PER_MS
    return judge(case, events, cpu_ms, truth)


def judge(case: Case, events: list[Event], cpu_ms: float, truth: Path) -> Row:
    """The samples of a case against the truth."""
    samples = join_samples("case", case.config, events)
    joined = with_truth(samples, read_truth(truth))
    error = joined["error_ns"].to_numpy(np.float64) / 1e6
    if case.point != MIDDLE:
        seen = joined["first_hit_received_ns"] - joined["acked_ns"]
        if case.point == FIRST_HIT_LESS_HALF:
            seen = seen - (joined["first_hit_received_ns"] - joined["first_hit_sent_ns"]) / 2
        error = (seen - joined["true_ns"]).to_numpy(np.float64) / 1e6
    start_ns = samples["due_ns"].min()
    polls = [event for event in events if isinstance(event, Poll) and event.received_ns >= start_ns]
    p50_ms, p99_ms = np.percentile(np.abs(error), [50, 99])
    n, lost = len(samples), int((samples["outcome"] == Outcome.LOST.value).sum())
    failed = [
        gate.name for gate in evaluate_gates(Evidence(case.config, events, samples)) if gate.status == FAIL
    ]
    return Row(
        case.name, len(joined), lost, joined["hard_holds"].mean(), joined["model_holds"].mean(),
        p50_ms, p99_ms, len(polls) / n, sum(poll.units for poll in polls) / n, cpu_ms / n, ", ".join(failed),
    )  # fmt: skip


def main() -> None:
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (peers)")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--only", default="", metavar="WORDS", help="only the cases whose name contains this")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    cases = [case for part in arguments.parts or ["peers"] for case in PARTS[part](arguments.samples)]
    cases = [case for case in cases if arguments.only in case.name]
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases:
            found.append(measure_case(case, Path(scratch)))
            print(found[-1], file=sys.stderr, flush=True)
    print_rows(found)


def print_rows(found: list[Row]) -> None:
    """One line per case; the ratio to sequential polling where that was measured in the same run."""
    from rich.table import Table

    sequential = next((row.p50_ms for row in found if row.name == SEQUENTIAL), None)
    title = (
        "against the emulator's truth (simulated): 141 ms round trip, 20 writes/s and lag typical if not said"
    )
    table = Table(title=title)
    for heading in ("way to poll", "n", "lost", "hard", "model", "|error| p50 ms", "p99 ms", "× less than sequential",
                    "requests", "read units", "CPU ms", "gates failed"):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("way to poll", "gates failed") else "right")
    for row in found:
        ratio = "" if sequential is None else f"{sequential / row.p50_ms:.1f}"
        table.add_row(
            row.name, f"{row.n}", f"{row.lost}", f"{row.hard:.1%}", f"{row.model:.1%}", f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}", ratio, f"{row.requests:.1f}", f"{row.units:.1f}", f"{row.cpu_ms:.1f}", row.failed,
        )  # fmt: skip
    console = make_console()
    console.width = max(console.width, 170)
    console.print(table)


if __name__ == "__main__":
    main()
