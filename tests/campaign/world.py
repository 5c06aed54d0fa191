"""Several Regions on virtual time in which things go wrong, and what really happened there."""

from __future__ import annotations

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from harness.dynamodb.signed_http import Exchange
from harness.dynamodb.store import Key, Put, Read
from tests.campaign.faults import (
    EVERY_REQUEST,
    READ_FAULTS,
    REPLICATION_FAULTS,
    STALE_READS,
    WRITE_FAULTS,
    Fault,
)
from tests.fakes import MS, VirtualClock

NS = 1_000_000_000
CLIENT_TIMEOUT_NS = 1_500 * MS

# fault → failure the client is told, whether the request took effect
_ANSWERS: dict[str, tuple[str, bool]] = {
    "write throttled": ("throttled", False),
    "write rejected": ("rejected", False),
    "write 500 before effect": ("server_error", False),
    "write 500 after effect": ("server_error", True),
    "write times out before effect": ("timeout", False),
    "write times out after effect": ("timeout", True),
    "write connection lost before effect": ("connection", False),
    "write connection lost after effect": ("connection", True),
    "write connection refused": ("connection", False),
    "read throttled": ("throttled", True),
    "read rejected": ("rejected", True),
    "read 500": ("server_error", True),
    "read times out": ("timeout", True),
    "read connection lost": ("connection", True),
    "read connection refused": ("connection", True),
    "credentials expired": ("rejected", False),
    "table deleted": ("rejected", False),
    "Region gone": ("connection", False),
}
_UNSENT = frozenset({"write connection refused", "read connection refused", "Region gone"})
_SLOW = frozenset({"write slow", "read slow"})
_HANGS = frozenset({"write hangs", "read hangs"})


class ClientBroken(Exception):
    """What no store should raise."""


@dataclass(slots=True)
class Attempt:
    """One write request as the client saw it; `ended` says whether it got to know how it ended."""

    origin: str
    seqs: tuple[int, ...]
    sent_ns: int | None
    received_ns: int = 0
    failure: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One read request that was answered, as the client saw it."""

    region: str
    asked_ns: int
    sent_ns: int | None
    received_ns: int
    failure: str | None


@dataclass(slots=True)
class Commit:
    """One write that took effect, and when it shows in each other Region; None for never."""

    origin: str
    key: Key
    commit_ns: int
    visible_ns: dict[str, int | None] = field(default_factory=dict)

    def shows(self, region: str, now_ns: int) -> bool:
        """Has it arrived there?"""
        at_ns = self.commit_ns if region == self.origin else self.visible_ns.get(region)
        return at_ns is not None and at_ns <= now_ns


class World:
    """What was committed when, and what became of it; the last writer of an item wins.

    `lag_ns(rng, seq, region)` is how long replication takes where nothing goes wrong.
    """

    def __init__(
        self,
        regions: Sequence[str],
        lag_ns: Callable[[random.Random, int, str], int],
        faults: Sequence[Fault],
        versions: int,
        contested: bool,
        seed: int,
    ) -> None:
        self.regions = tuple(regions)
        self.faults = tuple(faults)
        self.versions = versions
        self.contested = contested
        self.rng = random.Random(seed)
        self.commits: list[Commit] = []
        self.attempts: list[Attempt] = []
        self.answers: list[Answer] = []
        self.befallen: set[str] = set()
        self._items: dict[tuple[str, int], list[Commit]] = defaultdict(list)
        self._prepared: set[tuple[str, int]] = set()
        self._lag_ns = lag_ns
        self.clock = VirtualClock()
        self.start_ns = self.clock.now_ns()

    def now_s(self) -> float:
        """Seconds since the world was made."""
        return (self.clock.now_ns() - self.start_ns) / NS

    def strikes(self, names: Iterable[str], region: str) -> Fault | None:
        """The fault that befalls a request of this Region now, if any."""
        now_s, number = self.now_s(), self.regions.index(region)
        for fault in self.faults:
            here = fault.region is None or fault.region % len(self.regions) == number
            if fault.name in names and here and fault.active(now_s) and self.rng.random() < fault.share:
                self.befallen.add(fault.name)
                return fault
        return None

    def commit(self, origin: str, keys: Sequence[Key]) -> None:
        """Writes take effect together, and set out for the other Regions."""
        now_ns = self.clock.now_ns()
        for key in keys:
            commit = Commit(origin, key, now_ns)
            for region in self.regions:
                if region != origin:
                    commit.visible_ns[region] = self._arrival_ns(now_ns, key.seq, region)
            self.commits.append(commit)
            self._items[key.shard, key.seq // self.versions].append(commit)

    def _arrival_ns(self, now_ns: int, seq: int, region: str) -> int | None:
        lag_ns = self._lag_ns(self.rng, seq, region)
        fault = self.strikes(REPLICATION_FAULTS, region)
        if fault is None:
            return now_ns + lag_ns
        if fault.name == "lag jumps":
            return now_ns + lag_ns + round(fault.size_s * NS)
        if fault.name == "link partitioned and healed" and fault.until_s < 1e6:
            return self.start_ns + round(fault.until_s * NS) + lag_ns
        return None

    def current(self, region: str, item: tuple[str, int], now_ns: int) -> Commit | None:
        """The version of an item that a Region shows at an instant."""
        shown = [commit for commit in self._items.get(item, ()) if commit.shows(region, now_ns)]
        return max(shown, key=lambda commit: (commit.commit_ns, commit.origin), default=None)

    def found(self, region: str, shard: str, seqs: Iterable[int], now_ns: int) -> list[int]:
        """The sequence numbers whose change a look at these items shows."""
        found = []
        for item in dict.fromkeys(seq // self.versions for seq in seqs):
            commit = self.current(region, (shard, item), now_ns)
            if commit is not None and not (self.contested and commit.origin == region):
                found.append(commit.key.seq)
        return found

    def prepare(self, keys: Iterable[Key]) -> None:
        """Items are made before they are changed."""
        self._prepared.update((key.shard, key.seq) for key in keys)

    def prepared(self, keys: Iterable[Key]) -> list[int]:
        """Those that were."""
        return [key.seq for key in keys if (key.shard, key.seq) in self._prepared]


class FaultyStore:
    """A `Store` of one Region of a `World`, `rtt_ms` away, give or take `noise_ms`; `there` of the way is the way
    there."""

    def __init__(self, world: World, region: str, rtt_ms: float, noise_ms: float, there: float) -> None:
        self.region = region
        self._world = world
        self._rtt_ms = rtt_ms
        self._noise_ms = noise_ms
        self._there = there

    async def write(self, key: Key, pad: str) -> Put:
        return await self.write_together([key], pad)

    async def write_together(self, keys: Sequence[Key], pad: str) -> Put:
        seqs = tuple(key.seq for key in keys)
        fault = self._world.strikes((*WRITE_FAULTS, *EVERY_REQUEST), self.region)
        attempt = Attempt(self.region, seqs, self._world.clock.now_ns())
        self._world.attempts.append(attempt)
        exchange = await self._exchange(fault, lambda: self._world.commit(self.region, keys))
        attempt.sent_ns, attempt.received_ns = exchange.sent_ns, exchange.received_ns
        attempt.failure, attempt.ended = exchange.failure, True
        return Put(exchange, float(len(keys)) if exchange.failure is None else 0.0)

    async def get(self, key: Key, consistent: bool) -> Read:
        return await self._read([key], consistent)

    async def batch_get(self, keys: Sequence[Key], consistent: bool) -> Read:
        return await self._read(keys, consistent)

    async def query(self, shard: str, seqs: range, consistent: bool) -> Read:
        fault = self._world.strikes((*READ_FAULTS, *EVERY_REQUEST), self.region)
        reach, complete_to = seqs, None
        if fault is not None and fault.name == "page ends early":
            reach = seqs[: self._world.rng.randrange(len(seqs))]
            complete_to = reach[-1] if reach else seqs[0] - seqs.step
        return await self._look(fault, shard, reach, consistent, (), complete_to)

    async def prepare(self, keys: Sequence[Key], pad: str) -> Put:
        fault = self._world.strikes(EVERY_REQUEST, self.region)
        return Put(await self._exchange(fault, lambda: self._world.prepare(keys)), float(len(keys)))

    async def prepared(self, keys: Sequence[Key]) -> Read:
        found: list[int] = []
        fault = self._world.strikes(EVERY_REQUEST, self.region)
        exchange = await self._exchange(fault, lambda: found.extend(self._world.prepared(keys)))
        return Read(exchange, tuple(found) if exchange.failure is None else (), units=float(len(keys)))

    async def remove(self, keys: Sequence[Key]) -> Put:
        raise AssertionError("the table is the run's own: nothing is tidied")

    async def _read(self, keys: Sequence[Key], consistent: bool) -> Read:
        fault = self._world.strikes((*READ_FAULTS, *EVERY_REQUEST), self.region)
        seqs, left = [key.seq for key in keys], []
        if fault is not None and fault.name == "keys unprocessed" and len(keys) > 1:
            left = [seq for seq in seqs if self._world.rng.random() < 0.5]
        asked = [key for key in keys if key.seq not in left]
        by_shard: dict[str, list[int]] = defaultdict(list)
        for key in asked:
            by_shard[key.shard].append(key.seq)
        return await self._look(fault, by_shard, (), consistent, tuple(left), None)

    async def _look(
        self,
        fault: Fault | None,
        where: str | dict[str, list[int]],
        reach: range | tuple[int, ...],
        consistent: bool,
        left: tuple[int, ...],
        complete_to: int | None,
    ) -> Read:
        world, found = self._world, []
        shards = {where: reach} if isinstance(where, str) else where
        past_ns = 0
        if not consistent:
            stale = world.strikes((STALE_READS,), self.region)
            past_ns = round(world.rng.random() * stale.size_s * NS) if stale else 0

        def look() -> None:
            at_ns = world.clock.now_ns() - past_ns
            for shard, seqs in shards.items():
                found.extend(world.found(self.region, shard, seqs, at_ns))

        asked_ns = world.clock.now_ns()
        exchange = await self._exchange(fault, look)
        answer = Answer(self.region, asked_ns, exchange.sent_ns, exchange.received_ns, exchange.failure)
        world.answers.append(answer)
        if exchange.failure is not None:
            return Read(exchange)
        return Read(exchange, tuple(found), left, complete_to, 1.0 if consistent else 0.5)

    async def _exchange(self, fault: Fault | None, effect: Callable[[], None]) -> Exchange:
        """The way there, the effect, the way back: and what goes wrong on either."""
        world = self._world
        name = "" if fault is None else fault.name
        sent_ns: int | None = world.clock.now_ns()
        if name in _UNSENT:
            await asyncio.sleep(0.001)
            return Exchange(None, world.clock.now_ns(), {}, "connection", "refused")
        slower_ms = fault.size_s * 1e3 if fault is not None and name in _SLOW else 0.0
        noise_ms, split = self._noise_ms * world.rng.random() + slower_ms, world.rng.random()
        failure, takes_effect = _ANSWERS.get(name, (None, True))
        await asyncio.sleep((self._rtt_ms * self._there + noise_ms * split) / 1e3)
        if name in _HANGS:
            failure, takes_effect = "timeout", world.rng.random() < 0.5
        if takes_effect:
            effect()
        if name == "client breaks":
            raise ClientBroken
        await asyncio.sleep((self._rtt_ms * (1 - self._there) + noise_ms * (1 - split)) / 1e3)
        if failure == "timeout":
            left_ns = CLIENT_TIMEOUT_NS - (world.clock.now_ns() - (sent_ns or 0))
            await asyncio.sleep(max(0, left_ns) / NS)
        return Exchange(sent_ns, world.clock.now_ns(), {}, failure, failure, name == "handshake")


def lognormal(median_ms: float, sigma: float) -> Callable[[random.Random, int, str], int]:
    """Lags drawn anew for each write and Region."""
    return lambda rng, seq, region: round(rng.lognormvariate(math.log(median_ms), sigma) * MS)
