"""Round trips from a run's own requests: how steady they are, and how far above what light in a fibre would take."""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.measure.events import Event, Poll, Write
from harness.records.running_minimum import BUCKET_NS, running_minimum
from harness.units import NS_PER_MS

LIGHT_KM_PER_MS = 299.792458
FIBRE_INDEX = 1.468  # group refractive index of common single-mode fibre at 1550 nm
EARTH_RADIUS_KM = 6371.0
DRIFT_FLOOR_NS = NS_PER_MS  # a smaller change of the minimum is noise, whatever its share
_BUCKET_EXCHANGES = 20

Trips = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Location:
    """About where a Region is, in degrees."""

    latitude: float
    longitude: float


def round_trips(events: Sequence[Event], *, quorum: bool = False) -> dict[tuple[str, str], Trips]:
    """Per Region and kind of request ("read", "write"): rows of (sent_ns, round trip in ns), failures left out.

    With `quorum` strongly consistent reads ask other Regions and are a kind of their own, "quorum read".
    """
    trips: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for event in events:
        if isinstance(event, Poll) and event.failure is None:
            kind = "quorum read" if quorum and event.read == "strong" else "read"
            key, trip = (event.replica, kind), (event.sent_ns, event.received_ns - event.sent_ns)
        elif isinstance(event, Write) and event.sent_ns is not None and event.acked_ns is not None:
            key, trip = (event.source, "write"), (event.sent_ns, event.acked_ns - event.sent_ns)
        else:
            continue
        trips.setdefault(key, []).append(trip)
    return {key: np.array(rows, np.int64) for key, rows in trips.items()}


def excess_ns(trips: Trips) -> Trips:
    """By how much each round trip exceeds the running minimum."""
    sent, rtt = trips[:, 0], trips[:, 1]
    excess: Trips = rtt - running_minimum(sent, rtt, sent)
    return excess


def drift(trips: Trips) -> float | None:
    """The change of the minimum from one ten seconds to another, as a share of the smallest; None in a short run."""
    bucket = (trips[:, 0] - trips[:, 0].min()) // BUCKET_NS
    minima = [
        int(trips[bucket == b, 1].min())
        for b in np.unique(bucket)
        if (bucket == b).sum() >= _BUCKET_EXCHANGES
    ]
    if len(minima) < 2:
        return None
    change = max(minima) - min(minima)
    return 0.0 if change <= DRIFT_FLOOR_NS else change / min(minima)


@functools.cache
def region_locations() -> Mapping[str, Location]:
    """About where each Region is, from `data/aws_region_locations.csv`."""
    text = (resources.files("harness") / "data" / "aws_region_locations.csv").read_text()
    return {
        row["region"]: Location(float(row["latitude"]), float(row["longitude"]))
        for row in csv.DictReader(text.splitlines())
    }


def great_circle_km(a: Location, b: Location) -> float:
    """The distance over a spherical Earth (haversine)."""
    north_a, north_b = math.radians(a.latitude), math.radians(b.latitude)
    east = math.radians(b.longitude - a.longitude)
    half = math.sin((north_b - north_a) / 2) ** 2
    half += math.cos(north_a) * math.cos(north_b) * math.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def fibre_ms(distance_km: float) -> float:
    """How long light in a straight fibre takes one way."""
    return distance_km * FIBRE_INDEX / LIGHT_KM_PER_MS


def describe_reads(source: str, replica: str, trips: Trips) -> dict[str, Any]:
    """A pair's round trips in ms: min, p50, p99 and drift; where both Regions' places are known, also the distance
    between them, the round trip light in fibre would need for it, and how far the minimum lies above that."""
    rtt = trips[:, 1] / NS_PER_MS
    p0, p50, p99 = (float(value) for value in np.percentile(rtt, [0, 50, 99])) if len(rtt) else (None,) * 3
    described: dict[str, Any] = {"min": p0, "p50": p50, "p99": p99}
    described["drift_share"] = drift(trips) if len(rtt) else None
    km = _distance_km(source, replica)
    if km is not None:
        floor = 2 * fibre_ms(km)
        described |= {"distance_km": km, "fibre_floor": floor}
        # Shorter than light takes: then it was not measured from the source Region.
        described["over_fibre_floor"] = None if p0 is None or p0 < floor else p0 - floor
    return described


def over_one_way_floor(source: str, replica: str, latency_ms: Mapping[str, Any]) -> dict[str, float] | None:
    """Latency percentiles (those that have a value) less the time light in fibre needs one way, in ms; None where a
    Region's place is not known."""
    km = _distance_km(source, replica)
    if km is None:
        return None
    values = {name: estimate.get("value") for name, estimate in latency_ms.items()}
    return {name: value - fibre_ms(km) for name, value in values.items() if value is not None}


def _distance_km(source: str, replica: str) -> float | None:
    places = region_locations()
    if source == replica or source not in places or replica not in places:
        return None
    return great_circle_km(places[source], places[replica])
