"""What a run says to an application: how long to wait, everywhere, in which direction, with what losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.compare import Group, compare_groups, holm
from harness.analysis.contest import contests
from harness.analysis.percentiles import estimate_percentiles
from harness.analysis.view import censored_brackets, headline_samples, pair_samples
from harness.analysis.visibility import (
    loss_rate,
    order_inversions,
    share_of,
    torn_windows,
    visible_everywhere,
    visible_share,
)
from harness.measure.sample import Outcome
from harness.units import percentile_name

WAITS_MS = (250.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
EVERYWHERE_PERCENTILES = (50.0, 90.0, 99.0)
TORN_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def describe_pair(samples: pd.DataFrame) -> dict[str, Any]:
    """Of one Region pair: the share visible after each wait (t-visibility), the loss rate, overtaken writes."""
    lower, upper = censored_brackets(samples, "model_lower_ns", "model_upper_ns")
    losses = loss_rate(samples)
    return {
        "t_visibility": [
            {"wait_ms": wait_ms} | visible_share(lower, upper, wait_ms * 1e6).to_json()
            for wait_ms in (WAITS_MS if len(lower) else ())
        ],
        "loss_rate": None if losses is None else losses.to_json(),
        "overtaken": order_inversions(samples).to_json(),
    }


def describe_everywhere(samples: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """For each source with several replicas: how long until a write is visible in all of them, milliseconds."""
    found = []
    for source in dict.fromkeys(source for source, _ in pairs):
        replicas = [replica for origin, replica in pairs if origin == source]
        if len(replicas) < 2:
            continue
        mine = samples[(samples["from_region"] == source) & samples["to_region"].isin(replicas)]
        lower, upper = censored_brackets(visible_everywhere(mine), "model_lower_ns", "model_upper_ns")
        estimates = estimate_percentiles(lower / 1e6, upper / 1e6, EVERYWHERE_PERCENTILES)
        latency = {percentile_name(p): estimate.to_json() for p, estimate in estimates.items()}
        found.append({"from": source, "replicas": replicas, "latency_ms": latency})
    return found


def describe_asymmetry(samples: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """For each two Regions measured both ways: B→A minus A→B, milliseconds, corrected over all of them (Holm).

    Left out are those of which one direction has no sample.
    """
    measured = [pair for pair in pairs if pair_samples(samples, *pair)["model_lower_ns"].notna().any()]
    both = [(a, b) for a, b in measured if (b, a) in measured[measured.index((a, b)) :]]
    tables = [compare_groups(_group(samples, a, b), _group(samples, b, a)) for a, b in both]
    return [
        {"between": [a, b], "difference_ms": {cell.name: cell.to_json() for cell in cells}}
        for (a, b), cells in zip(both, holm(tables), strict=True)
    ]


def describe_torn(samples: pd.DataFrame, together: int) -> dict[str, Any] | None:
    """How long transactions of `together` items were visible in part; None where each write was by itself."""
    if together == 1:
        return None
    found = torn_windows(samples, together)
    estimates = estimate_percentiles(found.lower / 1e6, found.upper / 1e6, TORN_PERCENTILES)
    return {
        "items": together,
        "certainly_torn": share_of(found.certainly, len(found.lower)).to_json() if len(found.lower) else None,
        "window_ms": {percentile_name(p): estimate.to_json() for p, estimate in estimates.items()},
    }


def describe_skipped(samples: pd.DataFrame, versions: int) -> dict[str, Any] | None:
    """The share of acknowledged writes that a later version of their item replaced before any read showed them: merged
    on the way, or there for less than a poll spacing. None where each item was written once."""
    known = samples["outcome"].isin([Outcome.VISIBLE.value, Outcome.OVERWRITTEN.value])
    if versions == 1 or not known.any():
        return None
    return share_of(int((samples["outcome"] == Outcome.OVERWRITTEN.value).sum()), int(known.sum())).to_json()


def describe_contest(samples: pd.DataFrame, sources: Sequence[str]) -> dict[str, Any]:
    """Of two Regions that wrote the same items: by how much the second was later (median, ms), whose writes survived,
    the share that was lost without the other Region having seen it, and how long both took to show the survivor."""
    first, second = sources
    found = contests(headline_samples(samples), first, second)
    settled = int(found.settled.sum())
    shares = {
        "first_survives": int(found.first_wins.sum()),
        "second_survives": int(found.second_wins.sum()),
        "lost_updates": int(found.lost.sum()),
    }
    lower, upper = (ends[found.settled] / 1e6 for ends in (found.lower_ns, found.upper_ns))
    estimates = estimate_percentiles(lower, upper, EVERYWHERE_PERCENTILES)
    return {
        "first": first,
        "second": second,
        "n": found.n,
        "unsettled": found.n - settled,
        "offset_ms": float(np.median(found.offset_ns)) / 1e6 if found.n else None,
        **{name: share_of(count, settled).to_json() if settled else None for name, count in shares.items()},
        "agreement_ms": {percentile_name(p): estimate.to_json() for p, estimate in estimates.items()},
    }


def _group(samples: pd.DataFrame, source: str, replica: str) -> Group:
    mine = pair_samples(samples, source, replica)
    lower, upper = censored_brackets(mine, "model_lower_ns", "model_upper_ns")
    return Group.of(lower / 1e6, upper / 1e6)
