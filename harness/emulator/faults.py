"""Faults on a schedule: links that carry nothing for a while, Regions that refuse requests for a while.

Their windows are nanoseconds since the first write in any Region, so that the time tables take to be made does not
move them. They are functions of time like all else here: nothing is switched on or off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.units import format_duration, parse_window_ns

READS = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})
WRITES = frozenset({"BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"})
_KINDS = {"reads": READS, "writes": WRITES, "": READS | WRITES}


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing arrives over a link in [start, end): what would have, arrives its own lag after the end.

    `link` is (from, to), None for every link.
    """

    link: tuple[str, str] | None
    start_ns: int
    end_ns: int

    def describe(self) -> str:
        """The fault in words."""
        where = "every link" if self.link is None else " → ".join(self.link)
        return f"{where} paused {_span(self.start_ns, self.end_ns)}"


@dataclass(frozen=True, slots=True)
class Throttle:
    """A Region refuses requests of these operations in [start, end)."""

    region: str
    kind: str
    start_ns: int
    end_ns: int

    def refuses(self, region: str, operation: str, age_ns: int) -> bool:
        """Does it refuse this operation there, so long after the first write?"""
        inside = self.start_ns <= age_ns < self.end_ns
        return inside and region == self.region and operation in _KINDS[self.kind]

    def describe(self) -> str:
        """The fault in words."""
        return f"{self.region} throttles {self.kind or 'requests'} {_span(self.start_ns, self.end_ns)}"


@dataclass(frozen=True, slots=True)
class Faults:
    """All that is to go wrong; outages in order of their starts."""

    outages: tuple[Outage, ...] = ()
    throttles: tuple[Throttle, ...] = ()

    def describe(self) -> list[str]:
        """Each fault in words."""
        return [outage.describe() for outage in self.outages] + [t.describe() for t in self.throttles]


NO_FAULTS = Faults()


def parse_faults(pauses: Sequence[str], throttles: Sequence[str], regions: Sequence[str]) -> Faults:
    """Read "8s-16s" or "FROM/TO=8s-16s", and "REGION=8s-16s", "REGION:reads=8s-16s" or "REGION:writes=8s-16s".

    Raises:
        UsageError: one is not of that form, or names a Region that is not emulated.
    """
    outages = sorted((_outage(text, regions) for text in pauses), key=lambda outage: outage.start_ns)
    return Faults(tuple(outages), tuple(_throttle(text, regions) for text in throttles))


def _outage(text: str, regions: Sequence[str]) -> Outage:
    link, _, window = text.rpartition("=")
    ends = tuple(link.split("/")) if link else ()
    if ends and (len(ends) != 2 or ends[0] == ends[1]):
        raise UsageError(f"pause {text!r} is not 8s-16s or FROM/TO=8s-16s")
    _check(text, ends, regions)
    return Outage((ends[0], ends[1]) if ends else None, *parse_window_ns(window))


def _throttle(text: str, regions: Sequence[str]) -> Throttle:
    where, equals, window = text.rpartition("=")
    region, colon, kind = where.partition(":")
    if not equals or (kind not in ("reads", "writes") if colon else False):
        raise UsageError(
            f"throttle {text!r} is not REGION=8s-16s, REGION:reads=8s-16s or REGION:writes=8s-16s"
        )
    _check(text, (region,), regions)
    return Throttle(region, kind, *parse_window_ns(window))


def _check(text: str, named: Sequence[str], regions: Sequence[str]) -> None:
    for region in named:
        if region not in regions:
            raise UsageError(f"{text!r} names Region {region!r}; emulated are {', '.join(regions)}")


def _span(start_ns: int, end_ns: int) -> str:
    return f"from {format_duration(start_ns)} to {format_duration(end_ns)} after the first write"
