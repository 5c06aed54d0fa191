"""The Hodges–Lehmann shift: the median of all differences between a value of one group and one of the other.

It uses every sample, not those near one percentile, and no outlier can move it far. On a uniform grid of values the
number of pairs that differ by at most *d* is a product of histograms, so that resamples of blocks cost a matrix
product each instead of n² differences (Hodges & Lehmann 1963, Ann. Math. Stat. 34).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BINS = 2_048
_EDGE = 0.002  # share of values beyond either edge of the grid; they count as lying on it
_STEPS = 41  # shifts at which resamples are evaluated


def hodges_lehmann(first: Floats, second: Floats) -> float:
    """The median of second − first over all pairs, by bisection on the sorted values; +inf values are allowed."""
    first, second = np.sort(first), np.sort(second)
    pairs = len(first) * len(second)
    finite_first, finite_second = first[np.isfinite(first)], second[np.isfinite(second)]
    if not len(finite_first) or not len(finite_second):
        return float("nan")
    low = float(finite_second[0] - finite_first[-1])
    high = float(finite_second[-1] - finite_first[0])
    for _ in range(60):
        middle = (low + high) / 2
        if np.searchsorted(second, first + middle, side="right").sum() * 2 >= pairs:
            high = middle
        else:
            low = middle
        if high - low <= 1e-9 * max(1.0, abs(high)):
            break
    return (low + high) / 2


def resampled_shift(
    first: list[Floats], second: list[Floats], first_weights: Floats, second_weights: Floats
) -> Floats:
    """The shift of every resample, shape (resamples,): groups as lists of blocks, weights (resamples, blocks).

    Resolution is about 1/2000 of the spread of the values.
    """
    pooled = np.concatenate([*first, *second])
    low, high = np.quantile(pooled[np.isfinite(pooled)], [_EDGE, 1 - _EDGE])
    width = max((high - low) / (_BINS - 1), np.spacing(max(abs(low), abs(high), 1.0)) * 4)
    counts_first, counts_second = _histograms(first, low, width), _histograms(second, low, width)
    reached = _reached(counts_second)
    steps = _trial_shifts(counts_first, counts_second)
    below = np.empty((len(steps), len(first_weights)))
    for row, step in enumerate(steps):
        pairs = _pairs_within(counts_first, reached, int(step))
        below[row] = np.einsum("rb,rb->r", first_weights @ pairs, second_weights)
    below /= (first_weights @ counts_first.sum(axis=1)) * (second_weights @ counts_second.sum(axis=1))
    return _crossing(steps * width, below)


def _histograms(blocks: list[Floats], low: float, width: float) -> Floats:
    """Counts per block and bin, shape (blocks, bins); what lies outside counts in the outermost bins."""
    return np.array(
        [
            np.bincount(
                np.clip(np.rint((np.minimum(block, 1e300) - low) / width), 0, _BINS - 1).astype(np.int64),
                minlength=_BINS,
            )
            for block in blocks
        ],
        np.float64,
    )


def _trial_shifts(first: Floats, second: Floats) -> NDArray[np.int64]:
    """Shifts, in bins, around that of the whole groups: as wide as any resample will go."""
    whole_first, whole_reached = first.sum(axis=0)[None], _reached(second.sum(axis=0)[None])
    pairs = first.sum() * second.sum()
    low, high = 1 - _BINS, _BINS - 1
    while high - low > 1:
        middle = (low + high) // 2
        if 2 * _pairs_within(whole_first, whole_reached, middle)[0, 0] >= pairs:
            high = middle
        else:
            low = middle
    # Medians of the blocks tell how far resampled ones scatter.
    scatter = 0.0
    for group in (first, second):
        inside = np.cumsum(group, 1) >= group.sum(1, keepdims=True) / 2
        scatter += float(np.var(np.argmax(inside, axis=1))) / len(group)
    reach = max(_STEPS // 2, int(np.ceil(6 * np.sqrt(scatter))))
    return np.unique(np.linspace(high - reach, high + reach, _STEPS).round().astype(np.int64))


def _reached(counts: Floats) -> Floats:
    """How many values lie at or below each bin: half of the bin's own, for inside it the order is unknown."""
    reached: Floats = np.cumsum(counts, axis=1) - counts / 2
    return reached


def _pairs_within(first: Floats, reached: Floats, step: int) -> Floats:
    """For each pair of blocks, how many pairs of values have second − first ≤ step bins, shape (a, b).

    `reached` is `_reached` of the second group.
    """
    if step >= 0:
        counts = first[:, : _BINS - step] @ reached[:, step:].T
        beyond = first[:, _BINS - step :].sum(axis=1)
        everything: Floats = counts + beyond[:, None] * reached[:, -1][None]
        return everything
    inside: Floats = first[:, -step:] @ reached[:, : _BINS + step].T
    return inside


def _crossing(shifts: Floats, below: Floats) -> Floats:
    """Where each column of `below`, increasing along `shifts`, crosses one half."""
    at = np.clip((below < 0.5).sum(axis=0), 1, len(shifts) - 1)
    column = np.arange(below.shape[1])
    under, over = below[at - 1, column], below[at, column]
    share = np.clip((0.5 - under) / np.maximum(over - under, 1e-300), 0.0, 1.0)
    crossing: Floats = shifts[at - 1] + share * (shifts[at] - shifts[at - 1])
    return crossing
