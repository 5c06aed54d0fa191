"""What a long run keeps: of the latest values a sample, of each write a byte, and no garbage."""

from __future__ import annotations

import asyncio
import random
import weakref
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from harness.dynamodb.store import Key, Read
from harness.measure.events import Event
from harness.measure.marks import Marks
from harness.measure.plan import Polling, RunConfig, Workload
from harness.measure.recent import REMEMBERED, Recent
from harness.measure.session import GARBAGE, Session
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually

SOURCE, REPLICA = "us-west-2", "ap-southeast-2"
KNOTS = 200  # by each read


def test_few_values_are_kept_as_they_are() -> None:
    recent = Recent()
    for value in (5, 1, 3):
        recent.add(value)
    assert recent.values == [1, 3, 5]
    assert recent.quantile(0.0) == 1
    assert recent.quantile(0.99) == 5


def test_of_many_values_a_bounded_sample_keeps_their_distribution() -> None:
    recent, rng = Recent(), random.Random(1)
    for _ in range(20 * REMEMBERED):
        recent.add(rng.randrange(1_000_000))
    assert recent.count == 20 * REMEMBERED
    assert REMEMBERED // 2 <= len(recent.values) <= REMEMBERED
    assert recent.values == sorted(recent.values)
    assert recent.quantile(0.50) == pytest.approx(500_000, rel=0.1)
    assert recent.quantile(0.99) == pytest.approx(990_000, rel=0.02)


def test_old_values_fade() -> None:
    recent = Recent()
    for value in [1_000] * REMEMBERED + [10] * (20 * REMEMBERED):
        recent.add(value)
    assert recent.quantile(0.99) == 10


def test_marks_are_a_set_of_the_numbers_planned() -> None:
    marks, expected = Marks(50), {0, 7, 49}
    for number in (7, 49, 0, 7):
        marks.add(number)
    assert set(marks) == expected
    assert {number for number in range(-60, 60) if number in marks} == expected
    assert "7" not in marks
    assert set(marks.missing()) == set(range(50)) - expected


class Knot:
    """An object that only the garbage collector can remove."""

    def __init__(self) -> None:
        self.itself = self


class TyingStore(FakeStore):
    """Leaves knots behind with every read, as broken connections do."""

    tied = 0
    most = 0

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.left: weakref.WeakSet[Knot] = weakref.WeakSet()

    async def _read(self, operation: str, keys: Sequence[Key], *rest: Any, **query: Any) -> Read:
        for _ in range(KNOTS):
            self.left.add(Knot())
        self.tied += KNOTS
        self.most = max(self.most, len(self.left))
        return await super()._read(operation, keys, *rest, **query)


def perform(
    store: type[FakeStore], lost: Collection[int] = (), samples: int = 400, read: str = "strong"
) -> tuple[Session, FakeStore, int]:
    """A session, the store of its replica, and how many events it recorded."""
    config = RunConfig(
        (SOURCE,),
        ((REPLICA,),),
        Workload(samples=samples, rate_per_s=50, warmup_ns=0),
        Polling(20 * MS, read=read, timeout_ns=2000 * MS),
    )

    async def run() -> tuple[Session, FakeStore, int]:
        rng, events = random.Random(1), list[Event]()
        world = FakeWorld(lambda seq: None if seq in lost else rng.randrange(100, 600) * MS)
        stores = {SOURCE: FakeStore(world, SOURCE, rtt_ms=2), REPLICA: store(world, REPLICA, rtt_ms=140)}
        session = Session("run", config, stores, VirtualClock(), events.append)
        await asyncio.wait_for(session.run(), 600)
        return session, stores[REPLICA], len(events)

    return run_virtually(run())


def test_reference_cycles_are_collected_before_they_are_many() -> None:
    _, store, _ = perform(TyingStore)
    assert isinstance(store, TyingStore)
    assert store.tied > 2 * GARBAGE
    assert store.most < GARBAGE + 10 * KNOTS


@pytest.mark.parametrize("read", ["strong", "both"])
def test_at_the_end_a_poller_holds_nothing_of_any_item_lost_ones_included(read: str) -> None:
    session, _, events = perform(FakeStore, lost=range(0, 120, 7), samples=120, read=read)
    assert events > 500
    for poller in session.progress.pollers:
        held = {name: value for name, value in vars(poller).items() if isinstance(value, dict | set | list)}
        assert len(held) >= 6
        assert all(not value for value in held.values()), held
