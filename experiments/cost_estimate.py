"""A benchmark: the estimate before a run against the units counted in it, on the emulator (simulated).

    python -m experiments.cost_estimate [--samples 200] [--only NAME …]

Each row is one run. Units are those of the answers' ConsumedCapacity, all Regions together; the goal is 5 %. Where
items are large, one late write makes every Query pay for all it passes over: with 4 KB items the read units of 400
writes vary by a tenth from run to run (s.d. of 12 imagined runs), and no estimate can be nearer to a single one.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from harness.analysis.derive import derive_results
from harness.measure.forecast import estimate_run
from harness.measure.plan import Polling, RunConfig, Workload
from harness.result_lines import format_usd
from harness.runner import RunRequest, perform_run
from harness.terminal import make_console
from harness.units import NS_PER_MS, format_count

SOURCE, REPLICA, THIRD = "us-west-2", "ap-southeast-2", "eu-west-1"
GOAL = 0.05


def settings(samples: int) -> dict[str, RunConfig]:
    """The runs by name."""
    plain = RunConfig((SOURCE,), ((REPLICA,),), Workload(samples), Polling())

    def wrote(**changes: Any) -> RunConfig:
        return replace(plain, workload=replace(plain.workload, **changes))

    def polled(**changes: Any) -> RunConfig:
        return replace(plain, polling=replace(plain.polling, **changes))

    return {
        "default": plain,
        "2 writes/s": wrote(rate_per_s=2, samples=samples // 4),
        "200 writes/s": wrote(rate_per_s=200, samples=5 * samples),
        "poisson": wrote(arrivals="poisson"),
        "bursts": wrote(arrivals="bursts"),
        "polls every 20 ms": polled(interval_ns=20 * NS_PER_MS),
        "eventual": polled(read="eventual"),
        "both reads": polled(read="both"),
        "batch": polled(strategy="batch"),
        "get": polled(strategy="get", interval_ns=20 * NS_PER_MS),
        "fixed schedule": polled(schedule="fixed"),
        "two replicas": replace(plain, replicas=((REPLICA, THIRD),)),
        "both ways": RunConfig((SOURCE, REPLICA), ((REPLICA,), (SOURCE,)), plain.workload, plain.polling),
        "control": replace(plain, control=True),
        "4 KB items": wrote(item_bytes=4096),
        "updates": wrote(keys="update"),
        "deletes": wrote(keys="delete"),
        "transactions of 4": wrote(together=4),
        "strong": RunConfig(
            ("us-east-1",),
            (("us-east-2",),),
            plain.workload,
            Polling(read="both"),
            consistency="strong",
            quorum_witness="us-west-2",
        ),
    }


def row(name: str, config: RunConfig, results: Path) -> tuple[str, ...]:
    """Estimate, run, count."""
    estimate = estimate_run(config).cost
    finished = perform_run(RunRequest(config, results=results, show_progress=False, quiet=True))
    counted = derive_results(finished.directory)[0]["cost"]
    cells = [name]
    for kind in ("write_units", "read_units"):
        before, after = (sum(r[kind] for r in cost["regions"].values()) for cost in (estimate, counted))
        cells += [format_count(before), format_count(after), f"{before / after - 1:+.1%}" if after else "–"]
    off = estimate["usd"] / counted["usd"] - 1
    verdict = "" if abs(off) <= GOAL else " !"
    return (*cells, format_usd(estimate["usd"]), format_usd(counted["usd"]), f"{off:+.1%}{verdict}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--only", action="append", metavar="NAME", help="this row; repeatable")
    arguments = parser.parse_args()
    table = Table(title="estimated before and counted in a run (simulated, one run per row; ! is beyond 5 %)")
    for heading in (
        "run", "write units est.", "counted", "off", "read units est.", "counted", "off", "est.", "counted", "off",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, config in settings(arguments.samples).items():
            if arguments.only is None or name in arguments.only:
                table.add_row(*row(name, config, Path(scratch)))
    console = make_console()
    console.width = max(console.width, 150)
    console.print(table)


if __name__ == "__main__":
    main()
