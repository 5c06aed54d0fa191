"""The faults of one world as they come and go: their instants, and how often each has struck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from harness.emulator.faults.fault import Fault
from harness.units import FOREVER_NS

LAPSES = {False: "flap", True: "stale"}  # of reads, by their being strongly consistent
FIRST_WRITE, ORDERED = "after the first write", "after it was ordered"


class Standing:
    """A fault and its instants [start_ns, end_ns), both `FOREVER_NS` until they are known.

    `since_ns` is when it was ordered, 0 for those the world began with. `struck` counts the requests, reads, writes or
    Regions it has struck.
    """

    __slots__ = ("affected", "end_ns", "fault", "name", "rng", "since", "since_ns", "start_ns", "struck")

    def __init__(self, fault: Fault, rng: Random, since: str, since_ns: int) -> None:
        self.fault = fault
        self.name = fault.kind.name
        self.affected = fault.affected()
        self.rng = rng
        self.since = since
        self.since_ns = since_ns
        self.start_ns = self.end_ns = FOREVER_NS
        self.struck = 0

    def begin(self, origin_ns: int) -> None:
        """Count its window from this instant."""
        self.start_ns = min(origin_ns + self.fault.start_ns, FOREVER_NS)
        self.end_ns = min(origin_ns + self.fault.end_ns, FOREVER_NS)

    def active(self, now_ns: int) -> bool:
        """Is it in force at this instant?"""
        return self.start_ns <= now_ns < self.end_ns

    def strikes(self, now_ns: int) -> bool:
        """Does it strike at this instant? Draws for its share, and counts."""
        if not self.active(now_ns):
            return False
        share = self.fault.share
        if share < 1.0 and self.rng.random() >= share:
            return False
        self.struck += 1
        return True

    def describe(self) -> str:
        """The fault in words."""
        return self.fault.describe(self.since)

    def state(self, now_ns: int) -> str:
        """What of its window lies before this instant."""
        if now_ns >= self.end_ns and self.end_ns != FOREVER_NS:
            return "over"
        return "in force" if now_ns >= self.start_ns else "to come"


class StandingFaults:
    """All faults of one world, those it began with and those ordered later.

    `requests` are those that strike requests, `lapses` those that show reads the past: empty lists cost nothing.
    `on_change` is called with a fault and an instant when its instants become known or change.
    """

    def __init__(self, faults: Sequence[Fault], stream: Callable[[str], Random]) -> None:
        self.listed: list[Standing] = []
        self.requests: list[Standing] = []
        self.lapses: list[Standing] = []
        self.on_change: list[Callable[[Standing, int], None]] = []
        self._stream = stream
        self._count = 0
        self.began = False
        for fault in faults:
            self._list(fault, FIRST_WRITE, 0)

    def _list(self, fault: Fault, since: str, since_ns: int) -> Standing:
        self._count += 1
        standing = Standing(fault, self._stream(f"fault/{self._count}/{fault.text}"), since, since_ns)
        self.listed.append(standing)
        if fault.kind.operations:
            self.requests.append(standing)
        elif standing.name in LAPSES.values():
            self.lapses.append(standing)
        return standing

    def first_write(self, now_ns: int) -> None:
        """The instant most windows count from."""
        self.began = True
        for standing in self.listed:
            if standing.since == FIRST_WRITE:
                standing.begin(now_ns)
                self._tell(standing, now_ns)

    def order(self, fault: Fault, now_ns: int) -> Standing:
        """Add a fault whose window counts from now."""
        standing = self._list(fault, ORDERED, now_ns)
        standing.begin(now_ns)
        self._tell(standing, now_ns)
        return standing

    def clear(self, now_ns: int) -> None:
        """End what is in force, forget what is to come."""
        ended, self.listed = self.listed, []
        self.requests, self.lapses = [], []
        for standing in ended:
            standing.start_ns, standing.end_ns = min(standing.start_ns, now_ns), min(standing.end_ns, now_ns)
            self._tell(standing, now_ns)

    def lapsed_ns(self, region: str, consistent: bool, now_ns: int) -> int:
        """The instant a read looks at."""
        for lapse in self.lapses:
            concerned = lapse.name == LAPSES[consistent] and lapse.fault.concerns(region)
            if concerned and lapse.strikes(now_ns):
                back_ns = int(lapse.rng.random() * lapse.fault.time_ns)
                return min(now_ns, max(now_ns - back_ns, lapse.since_ns))
        return now_ns

    def _tell(self, standing: Standing, now_ns: int) -> None:
        for tell in self.on_change:
            tell(standing, now_ns)
