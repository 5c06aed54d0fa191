"""The timeline of a run: bounded, bin by bin, and true to the events."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.evidence import Evidence
from harness.analysis.timeline import MAX_BINS, describe_timeline
from harness.measure.events import LoopDelay, Poll, Ticks, Write
from harness.measure.plan import Polling, RunConfig, Workload
from harness.units import NS_PER_MS, NS_PER_S

PAIR = ("us-west-2", "ap-southeast-2")
CONFIG = RunConfig((PAIR[0],), ((PAIR[1],),), Workload(), Polling())
START = 10**15


def at(seconds):
    return START + round(seconds * NS_PER_S)


def poll(seconds, rtt_ms, **how):
    return Poll(*PAIR, at(seconds), at(seconds) + round(rtt_ms * NS_PER_MS), **how)


def write(seq, seconds, late_ms=0.0, rtt_ms=2.0, **how):
    sent = at(seconds) + round(late_ms * NS_PER_MS)
    known = {"result": "acked", "acked_ns": sent + round(rtt_ms * NS_PER_MS)} | how
    return Write(PAIR[0], seq, at(seconds), sent, **known)


def timeline(events, first_due_s=0.0):
    samples = pd.DataFrame({"due_ns": pd.array([at(first_due_s)], dtype="Int64")})
    return describe_timeline(Evidence(CONFIG, events, samples))


def test_each_bin_has_the_percentiles_of_its_own_round_trips_and_gaps_are_null():
    trips = [140.0, 141.0, 150.0]
    events = [poll(0.1 * k, rtt) for k, rtt in enumerate(trips)] + [poll(2.5, 170.0)]
    found = timeline(events)
    (reads,) = found["round_trips"]
    assert (found["from_s"], found["step_s"], found["bins"]) == (0.0, 1.0, 3)
    assert (reads["region"], reads["request"], reads["limit_ms"]) == (PAIR[1], "read", 20.0)
    assert reads["min_ms"] == [140.0, None, 170.0]
    assert reads["p50_ms"] == [141.0, None, 170.0]
    assert reads["p99_ms"] == [pytest.approx(np.percentile(trips, 99), abs=1e-3), None, 170.0]
    assert reads["floor_ms"] == [140.0, None, 140.0]
    assert reads["excess_p99_ms"][2] == 30.0


def test_time_zero_is_the_first_measured_write_and_the_warm_up_lies_before():
    found = timeline([poll(0.0, 140), poll(2.2, 140), poll(3.9, 140)], first_due_s=2.0)
    assert (found["origin_ns"], found["from_s"], found["bins"]) == (at(2.0), -2.0, 4)


@pytest.mark.parametrize("seconds", [10, 119, 500, 5_000, 86_400, 900_000])
def test_however_long_the_run_its_bins_are_few_and_cover_it(seconds):
    found = timeline([poll(0, 140), poll(seconds, 140)])
    assert found["bins"] <= MAX_BINS
    assert found["from_s"] + found["bins"] * found["step_s"] > seconds
    assert len(found["round_trips"][0]["p50_ms"]) == found["bins"]


def test_probes_of_the_event_loop_stand_before_the_event_that_reports_them():
    quiet, stalled = (NS_PER_MS,) * 100, (NS_PER_MS,) * 50 + (80 * NS_PER_MS,) * 50
    events = [poll(0, 140), poll(2.9, 140), LoopDelay(at(1.995), quiet), LoopDelay(at(2.995), stalled)]
    delay = timeline(events)["loop_delay"]
    assert delay["p99_ms"] == [None, 1.0, 80.0]
    assert delay["limit_ms"] == 10.0


def test_refusals_are_counted_where_they_happened_and_absent_where_there_are_none():
    events = [
        write(0, 0.1, attempts=3),
        write(1, 1.1, result="failed", acked_ns=None, failure="rejected"),
        poll(0.2, 140),
        poll(1.2, 140, failure="throttled"),
        poll(1.3, 140, unprocessed=4),
        poll(1.4, 140, failure="timeout"),
    ]
    assert timeline(events)["refused"] == [
        {"region": PAIR[1], "request": "read", "throttled": [0, 2], "failed": [0, 1]},
        {"region": PAIR[0], "request": "write", "throttled": [2, 0], "failed": [0, 1]},
    ]
    assert timeline([poll(0.2, 140)])["refused"] == []


def test_late_writes_and_skipped_polls_are_there_with_their_limits():
    events = [
        write(0, 0.5),
        write(1, 1.5, late_ms=30),
        Ticks(*PAIR, at(1.0), planned=200, skipped=0, late_max_ns=0),
        Ticks(*PAIR, at(2.0), planned=200, skipped=50, late_max_ns=0),
        poll(1.9, 140),
    ]
    found = timeline(events)
    assert found["lateness"] == [{"region": PAIR[0], "p99_ms": [0.0, 30.0], "limit_ms": 10.0}]
    assert found["skipped_polls"] == [{"from": PAIR[0], "to": PAIR[1], "share": [None, 0.125], "limit": 0.05}]


def test_a_run_without_a_request_has_no_timeline():
    assert timeline([]) is None
