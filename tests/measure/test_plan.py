"""The plan: when each write is due."""

from __future__ import annotations

import pytest

from harness.measure.plan import ARRIVALS, BURST_WRITES, Workload, WritePlan

MS = 1_000_000


def plan(arrivals: str, seed: int = 1) -> WritePlan:
    workload = Workload(samples=40, rate_per_s=20, arrivals=arrivals, warmup_ns=0, seed=seed)
    return WritePlan("run", "us-west-2", workload)


def test_writes_of_a_burst_are_due_together_and_bursts_keep_the_mean_rate() -> None:
    due_ms = [plan("bursts").due_ns(seq) / MS for seq in range(40)]
    assert due_ms == [burst * BURST_WRITES * 50 for burst in range(4) for _ in range(BURST_WRITES)]


@pytest.mark.parametrize("arrivals", ARRIVALS)
def test_due_times_never_go_back_and_are_the_same_each_time(arrivals: str) -> None:
    due_ns = [plan(arrivals).due_ns(seq) for seq in range(40)]
    assert due_ns == sorted(due_ns)
    assert due_ns == [plan(arrivals).due_ns(seq) for seq in range(40)]
