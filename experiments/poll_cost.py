"""CPU per poll of the harness's own requests beside aioboto3's, and how late each leaves the event loop.

python -m experiments.poll_cost [--polls 1500] [--blocks 6] [--seconds 5]

One emulator in a process of its own, 16 requests in flight, alternating blocks: what else the machine does falls on
both alike. Then 200 requests a second on each client, the garbage collector on and off, and the delays of a 10 ms
timer meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aioboto3
import numpy as np
from botocore.config import Config

from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable, temporary_table
from harness.dynamodb.store import Key
from harness.measure.clock import MonotonicClock, cpu_ns
from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator
from harness.units import NS_PER_MS, NS_PER_S

REGION, TABLE = "us-west-2", "poll-cost"
IN_FLIGHT = 16
RATE_PER_S = 200
PROBE_NS = 10 * NS_PER_MS

Poll = Callable[[], Awaitable[object]]


@contextlib.asynccontextmanager
async def clients(url: str) -> AsyncIterator[dict[str, Poll]]:
    """One poll of one absent item by each client: the same projected, strongly consistent GetItem."""
    session = aioboto3.Session(*EMULATOR_KEYS)
    config = Config(max_pool_connections=64, retries={"total_max_attempts": 1})
    access = Access({REGION: url}, keys=EMULATOR_KEYS)
    async with (
        access.stores((REGION,), TABLE) as stores,
        session.client("dynamodb", region_name=REGION, endpoint_url=url, config=config) as boto,
    ):
        key = Key("shard", 1)

        async def lean() -> object:
            read = await stores[REGION].get(key, consistent=True)
            assert read.exchange.failure is None, read.exchange.error
            return read

        async def sdk() -> object:
            answer: object = await boto.get_item(
                TableName=TABLE,
                Key={"pk": {"S": "shard"}, "sk": {"N": "1"}},
                ConsistentRead=True,
                ProjectionExpression="sk",
                ReturnConsumedCapacity="TOTAL",
            )
            return answer

        yield {"harness": lean, "aioboto3": sdk}


async def cpu_us(poll: Poll, polls: int) -> float:
    """Microseconds of this process's CPU per poll, `IN_FLIGHT` at a time."""

    async def one_after_the_other() -> None:
        for _ in range(polls // IN_FLIGHT):
            await poll()

    before_ns = cpu_ns()
    await asyncio.gather(*(one_after_the_other() for _ in range(IN_FLIGHT)))
    return (cpu_ns() - before_ns) / 1e3 / (polls // IN_FLIGHT * IN_FLIGHT)


async def loop_delays_ms(poll: Poll, seconds: float) -> np.ndarray:
    """How late a 10 ms timer fires while `RATE_PER_S` polls a second are sent, milliseconds."""
    clock = MonotonicClock()
    end_ns = clock.now_ns() + round(seconds * NS_PER_S)
    delays: list[float] = []

    async def probe() -> None:
        due_ns = clock.now_ns()
        while due_ns < end_ns:
            due_ns += PROBE_NS
            await clock.sleep_until(due_ns)
            delays.append((clock.now_ns() - due_ns) / NS_PER_MS)

    async def send() -> None:
        tasks: set[asyncio.Future[object]] = set()
        due_ns = clock.now_ns()
        while due_ns < end_ns:
            due_ns += NS_PER_S // RATE_PER_S
            await clock.sleep_until(due_ns)
            task = asyncio.ensure_future(poll())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    try:
        await asyncio.gather(probe(), send())
    finally:
        clock.close()
    return np.array(delays)


@contextlib.contextmanager
def collector(mode: str) -> Iterator[None]:
    """The garbage collector as it comes ("on"), or off with what exists frozen, as in a session."""
    gc.collect()
    if mode == "off":
        gc.freeze()
        gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


async def measure(url: str, polls: int, blocks: int, seconds: float) -> None:
    """Both experiments, printed."""
    async with clients(url) as both:
        costs: dict[str, list[float]] = {name: [] for name in both}
        for name, poll in both.items():
            await cpu_us(poll, 4 * IN_FLIGHT)  # connections
            print(f"{name:<9} connected", flush=True)
        for _ in range(blocks):
            for name, poll in both.items():
                costs[name].append(await cpu_us(poll, polls))
        print(f"CPU per poll, {IN_FLIGHT} in flight, {blocks} alternating blocks of {polls} (load {load()})")
        for name, values in costs.items():
            print(f"{name:<9} {statistics.median(values):7.0f} µs   [{min(values):.0f}, {max(values):.0f}]")
        ratios = [a / b for a, b in zip(costs["harness"], costs["aioboto3"], strict=True)]
        print(f"ratio     {statistics.median(ratios):7.2f}      [{min(ratios):.2f}, {max(ratios):.2f}]")
        if not seconds:
            return
        await compare_collector(both, seconds)


async def compare_collector(both: dict[str, Poll], seconds: float) -> None:
    """Loop delays by client and collector, in two alternating blocks each, and how long one full collection takes."""
    delays: dict[tuple[str, str], list[np.ndarray]] = {}
    for _ in range(2):
        for mode in ("on", "off"):
            for name, poll in both.items():
                with collector(mode):
                    delays.setdefault((name, mode), []).append(await loop_delays_ms(poll, seconds / 2))
    print(f"event-loop delay at {RATE_PER_S} polls/s, {seconds:g} s each (load {load()})")
    for (name, mode), blocks in delays.items():
        p50, p99, most = np.percentile(np.concatenate(blocks), [50, 99, 100])
        print(f"{name:<9} collector {mode:<3}  p50 {p50:.2f} ms  p99 {p99:.2f} ms  max {most:.2f} ms")
    for mode in ("on", "off"):
        with collector(mode):
            before_ns = cpu_ns()
            gc.collect()
            print(
                f"a full collection, collector {mode:<3}: {(cpu_ns() - before_ns) / NS_PER_MS:.1f} ms of CPU"
            )


def load() -> str:
    """The load of the last minute on this machine's cores."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main() -> None:
    """Parse, start an emulator without delays, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--polls", type=int, default=1500)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of each event-loop measurement; 0 for none"
    )
    arguments = parser.parse_args()
    options = EmulatorOptions(extra=("--rtt", "none", "--table-delay", "0s"))
    with emulator((REGION,), options) as target:
        table = GlobalTable(Access(target.endpoints, keys=EMULATOR_KEYS), TABLE, (REGION,))
        with temporary_table(table, keep=False):
            asyncio.run(
                measure(target.endpoints[REGION], arguments.polls, arguments.blocks, arguments.seconds)
            )


if __name__ == "__main__":
    main()
