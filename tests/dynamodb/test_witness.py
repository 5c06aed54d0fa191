"""What is fetched from CloudWatch, held against moto's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.dynamodb.access import Access
from harness.dynamodb.statement import (
    DataPoint,
    PairStatement,
    Statement,
    instant_text,
    minutes_text,
    statement_from_json,
)
from harness.dynamodb.witness import CloudWatch
from harness.errors import DamagedRun, TargetUnavailable, UsageError
from tests.cloudwatch import MINUTE_NS, CloudWatchServer, cloudwatch

A, B = "us-west-2", "eu-west-1"
FIRST_NS = 1_795_000_020 * 10**9
MINUTES = tuple(FIRST_NS + at * MINUTE_NS for at in range(3))


@pytest.fixture
def server() -> Iterator[CloudWatchServer]:
    with cloudwatch() as running:
        yield running


def witness(server: CloudWatchServer, table: str = "t") -> CloudWatch:
    return CloudWatch(Access(keys=("AKIDEXAMPLE", "secret")), table, server.url)


def test_each_minute_has_its_average_minimum_maximum_count_and_unit(server: CloudWatchServer) -> None:
    server.put(A, B, "t", MINUTES[0], (400.0, 600.0, 800.0))
    server.put(A, B, "t", MINUTES[2], (1000.0,))
    assert witness(server).points(A, B, MINUTES) == (
        DataPoint(MINUTES[0], 600.0, 400.0, 800.0, 3.0, "Milliseconds"),
        DataPoint(MINUTES[2], 1000.0, 1000.0, 1000.0, 1.0, "Milliseconds"),
    )


def test_only_the_minutes_the_table_and_the_direction_asked_for_are_fetched(server: CloudWatchServer) -> None:
    server.put(A, B, "t", MINUTES[1], (500.0,))
    server.put(A, B, "other", MINUTES[0], (1.0,))
    server.put(B, A, "t", MINUTES[0], (2.0,))
    server.put(A, "us-east-1", "t", MINUTES[0], (3.0,))
    server.put(A, B, "t", MINUTES[0] - MINUTE_NS, (4.0,))
    server.put(A, B, "t", MINUTES[2] + MINUTE_NS, (5.0,))
    assert [point.average for point in witness(server).points(A, B, MINUTES)] == [500.0]
    assert [point.average for point in witness(server).points(A, B, MINUTES[:1])] == []


def test_it_is_asked_for_in_the_source_region_and_nothing_else_is_asked(server: CloudWatchServer) -> None:
    witness(server).points(B, A, MINUTES)
    assert server.asked == [(B, "GetMetricStatistics")]


def test_data_points_in_another_unit_are_left_out(server: CloudWatchServer) -> None:
    server.put(A, B, "t", MINUTES[0], (0.5,), unit="Seconds")
    assert witness(server).points(A, B, MINUTES) == ()


def test_more_than_a_day_of_minutes_is_asked_for_day_by_day(server: CloudWatchServer) -> None:
    minutes = tuple(FIRST_NS + at * MINUTE_NS for at in range(3000))
    for at in (0, 1439, 1440, 2999):
        server.put(A, B, "t", minutes[at], (float(at),))
    server.asked.clear()
    found = witness(server).points(A, B, minutes)
    assert [point.average for point in found] == [0.0, 1439.0, 1440.0, 2999.0]
    assert len(server.asked) == 3


def test_a_denied_permission_is_one_sentence_that_names_the_action(server: CloudWatchServer) -> None:
    server.denied = frozenset({A})
    with pytest.raises(
        TargetUnavailable, match="CloudWatch in us-west-2 refused GetMetricStatistics: AccessDenied"
    ):
        witness(server).points(A, B, MINUTES)
    assert witness(server).points(B, A, MINUTES) == ()


def test_a_server_that_is_not_there_and_a_profile_that_is_not_are_one_sentence() -> None:
    keys = ("AKIDEXAMPLE", "secret")
    with pytest.raises(TargetUnavailable, match="cannot reach CloudWatch in us-west-2"):
        CloudWatch(Access(keys=keys), "t", "http://127.0.0.1:9").points(A, B, MINUTES)
    with pytest.raises(UsageError, match="no-such-profile"):
        CloudWatch(Access(profile="no-such-profile"), "t").points(A, B, MINUTES)


def test_what_was_fetched_is_read_back_as_it_was_written() -> None:
    point = DataPoint(MINUTES[0], 600.5, 400.0, 800.0, None)
    pairs = (PairStatement(A, B, MINUTES, (point,)), PairStatement(B, A, MINUTES, problem="no"))
    for fetched_ns in (None, MINUTES[2]):
        statement = Statement("t", "http://x", fetched_ns, pairs)
        assert statement_from_json(statement.to_json()) == statement
    assert pairs[0].missing == MINUTES[1:]
    assert Statement("t", None, None, pairs).points(A, B) == (point,)
    assert Statement("t", None, None, pairs).points(A, "us-east-1") == ()


@pytest.mark.parametrize(
    "change",
    [
        {"pairs": [{}]},
        {"pairs": None},
        {"fetched_at": "yesterday"},
        {"fetched_at": "2026-11-24T21:43:00"},
        {"pairs": [{"from": A, "to": B, "minutes": [5], "points": [], "problem": None}]},
        {"pairs": [{"from": A, "to": B, "minutes": [], "points": [{"minute": "x"}], "problem": None}]},
    ],
)
def test_a_damaged_statement_is_one_sentence(change: dict[str, object]) -> None:
    value = Statement("t", None, MINUTES[0]).to_json() | change
    with pytest.raises(DamagedRun, match=r"witness\.json cannot be read"):
        statement_from_json(value)


def test_an_average_that_is_no_number_is_refused() -> None:
    pair = PairStatement(A, B, MINUTES, (DataPoint(MINUTES[0], 1.0, 1.0, 1.0),))
    value = Statement("t", None, None, (pair,)).to_json()
    value["pairs"][0]["points"][0]["average"] = "fast"
    with pytest.raises(DamagedRun):
        statement_from_json(value)


def test_minutes_are_named_for_people() -> None:
    assert instant_text(FIRST_NS) == "2026-11-18T11:07:00Z"
    assert minutes_text(MINUTES[:2]) == "2026-11-18 11:07, 11:08 UTC"
    assert minutes_text(MINUTES, 1) == "2026-11-18 11:07 UTC and 2 more"
