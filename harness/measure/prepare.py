"""The items whose update or delete is measured: made in the source Region, and waited for in every other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from harness.dynamodb.store import PREPARED_AT_ONCE, Key, Store
from harness.errors import TargetUnavailable
from harness.measure.clock import Clock
from harness.measure.plan import WritePlan
from harness.measure.writer import padding
from harness.units import NS_PER_MS, NS_PER_S, format_count, format_duration

ATTEMPTS = 8
RETRY_AFTER_NS = 50 * NS_PER_MS
LOOK_EVERY_NS = 200 * NS_PER_MS
TIMEOUT_NS = 120 * NS_PER_S
TOGETHER = 4  # requests in flight


async def prepare_items(
    plan: WritePlan,
    item_bytes: int,
    stores: Mapping[str, Store],
    clock: Clock,
    stopped: Callable[[], bool],
    spend: Callable[[str, float, float], None],
) -> None:
    """Write every item of the plan as it is before its change, and wait until all Regions of `stores` have it.

    `spend` is told the read and write units of each request, by Region.

    Raises:
        TargetUnavailable: items cannot be written, or do not arrive.
    """
    keys = [Key(plan.hash_key(seq), seq) for seq in range(plan.total)]
    chunks = [keys[at : at + PREPARED_AT_ONCE] for at in range(0, len(keys), PREPARED_AT_ONCE)]
    pad, gate = padding(plan, item_bytes), asyncio.Semaphore(TOGETHER)

    async def make(chunk: Sequence[Key]) -> None:
        async with gate:
            await _write(stores[plan.source], chunk, pad, clock, stopped, spend)

    async def arrive(region: str, chunk: Sequence[Key]) -> None:
        async with gate:
            await _wait_for(stores[region], chunk, clock, stopped, spend)

    await asyncio.gather(*(make(chunk) for chunk in chunks))
    await asyncio.gather(*(arrive(region, chunk) for region in stores for chunk in chunks))


async def _write(
    store: Store,
    keys: Sequence[Key],
    pad: str,
    clock: Clock,
    stopped: Callable[[], bool],
    spend: Callable[[str, float, float], None],
) -> None:
    for attempt in range(ATTEMPTS):
        if stopped():
            return
        put = await store.prepare(keys, pad)
        exchange = put.exchange
        spend(store.region, 0.0, put.units)
        if exchange.failure is None:
            return
        await clock.sleep_until(clock.now_ns() + RETRY_AFTER_NS * 2**attempt)
    raise TargetUnavailable(
        f"cannot write the items to be changed in {store.region}: {exchange.error}; "
        "check the table, or measure with --keys new"
    )


async def _wait_for(
    store: Store,
    keys: Sequence[Key],
    clock: Clock,
    stopped: Callable[[], bool],
    spend: Callable[[str, float, float], None],
) -> None:
    missing = {key.seq: key for key in keys}
    deadline_ns = clock.now_ns() + TIMEOUT_NS
    while missing and not stopped():
        read = await store.prepared(list(missing.values()))
        spend(store.region, read.units, 0.0)
        for seq in read.found:
            missing.pop(seq, None)
        if missing and clock.now_ns() > deadline_ns:
            raise TargetUnavailable(
                f"{format_count(len(missing))} items to be changed did not arrive in {store.region} "
                f"within {format_duration(TIMEOUT_NS)}; is replication paused?"
            )
        if missing:
            await clock.sleep_until(clock.now_ns() + LOOK_EVERY_NS)
