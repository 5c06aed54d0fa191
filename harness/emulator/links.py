"""The one-way paths between Regions, what is under way on them, and the faults that hold it up, lose or mix it."""

from __future__ import annotations

import heapq

from harness.emulator.faults.standing import Standing
from harness.emulator.items import Key, key_text
from harness.emulator.lag import LagStream
from harness.emulator.store import token
from harness.emulator.tables import Replica
from harness.emulator.truth import Truth
from harness.emulator.versions import LOST, NEVER, Version
from harness.units import FOREVER_NS

OUTAGES = frozenset({"pause", "partition"})
OF_LINKS = OUTAGES | {"never", "duplicate", "reorder"}


class Departure:
    """A version on its way to one replica.

    It is due at `due_ns`, `lag_ns` after it was sent; what holds it up beyond that is its link's affair. `ordered`
    ones do not overtake earlier versions of their item.
    """

    __slots__ = ("due_ns", "held_by", "key", "lag_ns", "ordered", "origin", "replica", "version")

    def __init__(self, version: Version, origin: Replica, replica: Replica, key: Key) -> None:
        self.version = version
        self.origin = origin
        self.replica = replica
        self.key = key
        self.due_ns = NEVER
        self.lag_ns = 0
        self.ordered = True
        self.held_by: Standing | None = None

    def arrive(self, instant_ns: int, truth: Truth | None) -> None:
        """Decide the arrival (again), and say so in the truth journal."""
        self.version.arrive(self.replica.number, instant_ns)
        if truth is not None:
            visible_ns = None if instant_ns >= NEVER else instant_ns
            name, text = self.origin.table.name, key_text(self.key)
            commit_ns = self.version.commit_ns
            truth.visible(self.origin.region, self.replica.region, name, text, commit_ns, visible_ns)

    @property
    def lane(self) -> tuple[int, int, Key]:
        """Versions of one lane arrive in order."""
        return self.origin.number, self.replica.number, self.key


Entry = tuple[int, int, Departure]


class Link:
    """The one-way path between two Regions. `under_way` holds what has not arrived, earliest first.

    `outages` are faults while which nothing arrives, `faults` those of single writes.
    """

    def __init__(self, stream: LagStream, paused: bool) -> None:
        self._stream = stream
        self.paused = paused
        self.outages: list[Standing] = []
        self.faults: list[Standing] = []
        self.under_way: list[Entry] = []

    def add(self, standing: Standing) -> None:
        """Let a fault strike here."""
        (self.outages if standing.name in OUTAGES else self.faults).append(standing)

    def carry(self, departure: Departure, floor_ns: int, now_ns: int, truth: Truth | None) -> None:
        """Send a version off; it arrives after the link's lag, and not before `floor_ns`."""
        arrival_ns = NEVER
        if not self.paused:
            lag_ns = departure.lag_ns = self._stream.draw_ns(now_ns, token(departure.key[0]))
            departure.due_ns = max(now_ns + lag_ns, departure.version.commit_ns, departure.replica.active_ns)
            if self.faults:
                self._disturb(departure, now_ns)
            arrival_ns = self._arrival_ns(departure, floor_ns)
        departure.arrive(arrival_ns, truth)
        under_way = self.under_way
        while under_way and under_way[0][0] <= now_ns:
            heapq.heappop(under_way)
        if arrival_ns != LOST:
            heapq.heappush(under_way, (arrival_ns, departure.version.sequence, departure))

    def resume(self, now_ns: int, truth: Truth | None) -> None:
        """Let the backlog go: each version takes the lag of one committed now, one item's versions in order."""
        if not self.paused:
            return
        self.paused = False
        backlog, self.under_way = sorted(self.under_way, key=_sequence), []
        latest: dict[tuple[int, int, Key], int] = {}
        for _, _, departure in backlog:
            self.carry(departure, latest.get(departure.lane, 0), now_ns, truth)
            latest[departure.lane] = departure.version.visible_ns[departure.replica.number]
        _rewritten(backlog)

    def reroute(self, now_ns: int, truth: Truth | None) -> None:
        """Decide again when what is under way arrives: an outage was ordered, or ended before its time."""
        if self.paused:
            return
        pending = sorted((entry for entry in self.under_way if entry[0] > now_ns), key=_sequence)
        self.under_way = []
        latest: dict[tuple[int, int, Key], int] = {}
        for before_ns, sequence, departure in pending:
            arrival_ns = self._arrival_ns(departure, latest.get(departure.lane, 0))
            latest[departure.lane] = arrival_ns
            if arrival_ns != before_ns:
                departure.arrive(arrival_ns, truth)
            heapq.heappush(self.under_way, (arrival_ns, sequence, departure))
        _rewritten(pending)

    def forsake(self, replica: Replica, now_ns: int, truth: Truth | None) -> None:
        """What is under way to a replica never arrives: it is gone."""
        lost = [entry for entry in self.under_way if entry[2].replica is replica and entry[0] > now_ns]
        for _, _, departure in lost:
            departure.arrive(LOST, truth)
        self.under_way = [entry for entry in self.under_way if entry[2].replica is not replica]
        heapq.heapify(self.under_way)
        _rewritten(lost)

    def _arrival_ns(self, departure: Departure, floor_ns: int) -> int:
        """After the lag, in order, and once no outage is in the way: then its own lag after the end."""
        arrival_ns = departure.due_ns
        if arrival_ns == LOST:
            return LOST
        if departure.ordered:
            arrival_ns = max(arrival_ns, floor_ns)
        while self.outages and (outage := next((o for o in self.outages if o.active(arrival_ns)), None)):
            if outage is not departure.held_by:
                departure.held_by = outage
                outage.struck += 1
            arrival_ns = NEVER if outage.end_ns == FOREVER_NS else outage.end_ns + departure.lag_ns
        return arrival_ns

    def _disturb(self, departure: Departure, now_ns: int) -> None:
        for standing in self.faults:
            if standing.name == "reorder":
                departure.ordered &= not standing.active(now_ns)
                if standing.strikes(now_ns):
                    departure.due_ns += int(standing.rng.random() * standing.fault.time_ns)
            elif standing.strikes(now_ns):
                if standing.name == "never":
                    departure.due_ns = LOST
                    return
                self._send_again(departure, now_ns, standing)

    def _send_again(self, departure: Departure, now_ns: int, standing: Standing) -> None:
        """The first of two attempts to arrive counts, and the other changes nothing: the same writer wrote it."""
        again_ns = now_ns + int(departure.lag_ns * standing.rng.uniform(0.5, 2.0))
        soonest_ns = max(departure.version.commit_ns, departure.replica.active_ns)
        departure.due_ns = min(departure.due_ns, max(again_ns, soonest_ns))


def _sequence(entry: Entry) -> int:
    return entry[1]


def _rewritten(entries: list[Entry]) -> None:
    for table in {id(entry[2].origin.table): entry[2].origin.table for entry in entries}.values():
        table.items.rewritten()
