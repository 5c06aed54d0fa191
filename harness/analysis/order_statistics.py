"""Which order statistics bound a quantile, and how many samples that takes: exact, without a model.

The number of independent samples at or below the p-quantile is Binomial(n, p), so the quantile lies between the
j-th and the k-th smallest with a probability that depends on n, p, j and k alone (Hahn & Meeker, *Statistical
Intervals*, section 5.2). Probabilities here are shares, 0 < p < 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_REACH = 40.0  # standard deviations of the binomial that are summed; beyond lies less than 1e-300


def needed_samples(p: float, confidence: float = CONFIDENCE) -> int:
    """The least n whose extreme order statistics bound the p-quantile on both sides.

    Raises:
        ValueError: p or confidence lies outside (0, 1).
    """
    _check_share(p, "a quantile's probability")
    _check_share(confidence, "a confidence")
    return max(1, math.ceil(math.log((1 - confidence) / 2) / math.log(max(p, 1 - p)) - 1e-9))


def quantile_ranks(n: int, p: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks (j, k), counted from 1, with P(X_(j) ≤ quantile ≤ X_(k)) ≥ confidence, each side missing equally often.

    None where n < `needed_samples(p, confidence)`.
    """
    if n < needed_samples(p, confidence):
        return None
    tail = (1 - confidence) / 2
    first, weights = _binomial_weights(n, p)
    at_most = np.cumsum(weights)
    # X_(j) exceeds the quantile when fewer than j samples lie at or below it.
    j = first + int(np.searchsorted(at_most, tail, side="right"))
    at_least = np.cumsum(weights[::-1])[::-1]
    k = first + int(np.count_nonzero(at_least > tail))
    return max(1, min(j, n)), max(1, min(k, n))


def proportion_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact (Clopper–Pearson) interval of a proportion, by bisection on the binomial tail.

    Raises:
        ValueError: n < 1, or successes not in 0 … n.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a proportion")
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _bisect(lambda p: binomial_at_least(successes, n, p) < tail)
    high = 1.0 if successes == n else _bisect(lambda p: 1 - binomial_at_least(successes + 1, n, p) > tail)
    return low, high


def binomial_at_least(count: int, n: int, p: float) -> float:
    """P(Binomial(n, p) ≥ count)."""
    if count <= 0:
        return 1.0
    if count > n:
        return 0.0
    first, weights = _binomial_weights(n, p)
    return float(weights[max(0, count - first) :].sum()) if count < first + len(weights) else 0.0


def _binomial_weights(n: int, p: float) -> tuple[int, NDArray[np.float64]]:
    """The probabilities of Binomial(n, p) from the returned count upwards, by their ratios from the mode."""
    _check_share(p, "a probability")
    mode = min(n, int((n + 1) * p))
    reach = math.ceil(_REACH * math.sqrt(n * p * (1 - p)) + _REACH)
    first, last = max(0, mode - reach), min(n, mode + reach)
    counts = np.arange(first, last)
    steps = np.log((n - counts) / (counts + 1)) + (math.log(p) - math.log1p(-p))
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    weights = np.exp(logs - logs.max())
    return first, weights / weights.sum()


def _bisect(is_below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if is_below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _check_share(p: float, what: str) -> None:
    if not 0 < p < 1:
        raise ValueError(f"{what} lies in (0, 1), not {p}")
