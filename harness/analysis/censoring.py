"""The distribution behind interval-censored samples: Turnbull's non-parametric maximum likelihood estimate.

A sample is a closed bracket [lower, upper] that holds the true value; an upper end of +inf is right-censored, two
equal ends are an exact value. The estimate puts mass on a few *support* intervals and cannot say where inside one
it lies: every quantile and every cumulative probability is itself an interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis import turnbull

Floats = NDArray[np.float64]

_EXACT_UP_TO = 20_000  # samples; more are first rounded outwards onto a grid
_GRID = 1_536  # grid lines at equal steps of probability
_TAIL = 768  # further ones towards each extreme, at equal ratios of the probability beyond
_TOLERANCE = 1e-6
_ROUNDING = 1e-9  # of a cumulative mass


@dataclass(frozen=True, slots=True)
class Distribution:
    """Masses on disjoint support intervals [left, right], ascending, each array of shape (m,); the sum is 1.

    In the unit of the brackets it came from. `right[-1]` is +inf when the mass beyond the last censored sample
    cannot be placed.
    """

    left: Floats
    right: Floats
    mass: Floats
    n: int

    def quantile(self, p: float) -> tuple[float, float]:
        """The support interval in which the cumulative mass reaches `p`; 0 < p ≤ 1.

        Raises:
            ValueError: p is outside (0, 1].
        """
        if not 0 < p <= 1:
            raise ValueError(f"a quantile's probability lies in (0, 1], not {p}")
        at = int(np.searchsorted(np.cumsum(self.mass), p - _ROUNDING))
        at = min(at, len(self.mass) - 1)
        return float(self.left[at]), float(self.right[at])

    def midpoint(self, p: float) -> float:
        """The middle of the quantile's interval: +inf where that is open."""
        low, high = self.quantile(p)
        return (low + high) / 2

    def cdf(self, t: ArrayLike) -> tuple[Floats, Floats]:
        """Least and greatest possible P(X ≤ t), each in the shape of `t`: they differ inside a support interval."""
        cumulative = np.concatenate(([0.0], np.cumsum(self.mass)))
        cumulative[-1] = 1.0
        least = cumulative[np.searchsorted(self.right, t, side="right")]
        greatest = cumulative[np.searchsorted(self.left, t, side="right")]
        return least, greatest


def npmle(lower: ArrayLike, upper: ArrayLike) -> Distribution:
    """Estimate the distribution of values known only to lie in [lower, upper].

    `lower` and `upper` have shape (n,), any unit, `upper` +inf where open. Time is O(n log n), memory O(n). Above
    20,000 samples the ends are rounded outwards onto a grid of some 5,000 of them, so that brackets still hold their
    values: at most 1/1500 of the samples, and at most 3 % of those farther out, lie between two lines.

    Source: Turnbull 1976; see `harness.analysis.turnbull` for the algorithm.

    Raises:
        ValueError: no sample, shapes differ, an end is NaN, a lower end is infinite, or above its upper end.
    """
    low, high = checked_brackets(lower, upper)
    n = len(low)
    if np.array_equal(low, high):
        values, counts = np.unique(low, return_counts=True)
        return Distribution(values, values, counts / n, n)
    sorted_low, sorted_high = np.sort(low), np.sort(high)
    if n <= _EXACT_UP_TO:
        left, right = turnbull.innermost(sorted_low, sorted_high)
        first, last = turnbull.covered(low, high, left, right)
    else:
        lines = _grid(sorted_low, sorted_high)
        del sorted_low, sorted_high
        from_line = np.searchsorted(lines, low, side="right") - 1
        to_line = np.searchsorted(lines, high, side="left")
        left, right = turnbull.innermost(
            lines[np.flatnonzero(np.bincount(from_line))], lines[np.flatnonzero(np.bincount(to_line))]
        )
        first_from, last_to = turnbull.covered(lines, lines, left, right)
        first, last = first_from[from_line], last_to[to_line]
    mass = turnbull.maximise(turnbull.problem(first, last, len(left)), _TOLERANCE)
    kept = mass > 0
    return Distribution(left[kept], right[kept], mass[kept], n)


def checked_brackets(lower: ArrayLike, upper: ArrayLike) -> tuple[Floats, Floats]:
    """Both ends as float64 arrays of shape (n,).

    Raises:
        ValueError: as for `npmle`.
    """
    low, high = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    if low.ndim != 1 or low.shape != high.shape:
        raise ValueError(
            f"lower and upper ends must be two arrays of one length, not {low.shape} and {high.shape}"
        )
    if low.size == 0:
        raise ValueError("no sample to estimate from")
    if np.isnan(low).any() or np.isnan(high).any():
        raise ValueError("an end of a bracket is not a number; an open upper end is +inf")
    if np.isinf(low).any():
        raise ValueError("a lower end is infinite")
    inverted = int((low > high).sum())
    if inverted:
        raise ValueError(f"{inverted} of {low.size} brackets have their lower end above their upper end")
    return low, high


def _grid(sorted_low: Floats, sorted_high: Floats) -> Floats:
    """Lines at order statistics of both sets of ends: evenly in rank, and ever denser towards either extreme."""
    n = len(sorted_low)
    tail = np.geomspace(1, n, _TAIL).astype(np.int64)
    ranks = np.concatenate((np.linspace(0, n - 1, _GRID).astype(np.int64), tail - 1, n - tail))
    lines: Floats = np.unique(np.concatenate((sorted_low[ranks], sorted_high[ranks])))
    return lines
