"""What a run wrote into a table that was there before it is gone afterwards, from every Region."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.dynamodb.signed_http import Exchange
from harness.dynamodb.store import Key, Put, Read
from harness.errors import TargetUnavailable
from harness.measure.events import Event
from harness.measure.plan import RunConfig, Workload
from harness.measure.prepare import TIMEOUT_NS
from harness.measure.session import Session
from harness.measure.tidy import remove_items
from harness.records.journal import JournalFull
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually

A, B = "us-west-2", "eu-west-1"
CONFIG = RunConfig((A,), ((B,),), Workload(60, warmup_ns=0))


class Removable(FakeStore):
    """A store whose items can be deleted: in the other Region they are gone `lag_ns` later, or never where None."""

    gone_ns: dict[str, dict[int, int]]
    lag_ns: int | None = 300 * MS

    async def remove(self, keys: Sequence[Key]) -> Put:
        failure = self._fault("remove", keys[0].seq)
        sent_ns, received_ns = await self._exchange(lambda now_ns: None)
        if failure is None:
            for region, gone in self.gone_ns.items():
                late_ns = 0 if region == self.region else self.lag_ns
                if late_ns is not None:
                    gone.update(dict.fromkeys([key.seq for key in keys], sent_ns + late_ns))
        return Put(Exchange(sent_ns, received_ns, {}, failure, failure), 1.0)

    async def prepared(self, keys: Sequence[Key]) -> Read:
        failure = self._fault("look", keys[0].seq)
        sent_ns, received_ns = await self._exchange(lambda now_ns: None)
        gone = self.gone_ns[self.region]
        found = tuple(key.seq for key in keys if gone.get(key.seq, sent_ns + 1) > sent_ns)
        return Read(Exchange(sent_ns, received_ns, {}, failure, failure), () if failure else found, units=1.0)


def test_items_are_removed_though_the_journal_is_full() -> None:
    gone: dict[str, dict[int, int]] = {A: {}, B: {}}

    def record(_: Event) -> None:
        raise JournalFull("cannot write the journal: No space left on device")

    async def perform() -> None:
        world = FakeWorld(lambda seq: 0)
        stores = {region: Removable(world, region) for region in (A, B)}
        for store in stores.values():
            store.gone_ns = gone
        await Session("run", CONFIG, stores, VirtualClock(), record).tidy()

    run_virtually(perform())
    assert gone[A].keys() == gone[B].keys() == set(range(60))


def tidy(lag_ns: int | None, refusals: int = 0) -> tuple[dict[str, dict[int, int]], float]:
    """When each item was gone where, and the write units it took."""
    gone: dict[str, dict[int, int]] = {A: {}, B: {}}
    spent: list[float] = []
    left = [refusals]

    def fault(operation: str, seq: int) -> str | None:
        left[0] -= 1
        return "throttled" if left[0] >= 0 else None

    async def perform() -> None:
        world = FakeWorld(lambda seq: 0)
        stores = {region: Removable(world, region, fault=fault) for region in (A, B)}
        for store in stores.values():
            store.gone_ns, store.lag_ns = gone, lag_ns
        plans = [CONFIG.plan("run", A)]
        await remove_items(plans, stores, VirtualClock(), lambda region, reads, writes: spent.append(writes))

    run_virtually(perform())
    return gone, sum(spent)


def test_every_item_is_removed_and_waited_for_in_every_region() -> None:
    gone, units = tidy(300 * MS)
    assert gone[A].keys() == gone[B].keys() == set(range(60))
    assert units == 3  # requests of at most 25


def test_a_throttled_removal_is_repeated() -> None:
    gone, units = tidy(300 * MS, refusals=2)
    assert gone[B].keys() == set(range(60))
    assert units == 5


def test_items_that_do_not_go_are_said_with_the_beginning_of_their_keys() -> None:
    with pytest.raises(
        TargetUnavailable, match=r"still in eu-west-1 .* begin with replication-latency#run#us-west-2#0"
    ):
        tidy(None)


def test_a_region_that_refuses_to_be_looked_at_is_not_waited_for() -> None:
    waited_ns: list[int] = []

    async def perform() -> None:
        clock = VirtualClock()
        store = Removable(
            FakeWorld(lambda seq: 0),
            A,
            fault=lambda operation, _: "rejected" if operation == "look" else None,
        )
        store.gone_ns = {A: {}}
        began_ns = clock.now_ns()
        with pytest.raises(
            TargetUnavailable, match="cannot see whether the run's items are gone from us-west-2"
        ):
            await remove_items([CONFIG.plan("run", A)], {A: store}, clock, lambda *_: None)
        waited_ns.append(clock.now_ns() - began_ns)

    run_virtually(perform())
    assert waited_ns[0] < TIMEOUT_NS // 4
