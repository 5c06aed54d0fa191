"""How long the statistics of ten million samples take, against the obvious bootstrap with pandas and NumPy.

    python -m experiments.analysis_scale [--samples 10000000] [--correlation-time 5]

Simulates brackets around log-normal latencies (AR(1) in logarithms), stores them as Parquet, and then, in a process
of its own, loads them and computes percentiles with intervals and the ECDF, as a report does. Autocorrelated samples
are the expensive case: each percentile takes a block bootstrap of 2,000 resamples. The obvious way, resampling the
samples and calling np.percentile, is timed for a few resamples in the same run and scaled up. It is also
wrong: it ignores the autocorrelation and takes the middles of the brackets for the truth.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
CHAINS = 1_000  # stretches simulated side by side, then laid end to end
OBVIOUS_RESAMPLES = 5


def main() -> None:
    """Simulate, measure both ways in processes of their own, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--correlation-time", type=float, default=5.0, help="in samples; 0 for independent")
    parser.add_argument("--measure", choices=sorted(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(WAYS[arguments.measure](arguments.path)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.parquet"
        simulate(arguments.samples, arguments.correlation_time).to_parquet(path, index=False)
        found = {way: _in_own_process(way, path) for way in ("harness", "obvious")}
    ours, obvious = found["harness"], found["obvious"]
    print(f"{arguments.samples:,} samples, correlation time {arguments.correlation_time:g} samples")
    for step, seconds in ours["seconds"].items():
        print(f"  {step:<28}{seconds:8.1f} s")
    print(f"  {'whole':<28}{sum(ours['seconds'].values()):8.1f} s, {ours['gigabytes']:.2f} GB at most")
    for name, estimate in ours["estimates"].items():
        print(f"    {name:<6} {estimate}")
    each, needed = obvious["seconds_per_resample"], ours["resamples"]
    print(
        f"  the obvious bootstrap: {obvious['load']:.1f} s to load and {each:.2f} s per resample, so "
        f"{obvious['load'] + each * needed:,.0f} s for {needed:,} resamples, {obvious['gigabytes']:.2f} GB at most"
    )


def simulate(n: int, correlation_time: float) -> pd.DataFrame:
    """Brackets from polls every 20 ms around log-normal values (median 650 ms, σ 0.35), in ns."""
    rng = np.random.default_rng(1)
    steps = -(-n // CHAINS)
    series = rng.standard_normal((steps, CHAINS))
    if correlation_time:
        phi = np.exp(-1 / correlation_time)
        series[1:] *= np.sqrt(1 - phi**2)
        for at in range(1, steps):
            series[at] += phi * series[at - 1]
    values = 650e6 * np.exp(0.35 * series.T.ravel()[:n])
    lower = values - rng.uniform(0, 20e6, n)
    return pd.DataFrame(
        {
            "model_lower_ns": pd.array(lower.astype(np.int64), dtype="Int64"),
            "model_upper_ns": pd.array((lower + 20e6).astype(np.int64), dtype="Int64"),
        }
    )


def measure_harness(path: Path) -> dict[str, Any]:
    """Load, percentiles with intervals, ECDF: what `harness.analysis` needs for each."""
    from harness.analysis.bootstrap import RESAMPLES
    from harness.analysis.censoring import npmle
    from harness.analysis.percentiles import estimate_percentiles

    seconds: dict[str, float] = {}
    lower, upper = _timed(seconds, "load", lambda: _load(path))
    estimates = _timed(
        seconds, "percentiles with intervals", lambda: estimate_percentiles(lower, upper, PERCENTILES)
    )
    grid = np.linspace(0, 3e9, 1_000)
    _timed(seconds, "ECDF", lambda: npmle(lower, upper).cdf(grid))
    shown = {f"p{p:g}": json.dumps(_milliseconds(found.to_json())) for p, found in estimates.items()}
    return {"seconds": seconds, "gigabytes": _peak_gigabytes(), "estimates": shown, "resamples": RESAMPLES}


def measure_obvious(path: Path) -> dict[str, Any]:
    """Load with pandas, take the middles, resample them with replacement, np.percentile."""
    start = time.perf_counter()
    frame = pd.read_parquet(path)
    middles = ((frame["model_lower_ns"] + frame["model_upper_ns"]) / 2).to_numpy(np.float64)
    loaded = time.perf_counter() - start
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    for _ in range(OBVIOUS_RESAMPLES):
        np.percentile(rng.choice(middles, len(middles)), PERCENTILES)
    each = (time.perf_counter() - start) / OBVIOUS_RESAMPLES
    return {"load": loaded, "seconds_per_resample": each, "gigabytes": _peak_gigabytes()}


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {"harness": measure_harness, "obvious": measure_obvious}


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["model_lower_ns", "model_upper_ns"])
    lower = table["model_lower_ns"].to_numpy().astype(np.float64)
    return lower, table["model_upper_ns"].fill_null(2**62).to_numpy().astype(np.float64)


def _in_own_process(way: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "experiments.analysis_scale", "--measure", way, "--path", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _timed(seconds: dict[str, float], step: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    seconds[step] = time.perf_counter() - start
    return result


def _milliseconds(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        key: round(value / 1e6, 1) if key in ("value", "low", "high") and value is not None else value
        for key, value in entry.items()
    }


def _peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
