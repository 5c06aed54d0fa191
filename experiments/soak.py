"""A benchmark: a long run at a high rate, its memory every 10 s and its error from beginning to end (simulated).

    python -m experiments.soak [--duration 30m] [--rate 100/s] [--results DIR]

One `harness.run` in a process of its own, to three replicas on the emulator. Memory is resident memory while the
run measures, of the measuring process and of the emulator; the latter holds the items themselves, as a database does,
and grows with them. What is derived from the journal afterwards is the cost of the end, told apart. The error is that
of the model bracket's middle against the emulator's truth, in the first and the last third of the writes.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from harness.analysis.ground_truth import read_truth, with_truth
from harness.records.run_directory import RunDirectory, find_run
from harness.records.samples import read_samples
from harness.units import NS_PER_MS, NS_PER_S, format_duration, parse_duration_ns

SOURCE, REPLICAS = "us-west-2", "ap-southeast-2,eu-west-1,us-east-1"
EVERY_S, SETTLED_S, SOAK_S = 10.0, 120.0, 1800.0
MIB = 1 << 20
SHOWN = 12  # looks printed one by one, about
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Look:
    """Resident memory at `at_s` after the emulator came up, bytes, and the CPU the harness has used until then."""

    at_s: float
    harness: int
    emulator: int
    cpu_s: float


@dataclass(frozen=True)
class Watched:
    """A finished run: its memory while it measured, what it printed, and the cost of its end."""

    memory: list[Look]
    code: int
    end_s: float
    peak: int


def resident(pid: int) -> int | None:
    """Bytes of a process in memory; None when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE or None
    except (OSError, IndexError):
        return None


def cpu_s(pid: int) -> float:
    """User and system time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def emulator_of(pid: int) -> int | None:
    """The emulator that a measuring process has started, if it is up."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return next(
            (int(c) for c in children if b"harness.emulator" in Path(f"/proc/{c}/cmdline").read_bytes()), None
        )
    except OSError:
        return None


@contextmanager
def run(arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """`harness.run` in a process of its own; it is interrupted when the context ends early."""
    process = subprocess.Popen([sys.executable, "-m", "harness.run", *arguments], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def watch(arguments: Sequence[str], every_s: float) -> Watched:
    """Perform a run and look at its memory for as long as its emulator lives, that is, while it measures."""
    with run(arguments) as process:
        while (emulator := emulator_of(process.pid)) is None:
            if process.poll() is not None:
                raise SystemExit(f"the run ended with exit code {process.returncode} before it measured")
            time.sleep(0.1)
        began, memory, looks = time.monotonic(), list[Look](), 0
        while (held := resident(emulator)) is not None:
            own = resident(process.pid)
            if time.monotonic() - began >= looks * every_s and own is not None:
                memory.append(Look(time.monotonic() - began, own, held, cpu_s(process.pid)))
                looks += 1
            time.sleep(0.1)
        ended = time.monotonic()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Watched(memory, process.returncode, time.monotonic() - ended, usage.ru_maxrss * 1024)


def growth(times_s: Sequence[float], sizes: Sequence[int], settled_s: float) -> dict[str, float]:
    """Sizes once settled, in the middle and at the end, the growth between, and what its slope is over a soak, %."""
    kept = [(t, size) for t, size in zip(times_s, sizes, strict=True) if t >= settled_s]
    if len(kept) < 3:
        raise SystemExit("too short: fewer than three looks at the memory after it settled")
    first, last = kept[0][1], kept[-1][1]
    per_s = np.polyfit(*np.array(kept, float).T, 1)[0]
    return {
        "first": first / MIB,
        "median": float(np.median([size for _, size in kept])) / MIB,
        "last": last / MIB,
        "growth": (last / first - 1) * 100,
        "soak": per_s * (SOAK_S - SETTLED_S) / first * 100,
    }


def busy(looks: Sequence[Look]) -> float:
    """The share of one core that the harness used between the first and the last of these looks."""
    return (looks[-1].cpu_s - looks[0].cpu_s) / (looks[-1].at_s - looks[0].at_s)


def print_memory(watched: Watched, settled_s: float) -> None:
    """One line per process."""
    times = [look.at_s for look in watched.memory]
    print(f"resident memory, {len(times)} looks, MiB; growth since {settled_s:.0f} s")
    print(
        f"{'':<10} {f'at {settled_s:.0f} s':>9} {'median':>9} {'at end':>9} {'growth':>8} {'slope per 30 min':>17}"
    )
    for name in ("harness", "emulator"):
        found = growth(times, [getattr(look, name) for look in watched.memory], settled_s)
        note = "  it holds the items" if name == "emulator" else ""
        print(
            f"{name:<10} {found['first']:>9.1f} {found['median']:>9.1f} {found['last']:>9.1f} "
            f"{found['growth']:>7.1f}% {found['soak']:>16.1f}%{note}"
        )
    looks = watched.memory[:: max(1, len(times) // SHOWN)]
    print("harness at ", " · ".join(f"{look.at_s:.0f} s {look.harness / MIB:.1f}" for look in looks))
    third = len(times) // 3
    early, late = (busy(watched.memory[at : at + third]) for at in (third // 2, len(times) - third))
    print(f"CPU of the harness: {early:.1%} of a core early on, {late:.1%} in the last third")
    print(
        f"derived within {watched.end_s:.0f} s after the measurement; peak then {watched.peak / MIB:.0f} MiB\n"
    )


def print_error(joined: pd.DataFrame) -> None:
    """The error of the thirds, and its trend: the slope of the medians of thirty equal parts."""
    due = joined["due_ns"].to_numpy(np.int64)
    error_ms = joined["error_ns"].to_numpy(np.float64) / NS_PER_MS
    part = (due - due.min()) * 30 // (due.max() - due.min() + 1)
    print(f"{'error, ms':<10} {'n':>9} {'|p50|':>8} {'|p99|':>8} {'median':>8}")
    for name, mine in (("first ⅓", part < 10), ("last ⅓", part >= 20)):
        p50, p99 = np.percentile(np.abs(error_ms[mine]), [50, 99])
        print(f"{name:<10} {mine.sum():>9,} {p50:>8.3f} {p99:>8.3f} {np.median(error_ms[mine]):>8.3f}")
    medians = [np.median(np.abs(error_ms[part == at])) for at in range(30) if (part == at).any()]
    (slope, _), covariance = np.polyfit(np.linspace(0, 1, len(medians)), medians, 1, cov=True)
    print(f"trend of |p50| over the run: {slope:+.3f} ± {2 * covariance[0, 0] ** 0.5:.3f} ms\n")


def print_verdict(run: RunDirectory, samples: pd.DataFrame, joined: pd.DataFrame) -> None:
    """Coverage, accounting and verdict."""
    summary: dict[str, Any] = orjson.loads(run.summary.read_bytes())
    ended: dict[str, int] = samples["outcome"].value_counts().to_dict()
    planned = sum(pair["outcomes"]["planned"] for pair in summary["pairs"])
    print(f"hard brackets hold the truth: {joined['hard_holds'].sum():,} of {len(joined):,}")
    print(f"model brackets hold the truth: {joined['model_holds'].mean():.2%}")
    print(f"samples accounted for: {sum(ended.values()):,} of {planned:,} ({ended})")
    failed = [f"{gate['name']} {gate['value']}" for gate in summary["gates"] if gate["status"] == "fail"]
    print(f"verdict: {summary['verdict']}{' (' + ', '.join(failed) + ')' if failed else ''}")


def soak(duration_ns: int, rate: str, results: Path) -> None:
    """Run, watch and print."""
    duration_s = duration_ns / NS_PER_S
    settled_s, every_s = min(SETTLED_S, duration_s / 3), min(EVERY_S, duration_s / 30)
    watched = watch(
        [
            *("--from", SOURCE, "--to", REPLICAS, "--rate", rate, "--duration", f"{duration_ns}ns"),
            *("--no-plots", "--results", str(results)),
        ],
        every_s,
    )
    found = find_run("latest", results)
    samples = read_samples(found.samples)
    joined = with_truth(samples, read_truth(found.truth))
    print(f"simulated: {format_duration(duration_ns)} at {rate} to {REPLICAS}, exit code {watched.code}\n")
    print_memory(watched, settled_s)
    print_error(joined)
    print_verdict(found, samples, joined)


def main() -> None:
    """Soak for as long as asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--duration", type=parse_duration_ns, default=parse_duration_ns("30m"), metavar="T")
    parser.add_argument("--rate", default="100/s")
    parser.add_argument("--results", type=Path, metavar="DIR", help="keep the run there (else it is removed)")
    arguments = parser.parse_args()
    if arguments.results is not None:
        soak(arguments.duration, arguments.rate, arguments.results)
        return
    with tempfile.TemporaryDirectory() as scratch:
        soak(arguments.duration, arguments.rate, Path(scratch))


if __name__ == "__main__":
    main()
