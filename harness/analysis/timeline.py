"""The conditions of a run over its time: round trips, event-loop delay, and all else that gates judge, bin by bin.

What is stored is bounded however long the run was: at most 120 bins, a second long or longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.evidence import Evidence
from harness.analysis.gates import ADHERENCE_MIN, stall_limit_ns, trip_excess_limit_ns
from harness.analysis.round_trips import excess_ns
from harness.measure.events import Event, LoopDelay, Poll, Ticks, Write
from harness.units import NS_PER_MS, NS_PER_S

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_BINS = 120
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)


@dataclass(frozen=True, slots=True)
class _Bins:
    """Equal stretches of time: bin k begins at `start_ns + k × step_ns`."""

    origin_ns: int
    start_ns: int
    step_ns: int
    count: int

    @classmethod
    def over(cls, first_ns: int, last_ns: int, origin_ns: int) -> _Bins:
        """From the first instant to the last, on whole steps from the origin."""
        for step_s in _STEPS_S:
            step_ns = step_s * NS_PER_S
            before, after = (first_ns - origin_ns) // step_ns, (last_ns - origin_ns) // step_ns
            if after - before < MAX_BINS:
                break
        return cls(origin_ns, origin_ns + before * step_ns, step_ns, int(after - before) + 1)

    def of(self, at_ns: Ints) -> Ints:
        """The bin of each instant."""
        index: Ints = np.clip((at_ns - self.start_ns) // self.step_ns, 0, self.count - 1)
        return index

    def sums(self, at_ns: Ints, values: Ints) -> Floats:
        """The sum of the values in each bin."""
        return np.bincount(self.of(at_ns), values, self.count).astype(np.float64)

    def percentiles_ms(self, at_ns: Ints, values_ns: Ints, percentiles: Sequence[float]) -> list[list[Any]]:
        """Each percentile of the values in each bin, in milliseconds; null where a bin has none."""
        index = self.of(at_ns)
        order = np.lexsort((values_ns, index))
        ordered = values_ns[order] / NS_PER_MS
        edges = np.searchsorted(index[order], np.arange(self.count + 1))
        first, size = edges[:-1], np.diff(edges)
        found = []
        for percentile in percentiles:
            rank = percentile / 100 * np.maximum(size - 1, 0)
            below = np.minimum(first + rank.astype(np.int64), len(ordered) - 1)
            above = np.minimum(below + 1, len(ordered) - 1)  # of another bin only where it has no weight
            value = ordered[below] + (rank % 1) * (ordered[above] - ordered[below])
            found.append([round(float(v), 3) if n else None for v, n in zip(value, size, strict=True)])
        return found


def describe_timeline(evidence: Evidence) -> dict[str, Any] | None:
    """The conditions bin by bin, durations in ms, null where a bin has nothing; None for a run without any request.

    `origin_ns` is the instant, on the samples' clock, of t = 0, when the first measured write was due; bin k begins
    `from_s + k × step_s` after it. Each series is as long as `bins`. A `limit` is what the gate allows.
    """
    trips = evidence.round_trips
    if not trips:
        return None
    first, last = (int(end(end(t[:, 0]) for t in trips.values())) for end in (min, max))
    origin = int(evidence.samples["due_ns"].min()) if len(evidence.samples) else first
    bins = _Bins.over(first, last, origin)
    return {
        "origin_ns": origin,
        "from_s": (bins.start_ns - origin) / NS_PER_S,
        "step_s": bins.step_ns / NS_PER_S,
        "bins": bins.count,
        "loop_delay": _loop_delay(evidence, bins),
        "round_trips": [
            _round_trips(evidence, bins, region, request, found)
            for (region, request), found in sorted(trips.items())
        ],
        "lateness": [_lateness(evidence, bins, source) for source in evidence.config.sources],
        "skipped_polls": _skipped_polls(evidence, bins),
        "refused": _refused(evidence.events, bins),
    }


def _loop_delay(evidence: Evidence, bins: _Bins) -> dict[str, Any]:
    """Probes stand at equal distances before the instant of their event."""
    events: list[LoopDelay] = evidence.of(LoopDelay)
    spacing_ns = NS_PER_S // max((len(event.delays_ns) for event in events), default=1)
    instants = [event.at_ns - spacing_ns * np.arange(len(event.delays_ns))[::-1] for event in events]
    at = np.concatenate([np.empty(0, np.int64), *instants])
    delays = np.array([delay for event in events for delay in event.delays_ns], np.int64)
    p50, p99 = bins.percentiles_ms(at, delays, (50, 99)) if len(at) else ([None] * bins.count,) * 2
    return {"p50_ms": p50, "p99_ms": p99, "limit_ms": stall_limit_ns(evidence.config) / NS_PER_MS}


def _round_trips(evidence: Evidence, bins: _Bins, region: str, request: str, trips: Ints) -> dict[str, Any]:
    at, excess = trips[:, 0], excess_ns(trips)
    least, p50, p99 = bins.percentiles_ms(at, trips[:, 1], (0, 50, 99))
    return {
        "region": region,
        "request": request,
        "min_ms": least,
        "p50_ms": p50,
        "p99_ms": p99,
        "floor_ms": bins.percentiles_ms(at, trips[:, 1] - excess, (50,))[0],
        "excess_p99_ms": bins.percentiles_ms(at, excess, (99,))[0],
        "limit_ms": trip_excess_limit_ns(evidence.config) / NS_PER_MS,
    }


def _lateness(evidence: Evidence, bins: _Bins, source: str) -> dict[str, Any]:
    rows = [
        (write.sent_ns, write.sent_ns - write.due_ns)
        for write in evidence.of(Write)
        if write.source == source and write.sent_ns is not None and write.attempts == 1
    ]
    late = np.array(rows, np.int64).reshape(-1, 2)
    p99 = bins.percentiles_ms(late[:, 0], late[:, 1], (99,))[0] if len(late) else [None] * bins.count
    return {"region": source, "p99_ms": p99, "limit_ms": stall_limit_ns(evidence.config) / NS_PER_MS}


def _skipped_polls(evidence: Evidence, bins: _Bins) -> list[dict[str, Any]]:
    ticks: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for event in evidence.of(Ticks):
        ticks.setdefault((event.source, event.replica), []).append(
            (event.at_ns, event.planned, event.skipped)
        )
    found = []
    for (source, replica), rows in ticks.items():
        until, planned, skipped = np.array(rows, np.int64).T
        at = (until + np.append(until[:1], until[:-1])) // 2  # they were due since the event before
        each = zip(bins.sums(at, skipped), bins.sums(at, planned), strict=True)
        share = [round(float(missed / due), 4) if due else None for missed, due in each]
        found.append({"from": source, "to": replica, "share": share, "limit": round(1 - ADHERENCE_MIN, 4)})
    return found


def _refused(events: Sequence[Event], bins: _Bins) -> list[dict[str, Any]]:
    """Throttled and otherwise failed requests of each Region and kind, where there were any."""
    rows: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for event in events:
        if isinstance(event, Poll):
            if event.failure is not None or event.unprocessed:
                throttled = event.failure in (None, "throttled")
                rows.setdefault((event.replica, "read"), []).append(
                    (event.sent_ns, int(throttled), int(not throttled))
                )
        elif isinstance(event, Write) and event.attempts and (event.attempts > 1 or event.result != "acked"):
            throttled_last = event.failure == "throttled"
            row = (
                event.due_ns if event.sent_ns is None else event.sent_ns,
                event.attempts - 1 + throttled_last,
                int(event.result != "acked" and not throttled_last),
            )
            rows.setdefault((event.source, "write"), []).append(row)
    found = []
    for (region, request), mine in sorted(rows.items()):
        at, throttled_counts, failed = np.array(mine, np.int64).T
        counts = {"throttled": bins.sums(at, throttled_counts), "failed": bins.sums(at, failed)}
        named = {name: [int(count) for count in series] for name, series in counts.items()}
        found.append({"region": region, "request": request, **named})
    return found
