"""Stores that answer as DynamoDB would, for a run that is only imagined: to count its requests and units beforehand.

The lags are drawn from our model of what AWS publishes ("typically within a second"), no measurement of AWS.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.dynamodb.cost import READ_UNIT_BYTES, TRANSACTIONAL, write_units
from harness.dynamodb.signed_http import Exchange
from harness.dynamodb.store import CONTESTED, DELETE, UPDATE, Key, Put, Read
from harness.measure.clock import Clock
from harness.measure.writer import SPARE_BYTES
from harness.units import NS_PER_MS, NS_PER_S

LAG_MEDIAN_NS, LAG_SIGMA, LAG_APPLY_NS = 650 * NS_PER_MS, 0.35, 8 * NS_PER_MS
# One write in so many takes so much longer, and a Query pays for all it passes over meanwhile. Evenly spread, so that
# a part of a run stands for the whole.
TAIL_EVERY, TAIL_NS = 333, 2250 * NS_PER_MS
QUORUM_NS = 7_500_000  # [model] what a quorum takes besides its round trip
PAGE_BYTES = 1 << 20  # what one Query reads at most

Instants = defaultdict[tuple[str, str], dict[int, int]]


@dataclass(slots=True)
class World:
    """Several Regions: by (Region, shard) and sequence number, when a change is committed there or becomes visible.

    Of a strongly consistent table, `quorum_ns` are the round trips from each Region to its nearest partner.
    """

    change: str
    item_bytes: int
    removed: bool = False
    quorum_ns: Mapping[str, int] | None = None
    rng: random.Random = field(default_factory=lambda: random.Random("imagined"))
    committed_ns: Instants = field(default_factory=lambda: defaultdict(dict))
    visible_ns: Instants = field(default_factory=lambda: defaultdict(dict))
    arrived_ns: Instants = field(
        default_factory=lambda: defaultdict(dict)
    )  # of items made beforehand, or removed

    def commit(self, region: str, key: Key, now_ns: int, trips_ns: Mapping[str, int]) -> None:
        """A change is made in one Region and on its way to the others, at these round trips from here."""
        self.committed_ns[region, key.shard][key.seq] = now_ns
        self.visible_ns[region, key.shard].setdefault(key.seq, now_ns)
        tail_ns = TAIL_NS if key.seq % TAIL_EVERY == TAIL_EVERY // 2 and self.quorum_ns is None else 0
        for other in trips_ns.keys() - {region}:
            if self.committed_ns[other, key.shard].get(key.seq, 0) <= now_ns:  # the last writer wins
                lag_ns = self._lag_ns(trips_ns[other]) + tail_ns
                self.visible_ns[other, key.shard][key.seq] = now_ns + lag_ns

    def prepare(self, region: str, keys: Iterable[Key], now_ns: int, trips_ns: Mapping[str, int]) -> None:
        """Items are made before they are changed, or removed after a run."""
        for key in keys:
            for other, trip_ns in trips_ns.items():
                lag_ns = 0 if other == region else self._lag_ns(trip_ns)
                self.arrived_ns[other, key.shard][key.seq] = now_ns + lag_ns

    def agreement_ns(self, region: str) -> int:
        """By how much an answer there is later that waits for another Region."""
        return 0 if self.quorum_ns is None else self.quorum_ns[region] + QUORUM_NS

    def _lag_ns(self, trip_ns: int) -> int:
        if self.quorum_ns is not None:
            return trip_ns // 2 + QUORUM_NS
        drawn_ns = LAG_MEDIAN_NS * self.rng.lognormvariate(0, LAG_SIGMA)
        return round(drawn_ns) + trip_ns + LAG_APPLY_NS

    def shows(self, region: str, shard: str, seq: int, now_ns: int) -> bool:
        """Does the Region show the change that is waited for?"""
        if self.change == CONTESTED and seq in self.committed_ns[region, shard]:
            mine_ns = self.committed_ns[region, shard][seq]
            return mine_ns < self.visible_ns[region, shard].get(seq, 0) <= now_ns
        return self.visible_ns[region, shard].get(seq, now_ns + 1) <= now_ns

    def holds(self, region: str, shard: str, seq: int, now_ns: int) -> bool:
        """Is there an item to be read?"""
        if self.change in (UPDATE, DELETE):
            return self.change == UPDATE or not self.shows(region, shard, seq, now_ns)
        return seq in self.committed_ns[region, shard] or self.shows(region, shard, seq, now_ns)


class ImaginedStore:
    """A `Store` of one Region of a `World`; `trips_ns` are the round trips to all Regions. Counts what it is asked."""

    def __init__(self, world: World, region: str, trips_ns: Mapping[str, int], clock: Clock) -> None:
        self.region = region
        self.requests = 0
        self.read_units = 0.0
        self.made_units = self.replicated_units = 0
        self._world = world
        self._trips_ns = trips_ns
        self._clock = clock
        self._stored_bytes = world.item_bytes - SPARE_BYTES
        self._item_units = math.ceil(self._stored_bytes / READ_UNIT_BYTES)

    async def write(self, key: Key, pad: str) -> Put:
        """Make the change."""
        return await self._write([key], 1)

    async def write_together(self, keys: Sequence[Key], pad: str) -> Put:
        """Make several in one transaction."""
        return await self._write(keys, TRANSACTIONAL)

    async def _write(self, keys: Sequence[Key], times: int) -> Put:
        def commit(now_ns: int) -> None:
            for key in keys:
                self._world.commit(self.region, key, now_ns, self._trips_ns)

        exchange = await self._exchange(commit, agreed=True)
        return self._put(exchange, len(keys), times)

    async def prepare(self, keys: Sequence[Key], pad: str) -> Put:
        """Make items, which arrive elsewhere after a while."""
        return await self._prepare(keys)

    async def remove(self, keys: Sequence[Key]) -> Put:
        """Remove items, which is seen elsewhere after a while."""
        self._world.removed = True
        return await self._prepare(keys)

    async def _prepare(self, keys: Sequence[Key]) -> Put:
        def arrive(now_ns: int) -> None:
            self._world.prepare(self.region, keys, now_ns, self._trips_ns)

        return self._put(await self._exchange(arrive), len(keys), 1)

    async def prepared(self, keys: Sequence[Key]) -> Read:
        """Which of them exist."""
        found: list[int] = []

        def look(now_ns: int) -> None:
            for key in keys:
                arrived = self._world.arrived_ns[self.region, key.shard][key.seq] <= now_ns
                found.extend([key.seq] if arrived != self._world.removed else [])

        exchange = await self._exchange(look)
        units = len(keys) + len(found) * (self._item_units - 1)
        return self._read(exchange, found, units, consistent=True)

    async def get(self, key: Key, consistent: bool) -> Read:
        """Look for the change of one item."""
        return await self.batch_get([key], consistent)

    async def batch_get(self, keys: Sequence[Key], consistent: bool) -> Read:
        """Look for several; each is paid for by itself, found or not."""
        found: list[int] = []
        units = 0

        def look(now_ns: int) -> None:
            nonlocal units
            for key in keys:
                place = (self.region, key.shard, key.seq, now_ns)
                units += self._item_units if self._world.holds(*place) else 1
                found.extend([key.seq] if self._world.shows(*place) else [])

        exchange = await self._exchange(look, agreed=consistent)
        return self._read(exchange, found, units, consistent)

    async def query(self, shard: str, seqs: range, consistent: bool) -> Read:
        """Look over a shard, as far as a page reaches; what is passed over is paid for together."""
        found: list[int] = []
        size, complete_to = 0, None

        def look(now_ns: int) -> None:
            nonlocal size, complete_to
            for seq in seqs:
                place = (self.region, shard, seq, now_ns)
                size += self._stored_bytes * self._world.holds(*place)
                found.extend([seq] if self._world.shows(*place) else [])
                if size >= PAGE_BYTES:
                    complete_to = seq
                    return

        exchange = await self._exchange(look, agreed=consistent)
        return self._read(exchange, found, max(1, math.ceil(size / READ_UNIT_BYTES)), consistent, complete_to)

    def _put(self, exchange: Exchange, items: int, times: int) -> Put:
        units = items * write_units(self._world.item_bytes)
        self.made_units += times * units
        self.replicated_units += units
        return Put(exchange, times * units)

    def _read(
        self,
        exchange: Exchange,
        found: Iterable[int],
        units: int,
        consistent: bool,
        complete_to: int | None = None,
    ) -> Read:
        used = units if consistent else units / 2
        self.read_units += used
        return Read(exchange, tuple(found), complete_to=complete_to, units=used)

    async def _exchange(self, effect: Callable[[int], None], *, agreed: bool = False) -> Exchange:
        self.requests += 1
        sent_ns, half_s = self._clock.now_ns(), self._trips_ns[self.region] / 2 / NS_PER_S
        await asyncio.sleep(half_s)
        effect(self._clock.now_ns())
        await asyncio.sleep(half_s + agreed * self._world.agreement_ns(self.region) / NS_PER_S)
        return Exchange(sent_ns, self._clock.now_ns(), {})
