"""When to look again: how long after a poll the next one is due, given how old the items watched are.

A poll every g locates an item's appearance within g, so for a given number of polls the expected error is least
where g ∝ 1/√h, with h the hazard: the rate at which an item of that age, still unseen, appears.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import Protocol

SCHEDULES = ("fixed", "geometric", "adaptive")
GROWTH = 0.05  # geometric: the gap grows with the age
SPARSEST = 8.0  # adaptive: no gap for a single item is longer than this many poll spacings
SHARED_SPARSEST = 3.0  # nor for items looked at together, one of which may be about to appear
LEARN_FROM = 50  # appearances before the schedule adapts, and between its revisions
REMEMBERED = 2000
MARGIN = 0.5  # of the spread seen, on either side, polled at SHOULDER times the gap within it
SHOULDER = 2.0
SEGMENTS = 20  # of the distribution, at equal probability
_MEMORY = 0.99  # per poll, of the mean rate of appearance


class Schedule(Protocol):
    """The gap after a poll of items of certain ages, nanoseconds; it may learn from the ages at which items appear."""

    def gap_ns(self, age_ns: int) -> float:
        """The gap for one item that is polled by itself."""

    def shared_gap_ns(self, ages_ns: Sequence[int]) -> float:
        """The gap for items that one request looks at together."""

    def appeared(self, age_ns: int) -> None:
        """An item was first seen at this age."""


class Fixed:
    """Always the poll spacing."""

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns

    def gap_ns(self, age_ns: int) -> float:
        """The gap for one item."""
        return self._interval_ns

    def shared_gap_ns(self, ages_ns: Sequence[int]) -> float:
        """The gap for items looked at together."""
        return self._interval_ns

    def appeared(self, age_ns: int) -> None:
        """Nothing is learnt."""


class Geometric:
    """The poll spacing at first, then a constant part of the age: back-off."""

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns

    def gap_ns(self, age_ns: int) -> float:
        """The gap for one item."""
        return max(self._interval_ns, GROWTH * age_ns)

    def shared_gap_ns(self, ages_ns: Sequence[int]) -> float:
        """What the youngest item needs."""
        return self.gap_ns(min(ages_ns, default=0))

    def appeared(self, age_ns: int) -> None:
        """Nothing is learnt."""


class Adaptive:
    """Dense where this run's own latencies say that items appear, sparse elsewhere; fixed until enough are known."""

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._ages: list[int] = []  # sorted
        self._edges: list[float] = []
        self._hazards: list[float] = []
        self._dense = 0.0  # the hazard that deserves the poll spacing itself
        self._mean = 0.0  # of the summed hazards at the polls
        self._news = 0

    def gap_ns(self, age_ns: int) -> float:
        """The gap for one item: the spacing where the hazard is at its lower quartile, ∝ 1/√h elsewhere."""
        if not self._edges:
            return self._interval_ns
        return self._limited(self._dense, self._hazard(age_ns), SPARSEST)

    def shared_gap_ns(self, ages_ns: Sequence[int]) -> float:
        """The same for the rate at which any of the items appears, relative to its own running mean."""
        if not self._edges:
            return self._interval_ns
        total = sum(self._hazard(age_ns) for age_ns in ages_ns)
        self._mean = _MEMORY * self._mean + (1 - _MEMORY) * total if self._mean else total
        return self._limited(self._mean, total, SHARED_SPARSEST)

    def appeared(self, age_ns: int) -> None:
        """Learn one age; the schedule is revised now and then."""
        insort(self._ages, age_ns)
        if len(self._ages) > REMEMBERED:  # keep the shape, forget every other one
            self._ages = self._ages[::2]
        self._news += 1
        if self._news >= LEARN_FROM:
            self._news = 0
            self._learn()

    def _limited(self, reference: float, hazard: float, sparsest: float) -> float:
        ratio = math.sqrt(reference / hazard) if hazard > 0 else sparsest
        return self._interval_ns * min(sparsest, max(0.5, ratio))

    def _hazard(self, age_ns: int) -> float:
        return self._hazards[bisect_right(self._edges, age_ns)]

    def _learn(self) -> None:
        """Piecewise constant hazard between quantiles, less of it on the shoulders, next to none beyond."""
        ages, last = self._ages, len(self._ages) - 1
        edges = [float(ages[round(last * k / SEGMENTS)]) for k in range(SEGMENTS + 1)]
        # A segment is at least one spacing wide: shorter ones are the polls' resolution, not the items' rhythm.
        for k in range(1, len(edges)):
            edges[k] = max(edges[k], edges[k - 1] + self._interval_ns)
        inside = [
            1 / SEGMENTS / (right - left) / (1 - (k + 0.5) / SEGMENTS)
            for k, (left, right) in enumerate(itertools.pairwise(edges))
        ]
        # What was seen does not end where the next item may appear: half its spread of margin on either side.
        margin = MARGIN * (edges[-1] - edges[0])
        outside = min(inside) / SPARSEST**2
        shoulder = min(inside) / SHOULDER**2
        self._edges = [edges[0] - margin, *edges, edges[-1] + margin]
        self._hazards = [outside, shoulder, *inside, shoulder, outside]
        self._dense = sorted(inside)[len(inside) // 4]


def make_schedule(name: str, interval_ns: int) -> Schedule:
    """The schedule of a name in `SCHEDULES`."""
    classes: dict[str, type[Fixed | Geometric | Adaptive]] = {
        "fixed": Fixed,
        "geometric": Geometric,
        "adaptive": Adaptive,
    }
    return classes[name](interval_ns)
