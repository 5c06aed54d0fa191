"""When to look again: how long after a poll the next one is due, given how old the items watched are.

A poll every g locates an item's appearance within g, so for a given number of polls the expected error is least
where g ∝ 1/√h, with h the hazard: the rate at which an item of that age, still unseen, appears.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

from harness.measure.recent import Recent

SCHEDULES = ("fixed", "geometric", "adaptive")
GROWTH = 0.05  # geometric: the gap grows with the age
SPARSEST = 8.0  # adaptive: no gap is longer than this many poll spacings, and none shorter than one
LOOK_AHEAD = 0.5  # of a spacing, the steps in which the hazard ahead is looked at
LEARN_FROM = 50  # appearances before the schedule adapts, and between its revisions
MARGIN = 0.5  # of the spread seen, on either side, polled at SHOULDER times the gap within it,
SHOULDER = 1.4
MARGIN_SPACINGS = 2  # but at least this many poll spacings
ITEMS_ENOUGH = 64  # to tell how likely any of many is to appear
SEGMENTS = 20  # of the distribution, at equal probability
_MEMORY = 0.99  # per poll spacing, of the mean rate of appearance


class Schedule(Protocol):
    """The gap after a poll of items of certain ages, nanoseconds; it may learn from the ages at which items appear.

    `portion`, about 1, stretches a gap as much as it would stretch a fixed one: it is drawn anew for each poll, so that
    polling cannot lock to the writes' rhythm.
    """

    def gap_ns(self, age_ns: int, portion: float) -> float:
        """The gap for one item that is polled by itself."""

    def shared_gap_ns(self, ages_ns: Sequence[int], portion: float) -> float:
        """The gap for items that one request looks at together."""

    def appeared(self, missed_ns: int, seen_ns: int) -> None:
        """An item appeared between these ages."""


class Fixed:
    """Always the poll spacing."""

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns

    def gap_ns(self, age_ns: int, portion: float) -> float:
        """The gap for one item."""
        return portion * self._interval_ns

    def shared_gap_ns(self, ages_ns: Sequence[int], portion: float) -> float:
        """The gap for items looked at together."""
        return portion * self._interval_ns

    def appeared(self, missed_ns: int, seen_ns: int) -> None:
        """Nothing is learnt."""


class Geometric:
    """The poll spacing at first, then a constant part of the age: back-off."""

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns

    def gap_ns(self, age_ns: int, portion: float) -> float:
        """The gap for one item."""
        return portion * max(self._interval_ns, GROWTH * age_ns)

    def shared_gap_ns(self, ages_ns: Sequence[int], portion: float) -> float:
        """What the youngest item needs."""
        return self.gap_ns(min(ages_ns, default=0), portion)

    def appeared(self, missed_ns: int, seen_ns: int) -> None:
        """Nothing is learnt."""


class Adaptive:
    """Dense where this run's own latencies say that items appear, sparse elsewhere; fixed until enough are known.

    The next poll is where the integral of the wanted density of polls, ∝ √h, reaches `portion`: looking ahead, so that
    a long gap cannot leap over the ages at which items appear.
    """

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._ages = Recent()
        self._edges: list[float] = []
        self._hazards: list[float] = []
        self._densities: list[
            float
        ] = []  # polls per ns wanted for one item, before, between and after the edges
        self._mean = self._mean_square = 0.0  # of the summed hazards, over time
        self._news = 0

    def gap_ns(self, age_ns: int, portion: float) -> float:
        """The gap for one item: the spacing where the hazard is at its lower quartile, ∝ 1/√h elsewhere."""
        if not self._edges:
            return portion * self._interval_ns
        at, polls, age = bisect_right(self._edges, age_ns), 0.0, float(age_ns)
        while at < len(self._edges):
            within = (self._edges[at] - age) * self._densities[at]
            if polls + within >= portion:
                break
            polls, age, at = polls + within, self._edges[at], at + 1
        return age + (portion - polls) / self._densities[at] - age_ns

    def shared_gap_ns(self, ages_ns: Sequence[int], portion: float) -> float:
        """The same for the rate at which any of the items appears: the spacing where it is what it is on average when
        one does (its mean over time, weighted by itself)."""
        if not self._edges:
            return portion * self._interval_ns
        step = LOOK_AHEAD * self._interval_ns
        now = self._total(ages_ns, 0.0)
        if not self._mean:
            self._mean, self._mean_square = now, now * now
        usual = self._mean_square / self._mean if self._mean else 0.0
        polls, ahead = 0.0, 0
        while ahead * LOOK_AHEAD < SPARSEST:
            total = self._total(ages_ns, ahead * step) if ahead else now
            within = step / self._limited(usual, total)
            if polls + within >= portion:
                break
            polls, ahead = polls + within, ahead + 1
        gap_ns = (ahead + (portion - polls) / within) * step
        forgotten = 1 - _MEMORY ** (gap_ns / self._interval_ns)
        self._mean += forgotten * (now - self._mean)
        self._mean_square += forgotten * (now * now - self._mean_square)
        return min(gap_ns, SPARSEST * self._interval_ns)

    def appeared(self, missed_ns: int, seen_ns: int) -> None:
        """Learn one age, the middle; the schedule is revised now and then."""
        self._ages.add((missed_ns + seen_ns) // 2)
        self._news += 1
        if self._news >= LEARN_FROM:
            self._news = 0
            self._learn()

    def _total(self, ages_ns: Sequence[int], ahead_ns: float) -> float:
        edges, hazards = self._edges, self._hazards
        every = 1 + len(ages_ns) // ITEMS_ENOUGH
        return every * sum(hazards[bisect_right(edges, age + ahead_ns)] for age in ages_ns[::every])

    def _limited(self, reference: float, hazard: float) -> float:
        ratio = math.sqrt(reference / hazard) if hazard > 0 else SPARSEST
        return self._interval_ns * min(SPARSEST, max(1.0, ratio))

    def _learn(self) -> None:
        """Piecewise constant hazard between quantiles, less of it on the shoulders, next to none beyond."""
        ages, last = self._ages.values, len(self._ages.values) - 1
        edges, shares = [float(ages[0])], [0.0]  # of the ages below each edge
        for k in range(1, SEGMENTS + 1):
            age = float(ages[round(last * k / SEGMENTS)])
            # A segment is at least one spacing wide: shorter ones are the polls' resolution, not the items' rhythm.
            if age >= edges[-1] + self._interval_ns:
                edges.append(age)
                shares.append(k / SEGMENTS)
        if shares[-1] < 1:
            edges.append(edges[-1] + self._interval_ns)
            shares.append(1.0)
        inside = [
            (high - low) / (right - left) / (1 - low)
            for (left, right), (low, high) in zip(
                itertools.pairwise(edges), itertools.pairwise(shares), strict=True
            )
        ]
        # What was seen does not end where the next item may appear: half its spread of margin on either side.
        margin = max(MARGIN * (edges[-1] - edges[0]), MARGIN_SPACINGS * self._interval_ns)
        outside = min(inside) / SPARSEST**2
        shoulder = min(inside) / SHOULDER**2
        self._edges = [edges[0] - margin, *edges, edges[-1] + margin]
        self._hazards = [outside, shoulder, *inside, shoulder, outside]
        dense = sorted(inside)[len(inside) // 4]
        self._densities = [1 / self._limited(dense, hazard) for hazard in self._hazards]


def make_schedule(name: str, interval_ns: int) -> Schedule:
    """The schedule of a name in `SCHEDULES`."""
    classes: dict[str, type[Fixed | Geometric | Adaptive]] = {
        "fixed": Fixed,
        "geometric": Geometric,
        "adaptive": Adaptive,
    }
    return classes[name](interval_ns)
