"""How long the whole report of a run of a million samples takes, and how large its page is.

    python -m experiments.report_scale [--samples 1000000] [--rate 500] [--keep DIR]

Makes a run directory as a session would have left it (simulated: log-normal lags, one request watching all open
writes every 5 ms, written through the journal), and times `python -m harness.report` on it, as a person would, in a
process of its own. A second process takes the same way step by step and says where the time goes. Fails when the
report takes longer than `LIMIT_S` or its page is larger than `LIMIT_BYTES`.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.measure.events import ClockPair, Event, LoopDelay, Phase, Poll, Ticks, Write
from harness.measure.plan import Polling, RunConfig, Workload, WritePlan
from harness.records.journal import FLUSH_S, Journal
from harness.records.manifest import describe_run, write_json
from harness.records.run_directory import RunDirectory
from harness.units import NS_PER_MS, NS_PER_S

LIMIT_S = 60
LIMIT_BYTES = 5_000_000
SOURCE, REPLICA = "us-west-2", "ap-southeast-2"
WRITE_RTT_NS, READ_RTT_NS = 2 * NS_PER_MS, 141 * NS_PER_MS
MEDIAN_NS, SIGMA = 650 * NS_PER_MS, 0.35
START_NS = 1_000 * NS_PER_S
FLUSHED_AT_ONCE = 50_000  # events


def main() -> int:
    """Make the run, measure the verb and its steps, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=500.0, help="writes per second")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="make the run here, or use the one that is here"
    )
    parser.add_argument("--steps", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps:
        print(json.dumps(measure_steps(RunDirectory(arguments.steps))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(arguments.keep or Path(folder) / "scale-simulated")
        if not run.manifest.exists():
            print(f"simulated {arguments.samples:,} samples at {arguments.rate:g}/s")
            make_run(run, arguments.samples, arguments.rate)
        print(f"journal {run.journal.stat().st_size / 1e6:.0f} MB")
        return report(run)


def report(run: RunDirectory) -> int:
    """Time the verb, then its steps; 1 when a limit is exceeded."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "harness.report", run.path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode not in (0, 3):
        print(done.stderr)
        return 1
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    page = run.report.stat().st_size
    print(done.stdout)
    print(
        f"python -m harness.report: {seconds:.1f} s, {gigabytes:.1f} GB at most, page of {page / 1e6:.2f} MB"
    )
    command = [sys.executable, "-m", "experiments.report_scale", "--steps", run.path]
    steps: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for step, taken in steps.items():
        print(f"  {step:<28}{taken:8.1f} s")
    return int(seconds > LIMIT_S or page > LIMIT_BYTES)


def make_run(run: RunDirectory, samples: int, rate_per_s: float) -> None:
    """Manifest and journal of a finished run, its lags drawn with seed 1."""
    config = RunConfig((SOURCE,), ((REPLICA,),), Workload(samples, rate_per_s, seed=1), Polling())
    run.path.mkdir(parents=True)
    target = {
        "kind": "local",
        "label": "simulated",
        "emulator": {"lag": "synthetic: LogNormal(650 ms, 0.35)"},
    }
    write_json(run.manifest, describe_run("scale", config, ["experiments.report_scale"], target, {}))
    asyncio.run(_write_journal(run.journal, _events(config)))


async def _write_journal(path: Path, events: Iterator[Event]) -> None:
    async with Journal(path) as journal:
        while batch := list(islice(events, FLUSHED_AT_ONCE)):
            for event in batch:
                journal.append(event)
            await asyncio.sleep(FLUSH_S)


def _events(config: RunConfig) -> Iterator[Event]:
    """What a session records: its writes, its polls, and what it notes about itself, as each becomes known."""
    rng = np.random.default_rng(1)
    plan = WritePlan("scale", SOURCE, config.workload)
    due = START_NS + np.array([plan.due_ns(seq) for seq in range(plan.total)])
    sent = due + rng.integers(50_000, 400_000, plan.total)
    acked = sent + WRITE_RTT_NS + rng.exponential(200_000, plan.total).astype(np.int64)
    lag = MEDIAN_NS * np.exp(SIGMA * rng.standard_normal(plan.total))
    visible = (sent + acked) // 2 + lag.astype(np.int64)
    end_ns = int(visible.max()) + NS_PER_S
    writes = (
        Write(SOURCE, seq, *instants, "acked", units=1.0)
        for seq, instants in enumerate(zip(due.tolist(), sent.tolist(), acked.tolist(), strict=True))
    )
    notes = (note for at_ns in range(START_NS, end_ns, NS_PER_S) for note in _notes(at_ns, rng))
    yield Phase("measuring", START_NS, str(START_NS))
    yield from heapq.merge(
        writes, _polls(due, visible, config.polling.interval_ns, rng), notes, key=_known_at
    )
    yield Phase("finished", end_ns)


def _notes(at_ns: int, rng: np.random.Generator) -> tuple[Event, ...]:
    delays = tuple(int(delay) for delay in rng.exponential(200_000, 20))
    planned = NS_PER_S // Polling().interval_ns
    return (
        LoopDelay(at_ns, delays),
        Ticks(SOURCE, REPLICA, at_ns, planned, 0, 300_000),
        ClockPair(at_ns, at_ns),
    )


def _known_at(event: Event) -> int:
    match event:
        case Write():
            return event.acked_ns or 0
        case Poll():
            return event.received_ns
        case ClockPair():
            return event.monotonic_ns
    return event.at_ns


def _polls(
    due: NDArray[Any], visible: NDArray[Any], interval_ns: int, rng: np.random.Generator
) -> Iterator[Poll]:
    """One request per interval for all that is open, until everything has been seen."""
    order = np.argsort(visible)
    appears = visible[order]
    open_from = np.minimum.accumulate(order[::-1])[
        ::-1
    ]  # lowest sequence number not yet seen, by how many are
    sent, seen = START_NS, 0
    while seen < len(due):
        sent += int(rng.uniform(0.5, 1.5) * interval_ns)
        received = sent + READ_RTT_NS + int(rng.exponential(500_000))
        now = int(np.searchsorted(appears, sent + READ_RTT_NS // 2))
        last = int(np.searchsorted(due, sent)) - 1
        hits = tuple(order[seen:now].tolist())
        yield Poll(SOURCE, REPLICA, sent, received, int(open_from[seen]), last, hits=hits, units=1.0)
        seen = now


def measure_steps(run: RunDirectory) -> dict[str, float]:
    """Seconds of each step of the report, in the order the verb takes them."""
    from harness.analysis.draw import draw_run
    from harness.analysis.html import write_report
    from harness.analysis.summary import summarize_run
    from harness.measure.config_json import config_from_json
    from harness.records.journal import read_journal
    from harness.records.manifest import read_json
    from harness.records.samples import join_samples, write_samples

    seconds: dict[str, float] = {}
    manifest = read_json(run.manifest)
    config = config_from_json(manifest["config"])
    events = _timed(seconds, "read the journal", lambda: read_journal(run.journal)).events
    samples = _timed(seconds, "join", lambda: join_samples(manifest["run_id"], config, events))
    _timed(seconds, "samples.parquet", lambda: write_samples(run.samples, samples))
    summary = _timed(seconds, "summary", lambda: summarize_run(manifest, config, events, samples))
    _timed(seconds, "figures", lambda: draw_run(run, summary, samples))
    _timed(seconds, "page", lambda: write_report(run, summary, samples))
    return seconds


def _timed(seconds: dict[str, float], step: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    seconds[step] = time.perf_counter() - start
    return result


if __name__ == "__main__":
    sys.exit(main())
