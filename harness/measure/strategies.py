"""What to ask a replica for at one poll instant, and what its answer proves about each item."""

from __future__ import annotations

import random
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.dynamodb.store import Key, Read, Store
from harness.measure.events import Poll
from harness.measure.plan import Watch, WritePlan
from harness.measure.schedules import Schedule
from harness.units import NS_PER_S

JITTER = (
    0.1  # enough: phases drift apart within some ten polls, and a wider one only lengthens the longest gaps
)
BATCH_LIMIT = 25  # a BatchGetItem of 100 answers several times slower than a GetItem


class Look(Protocol):
    """One request to a replica."""

    async def ask(self, store: Store, consistent: bool) -> Read:
        """Send it."""

    def covered(self, read: Read) -> range | tuple[int, ...]:
        """The sequence numbers the answer says something about."""


@dataclass(frozen=True, slots=True)
class QueryLook:
    """One Query over a shard's sequence numbers `first, first + step … last`."""

    shard: str
    first: int
    last: int
    step: int

    async def ask(self, store: Store, consistent: bool) -> Read:
        """Send it."""
        return await store.query(self.shard, range(self.first, self.last + 1, self.step), consistent)

    def covered(self, read: Read) -> range:
        """All it asked for, up to where the answer's page ended."""
        last = self.last if read.complete_to is None else read.complete_to
        return range(self.first, last + 1, self.step)


@dataclass(frozen=True, slots=True)
class BatchLook:
    """One BatchGetItem, or a GetItem where it is for a single key."""

    keys: tuple[Key, ...]

    async def ask(self, store: Store, consistent: bool) -> Read:
        """Send it."""
        if len(self.keys) == 1:
            return await store.get(self.keys[0], consistent)
        return await store.batch_get(self.keys, consistent)

    def covered(self, read: Read) -> tuple[int, ...]:
        """All it asked for less what came back unprocessed."""
        left = frozenset(read.unprocessed)
        return tuple(key.seq for key in self.keys if key.seq not in left)


class Strategy(Protocol):
    """Which requests a poll instant sends, and when the next one is."""

    def turn(self, now_ns: int, ages_ns: Mapping[int, int]) -> tuple[list[Look], int]:
        """The requests for the open items, given their ages in order of sequence number, and the next instant."""


class QueryStrategy:
    """One Query per shard at each instant, from its lowest open item to its highest: all of them in one request."""

    def __init__(self, plan: WritePlan, schedule: Schedule, rng: random.Random) -> None:
        self._plan = plan
        self._schedule = schedule
        self._rng = rng

    def turn(self, now_ns: int, ages_ns: Mapping[int, int]) -> tuple[list[Look], int]:
        """See `Strategy`."""
        looks: list[Look] = []
        shards = self._plan.shards
        for shard in range(shards):
            mine = [seq for seq in ages_ns if seq % shards == shard] if shards > 1 else list(ages_ns)
            if mine:
                looks.append(QueryLook(self._plan.shard_key(shard), mine[0], mine[-1], shards))
        gap_ns = self._schedule.shared_gap_ns(list(ages_ns.values()), portion(self._rng))
        return looks, now_ns + round(gap_ns)


class KeyStrategy:
    """Each item has its own rhythm, with a phase of its own; those due together share BatchGetItems.

    With `limit` 1 every item is asked for by a GetItem of its own, at its own instant.
    """

    def __init__(self, plan: WritePlan, schedule: Schedule, rng: random.Random, limit: int) -> None:
        self._plan = plan
        self._schedule = schedule
        self._rng = rng
        self._limit = limit
        self._next: dict[int, tuple[int, int]] = {}  # seq → when to ask again, and how much earlier would do

    def turn(self, now_ns: int, ages_ns: Mapping[int, int]) -> tuple[list[Look], int]:
        """See `Strategy`."""
        planned: dict[int, tuple[int, int]] = {}
        due = []
        for seq, age_ns in ages_ns.items():
            at_ns, early_ns = self._next.get(seq) or self._first(now_ns, age_ns)
            if at_ns - early_ns <= now_ns:
                due.append(seq)
                gap_ns = round(self._schedule.gap_ns(age_ns, portion(self._rng)))
                at_ns, early_ns = now_ns + gap_ns, 0 if self._limit == 1 else gap_ns // 2
            planned[seq] = at_ns, early_ns
        self._next = planned
        following_ns = min((at_ns for at_ns, _ in planned.values()), default=now_ns + NS_PER_S)
        return list(batch_looks(self._plan, due, self._limit)), following_ns

    def _first(self, now_ns: int, age_ns: int) -> tuple[int, int]:
        """A new item is asked for at once with others, at a phase of its own where it is asked for by itself."""
        if self._limit > 1:
            return now_ns, 0
        return now_ns + round(self._schedule.gap_ns(age_ns, self._rng.random())), 0


def make_strategy(name: str, plan: WritePlan, schedule: Schedule, rng: random.Random) -> Strategy:
    """The strategy of a name in `STRATEGIES`, less "auto": see `pick_strategy`."""
    if name == "get":
        return KeyStrategy(plan, schedule, rng, 1)
    if name == "batch":
        return KeyStrategy(plan, schedule, rng, BATCH_LIMIT)
    return QueryStrategy(plan, schedule, rng)


def portion(rng: random.Random) -> float:
    """How much of a gap to wait, within ± `JITTER`, so that polling cannot lock to the writes' rhythm."""
    return rng.uniform(1 - JITTER, 1 + JITTER)


def batch_looks(plan: WritePlan, seqs: Sequence[int], limit: int = BATCH_LIMIT) -> Iterator[BatchLook]:
    """BatchGetItems of at most `limit` keys."""
    keys = [Key(plan.hash_key(seq), seq) for seq in seqs]
    for start in range(0, len(keys), limit):
        yield BatchLook(tuple(keys[start : start + limit]))


def proves(watch: Watch, look: Look, read: Read, seen: Container[int], gone: Container[int] = ()) -> Poll:
    """The `Poll` event of an answer, given the items `seen` before it, and those of them that are `gone` since."""
    exchange = read.exchange
    asked = Poll(
        watch.source,
        watch.replica,
        exchange.received_ns if exchange.sent_ns is None else exchange.sent_ns,
        exchange.received_ns,
        failure=exchange.failure,
        error=exchange.error,
        new_connection=exchange.new_connection,
        read=watch.read,
    )
    if exchange.failure is not None:
        return asked
    covered = look.covered(read)
    found = frozenset(read.found)
    reach: Container[int] = covered if isinstance(covered, range) else frozenset(covered)
    first, last, step, seqs = 0, -1, 1, None
    if isinstance(covered, range):
        first, last, step = covered.start, covered.stop - 1, covered.step
    else:
        seqs = covered
    return replace(
        asked,
        first=first,
        last=last,
        step=step,
        seqs=seqs,
        hits=tuple(seq for seq in read.found if (seq not in seen or seq in gone) and seq in reach),
        absent=tuple(seq for seq in covered if seq in seen and seq not in found),
        units=read.units,
        unprocessed=len(read.unprocessed),
    )
