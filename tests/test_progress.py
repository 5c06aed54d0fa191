"""How far a run is, in one line."""

from __future__ import annotations

from harness.measure.plan import Polling, Workload, WritePlan
from harness.measure.poller import Poller
from harness.measure.session import Progress
from harness.progress import progress_line
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually


def test_the_line_counts_all_that_was_seen_and_tells_how_long_the_latest_took() -> None:
    async def line() -> str:
        clock, world = VirtualClock(), FakeWorld(lambda seq: 0)
        plan = WritePlan("run", "us-west-2", Workload(samples=10_000, rate_per_s=100, warmup_ns=0))
        stores = [FakeStore(world, region) for region in ("ap-southeast-2", "eu-west-1")]
        pollers = [Poller(plan, store, clock, 0, Polling(), lambda event: None) for store in stores]
        for poller in pollers:
            for seq in range(6000):
                poller.latencies_ns.add((500 + seq % 100) * MS)
        progress = Progress("measuring", planned=20_000, end_ns=clock.now_ns() + 40_000 * MS, pollers=pollers)
        return progress_line(progress, clock.now_ns())

    shown = run_virtually(line())
    assert shown.startswith("measuring ")
    assert "12,000 of 20,000 visible" in shown
    assert "seen after p50 550 ms p99 599 ms" in shown
    assert "40.0 s left" in shown
