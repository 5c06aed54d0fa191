"""Whether samples taken one after another are independent, and what to do when they are not.

The *correlation time* is the sum of the autocorrelations ρ_1 + ρ_2 + …, in samples: 0 for independent samples, T for
correlations that fall as exp(−k/T). The *effective sample size* is n / (1 + 2 × correlation time): so many
independent samples would give a mean as sure. Both are estimated, from ranks so that no tail can dominate, and an
estimate from a short series is poor; it is shown, not trusted further than to choose a block length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FALSE_ALARM = 0.01  # of the test for independence, per percentile
_WINDOW = 5  # integrate autocorrelations over so many correlation lengths (Sokal 1997, section 3)
_SHORTEST = 20  # samples below which no dependence can be told
_RARE = 0.2  # a tail so light gets its own test: the ranks do not see it


@dataclass(frozen=True, slots=True)
class Dependence:
    """What the order of the samples says: `correlation_time` in samples, +inf where the series is too short to
    tell (it drifts), 0 where nothing contradicts independence."""

    n: int
    correlation_time: float

    @property
    def effective_n(self) -> float:
        """The effective sample size, at least 1."""
        return max(1.0, self.n / (1 + 2 * self.correlation_time))


def rank_dependence(values: Floats) -> Dependence:
    """Dependence of the values, shape (n,), in the order they were taken; +inf values are ties at the top."""
    ranks = _ranks(values)
    correlations = _autocorrelations(ranks)
    if len(correlations) == 0 or not _positively_correlated(correlations, len(values)):
        return Dependence(len(values), 0.0)
    return Dependence(len(values), _correlation_time(correlations))


def tail_dependence(values: Floats, p: float, known: bool = False) -> Dependence:
    """Dependence of "lies beyond the p-quantile", in the order the values were taken.

    Only tails of at most a fifth have a test of their own; `known` skips it, for series already found dependent.
    """
    n = len(values)
    beyond = _beyond(values, p)
    if not known and not (min(p, 1 - p) <= _RARE and _clustered(beyond)):
        return Dependence(n, 0.0)
    correlations = _autocorrelations(beyond.astype(np.float64))
    return Dependence(n, _correlation_time(correlations) if len(correlations) else 0.0)


def _ranks(values: Floats) -> Floats:
    """Ranks from 0, those of equal values their mean: in write order ties would look like a trend."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sizes = np.diff(np.append(starts, len(values)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes - 1) / 2, sizes)
    return ranks


def _beyond(values: Floats, p: float) -> NDArray[np.bool_]:
    """Which values lie on the rarer side of the p-quantile."""
    rank = max(0, math.ceil(p * len(values)) - 1)
    quantile = np.partition(values, rank)[rank]
    beyond: NDArray[np.bool_] = values <= quantile if p < 0.5 else values > quantile
    return beyond


def _autocorrelations(series: Floats) -> Floats:
    """ρ_1 … ρ_L up to a tenth of the series, by FFT; empty for a short or a constant series."""
    n = len(series)
    longest = n // 10
    centred = series - series.mean()
    if n < _SHORTEST or not centred.any():
        return np.empty(0)
    size = _fast_size(n + longest + 1)
    spectrum = np.fft.rfft(centred, size)
    power = spectrum.real**2 + spectrum.imag**2
    covariance = np.fft.irfft(power, size)[: longest + 1]
    correlations: Floats = covariance[1:] / covariance[0] + 1.0 / n  # +1/n: what centring takes away
    return correlations


def _fast_size(least: int) -> int:
    """The smallest 2^a × {1, 3, 5, 9} that is large enough: quick to transform, without doubling the memory."""
    return min(odd << max(0, math.ceil(math.log2(least / odd))) for odd in (1, 3, 5, 9))


def _windows(longest: int) -> list[int]:
    return [4**k for k in range(0, 20) if 4**k <= longest]


def _positively_correlated(correlations: Floats, n: int) -> bool:
    """Sums of autocorrelations over windows of several lengths against their normal limit, one-sided."""
    windows = _windows(len(correlations))
    limit = NormalDist().inv_cdf(1 - FALSE_ALARM / 2 / len(windows))
    sums = np.cumsum(correlations)
    return any(sums[window - 1] * math.sqrt(n / window) > limit for window in windows)


def _clustered(beyond: NDArray[np.bool_]) -> bool:
    """Whether rare events keep closer company than chance allows: pairs within a window against a Poisson law."""
    at = np.flatnonzero(beyond)
    n, rare = len(beyond), len(at)
    if n < _SHORTEST or rare < 2:
        return False
    windows = _windows(n // 10)
    for window in windows:
        pairs = int((np.searchsorted(at, at + window, side="right") - np.arange(1, rare + 1)).sum())
        # Each of the n·window pairs of places nearby is taken by two events with probability r(r−1)/n(n−1).
        expected = window * rare * (rare - 1) / n
        if _poisson_at_least(pairs, expected) < FALSE_ALARM / 2 / len(windows):
            return True
    return False


def _poisson_at_least(count: int, mean: float) -> float:
    """P(Poisson(mean) ≥ count): summed up to a mean of 1000, normal beyond."""
    if mean > 1000:
        return 1 - NormalDist().cdf((count - 0.5 - mean) / math.sqrt(mean))
    below, term = 0.0, math.exp(-mean)
    for k in range(count):
        below += term
        term *= mean / (k + 1)
        if term < 1e-18 and k > mean:
            break
    return max(0.0, 1 - below)


def _correlation_time(correlations: Floats) -> float:
    """Σ ρ over the first window that is `_WINDOW` times as long as the integral 1 + 2 Σ ρ within it."""
    sums = np.cumsum(correlations)
    wide = np.arange(1, len(sums) + 1) >= _WINDOW * (1 + 2 * sums)
    if not wide.any():
        return math.inf
    return max(0.0, float(sums[int(np.argmax(wide))]))
