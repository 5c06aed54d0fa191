"""Percentiles of interval-censored samples, each with its interval, or with what is missing for one.

The point is the quantile of the interval-censored estimate. The interval comes from the ends of the brackets: with
ranks j and k from the binomial law, [lower_(j), upper_(k)] over the sorted ends holds the true percentile whatever
the brackets' widths, for no bracket excludes its value. Where the samples depend on each other the ranks would be
too close, and a block bootstrap of the ends takes their place. (The ordinary bootstrap of the estimate itself is
inconsistent: Sen & Xu 2015, Stat. Sin. 25.)

Percentiles are numbers between 0 and 100; values are in the unit of the brackets, whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.bootstrap import block_count, block_weights, resampled_quantile, sorted_blocks
from harness.analysis.censoring import checked_brackets, npmle
from harness.analysis.dependence import Dependence, rank_dependence, tail_dependence
from harness.analysis.order_statistics import CONFIDENCE, needed_samples, quantile_ranks

Floats = NDArray[np.float64]

INDEPENDENT = "order statistics"
BLOCKS = "block bootstrap"
TOO_SHORT = "too short for an interval"
BEYOND = "not seen by the deadline"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A percentile with its 95 % interval.

    `value` is None where the percentile lies among values not seen by the deadline. `low` and `high` are None where
    open or where there is no interval; `method` says which. `correlation_time` is in samples, None where it exceeds
    what the series can tell.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str = INDEPENDENT
    effective_n: float | None = None
    correlation_time: float | None = 0.0

    @property
    def has_interval(self) -> bool:
        """Whether `low` and `high` are the ends of an interval (an end may still be open)."""
        return self.method != TOO_SHORT

    def to_json(self) -> dict[str, Any]:
        """The entry of `summary.json`; an open end is null."""
        entry: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high, "n": self.n}
        entry["method"] = self.method
        if self.effective_n is not None and self.effective_n < self.n:
            entry |= {"effective_n": round(self.effective_n), "correlation_time": self.correlation_time}
        if self.value is None:
            entry["reason"] = BEYOND
        return entry


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A percentile that n samples cannot carry; it `needs` so many."""

    needs: int
    n: int

    def to_json(self) -> dict[str, Any]:
        """The entry of `summary.json`."""
        return {"needs": self.needs, "n": self.n}


def estimate_percentiles(
    lower: ArrayLike, upper: ArrayLike, percentiles: Iterable[float]
) -> dict[float, Estimate | Unsupported]:
    """Each percentile of the values known to lie in [lower, upper], **in the order they were written**.

    `lower` and `upper` have shape (n,), `upper` +inf where open; n may be 0. The ends of an inverted bracket (one that
    contradicts its model) are exchanged: it then covers both its claims.

    Raises:
        ValueError: a percentile outside (0, 100), ends of different shape, or an end that is not a number.
    """
    wanted = list(percentiles)
    n = np.size(lower)
    if n == 0:
        return {p: Unsupported(needed_samples(p / 100), 0) for p in wanted}
    first, second = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    if first.shape == second.shape:
        first, second = np.minimum(first, second), np.maximum(first, second)
    study = _Study(*checked_brackets(first, second))
    return {p: study.estimate(p / 100) for p in wanted}


def bracket_middles(lower: Floats, upper: Floats) -> Floats:
    """The middle of each bracket, +inf where it is open: what the order of the samples is judged by."""
    middles: Floats = (lower + upper) / 2
    return middles


class _Study:
    """What the percentiles of one set of brackets share: the estimate, the sorted ends, the dependence."""

    def __init__(self, lower: Floats, upper: Floats) -> None:
        self.lower, self.upper, self.n = lower, upper, len(lower)
        self.distribution = npmle(lower, upper)
        self.sorted_lower, self.sorted_upper = np.sort(lower), np.sort(upper)
        self.middles = bracket_middles(lower, upper)
        self.ranks = rank_dependence(self.middles)

    def estimate(self, p: float) -> Estimate | Unsupported:
        ranks = quantile_ranks(self.n, p)
        if ranks is None:
            return Unsupported(needed_samples(p), self.n)
        j, k = ranks
        low, high = float(self.sorted_lower[j - 1]), float(self.sorted_upper[k - 1])
        value = self.distribution.midpoint(p)
        dependent = self.ranks.correlation_time > 0
        tail = tail_dependence(self.middles, p, known=dependent)
        if not dependent and tail.correlation_time == 0:
            return _estimate(value, low, high, self.ranks, INDEPENDENT)
        slowest = max(self.ranks, tail, key=lambda found: found.correlation_time)
        blocks = block_count(self.n, slowest.correlation_time)
        if blocks is None or tail.effective_n < needed_samples(p):
            return _estimate(value, math.nan, math.nan, slowest, TOO_SHORT)
        bottom, top = self._block_interval(p, blocks)
        low, high = self._effective_interval(p, tail)
        return _estimate(value, min(low, bottom), max(high, top), slowest, BLOCKS)

    def _effective_interval(self, p: float, tail: Dependence) -> tuple[float, float]:
        """The order statistics that as many independent samples as the effective sample size would take."""
        fewer = math.floor(tail.effective_n)
        j, k = quantile_ranks(fewer, p) or (1, fewer)
        return (
            float(self.sorted_lower[(j * self.n) // fewer - 1]),
            float(self.sorted_upper[min(self.n, -(-k * self.n // fewer)) - 1]),
        )

    def _block_interval(self, p: float, blocks: int) -> tuple[float, float]:
        weights = block_weights(blocks)
        tail = (1 - CONFIDENCE) / 2
        ends = []
        for series, ordered, share in (
            (self.lower, self.sorted_lower, tail),
            (self.upper, self.sorted_upper, 1 - tail),
        ):
            drawn = np.sort(resampled_quantile(ordered, sorted_blocks(series, blocks), weights, p))
            ends.append(float(drawn[round(share * (len(drawn) - 1))]))
        return ends[0], ends[1]


def _estimate(value: float, low: float, high: float, found: Dependence, method: str) -> Estimate:
    # NaN, no interval, stays NaN: min and max keep their first argument.
    return Estimate(
        finite(value),
        finite(min(low, value)),
        finite(max(high, value)),
        found.n,
        method,
        found.effective_n,
        finite(found.correlation_time),
    )


def finite(value: float) -> float | None:
    """None for what is infinite or not a number: JSON has neither."""
    return value if math.isfinite(value) else None
