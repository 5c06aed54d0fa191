"""`python -m harness.calibrate`: the instrument held against a truth it can see, over a grid of conditions."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.cli import Parser, parsed_by, run_verb, say, whole_number
from harness.errors import ExitCode, UsageError
from harness.measure.plan import SAMPLES, SPACINGS_NS, Polling, RunConfig, Workload
from harness.measure.schedules import SCHEDULES
from harness.units import NS_PER_MS, NS_PER_S, format_duration, parse_positive_duration_ns

SOURCE, REPLICA = "us-west-2", "ap-southeast-2"
RTTS_MS = (2, 70, 141, 250)
LAGS = ("typical", "fast", "bursty", "constant=400ms")
STRATEGIES = ("query", "batch", "get")
RATES_PER_S = (5.0, 20.0, 100.0)


@dataclass(frozen=True, slots=True)
class Condition:
    """One cell of the grid."""

    rtt_ms: int = 141
    lag: str = "typical"
    strategy: str = "query"
    rate_per_s: float = 20.0


def grid(*, full: bool) -> Iterator[Condition]:
    """Every combination where `full`, else the usual condition with each axis varied by itself."""
    if full:
        for values in itertools.product(RTTS_MS, LAGS, STRATEGIES, RATES_PER_S):
            yield Condition(*values)
        return
    usual = Condition()
    cells = [usual]
    cells += [Condition(rtt_ms=rtt) for rtt in RTTS_MS]
    cells += [Condition(lag=lag) for lag in LAGS]
    cells += [Condition(strategy=strategy) for strategy in STRATEGIES]
    cells += [Condition(rate_per_s=rate) for rate in RATES_PER_S]
    yield from dict.fromkeys(cells)


def polled_with(cells: Iterable[Condition], ways: str) -> list[Condition]:
    """The cells polled in one of these ways, separated by commas.

    Raises:
        UsageError: a way that is not known.
    """
    wanted = ways.split(",")
    unknown = [way for way in wanted if way not in STRATEGIES]
    if unknown:
        raise UsageError(f"--poll-with {ways!r} is not one or more of {', '.join(STRATEGIES)}, with commas")
    return [cell for cell in cells if cell.strategy in wanted]


def calibrate_cell(
    cell: Condition, samples: int, interval_ns: int, schedule: str, results: Path
) -> dict[str, Any]:
    """Measure one cell: the condition, its `Accuracy`, the verdict and what a sample costs."""
    from harness.analysis.derive import derive_results
    from harness.analysis.ground_truth import measure_accuracy, read_truth
    from harness.measure.clock import cpu_ns
    from harness.runner import RunRequest, perform_run
    from harness.target import EmulatorOptions

    config = RunConfig(
        (SOURCE,),
        ((REPLICA,),),
        Workload(samples=samples, rate_per_s=cell.rate_per_s, warmup_ns=NS_PER_S),
        Polling(interval_ns=interval_ns, strategy=cell.strategy, schedule=schedule),
    )
    options = EmulatorOptions(lag=cell.lag, extra=("--rtt", f"{REPLICA}={cell.rtt_ms}ms"))
    before_ns = cpu_ns()
    request = RunRequest(config, emulator=options, results=results, show_progress=False, quiet=True)
    finished = perform_run(request)
    cpu_ms = (cpu_ns() - before_ns) / NS_PER_MS
    summary, frame = derive_results(finished.directory)
    accuracy = measure_accuracy(frame, read_truth(finished.directory.truth))
    pair = summary["pairs"][0]
    return {
        **asdict(cell),
        **accuracy.to_json(),
        "verdict": summary["verdict"],
        "failed_gates": [gate["name"] for gate in summary["gates"] if gate["status"] == "fail"],
        "requests_per_sample": pair["requests_per_sample"],
        "read_units_per_sample": pair["read_units_per_sample"],
        "cpu_ms_per_sample": cpu_ms / max(1, samples),
    }


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "calibrate",
        "Run the instrument against the emulator and print coverage, bias, error, resolution and cost per sample.",
        ("", "--full --samples 400", "--json --samples 50"),
    )
    parser.add_argument(
        "--samples", type=whole_number(SAMPLES), default=200, metavar="N", help="per cell (200)"
    )
    interval = parsed_by(parse_positive_duration_ns)
    parser.add_argument("--poll-interval", type=interval, default=5 * NS_PER_MS, metavar="T", help="(5ms)")
    parser.add_argument("--schedule", choices=SCHEDULES, default="adaptive", help="(adaptive)")
    parser.add_argument(
        "--poll-with", default=",".join(STRATEGIES), metavar="WAY[,WAY…]", help=f"({','.join(STRATEGIES)})"
    )
    parser.add_argument("--full", action="store_true", help="every combination, not each axis by itself")
    parser.add_argument("--json", action="store_true", help="print the cells as JSON alone on stdout")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, measure each cell, print the table; exit 3 when any hard bracket misses the truth."""
    arguments = make_parser().parse_args(argv)
    if arguments.poll_interval not in SPACINGS_NS:
        raise UsageError(
            f"--poll-interval {format_duration(arguments.poll_interval)} must lie between 1ms and 1h"
        )
    cells = polled_with(grid(full=arguments.full), arguments.poll_with)
    rows = []
    with tempfile.TemporaryDirectory(prefix="calibrate-") as scratch:
        for number, cell in enumerate(cells, 1):
            say(f"{number} of {len(cells)}: {cell}")
            rows.append(
                calibrate_cell(
                    cell, arguments.samples, arguments.poll_interval, arguments.schedule, Path(scratch)
                )
            )
    if arguments.json:
        import orjson

        print(orjson.dumps({"simulated": True, "cells": rows}, option=orjson.OPT_INDENT_2).decode())
    else:
        _print_table(rows)
    missed = sum(row["hard_coverage"] < 1 for row in rows)
    if missed:
        say(
            f"error: in {missed} cells a hard bracket misses the truth: the instrument is broken; please report it"
        )
        return ExitCode.INVALID
    return ExitCode.OK


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    from harness.terminal import make_console

    table = Table(
        title="calibration against the emulator (simulated); |error| is of the model bracket's middle, in ms"
    )
    headings = (
        "RTT", "lag", "with", "rate/s", "n", "hard", "model", "bias", "|error| p50", "p99", "width", "requests",
        "read units", "CPU ms", "verdict",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("lag", "with", "verdict") else "right")
    for row in rows:
        table.add_row(
            f"{row['rtt_ms']}", row["lag"], row["strategy"], f"{row['rate_per_s']:g}", f"{row['n']}",
            f"{row['hard_coverage']:.1%}", f"{row['model_coverage']:.1%}", f"{row['bias_ms']:+.2f}",
            f"{row['error_p50_ms']:.2f}", f"{row['error_p99_ms']:.2f}", f"{row['width_p50_ms']:.1f}",
            f"{row['requests_per_sample']:.1f}", f"{row['read_units_per_sample']:.1f}",
            f"{row['cpu_ms_per_sample']:.1f}",
            row["verdict"] if row["verdict"] == "VALID" else f"INVALID ({', '.join(row['failed_gates'])})",
        )  # fmt: skip
    console = make_console()
    console.width = max(console.width, 150)
    console.print(table)


if __name__ == "__main__":
    run_verb(main)
