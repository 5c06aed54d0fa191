"""The numerical half of the interval-censored estimator: which intervals can carry mass, and how much they do.

Only *innermost* intervals, a lower end followed directly by an upper end in the sorted sequence of all ends, can
carry mass (Turnbull 1976, J. R. Stat. Soc. B 38). Each bracket covers a contiguous range of them, so that with
F the cumulative mass, the likelihood of bracket i is F[last_i] − F[before_i], and a pass over the data is two
gathers and two weighted counts. It is maximised by alternating the EM step, which always helps but creeps, with
the iterative convex minorant step, a diagonal Newton step projected onto the increasing functions, which moves
whole stretches at once (Wellner & Zhan 1997, J. Am. Stat. Assoc. 92).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MAX_ROUNDS = 400
_HALVINGS = 12
_GONE = 1e-12  # mass of an innermost interval that carries none


@dataclass(frozen=True, slots=True)
class Problem:
    """Brackets as ranges of innermost intervals: bracket i covers first_i … last_i and counts weight_i times."""

    first: Ints
    last: Ints
    weight: Floats
    cells: int

    @property
    def total(self) -> float:
        """How many samples there are."""
        return float(self.weight.sum())


def innermost(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The innermost intervals [left, right] of closed brackets; `lower` and `upper` each sorted, shape (n,).

    A lower end counts as before an upper end of the same value: closed brackets that touch share a point.
    """
    left = np.unique(lower)
    # The first upper end at or above each lower end; innermost where no other lower end comes before it.
    right = upper[np.searchsorted(upper, left, side="left")]
    last_before = np.append(left[1:], np.inf) > right
    last_before[-1] = True
    return left[last_before], right[last_before]


def covered(lower: Floats, upper: Floats, left: Floats, right: Floats) -> tuple[Ints, Ints]:
    """The first innermost interval from each lower end on, and the last up to each upper end."""
    first: Ints = np.searchsorted(left, lower, side="left")
    last: Ints = np.searchsorted(right, upper, side="right") - 1
    return first, last


def problem(first: Ints, last: Ints, cells: int) -> Problem:
    """The brackets that cover cells first_i … last_i, equal ranges counted once."""
    codes = first * np.int64(cells) + last
    if cells * cells <= len(codes):
        counts = np.bincount(codes)
        codes = np.flatnonzero(counts)
        weight = counts[codes]
    else:
        codes, weight = np.unique(codes, return_counts=True)
    return Problem(codes // cells, codes % cells, weight.astype(np.float64), cells)


def maximise(given: Problem, tolerance: float) -> Floats:
    """The masses that maximise the likelihood, shape (cells,).

    Stops when no cell's score exceeds 1 + tolerance, which bounds the mean log-likelihood still to be gained
    by the same tolerance (the Kuhn–Tucker conditions of the convex problem).
    """
    if given.cells == 1:
        return np.ones(1)
    mass = np.full(given.cells, 1.0 / given.cells)
    for _ in range(_MAX_ROUNDS):
        score = cell_scores(given, mass)
        if score.max() <= 1.0 + tolerance:
            break
        mass = mass * score  # the EM step; keeps the sum at 1
        mass = _convex_minorant_step(given, mass)
    mass[mass < _GONE] = 0.0
    normalised: Floats = mass / mass.sum()
    return normalised


def cell_scores(given: Problem, mass: Floats) -> Floats:
    """The mean over samples of [cell in bracket] / (mass of the bracket): at the maximum 1 where there is mass,
    at most 1 elsewhere."""
    cumulative = np.concatenate(([0.0], np.cumsum(mass)))
    share = given.weight / (cumulative[given.last + 1] - cumulative[given.first])
    opened = np.bincount(given.first, share, given.cells)
    closed = np.bincount(given.last + 1, share, given.cells + 1)[:-1]
    scores: Floats = np.cumsum(opened - closed) / given.total
    return scores


def _convex_minorant_step(given: Problem, mass: Floats) -> Floats:
    """One projected Newton step on the cumulative masses, halved until the likelihood does not fall."""
    cells = given.cells
    cumulative = np.concatenate(([0.0], np.cumsum(mass)))
    cumulative /= cumulative[-1]
    likelihood = cumulative[given.last + 1] - cumulative[given.first]
    share = given.weight / likelihood
    curvature = share / likelihood
    gradient = np.bincount(given.last + 1, share, cells + 1) - np.bincount(given.first, share, cells + 1)
    weight = np.zeros(cells + 1)
    weight += np.bincount(given.last + 1, curvature, cells + 1)
    weight += np.bincount(given.first, curvature, cells + 1)
    inner = slice(1, cells)
    target = cumulative.copy()
    target[inner] += gradient[inner] / weight[inner]
    target[inner] = np.clip(isotonic(target[inner], weight[inner]), 0.0, 1.0)
    before = _log_likelihood(given.weight, likelihood)
    step = target - cumulative
    for _ in range(_HALVINGS):
        trial = cumulative + step
        reached = trial[given.last + 1] - trial[given.first]
        if reached.min() > 0 and _log_likelihood(given.weight, reached) >= before:
            raised: Floats = np.maximum(np.diff(trial), 0.0)
            return raised
        step *= 0.5
    return mass


def _log_likelihood(weight: Floats, likelihood: Floats) -> float:
    # Not a dot product: BLAS would share it among threads that wait for each other on a busy machine.
    return float((weight * np.log(likelihood)).sum())


def isotonic(values: Floats, weights: Floats) -> Floats:
    """The non-decreasing sequence nearest to `values` in weighted least squares, shape (n,).

    Pool adjacent violators, every decreasing run of a pass pooled at once.
    """
    sums, masses = values * weights, weights.astype(np.float64)
    sizes = np.ones(len(values), np.int64)
    while True:
        means = sums / masses
        starts = np.flatnonzero(np.concatenate(([True], means[1:] > means[:-1])))
        if len(starts) == len(means):
            return np.repeat(means, sizes)
        sums, masses = np.add.reduceat(sums, starts), np.add.reduceat(masses, starts)
        sizes = np.add.reduceat(sizes, starts)
