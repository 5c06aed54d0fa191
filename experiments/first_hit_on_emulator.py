"""A benchmark: what poll spacing does to a first-hit percentile, and what it leaves of the estimator's (simulated).

    python -m experiments.first_hit_on_emulator [--samples 400]

The same kind of run is taken at 50, 200 and 500 ms polls against the emulator. The truth is the emulator's own record
of the same writes; first hit takes the middle of the round trip that first saw a write, the best a first hit can be.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.table import Table

from harness.analysis.derive import derive_results
from harness.analysis.ground_truth import read_truth, with_truth
from harness.measure.plan import Polling, RunConfig, Workload
from harness.result_lines import format_estimate
from harness.runner import RunRequest, perform_run
from harness.terminal import make_console
from harness.units import NS_PER_MS, NS_PER_S, format_duration

SPACINGS_MS = (50, 200, 500)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=400)
    samples = parser.parse_args().samples
    table = Table(title=f"against the emulator's truth (simulated): lag typical, n = {samples} writes each")
    for heading in (
        "polls",
        "",
        "truth",
        "estimator with 95 % interval",
        "holds the truth",
        "first hit",
        "off by",
    ):
        table.add_column(heading, justify="left" if heading in ("", "holds the truth") else "right")
    with tempfile.TemporaryDirectory() as scratch:
        for spacing_ms in SPACINGS_MS:
            polling = Polling(spacing_ms * NS_PER_MS, "query", "fixed")
            workload = Workload(samples, rate_per_s=40, warmup_ns=NS_PER_S, seed=spacing_ms)
            config = RunConfig(("us-west-2",), (("ap-southeast-2",),), workload, polling)
            finished = perform_run(RunRequest(config, results=Path(scratch), show_progress=False, quiet=True))
            summary, frame = derive_results(finished.directory)
            joined = with_truth(frame, read_truth(finished.directory.truth))
            committed = (joined["sent_ns"] + joined["acked_ns"]) / 2
            seen = (joined["first_hit_sent_ns"] + joined["first_hit_received_ns"]) / 2 - committed
            for name, percentile in (("p50", 50), ("p90", 90), ("p99", 99)):
                estimate = summary["pairs"][0]["latency_ms"][name]
                truth = float(np.percentile(joined["true_ns"].to_numpy(np.float64), percentile))
                first = float(np.percentile(seen.to_numpy(np.float64), percentile))
                low, high = estimate.get("low"), estimate.get("high")
                holds = (
                    "–" if low is None or high is None else str(low * NS_PER_MS <= truth <= high * NS_PER_MS)
                )
                table.add_row(
                    f"{spacing_ms} ms" if name == "p50" else "", name, format_duration(truth),
                    format_estimate(estimate), holds, format_duration(first), format_duration(first - truth),
                )  # fmt: skip
    make_console().print(table)


if __name__ == "__main__":
    main()
