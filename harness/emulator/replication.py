"""The emulated Regions as one pure state: tables, links between Regions, and the commit of a write.

Every call is given the instant it happens at, and calls come in order of their instants.
"""

from __future__ import annotations

import heapq
import uuid
from dataclasses import dataclass
from random import Random
from typing import Any

from harness.emulator.faults import NO_FAULTS, Faults
from harness.emulator.items import Item, Key, key_text
from harness.emulator.lag import LagSpec, LagStream
from harness.emulator.pace import FAST, Pace, Span
from harness.emulator.quorum import Quorum
from harness.emulator.rtt import matrix
from harness.emulator.store import token
from harness.emulator.tables import FOREVER, Catalogue, Replica
from harness.emulator.truth import Truth
from harness.emulator.versions import NEVER, Version
from harness.errors import UsageError
from harness.units import NS_PER_MS, format_duration, parse_duration_ns

_STALE_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class EventualReads:
    """Eventually consistent reads [model]: a `share` of them looks up to `max_ns` into the past.

    The default follows a public single-Region study: 99.5 % fresh at once, all fresh after 100 ms.
    """

    share: float = _STALE_SHARE
    max_ns: int = 100 * NS_PER_MS

    def describe(self) -> str:
        """The model in words."""
        return f"{self.share:.3g} of eventually consistent reads are up to {format_duration(self.max_ns)} old"


def parse_eventual(text: str) -> EventualReads:
    """Read "none", "100ms" or "0.005:100ms" (share and greatest age).

    Raises:
        UsageError: the text is none of these.
    """
    if text == "none":
        return EventualReads(0.0, 0)
    share_text, colon, age_text = text.rpartition(":")
    try:
        share = float(share_text) if colon else _STALE_SHARE
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"eventual lag {text!r} is not one of none, 100ms or SHARE:AGE such as 0.005:100ms")
    return EventualReads(share, parse_duration_ns(age_text))


@dataclass(frozen=True, slots=True)
class Settings:
    """What an emulated world is made of; of its first changes of replicas, `ignored_updates` are without effect."""

    regions: tuple[str, ...]
    lag: LagSpec
    seed: int
    eventual: EventualReads = EventualReads()
    pace: Pace = FAST
    faults: Faults = NO_FAULTS
    ignored_updates: int = 0


@dataclass(frozen=True, slots=True)
class Departure:
    """A version on its way to one replica."""

    version: Version
    origin: Replica
    replica: Replica
    key: Key

    def arrive(self, instant_ns: int, truth: Truth | None) -> None:
        """Decide the arrival (again), and say so in the truth journal."""
        self.version.arrive(self.replica.number, instant_ns)
        if truth is not None:
            visible_ns = None if instant_ns == NEVER else instant_ns
            name, text = self.origin.table.name, key_text(self.key)
            commit_ns = self.version.commit_ns
            truth.visible(self.origin.region, self.replica.region, name, text, commit_ns, visible_ns)


class Link:
    """The one-way path between two Regions. `under_way` holds what has not arrived, earliest first.

    `outages` are the instants [start, end) between which nothing arrives, in order.
    """

    def __init__(self, stream: LagStream, paused: bool) -> None:
        self._stream = stream
        self.paused = paused
        self.outages: list[tuple[int, int]] = []
        self.under_way: list[tuple[int, int, Departure]] = []

    def carry(self, departure: Departure, floor_ns: int, now_ns: int, truth: Truth | None) -> None:
        """Send a version off; it arrives after the link's lag, and not before `floor_ns`."""
        commit_ns = departure.version.commit_ns
        arrival_ns = NEVER
        if not self.paused:
            lag_ns = self._stream.draw_ns(now_ns, token(departure.key[0]))
            arrival_ns = max(now_ns + lag_ns, commit_ns, floor_ns, departure.replica.active_ns)
            for start_ns, end_ns in self.outages:
                if start_ns <= arrival_ns < end_ns:
                    arrival_ns = end_ns + lag_ns
        departure.arrive(arrival_ns, truth)
        under_way = self.under_way
        while under_way and under_way[0][0] <= now_ns:
            heapq.heappop(under_way)
        heapq.heappush(under_way, (arrival_ns, departure.version.sequence, departure))

    def resume(self, now_ns: int, truth: Truth | None) -> None:
        """Let the backlog go: each version takes the lag of one committed now, one item's versions in order."""
        if not self.paused:
            return
        self.paused = False
        backlog, self.under_way = sorted(self.under_way, key=lambda entry: entry[1]), []
        latest: dict[tuple[int, int, Key], int] = {}
        for _, _, departure in backlog:
            lane = (departure.origin.number, departure.replica.number, departure.key)
            self.carry(departure, latest.get(lane, 0), now_ns, truth)
            latest[lane] = departure.version.visible_ns[departure.replica.number]
        for table in {id(entry[2].origin.table): entry[2].origin.table for entry in backlog}.values():
            table.items.rewritten()


class World:
    """All Regions. `wall_offset_ns` turns monotonic instants into times since 1970, for dates in answers."""

    def __init__(self, settings: Settings, truth: Truth | None = None, wall_offset_ns: int = 0) -> None:
        self.settings = settings
        self.regions = settings.regions
        self.catalogue = Catalogue(settings.regions)
        self.wall_offset_ns = wall_offset_ns
        self.ignored_updates = settings.ignored_updates
        self.transactions: dict[str, tuple[list[Any], dict[str, Any]]] = {}  # by token: actions, answer
        self._truth = truth
        self._sequence = 0
        self._first_write_ns: int | None = None
        self._rng = self.stream("world")
        self._staleness = self.stream("eventual")
        self._control = self.stream("control")
        self.quorum = Quorum(self.stream("quorum"))
        pairs = [(a, b) for a in settings.regions for b in settings.regions if a != b]
        self.links = {
            pair: Link(
                LagStream(settings.lag, matrix()[pair], self.stream("/".join(pair))), settings.lag.paused
            )
            for pair in pairs
        }

    def stream(self, name: str) -> Random:
        """An independent stream of random numbers, the same for the same seed and name."""
        return Random(f"{self.settings.seed}/{name}")

    def new_id(self) -> str:
        """A UUID for a table."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def takes_ns(self, span: Span) -> int:
        """How long something of the control plane takes this time."""
        return span.draw_ns(self._control)

    def read_instant(self, replica: Replica, consistent: bool, now_ns: int) -> int:
        """The instant a read at `now_ns` looks at: now, or a little earlier for a stale eventual read."""
        if consistent and replica.table.strong:
            self.quorum.agree(replica)
        eventual = self.settings.eventual
        if consistent or self._staleness.random() >= eventual.share:
            return now_ns
        return max(now_ns - int(self._staleness.random() * eventual.max_ns), replica.active_ns)

    def commit(self, replica: Replica, key: Key, item: Item | None, size: int, now_ns: int) -> None:
        """Write one version (None deletes) in one Region, and decide when it arrives in the others."""
        strong, items = replica.table.strong, replica.table.items
        if strong:
            self.quorum.refuse_conflict(replica, key, now_ns)
        if self._first_write_ns is None:
            self._schedule_outages(now_ns)
        self._sequence += 1
        version = Version(item, size, now_ns, self._sequence, replica.number)
        if strong:
            self.quorum.write(replica, key, version)
        for other in replica.table.replicas.values():
            if other is replica or other.deleting_ns != FOREVER:
                continue
            if strong:
                self._tell(replica, other, key, version)
                continue
            link = self.links[replica.region, other.region]
            floor_ns = items.floor_ns(key, replica.number, other.number)
            link.carry(Departure(version, replica, other, key), floor_ns, now_ns, self._truth)
        items.append(key, version, now_ns - self.settings.eventual.max_ns)

    def _tell(self, replica: Replica, other: Replica, key: Key, version: Version) -> None:
        """A strongly consistent write is visible to strongly consistent reads everywhere at its instant."""
        if self._truth is not None:
            at_ns, name = version.commit_ns, replica.table.name
            eventual_ns = version.visible_ns[other.number]
            self._truth.visible(replica.region, other.region, name, key_text(key), at_ns, at_ns, eventual_ns)

    def throttles(self, region: str, operation: str, now_ns: int) -> bool:
        """Is this operation refused there, at this instant, for want of capacity?"""
        first_ns = self._first_write_ns
        if first_ns is None:
            return False
        return any(t.refuses(region, operation, now_ns - first_ns) for t in self.settings.faults.throttles)

    def _schedule_outages(self, first_write_ns: int) -> None:
        self._first_write_ns = first_write_ns
        for outage in self.settings.faults.outages:
            for pair, link in self.links.items():
                if outage.link in (None, pair):
                    link.outages.append((first_write_ns + outage.start_ns, first_write_ns + outage.end_ns))

    def resume(self, now_ns: int) -> None:
        """Let every paused link go on."""
        for link in self.links.values():
            link.resume(now_ns, self._truth)
