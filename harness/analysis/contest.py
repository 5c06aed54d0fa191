"""Two Regions that write the same items: whose write survives, and until when do they disagree?

A write that the other Region showed before it was overwritten could have been known there. One that it never showed is
a **lost update**: acknowledged, and gone without a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.measure.sample import Outcome

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contest:
    """The contests of a run, in write order; a row for each item that both Regions' writes were acknowledged for.

    `offset_ns` is how much later the second Region's write committed, by the middles of the round trips; `first_wins`
    and `second_wins` whose write was there in the end, neither where that could not be seen; `lost` whether the other
    write was lost. `lower_ns` and `upper_ns` bracket the time from the surviving commit to both Regions showing it.
    """

    offset_ns: Floats
    first_wins: NDArray[np.bool_]
    second_wins: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    lower_ns: Floats
    upper_ns: Floats

    @property
    def n(self) -> int:
        """How many contests."""
        return len(self.offset_ns)

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Contests whose survivor is known."""
        return self.first_wins | self.second_wins


def contests(samples: pd.DataFrame, first: str, second: str) -> Contest:
    """The contests between two Regions, from the samples of one read mode; runs are taken one after the other."""
    parts = [_contests(run, first, second) for _, run in samples.groupby("run_id", sort=False)]
    return Contest(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Contest)))


def _contests(samples: pd.DataFrame, first: str, second: str) -> Contest:
    by_source = [
        samples[samples["from_region"] == region].dropna(subset=["acked_ns"]).set_index("seq")
        for region in (first, second)
    ]
    common = by_source[0].index.intersection(by_source[1].index)
    ones, twos = (side.loc[common] for side in by_source)
    commits = [((side["sent_ns"] + side["acked_ns"]) / 2).to_numpy(np.float64) for side in (ones, twos)]
    offset = commits[1] - commits[0]
    seen = [(side["outcome"] == Outcome.VISIBLE.value).to_numpy() for side in (ones, twos)]
    gone = [(side["outcome"] == Outcome.OVERWRITTEN.value).to_numpy() for side in (ones, twos)]
    # Where each was seen by the other Region, the later one was written over the earlier.
    first_wins = seen[0] & (gone[1] | (seen[1] & (offset < 0)))
    second_wins = seen[1] & (gone[0] | (seen[0] & (offset >= 0)))
    ends = []
    for name in ("model_lower_ns", "model_upper_ns"):
        mine, yours = (
            side[name].astype("Float64").to_numpy(np.float64, na_value=np.nan) for side in (ones, twos)
        )
        ends.append(np.where(first_wins, mine, np.where(second_wins, yours, np.nan)))
    lost = (first_wins & gone[1]) | (second_wins & gone[0])
    return Contest(offset, first_wins, second_wins, lost, ends[0], ends[1])
