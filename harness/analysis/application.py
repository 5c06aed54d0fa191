"""What a run says to an application: how long to wait, everywhere, in which direction, with what losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.analysis.compare import Group, compare_groups, holm
from harness.analysis.percentiles import estimate_percentiles
from harness.analysis.view import censored_brackets, pair_samples
from harness.analysis.visibility import (
    loss_rate,
    order_inversions,
    visible_everywhere,
    visible_share,
)
from harness.units import percentile_name

WAITS_MS = (250.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
EVERYWHERE_PERCENTILES = (50.0, 90.0, 99.0)


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
    """For each two Regions measured both ways: B→A minus A→B, milliseconds, corrected over all of them (Holm)."""
    both = [(a, b) for a, b in pairs if (b, a) in pairs and pairs.index((a, b)) < pairs.index((b, a))]
    tables = [compare_groups(_group(samples, a, b), _group(samples, b, a)) for a, b in both]
    return [
        {"between": [a, b], "difference_ms": {cell.name: cell.to_json() for cell in cells}}
        for (a, b), cells in zip(both, holm(tables), strict=True)
    ]


def _group(samples: pd.DataFrame, source: str, replica: str) -> Group:
    mine = pair_samples(samples, source, replica)
    lower, upper = censored_brackets(mine, "model_lower_ns", "model_upper_ns")
    return Group.of(lower / 1e6, upper / 1e6)
