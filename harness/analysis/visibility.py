"""What latency means to an application: what share of writes is visible after a wait, everywhere, in which order.

Shares are `Estimate`s between 0 and 1. Their intervals are exact binomial (Clopper–Pearson) ones at the effective
sample size, and reach over what the brackets leave open.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from harness.analysis.bootstrap import block_count
from harness.analysis.censoring import checked_brackets, npmle
from harness.analysis.dependence import rank_dependence, tail_dependence
from harness.analysis.order_statistics import proportion_interval
from harness.analysis.percentiles import (
    INDEPENDENT,
    TOO_SHORT,
    Estimate,
    Unsupported,
    estimate_percentiles,
    finite,
)

Floats = NDArray[np.float64]

EFFECTIVE = "effective sample size"

_BOUNDS = ("hard_lower_ns", "hard_upper_ns", "model_lower_ns", "model_upper_ns")


def visible_share(lower: ArrayLike, upper: ArrayLike, waited: float) -> Estimate:
    """The share of writes visible after waiting so long (t-visibility), in the unit and order of the brackets.

    Raises:
        ValueError: as for `npmle`.
    """
    low, high = checked_brackets(lower, upper)
    n = len(low)
    least, greatest = npmle(low, high).cdf(waited)
    certainly, possibly = int((high <= waited).sum()), int((low <= waited).sum())
    middles = (low + high) / 2
    ranks = rank_dependence(middles)
    p = min(max((certainly + possibly) / (2 * n), 0.5 / n), 1 - 0.5 / n)
    found = tail_dependence(middles, p, known=ranks.correlation_time > 0)
    if found.correlation_time == 0:  # no sample, or all, beyond the wait: the ranks know better
        found = ranks
    value = float(least + greatest) / 2
    if block_count(n, found.correlation_time) is None:
        return Estimate(value, None, None, n, TOO_SHORT, found.effective_n, finite(found.correlation_time))
    fewer = math.floor(found.effective_n)
    bottom = proportion_interval(certainly * fewer // n, fewer)[0]
    top = proportion_interval(-(-possibly * fewer // n), fewer)[1]
    method = INDEPENDENT if found.correlation_time == 0 else EFFECTIVE
    return Estimate(
        value, min(bottom, value), max(top, value), n, method, found.effective_n, found.correlation_time
    )


def wait_for(lower: ArrayLike, upper: ArrayLike, share: float) -> Estimate | Unsupported:
    """How long to wait until this share of writes, 0 < share < 1, is visible: the inverse of `visible_share`."""
    return estimate_percentiles(lower, upper, [100 * share])[100 * share]


def visible_everywhere(samples: pd.DataFrame) -> pd.DataFrame:
    """Brackets of "visible in every replica": one row per acknowledged write, in the order they were due.

    The latest replica's latency lies between the greatest lower and the greatest upper end, and is open where any
    is. Columns: run_id, from_region, seq, due_ns, replicas (how many), and the four bounds of `samples`. Writes with
    rows for fewer replicas than others of their source are left out.
    """
    known = samples.dropna(subset=["model_lower_ns"])
    open_ended = {name: known[name].astype("Float64").fillna(np.inf) for name in _BOUNDS}
    grouped = known.assign(**open_ended).groupby(["run_id", "from_region", "seq"], observed=True, sort=False)
    joined = grouped[["due_ns", *_BOUNDS]].max()
    joined["replicas"] = grouped["to_region"].nunique()
    joined = joined.reset_index()
    complete = joined["replicas"] == joined.groupby(["run_id", "from_region"])["replicas"].transform("max")
    joined = joined[complete].sort_values(["due_ns", "from_region", "seq"], ignore_index=True)
    for name in _BOUNDS:
        joined[name] = joined[name].where(np.isfinite(joined[name].to_numpy(np.float64))).astype("Int64")
    return joined[["run_id", "from_region", "seq", "due_ns", "replicas", *_BOUNDS]]


def loss_rate(samples: pd.DataFrame) -> Estimate | None:
    """Acknowledged writes that the final sweep did not find, as a share; None where nothing was acknowledged.

    Losses that come in clusters make the interval too narrow; they are too few for that to be estimated.
    """
    acked = samples["outcome"].isin(["visible", "late", "lost"])
    n, lost = int(acked.sum()), int((samples["outcome"] == "lost").sum())
    if n == 0:
        return None
    return share_of(lost, n)


def share_of(count: int, n: int) -> Estimate:
    """`count` of `n` > 0 independent samples as a share, with the exact binomial interval."""
    return Estimate(count / n, *proportion_interval(count, n), n)


@dataclass(frozen=True, slots=True)
class Inversions:
    """Writes overtaken by a later one: `certainly` whatever the brackets hide, `possibly` if they hide the worst."""

    n: int
    certainly: int
    possibly: int

    def to_json(self) -> dict[str, int]:
        """The counts as a JSON object."""
        return asdict(self)


def order_inversions(samples: pd.DataFrame) -> Inversions:
    """How many writes of one pair became visible after a write that was sent once they were acknowledged.

    From the instants of requests alone: a write became visible after its last miss was sent and before its first
    hit was received. Per-item order is kept by DynamoDB, order across items is not promised.
    """
    known = samples.dropna(subset=["sent_ns", "acked_ns"]).sort_values("sent_ns")
    sent, acked = (known[name].to_numpy(np.float64) for name in ("sent_ns", "acked_ns"))
    missed = known["last_miss_sent_ns"].astype("Float64").to_numpy(np.float64, na_value=-np.inf)
    earliest = np.maximum(missed, sent)
    latest = known["first_hit_received_ns"].astype("Float64").to_numpy(np.float64, na_value=np.inf)
    # Later writes are those sent after this one was acknowledged.
    later = np.searchsorted(sent, acked, side="right")
    certain = _least_from(latest, later) < earliest
    possible = _least_from(earliest, later) < latest
    return Inversions(len(known), int(certain.sum()), int(possible.sum()))


def _least_from(values: Floats, start: NDArray[np.intp]) -> Floats:
    """min(values[start:]) for each start; +inf for none."""
    least = np.append(np.minimum.accumulate(values[::-1])[::-1], np.inf)
    result: Floats = least[start]
    return result


@dataclass(frozen=True, slots=True)
class TornWindow:
    """How long the items of one transaction were visible in part: brackets in ns, one per transaction.

    `upper` is +inf where an item was not seen by the deadline. A transaction is `certainly` torn where no instant of
    its brackets could have shown all its items at once.
    """

    lower: Floats
    upper: Floats

    @property
    def certainly(self) -> int:
        """Transactions that were visible in part for certain."""
        return int((self.lower > 0).sum())


def torn_windows(samples: pd.DataFrame, together: int) -> TornWindow:
    """From the first to the last of a transaction's items becoming visible, for each transaction of one pair whose
    writes were all acknowledged. Its items share their commit, so that only what was read differs."""
    known = samples.dropna(subset=["model_lower_ns"])
    upper = known["model_upper_ns"].astype("Float64").fillna(np.inf).astype(np.float64)
    grouped = pd.DataFrame(
        {
            "run_id": known["run_id"],
            "transaction": known["seq"].astype(np.int64) // together,
            "lower": known["model_lower_ns"].astype(np.float64),
            "upper": upper,
        }
    ).groupby(["run_id", "transaction"])
    ends = grouped.agg(
        lower_max=("lower", "max"),
        lower_min=("lower", "min"),
        upper_max=("upper", "max"),
        upper_min=("upper", "min"),
        n=("lower", "size"),
    )
    whole = ends[ends["n"] == together]
    lower = np.maximum(0.0, (whole["lower_max"] - whole["upper_min"]).to_numpy(np.float64))
    return TornWindow(lower, (whole["upper_max"] - whole["lower_min"]).to_numpy(np.float64))
