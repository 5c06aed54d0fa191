"""The items of a run leave a table that was there before it: removed where they were written, and gone everywhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from harness.dynamodb.schema import FOREIGN_PREFIX
from harness.dynamodb.store import PREPARED_AT_ONCE, Key, Store
from harness.errors import HarnessError, TargetUnavailable
from harness.measure.clock import Clock
from harness.measure.events import Event
from harness.measure.plan import WritePlan
from harness.measure.prepare import ATTEMPTS, LOOK_EVERY_NS, RETRY_AFTER_NS, TIMEOUT_NS, TOGETHER
from harness.measure.strategies import BATCH_LIMIT
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


async def clean_items(
    keys: Sequence[Key], stores: Mapping[str, Store], clock: Clock, spend: Spend
) -> frozenset[Key]:
    """Look for items in every Region, delete those that are there, and look again until none is; which there were.

    For a run that ended without tidying: most of its plan may never have been written, and a read costs less than a
    delete. Looks are strongly consistent, so what is in none of the Regions at first cannot appear later.

    Raises:
        TargetUnavailable: a Region does not answer, or items are still there after a while.
    """
    gate = asyncio.Semaphore(TOGETHER)
    seen: set[Key] = set()
    deadline_ns = clock.now_ns() + TIMEOUT_NS

    async def look(store: Store, some: Sequence[Key]) -> list[Key]:
        async with gate:
            return await _existing(store, some, clock, spend)

    async def remove(store: Store, some: Sequence[Key]) -> None:
        async with gate:
            await _remove(store, some, clock, spend)

    wanted: Sequence[Key] = keys
    while wanted:
        looks = [(store, some) for store in stores.values() for some in _cut(wanted, BATCH_LIMIT)]
        answers = await asyncio.gather(*(look(store, some) for store, some in looks))
        there = [(store, found) for (store, _), found in zip(looks, answers, strict=True) if found]
        if not there:
            break
        seen.update(key for _, found in there for key in found)
        if clock.now_ns() > deadline_ns:
            raise _still_there(there[0][0], there[0][1])
        deletes = [(store, some) for store, found in there for some in _cut(found, PREPARED_AT_ONCE)]
        await asyncio.gather(*(remove(store, some) for store, some in deletes))
        await clock.sleep_until(clock.now_ns() + LOOK_EVERY_NS)
        wanted = sorted(seen, key=lambda key: key.seq)
    return frozenset(seen)


def keys_of(plan: WritePlan, skipped: Collection[int] = ()) -> list[Key]:
    """The key of each item of a plan, but for those all of whose writes are `skipped`."""
    items = (
        range(first, min(first + plan.versions, plan.total)) for first in range(0, plan.total, plan.versions)
    )
    return [Key(plan.hash_key(seqs[0]), seqs[0]) for seqs in items if not all(seq in skipped for seq in seqs)]


def if_possible(record: Callable[[Event], None]) -> Callable[[Event], None]:
    """Record what can be recorded: a full journal, which has told of itself, keeps no item from being removed."""

    def attempt(event: Event) -> None:
        with contextlib.suppress(HarnessError):
            record(event)

    return attempt


def _chunks(plan: WritePlan) -> list[list[Key]]:
    return _cut(keys_of(plan), PREPARED_AT_ONCE)


def _cut(keys: Sequence[Key], at_once: int) -> list[list[Key]]:
    return [list(keys[at : at + at_once]) for at in range(0, len(keys), at_once)]


async def _existing(store: Store, keys: Sequence[Key], clock: Clock, spend: Spend) -> list[Key]:
    """Those of up to `BATCH_LIMIT` keys whose items are there."""
    left, found = {key.seq: key for key in keys}, []
    for attempt in range(ATTEMPTS):
        read = await store.prepared(list(left.values()))
        spend(store.region, read.units, 0.0)
        if read.exchange.failure is None:
            found += [left[seq] for seq in read.found]
            left = {seq: left[seq] for seq in read.unprocessed}
        if not left:
            return found
        await clock.sleep_until(clock.now_ns() + RETRY_AFTER_NS * 2**attempt)
    raise TargetUnavailable(
        f"cannot read in {store.region} what is left of the run: {read.exchange.error or 'keys stay unprocessed'}"
    )


def _still_there(store: Store, keys: Sequence[Key]) -> TargetUnavailable:
    return TargetUnavailable(
        f"{format_count(len(keys))} items of the run are still in {store.region} after "
        f"{format_duration(TIMEOUT_NS)}; their keys begin with {FOREIGN_PREFIX}{keys[0].shard}"
    )


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
    refused = 0
    while True:
        read = await store.prepared(list(left.values()))
        spend(store.region, read.units, 0.0)
        if read.exchange.failure is None:
            still = {*read.found, *read.unprocessed}
            left = {seq: key for seq, key in left.items() if seq in still}
        if not left:
            return
        refused = refused + 1 if read.exchange.failure == "rejected" else 0
        if refused > ATTEMPTS:  # the table is gone, or the credentials are: waiting does not help
            raise TargetUnavailable(
                f"cannot see whether the run's items are gone from {store.region}: {read.exchange.error}; "
                f"their keys begin with {FOREIGN_PREFIX}{keys[0].shard}"
            )
        if clock.now_ns() > deadline_ns:
            raise _still_there(store, list(left.values()))
        await clock.sleep_until(clock.now_ns() + LOOK_EVERY_NS)
