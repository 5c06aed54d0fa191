"""The samples of one Region pair as the arrays figures are drawn from, and choices of axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.censoring import Distribution, npmle
from harness.analysis.plots.words import pair_entry
from harness.analysis.view import pair_samples

Floats = NDArray[np.float64]

MAX_POINTS = 1_500  # vertices of a curve; more cannot be told apart on a page


@dataclass(frozen=True, slots=True)
class PairView:
    """The acknowledged writes of a pair in write order: model brackets in ns (`upper` +inf where open)."""

    pair: tuple[str, str]
    samples: pd.DataFrame
    entry: Mapping[str, Any]
    lower: Floats
    upper: Floats

    @property
    def subject(self) -> str:
        """ "us-west-2 → ap-southeast-2"."""
        return f"{self.pair[0]} → {self.pair[1]}"

    @property
    def since(self) -> str:
        """What latencies count from: commit or acknowledgement."""
        return str(self.entry.get("since", "commit"))

    @property
    def quantity(self) -> str:
        """What the model brackets are of."""
        return "replication latency" if self.since == "commit" else f"time since the {self.since}"

    @property
    def estimates(self) -> Mapping[str, Any]:
        """The percentiles of the replication latency, in ms, as the summary has them."""
        found: Mapping[str, Any] = self.entry["latency_ms"]
        return found

    @property
    def n(self) -> int:
        """How many samples have a bracket."""
        return len(self.lower)

    def distribution(self) -> Distribution:
        """The interval-censored estimate."""
        return npmle(self.lower, self.upper)

    def middles(self) -> Floats:
        """The middle of every closed bracket, in ns."""
        closed = np.isfinite(self.upper)
        middles: Floats = (self.lower[closed] + self.upper[closed]) / 2
        return middles


def pair_view(samples: pd.DataFrame, summary: Mapping[str, Any], pair: tuple[str, str]) -> PairView:
    """The samples of one pair of a run, with its part of the summary.

    Raises:
        ValueError: the run did not measure this pair.
    """
    entry = pair_entry(summary, pair)
    mine = pair_samples(samples, *pair)
    lower, upper = column_ns(mine, "model_lower_ns"), column_ns(mine, "model_upper_ns", np.inf)
    known = np.isfinite(lower)
    lower, upper = lower[known], upper[known]
    return PairView(pair, mine, entry, np.minimum(lower, upper), np.maximum(lower, upper))


def column_ns(samples: pd.DataFrame, name: str, missing: float = np.nan) -> Floats:
    """A nullable column as floats."""
    values: Floats = samples[name].astype("Float64").to_numpy(np.float64, na_value=missing)
    return values


def curve_points(ordered: Floats, tail: int = 300) -> NDArray[np.int64]:
    """Ranks, from 0, of at most about `MAX_POINTS` sorted values: even, and every one of the last `tail`."""
    n = len(ordered)
    if n <= MAX_POINTS:
        return np.arange(n)
    even = np.linspace(0, n - 1, MAX_POINTS - 2 * tail).astype(np.int64)
    beyond = n - np.geomspace(1, n, tail).astype(np.int64)
    return np.unique(np.concatenate((even, beyond, np.arange(n - tail, n))))


def drawn_curve(found: Distribution) -> tuple[Floats, Floats]:
    """The estimate as a line (t, P): even within each support interval, level between them, ending where it opens."""
    cumulative = np.cumsum(found.mass)
    before = cumulative - found.mass
    closed = np.isfinite(found.right)
    times = np.column_stack((found.left, found.right))[closed].ravel()
    shares = np.column_stack((before, cumulative))[closed].ravel()
    if not closed[-1]:
        times, shares = np.append(times, found.left[-1]), np.append(shares, before[-1])
    kept = _spread(len(times))
    return times[kept], np.minimum(shares[kept], 1.0)


def extended(times: Floats, shares: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """The line from the left edge, where nothing is visible, to the right one, level."""
    if len(times) == 0:
        return np.array([low, high]), np.zeros(2)
    return (
        np.concatenate(([min(low, times[0])], times[:1], times, [max(high, times[-1])])),
        np.concatenate(([0.0, 0.0], shares, shares[-1:])),
    )


def _spread(n: int) -> NDArray[np.int64]:
    limit = 4 * MAX_POINTS
    if n <= limit:
        return np.arange(n)
    return np.unique(np.concatenate((np.linspace(0, n - 1, limit).astype(np.int64), np.arange(n - 400, n))))
