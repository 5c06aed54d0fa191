"""How far a run is, on stderr: one line rewritten in place on a terminal, a line now and then elsewhere.

It is written from the measuring event loop, so it is a few microseconds of formatting and not a rendered widget,
whose milliseconds would show up as event-loop delay.
"""

from __future__ import annotations

import asyncio
import sys

from harness.measure import clock
from harness.measure.session import Progress
from harness.units import format_count, format_duration

TERMINAL_S, PLAIN_S = 0.25, 5.0
_BAR = 24


async def show_progress(progress: Progress) -> None:
    """Show `progress` until cancelled."""
    terminal = sys.stderr.isatty()
    try:
        while True:
            await asyncio.sleep(TERMINAL_S if terminal else PLAIN_S)
            line = progress_line(progress, clock.now_ns())
            sys.stderr.write(f"\r{line}\x1b[K" if terminal else f"{line}\n")
            sys.stderr.flush()
    finally:
        if terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def progress_line(progress: Progress, now_ns: int) -> str:
    """Phase, samples seen, running percentiles (of the time from due to the first answer) and the time left."""
    if not progress.pollers:
        return f"{progress.phase} …"
    headline = progress.pollers[0].watch.read
    pollers = [p for p in progress.pollers if p.watch.read == headline and not p.watch.control]
    seen = sum(poller.latencies_ns.count for poller in pollers)
    merged = sorted(latency for poller in pollers for latency in poller.latencies_ns.values)
    share = seen / max(1, progress.planned)
    bar = "█" * round(share * _BAR) + "░" * (_BAR - round(share * _BAR))
    percentiles = ""
    if merged:
        p50, p99 = (merged[min(len(merged) - 1, int(p * len(merged)))] for p in (0.50, 0.99))
        percentiles = f" · seen after p50 {format_duration(p50)} p99 {format_duration(p99)}"
    left_ns = max(0, progress.end_ns - now_ns)
    left = f" · {format_duration(left_ns)} left" if left_ns else " · waiting for the last ones"
    counts = f"{format_count(seen)} of {format_count(progress.planned)} visible"
    return f"{progress.phase} {bar} {counts}{percentiles}{left}"
