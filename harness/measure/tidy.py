"""The items of a run leave a table that was there before it: removed where they were written, and gone everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.dynamodb.schema import FOREIGN_PREFIX
from harness.dynamodb.store import PREPARED_AT_ONCE, Key, Store
from harness.errors import TargetUnavailable
from harness.measure.clock import Clock
from harness.measure.plan import WritePlan
from harness.measure.prepare import ATTEMPTS, LOOK_EVERY_NS, RETRY_AFTER_NS, TIMEOUT_NS, TOGETHER
from harness.units import format_count, format_duration

Spend = Callable[[str, float, float], None]


async def remove_items(
    plans: Iterable[WritePlan], stores: Mapping[str, Store], clock: Clock, spend: Spend
) -> None:
    """Delete every item of the plans, then look in every Region, strongly consistently, until none is left.

    `spend` is told the read and write units of each request, by Region.

    Raises:
        TargetUnavailable: items cannot be removed, or are still there after a while.
    """
    gate = asyncio.Semaphore(TOGETHER)
    chunks = {plan.source: _chunks(plan) for plan in plans}

    async def remove(region: str, keys: Sequence[Key]) -> None:
        async with gate:
            await _remove(stores[region], keys, clock, spend)

    async def look(region: str, keys: Sequence[Key]) -> None:
        async with gate:
            await _wait_until_gone(stores[region], keys, clock, spend)

    await asyncio.gather(*(remove(source, keys) for source, mine in chunks.items() for keys in mine))
    await asyncio.gather(
        *(look(region, keys) for region in stores for mine in chunks.values() for keys in mine)
    )


def _chunks(plan: WritePlan) -> list[list[Key]]:
    keys = [Key(plan.hash_key(seq), seq) for seq in range(plan.total)]
    return [keys[at : at + PREPARED_AT_ONCE] for at in range(0, len(keys), PREPARED_AT_ONCE)]


async def _remove(store: Store, keys: Sequence[Key], clock: Clock, spend: Spend) -> None:
    for attempt in range(ATTEMPTS):
        put = await store.remove(keys)
        spend(store.region, 0.0, put.units)
        if put.exchange.failure is None:
            return
        await clock.sleep_until(clock.now_ns() + RETRY_AFTER_NS * 2**attempt)
    raise TargetUnavailable(
        f"cannot remove the run's items from {store.region}: {put.exchange.error}; "
        f"their keys begin with {FOREIGN_PREFIX}{keys[0].shard}"
    )


async def _wait_until_gone(store: Store, keys: Sequence[Key], clock: Clock, spend: Spend) -> None:
    left = {key.seq: key for key in keys}
    deadline_ns = clock.now_ns() + TIMEOUT_NS
    while True:
        read = await store.prepared(list(left.values()))
        spend(store.region, read.units, 0.0)
        if read.exchange.failure is None:
            still = {*read.found, *read.unprocessed}
            left = {seq: key for seq, key in left.items() if seq in still}
        if not left:
            return
        if clock.now_ns() > deadline_ns:
            raise TargetUnavailable(
                f"{format_count(len(left))} items of the run are still in {store.region} after "
                f"{format_duration(TIMEOUT_NS)}; their keys begin with {FOREIGN_PREFIX}{keys[0].shard}"
            )
        await clock.sleep_until(clock.now_ns() + LOOK_EVERY_NS)
