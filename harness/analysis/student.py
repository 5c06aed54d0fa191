"""Student's t from the normal distribution: what a scatter known from few blocks costs.

The approximation is Abramowitz & Stegun 26.7.8; from 7 degrees of freedom on its tail probabilities are right to
0.001.
"""

from __future__ import annotations

import math
from statistics import NormalDist


def student_two_sided(t: float, freedom: int) -> float:
    """P(|T| ≥ t) for t ≥ 0."""
    z = t * (1 - 1 / (4 * freedom)) / math.sqrt(1 + t * t / (2 * freedom))
    return 2 * (1 - NormalDist().cdf(z))


def student_quantile(p: float, freedom: int) -> float:
    """The p-quantile, ½ < p < 1."""
    z = NormalDist().inv_cdf(p)
    # z = t·(1 − 1/4ν) / √(1 + t²/2ν), solved for t.
    squared = z * z / ((1 - 1 / (4 * freedom)) ** 2 - z * z / (2 * freedom))
    return math.sqrt(squared)
