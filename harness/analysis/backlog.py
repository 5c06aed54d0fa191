"""How many acknowledged writes were not visible yet, over a run: what builds up while replication stands still."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.view import censored_brackets, pair_samples
from harness.units import NS_PER_S

Floats = NDArray[np.float64]

POINTS = 1_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """The writes of one pair under way at each of `times_ns` (host's monotonic clock): `least` to `most` of them.

    `last_commit_ns` is when the last of them was written; what goes away later is no catching up.
    """

    times_ns: Floats
    least: NDArray[np.int64]
    most: NDArray[np.int64]
    last_commit_ns: float


@dataclass(frozen=True, slots=True)
class CatchUp:
    """How a backlog built up over a pause and went again, seconds; `usual` and `peak` are counts of writes.

    `usual` is the most that was under way before the pause, `caught_up_s` when no more than that was under way again,
    from the end of the pause on; None where that was not seen while writes went on.
    """

    usual: int
    peak: int
    pause_s: float
    caught_up_s: float | None

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def backlog_over_run(samples: pd.DataFrame, source: str, replica: str) -> Backlog:
    """The backlog of one pair by its model brackets: commits in the middle of their round trips."""
    mine = pair_samples(samples, source, replica).dropna(subset=["acked_ns", "model_lower_ns"])
    commits = ((mine["sent_ns"] + mine["acked_ns"]) / 2).to_numpy(np.float64)
    lower, upper = censored_brackets(mine, "model_lower_ns", "model_upper_ns")
    earliest = np.sort(commits + np.minimum(lower, upper))
    latest = np.sort(commits + np.maximum(lower, upper))
    if not len(commits):
        return Backlog(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64), 0.0)
    finite = latest[np.isfinite(latest)]
    end_ns = max(commits.max(), finite[-1] if len(finite) else -np.inf)
    times = np.linspace(commits.min(), end_ns, POINTS)
    written = np.searchsorted(np.sort(commits), times, side="right")
    least = written - np.searchsorted(earliest, times, side="right")
    most = written - np.searchsorted(latest, times, side="right")
    return Backlog(times, np.maximum(least, 0), most, float(commits.max()))


def catch_up(found: Backlog, pause_ns: tuple[float, float]) -> CatchUp | None:
    """How the backlog went over a pause between two instants of the same clock; None where it lies outside the run."""
    start_ns, end_ns = pause_ns
    before = found.times_ns < start_ns
    after = (found.times_ns >= end_ns) & (found.times_ns <= found.last_commit_ns)
    if not before.any() or not after.any():
        return None
    usual = int(found.most[before].max())
    level = np.flatnonzero(found.most[after] <= usual)
    caught_up_s = float(found.times_ns[after][level[0]] - end_ns) / NS_PER_S if len(level) else None
    return CatchUp(usual, int(found.most.max()), (end_ns - start_ns) / NS_PER_S, caught_up_s)
