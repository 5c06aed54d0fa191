"""Brackets around values whose distribution is known, for studies of the estimators."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from harness.analysis.percentiles import estimate_percentiles
from harness.units import NS_PER_MS, percentile_name

MEDIAN = 650.0
SIGMA = 0.35


def true_percentile(percentile, median=MEDIAN, sigma=SIGMA):
    """The percentile of the log-normal the simulated values come from."""
    return median * np.exp(sigma * NormalDist().inv_cdf(percentile / 100))


def values_of(runs, n, correlation_time, rng, median=MEDIAN, sigma=SIGMA):
    """Log-normal values, shape (runs, n); in logarithms AR(1) with the correlation time, 0 for independent."""
    if correlation_time == 0:
        return median * np.exp(sigma * rng.standard_normal((runs, n)))
    phi = np.exp(-1 / correlation_time)
    series = rng.standard_normal((n, runs))
    series[1:] *= np.sqrt(1 - phi**2)
    for i in range(1, n):
        series[i] += phi * series[i - 1]
    return median * np.exp(sigma * series.T)


def polled(values, spacing, rng):
    """Brackets of width `spacing`, at a phase of its own for each value, widened by some jitter."""
    before = rng.uniform(0, spacing, values.shape)
    early, late = rng.exponential(0.05 * spacing, (2, *values.shape))
    return values - before - early, values + (spacing - before) + late


@dataclass(frozen=True)
class SimulatedRun:
    """A run with what a figure needs of it."""

    samples: pd.DataFrame
    summary: dict
    pair: tuple[str, str]


FAILED_GATES = [
    {
        "name": name,
        "status": "fail",
        "value": value,
        "threshold": threshold,
        "remedy": "",
    }
    for name, value, threshold in [
        ("poll_adherence", "81.3% of 40,000", "≥ 95%"),
        ("event_loop_delay_p99", "45.0 ms", "≤ 10.0 ms"),
        ("losses", "3 lost", "0"),
        ("throttles", "3 throttled", "0"),
    ]
]
PASSED_GATES = [{"name": "losses", "status": "pass", "value": "0 lost", "threshold": "0", "remedy": ""}]


def simulated_run(
    values_ms,
    spacing_ms=20.0,
    rate_per_s=20.0,
    timeout_ms=30_000.0,
    unseen=(),
    verdict="VALID",
    label="simulated",
    pair=("us-west-2", "ap-southeast-2"),
    seed=1,
    troubled=(),
):
    """Samples and summary of a run in which these latencies were polled; `unseen` maps outcomes to counts.

    `troubled` are the bins of the timeline in which the event loop was late by 45 ms and a poll was throttled.
    """
    rng = np.random.default_rng(seed)
    n = len(values_ms)
    lower, upper = (
        np.round(end * NS_PER_MS) for end in polled(np.asarray(values_ms, float), spacing_ms, rng)
    )
    outcome = np.full(n, "visible", object)
    places = rng.permutation(n)
    for name, count in dict(unseen).items():
        rows, places = places[:count], places[count:]
        outcome[rows] = name
        upper[rows] = np.nan
        lower[rows] = timeout_ms * NS_PER_MS if name in ("late", "lost") else np.nan
    due = 10**15 + np.cumsum(rng.exponential(1e9 / rate_per_s, n)).astype(np.int64)
    samples = pd.DataFrame(
        {
            "run_id": "r1",
            "from_region": pair[0],
            "to_region": pair[1],
            "seq": pd.array(np.arange(n), dtype="Int64"),
            "due_ns": pd.array(due, dtype="Int64"),
            "model_lower_ns": _nullable(lower),
            "model_upper_ns": _nullable(upper),
            "outcome": outcome,
            "flags": "",
            "read": "strong",
        }
    )
    summary = _summary(samples, spacing_ms, rate_per_s, timeout_ms, verdict, label)
    summary["timeline"] = _timeline(due, pair, troubled, rng)
    return SimulatedRun(samples, summary, pair)


def _timeline(due, pair, troubled, rng):
    """Bins from 2 s before the first write until the last: round trips of 141 and 2 ms, a quiet event loop."""
    seconds = (due[-1] - due[0]) / 1e9 + 2
    step_s = next(step for step in (1, 2, 5, 10, 30, 60, 600) if seconds / step < 120)
    bins = int(seconds // step_s) + 1
    late = np.isin(np.arange(bins), list(troubled))

    def series(level, spread):
        return np.round(level + spread * rng.random(bins), 3)

    def trips(region, request, floor):
        return {
            "region": region,
            "request": request,
            "min_ms": series(floor, 0.2).tolist(),
            "p50_ms": series(floor + 0.5, 0.3).tolist(),
            "p99_ms": (series(floor + 6, 3) + 60 * late).tolist(),
            "floor_ms": [floor] * bins,
            "excess_p99_ms": (series(6, 3) + 60 * late).tolist(),
            "limit_ms": 20.0,
        }

    return {
        "origin_ns": int(due[0]),
        "from_s": -2.0,
        "step_s": float(step_s),
        "bins": bins,
        "loop_delay": {
            "p50_ms": series(0.1, 0.1).tolist(),
            "p99_ms": np.where(late, 45.0, series(1, 3)).tolist(),
            "limit_ms": 10.0,
        },
        "round_trips": [trips(pair[1], "read", 141.0), trips(pair[0], "write", 2.0)],
        "lateness": [{"region": pair[0], "p99_ms": [None, *series(1, 3).tolist()[1:]], "limit_ms": 10.0}],
        "skipped_polls": [{"from": pair[0], "to": pair[1], "share": [0.0] * bins, "limit": 0.05}],
        "refused": [
            {
                "region": pair[1],
                "request": "read",
                "throttled": late.astype(int).tolist(),
                "failed": [0] * bins,
            }
        ]
        if late.any()
        else [],
    }


def _nullable(values):
    missing = np.isnan(values)
    return pd.arrays.IntegerArray(np.where(missing, 0, values).astype(np.int64), missing)


def _summary(samples, spacing_ms, rate_per_s, timeout_ms, verdict, label):
    known = samples.dropna(subset=["model_lower_ns"])
    lower = known["model_lower_ns"].to_numpy(np.float64) / NS_PER_MS
    upper = known["model_upper_ns"].astype("Float64").to_numpy(np.float64, na_value=np.inf) / NS_PER_MS
    estimates = estimate_percentiles(lower, upper, (50.0, 90.0, 95.0, 99.0, 99.9))
    outcomes = {
        name: int((samples["outcome"] == name).sum())
        for name in ("visible", "late", "lost", "write_failed", "write_indeterminate")
    }
    return {
        "format_version": 1,
        "run_id": "20261104T101500Z-4f2a",
        "target": {"simulated": "local", "AWS": "aws"}.get(label, "endpoint"),
        "simulated": label == "simulated",
        "label": label,
        "verdict": verdict,
        "gates": FAILED_GATES if verdict == "INVALID" else PASSED_GATES,
        "settings": {
            "rate_per_s": rate_per_s,
            "poll_interval_ms": spacing_ms,
            "read": "strong",
            "timeout_ms": timeout_ms,
            "lag": "typical" if label == "simulated" else None,
        },
        "pairs": [
            {
                "from": samples["from_region"].iloc[0],
                "to": samples["to_region"].iloc[0],
                "outcomes": {"planned": len(samples), **outcomes},
                "latency_ms": {percentile_name(p): found.to_json() for p, found in estimates.items()},
            }
        ],
    }
