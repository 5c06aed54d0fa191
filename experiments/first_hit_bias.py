"""How far off the first hit is, and the interval-censored estimate is not, for polls every 50, 200 and 500 ms.

    python -m experiments.first_hit_bias [--samples 2000] [--runs 100]

A simulation without network: log-normal latencies (median 900 ms, σ 0.35) polled at a random phase over a steady path,
where half a round trip to the replica cancels that of the acknowledgement, with 2 ms of exponential jitter. The table
gives the mean over many runs; "held" is how often the 95 % interval held the truth.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.analysis.percentiles import Estimate, estimate_percentiles

MEDIAN_MS, SIGMA = 900.0, 0.35
JITTER_MS = 2.0
SPACINGS_MS = (50.0, 200.0, 500.0)
PERCENTILES = (50.0, 90.0, 99.0)


@dataclass(frozen=True)
class Row:
    """One poll spacing and percentile: means over the runs, in ms."""

    spacing: float
    percentile: float
    truth: float
    first_hit: float
    estimate: float
    scatter: float
    width: float
    held: float


def main() -> None:
    """Simulate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=2_000, help="writes per run")
    parser.add_argument("--runs", type=int, default=100)
    arguments = parser.parse_args()
    print(
        f"{arguments.runs} simulated runs of {arguments.samples:,} writes; milliseconds; error against the truth"
    )
    print("| polls every | | truth | first hit | error | estimate | error | ± (one run) | interval | held |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for spacing in SPACINGS_MS:
        for row in study(spacing, arguments.samples, arguments.runs):
            print(
                f"| {row.spacing:.0f} ms | p{row.percentile:g} | {row.truth:.0f} "
                f"| {row.first_hit:.0f} | {row.first_hit - row.truth:+.0f} "
                f"| {row.estimate:.0f} | {row.estimate - row.truth:+.0f} | {row.scatter:.0f} "
                f"| {row.width:.0f} | {row.held:.0%} |"
            )


def study(spacing_ms: float, n: int, runs: int) -> list[Row]:
    """What both ways say for one poll spacing."""
    truth = {p: MEDIAN_MS * float(np.exp(SIGMA * NormalDist().inv_cdf(p / 100))) for p in PERCENTILES}
    naive: dict[float, list[float]] = {p: [] for p in PERCENTILES}
    ours: dict[float, list[Estimate]] = {p: [] for p in PERCENTILES}
    for run in range(runs):
        lower, upper, first_hit = simulate(spacing_ms, n, np.random.default_rng([run, int(spacing_ms)]))
        for p, found in estimate_percentiles(lower, upper, PERCENTILES).items():
            naive[p].append(float(np.percentile(first_hit, p)))
            if isinstance(found, Estimate):
                ours[p].append(found)
    return [_row(spacing_ms, p, truth[p], naive[p], ours[p]) for p in PERCENTILES]


def simulate(
    spacing_ms: float, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Model brackets (lower, upper) and the time from the acknowledgement to the first answer with a hit, in ms."""
    latency = MEDIAN_MS * np.exp(SIGMA * rng.standard_normal(n))
    before = rng.uniform(0, spacing_ms, n)  # from the last read without the item to its visibility
    late = rng.exponential(JITTER_MS, (2, n))  # what the bracket has to allow for, and the first hit suffers
    miss, hit = latency - before, latency - before + spacing_ms
    return miss - late[0], hit + late[1], hit + late[1]


def _row(spacing: float, p: float, truth: float, naive: list[float], ours: list[Estimate]) -> Row:
    values = np.array([found.value for found in ours], np.float64)
    lows = np.array([-np.inf if found.low is None else found.low for found in ours])
    highs = np.array([np.inf if found.high is None else found.high for found in ours])
    return Row(
        spacing,
        p,
        truth,
        float(np.mean(naive)),
        float(values.mean()),
        float(values.std()),
        float(np.median(highs - lows)),
        float(((lows <= truth) & (truth <= highs)).mean()),
    )


if __name__ == "__main__":
    main()
