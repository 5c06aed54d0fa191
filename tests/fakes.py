"""Fakes of the edge: a clock on virtual time and stores whose truth is known."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from harness.dynamodb.signed_http import Exchange
from harness.dynamodb.store import Key, Put, Read
from harness.measure.virtual import VirtualLoop, run_virtually

__all__ = ["MS", "FakeStore", "FakeWorld", "VirtualClock", "run_virtually", "stall"]

MS = 1_000_000


def stall(seconds: float) -> None:
    """Block the virtual loop: time passes and nothing is served."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.jumping.now_s += seconds


class VirtualClock:
    """A `Clock` on the virtual loop's time; `wall_step_ns` is added to the wall clock at a given age of the clock."""

    def __init__(self, wall_step_ns: int = 0, after_s: float = 0.0) -> None:
        self._step_ns = wall_step_ns
        self._step_at_s = asyncio.get_running_loop().time() + after_s

    def now_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * 1e9)

    def wall_ns(self) -> int:
        stepped = asyncio.get_running_loop().time() >= self._step_at_s
        return self.now_ns() + 10**18 + stepped * self._step_ns

    async def sleep_until(self, instant_ns: int) -> None:
        await asyncio.sleep(max(0, instant_ns - self.now_ns()) / 1e9)


class FakeWorld:
    """Several Regions in one dictionary: what was committed when, and when it becomes visible where.

    `source_delay_ns` is a defect: by so much a write is late even in its own Region.
    """

    def __init__(self, lag_ns: Callable[[int], int | None], seed: int = 1, source_delay_ns: int = 0) -> None:
        self.source_delay_ns = source_delay_ns
        self.lag_ns = lag_ns
        self.rng = random.Random(seed)
        self.committed: dict[Key, tuple[str, int]] = {}

    def visible_ns(self, key: Key, region: str) -> int | None:
        """When `key` becomes visible in `region`; None for never."""
        if key not in self.committed:
            return None
        origin, commit_ns = self.committed[key]
        if region == origin:
            return commit_ns + self.source_delay_ns
        lag_ns = self.lag_ns(key.seq)
        return None if lag_ns is None else commit_ns + lag_ns


class FakeStore:
    """A `Store` of one Region of a `FakeWorld`, at a round trip of `rtt_ms` plus noise.

    Both may be functions of the seconds since the store was made. An eventually consistent read looks `stale_ms()` into
    the past. With `contested` only what another Region wrote last is found. `fault(operation, seq)` may name a failure
    for a request; "timeout after" commits a put whose answer is lost, "unprocessed" leaves out every key of a batch.
    """

    def __init__(
        self,
        world: FakeWorld,
        region: str,
        rtt_ms: float | Callable[[float], float] = 10,
        noise_ms: float | Callable[[float], float] = 1,
        fault: Callable[[str, int], str | None] = lambda operation, seq: None,
        stale_ms: Callable[[], float] = lambda: 0.0,
        contested: bool = False,
    ) -> None:
        self.world = world
        self.region = region
        self.requests = 0
        self._rtt_ms = rtt_ms
        self._noise_ms = noise_ms
        self._fault = fault
        self._stale_ms = stale_ms
        self._contested = contested
        self._clock = VirtualClock()
        self._made_ns = self._clock.now_ns()

    async def write(self, key: Key, pad: str) -> Put:
        fault = self._fault("put", key.seq)
        commits = fault in (None, "timeout after")

        def commit(now_ns: int) -> None:
            if commits:
                self.world.committed[key] = (self.region, now_ns)

        sent_ns, received_ns = await self._exchange(commit)
        failure = "timeout" if fault == "timeout after" else fault
        return Put(Exchange(sent_ns, received_ns, {}, failure, failure), 1.0)

    async def write_together(self, keys: Sequence[Key], pad: str) -> Put:
        answers = [await self.write(key, pad) for key in keys[:1]]
        for key in keys[1:]:
            if keys[0] in self.world.committed:
                self.world.committed[key] = self.world.committed[keys[0]]
        return answers[0]

    async def get(self, key: Key, consistent: bool) -> Read:
        return await self.batch_get([key], consistent)

    async def batch_get(self, keys: Sequence[Key], consistent: bool) -> Read:
        return await self._read("batch_get", keys, len(keys), consistent)

    async def query(self, shard: str, seqs: range, consistent: bool) -> Read:
        keys = [key for key in self.world.committed if key.shard == shard and key.seq in seqs]
        return await self._read("query", keys, seqs[0], consistent, shard=shard, seqs=seqs)

    async def prepare(self, keys: Sequence[Key], pad: str) -> Put:
        raise NotImplementedError("the fake knows new items only")

    async def prepared(self, keys: Sequence[Key]) -> Read:
        raise NotImplementedError("the fake knows new items only")

    async def _read(
        self, operation: str, keys: Sequence[Key], seq: int, consistent: bool, **query: Any
    ) -> Read:
        found: list[int] = []
        past_ns = 0 if consistent else round(self._stale_ms() * MS)

        def look(now_ns: int) -> None:
            wanted = keys
            if query:
                wanted = [
                    key
                    for key in self.world.committed
                    if key.shard == query["shard"] and key.seq in query["seqs"]
                ]
            for key in wanted:
                visible_ns = self.world.visible_ns(key, self.region)
                if self._contested and self.world.committed.get(key, ("",))[0] == self.region:
                    continue
                if visible_ns is not None and visible_ns <= now_ns - past_ns:
                    found.append(key.seq)

        failure = self._fault(operation, seq)
        sent_ns, received_ns = await self._exchange(look)
        if failure == "unprocessed":
            return Read(Exchange(sent_ns, received_ns, {}), unprocessed=tuple(key.seq for key in keys))
        exchange = Exchange(sent_ns, received_ns, {}, failure, failure)
        return Read(exchange, () if failure else tuple(sorted(found)), units=1.0)

    async def _exchange(self, effect: Callable[[int], None]) -> tuple[int, int]:
        self.requests += 1
        sent_ns = self._clock.now_ns()
        age_s = (sent_ns - self._made_ns) / 1e9
        half_ms = self._at(self._rtt_ms, age_s) / 2
        noise_ms = self._at(self._noise_ms, age_s) * self.world.rng.random()
        split = self.world.rng.random()
        await asyncio.sleep((half_ms + noise_ms * split) / 1e3)
        effect(self._clock.now_ns())
        await asyncio.sleep((half_ms + noise_ms * (1 - split)) / 1e3)
        return sent_ns, self._clock.now_ns()

    @staticmethod
    def _at(value: float | Callable[[float], float], age_s: float) -> float:
        return value(age_s) if callable(value) else value
