"""The emulated Regions as one pure state: tables, links between Regions, and the commit of a write.

Every call is given the instant it happens at, and calls come in order of their instants.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from random import Random
from typing import Any

from harness.emulator.faults.fault import Fault
from harness.emulator.faults.standing import LAPSES, Standing, StandingFaults
from harness.emulator.items import Item, Key, key_text
from harness.emulator.lag import LagSpec, LagStream
from harness.emulator.links import OF_LINKS, Departure, Link
from harness.emulator.pace import FAST, Pace, Span
from harness.emulator.quorum import Quorum
from harness.emulator.rtt import matrix
from harness.emulator.tables import FOREVER, Catalogue, Replica
from harness.emulator.truth import Truth
from harness.emulator.versions import Version
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
    faults: tuple[Fault, ...] = ()
    ignored_updates: int = 0


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
        self.faults = StandingFaults(settings.faults, self.stream)
        self._oldest_ns = settings.eventual.max_ns  # how far back a read may look
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
        for standing in self.faults.listed:
            self._place(standing)

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
        if consistent and not replica.table.strong:
            return now_ns
        if consistent:
            self.quorum.agree(replica)
        if self.faults.lapses:
            lapsed_ns = self.faults.lapsed_ns(replica.region, consistent, now_ns)
            if lapsed_ns < now_ns:
                return max(lapsed_ns, replica.active_ns)
        if consistent:
            return now_ns
        eventual = self.settings.eventual
        if self._staleness.random() >= eventual.share:
            return now_ns
        return max(now_ns - int(self._staleness.random() * eventual.max_ns), replica.active_ns)

    def commit(self, replica: Replica, key: Key, item: Item | None, size: int, now_ns: int) -> None:
        """Write one version (None deletes) in one Region, and decide when it arrives in the others."""
        strong, items = replica.table.strong, replica.table.items
        if strong:
            self.quorum.refuse_conflict(replica, key, now_ns)
        if not self.faults.began:
            self.faults.first_write(now_ns)
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
        items.append(key, version, now_ns - self._oldest_ns)

    def _tell(self, replica: Replica, other: Replica, key: Key, version: Version) -> None:
        """A strongly consistent write is visible to strongly consistent reads everywhere at its instant."""
        if self._truth is not None:
            at_ns, name = version.commit_ns, replica.table.name
            eventual_ns = version.visible_ns[other.number]
            self._truth.visible(replica.region, other.region, name, key_text(key), at_ns, at_ns, eventual_ns)

    def order(self, fault: Fault, now_ns: int) -> None:
        """Let something go wrong, in a window that counts from now."""
        standing = self.faults.order(fault, now_ns)
        self._place(standing)
        self._reroute(now_ns)

    def clear_faults(self, now_ns: int) -> None:
        """Let nothing go wrong any more; what was held up goes on, as after the end of its pause."""
        self.faults.clear(now_ns)
        self._reroute(now_ns)
        for link in self.links.values():
            link.faults.clear()  # outages stay: what they have held up is still under way

    def delete_tables(self, region: str, now_ns: int) -> None:
        """Delete every table of a Region, whatever stands against it; what is under way there never arrives."""
        for name in self.catalogue.in_region(region, now_ns):
            replica = self.catalogue.find(region, name, now_ns)
            if replica is None or replica.deleting_ns != FOREVER:
                continue
            replica.deleting_ns = now_ns
            replica.left_ns = replica.gone_ns = now_ns + self.takes_ns(self.settings.pace.table)
            for (_, to_region), link in self.links.items():
                if to_region == region:
                    link.forsake(replica, now_ns, self._truth)

    def _place(self, standing: Standing) -> None:
        fault = standing.fault
        if standing.name in LAPSES.values():
            self._oldest_ns = max(self._oldest_ns, fault.time_ns)
        for pair, link in self.links.items():
            if standing.name in OF_LINKS and fault.concerns_link(pair):
                link.add(standing)

    def _reroute(self, now_ns: int) -> None:
        for link in self.links.values():
            link.reroute(now_ns, self._truth)

    def resume(self, now_ns: int) -> None:
        """Let every paused link go on."""
        for link in self.links.values():
            link.resume(now_ns, self._truth)
