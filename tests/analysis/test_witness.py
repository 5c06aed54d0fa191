"""Our means beside CloudWatch's, over the same minutes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from harness.analysis.summary import summarize_run
from harness.analysis.witness import describe_witness, measured_minutes, wall_minutes
from harness.dynamodb.statement import MINUTE_NS, DataPoint, PairStatement, Statement
from harness.measure.events import ClockPair, Event, Write
from harness.measure.plan import Polling, RunConfig, Workload
from harness.records.samples import join_samples
from tests.recorded import MS, ONE_PAIR, PAIR, WALL_NS, events_of

A, B = PAIR
FIRST_NS = WALL_NS // MINUTE_NS * MINUTE_NS
SECOND_NS = FIRST_NS + MINUTE_NS
# 20 writes/s for 40 s: the first 380 within the minute that begins 40 s before them, the rest in the next.
TWO_MINUTES = RunConfig(PAIR[:1], (PAIR[1:],), Workload(800, 20, warmup_ns=0), Polling())


def stated(*points: DataPoint, problem: str | None = None) -> Statement:
    pair = PairStatement(A, B, (FIRST_NS, SECOND_NS), points, problem)
    return Statement("t", None, SECOND_NS + MINUTE_NS, (pair,))


def point(
    minute_ns: int, average: float, count: float | None = 400, least: float = 1, most: float = 9e3
) -> DataPoint:
    return DataPoint(minute_ns, average, least, most, count)


def samples_of(events: list[Event], config: RunConfig = TWO_MINUTES) -> pd.DataFrame:
    return join_samples("r", config, events)


EVENTS = events_of(TWO_MINUTES, 650)
SAMPLES = samples_of(EVENTS)
# Requests take 2 ms, and their middles are 1 ms inside.
MODEL = SAMPLES[["model_lower_ns", "model_upper_ns"]].to_numpy(np.float64) / 1e6
HARD = SAMPLES[["hard_lower_ns", "hard_upper_ns"]].to_numpy(np.float64) / 1e6


def test_instants_are_placed_by_the_last_clock_pair_before_them() -> None:
    pairs = [ClockPair(0, WALL_NS), ClockPair(30 * 10**9, WALL_NS + 90 * 10**9)]
    instants = np.array([0, 19 * 10**9, 20 * 10**9, 29 * 10**9, 30 * 10**9])
    minutes = (wall_minutes(instants, pairs) - FIRST_NS) // MINUTE_NS
    assert minutes.tolist() == [0, 0, 1, 1, 2]
    assert wall_minutes(np.array([-5 * 10**9]), pairs).tolist() == [FIRST_NS]
    assert wall_minutes(instants, []).size == 0


def test_the_minutes_asked_for_are_those_of_measured_acknowledged_writes() -> None:
    assert measured_minutes("r", TWO_MINUTES, EVENTS) == {A: (FIRST_NS, SECOND_NS)}
    assert measured_minutes("r", ONE_PAIR, events_of(ONE_PAIR, 650)) == {A: (FIRST_NS,)}
    warm = dataclasses.replace(TWO_MINUTES.workload, samples=200, warmup_ns=30 * 10**9)
    config = dataclasses.replace(TWO_MINUTES, workload=warm)
    assert measured_minutes("r", config, events_of(config, 650)) == {A: (SECOND_NS,)}
    failed = [Write(A, 0, 0, 0, None, "failed"), ClockPair(0, WALL_NS)]
    assert measured_minutes("r", TWO_MINUTES, failed) == {A: ()}


def described(statement: Statement, events: list[Event] = EVENTS) -> dict:
    found = describe_witness(statement, A, B, samples_of(events), events)
    assert found is not None
    return found


def test_our_mean_minimum_and_maximum_lie_between_those_of_the_brackets_ends() -> None:
    found = described(stated(point(FIRST_NS, 650), point(SECOND_NS, 650)))["ours_ms"]
    assert (found["n"], found["right_censored"]) == (800, 0)
    for name, ends in (("model", MODEL), ("hard", HARD)):
        assert found[name]["mean"]["low"] == pytest.approx(ends[:, 0].mean())
        assert found[name]["mean"]["high"] == pytest.approx(ends[:, 1].mean())
        assert found[name]["minimum"] == pytest.approx({"low": ends[:, 0].min(), "high": ends[:, 1].min()})
        assert found[name]["maximum"] == pytest.approx({"low": ends[:, 0].max(), "high": ends[:, 1].max()})
    assert found["hard"]["mean"]["low"] < found["model"]["mean"]["low"]


def test_averages_are_weighted_by_what_was_counted_in_each_minute() -> None:
    theirs = described(stated(point(FIRST_NS, 600, 300, 50, 900), point(SECOND_NS, 800, 100, 70, 2000)))[
        "cloudwatch_ms"
    ]
    assert theirs == {
        "average": 650.0,
        "minimum": 50,
        "maximum": 2000,
        "samples": 400.0,
        "weighted": True,
    }


@pytest.mark.parametrize("count", [None, 0.0])
def test_without_counts_minutes_weigh_the_same_and_that_is_said(count: float | None) -> None:
    theirs = described(stated(point(FIRST_NS, 600, 300), point(SECOND_NS, 800, count)))["cloudwatch_ms"]
    assert (theirs["average"], theirs["samples"], theirs["weighted"]) == (700.0, None, False)


def test_only_writes_of_minutes_with_data_are_compared_and_the_others_are_named() -> None:
    found = described(stated(point(SECOND_NS, 650)))
    in_second = SAMPLES["sent_ns"].to_numpy(np.int64) + MS >= SECOND_NS - WALL_NS
    assert found["ours_ms"]["n"] == in_second.sum() == 420
    assert found["ours_ms"]["model"]["mean"]["low"] == pytest.approx(MODEL[in_second, 0].mean())
    assert found["minutes"] == 2
    assert found["without_data"] == ["2026-11-18T11:06:00Z"]
    assert found["finding"].endswith("; no data for 2026-11-18 11:06 UTC")


def test_an_average_inside_above_and_below_is_told_with_its_distance() -> None:
    (low, high), (hard_low, hard_high) = MODEL.mean(axis=0), HARD.mean(axis=0)
    cases = [
        ((low + high) / 2, 0, 0, "inside ours"),
        (high + 0.5, 0.5, 0, "500 µs above our model bracket, inside the hard one"),
        (hard_high + 50, hard_high + 50 - high, 50, "52.0 ms above ours"),
        (hard_low - 50, hard_low - 50 - low, -50, "52.0 ms below ours"),
    ]
    for average, model, hard, says in cases:
        found = described(stated(point(FIRST_NS, average), point(SECOND_NS, average)))
        assert found["outside_ms"] == {"model": pytest.approx(model), "hard": pytest.approx(hard)}
        assert says in found["finding"]


def test_writes_never_seen_leave_mean_and_maximum_open_above() -> None:
    lost = events_of(TWO_MINUTES, 650, lost=3)
    found = described(stated(point(FIRST_NS, 9e9), point(SECOND_NS, 9e9)), lost)
    ours = found["ours_ms"]
    assert (ours["n"], ours["right_censored"]) == (800, 3)
    for kind in ("model", "hard"):
        assert ours[kind]["mean"]["high"] is None
        assert ours[kind]["maximum"]["high"] is None
        assert ours[kind]["minimum"]["high"] is not None
    assert found["outside_ms"] == {"model": 0.0, "hard": 0.0}
    assert "at least" in found["finding"]
    assert "open above: 3 not seen by the deadline" in found["finding"]


def test_no_data_is_said_with_its_minutes_and_a_refusal_with_its_reason() -> None:
    silent = described(stated())
    assert silent["cloudwatch_ms"] is silent["ours_ms"] is silent["outside_ms"] is None
    assert silent["finding"].startswith("no data for 2026-11-18 11:06, 11:07 UTC (published for MREC tables")
    refused = described(stated(problem="CloudWatch in us-west-2 refused it"))
    assert refused["finding"] == "no data: CloudWatch in us-west-2 refused it"
    later_refused = described(stated(point(FIRST_NS, 650), problem="not reached any more"))
    assert later_refused["cloudwatch_ms"]["average"] == 650


def test_nothing_acknowledged_is_nothing_to_ask_about() -> None:
    empty = Statement("t", None, None, (PairStatement(A, B, ()),))
    assert described(empty)["finding"] == "no data: no write was acknowledged"


def test_a_run_without_witness_has_none_in_its_summary() -> None:
    manifest = {"run_id": "r", "target": {"kind": "local", "label": "simulated"}}
    without = summarize_run(manifest, TWO_MINUTES, EVENTS, SAMPLES)
    assert not [pair for pair in without["pairs"] if "witness" in pair]
    with_one = summarize_run(manifest, TWO_MINUTES, EVENTS, SAMPLES, stated(point(FIRST_NS, 650)))
    assert with_one["pairs"][0].pop("witness")["minutes"] == 2
    assert with_one == without


def test_a_control_and_a_pair_that_was_not_asked_about_have_no_witness() -> None:
    assert describe_witness(stated(), B, A, SAMPLES, EVENTS) is None
    assert describe_witness(None, A, B, SAMPLES, EVENTS) is None
