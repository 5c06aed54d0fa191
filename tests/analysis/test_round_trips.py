"""Round trips decomposed: the running minimum, drift, distance and the floor that light in fibre sets."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.round_trips import (
    Location,
    describe_reads,
    drift,
    excess_ns,
    fibre_ms,
    great_circle_km,
    over_one_way_floor,
    region_locations,
    round_trips,
)
from harness.measure.events import Poll, Write
from harness.regions import matrix_regions, rtt_matrix_ms

MS, S = 1_000_000, 1_000_000_000


def trips(*rtts_ms: float, every_ms: float = 100) -> np.ndarray:
    return np.array([(i * every_ms * MS, rtt * MS) for i, rtt in enumerate(rtts_ms)], np.int64)


def test_round_trips_are_kept_apart_by_region_and_kind_and_failures_are_left_out() -> None:
    events = [
        Poll("a", "b", 0, 5, failure="throttled"),
        Poll("a", "b", 10, 17),
        Poll("a", "a", 10, 12),
        Write("a", 0, 0, 1, 4, "acked"),
        Write("a", 1, 0, 1, None, "indeterminate"),
    ]
    found = {key: rows.tolist() for key, rows in round_trips(events).items()}
    assert found == {("b", "read"): [[10, 7]], ("a", "read"): [[10, 2]], ("a", "write"): [[1, 3]]}


def test_excess_is_over_the_minimum_of_the_time_and_forgets_an_old_route() -> None:
    minute = [70.0] * 600 + [90.0] * 1200  # a minute, then two on another route
    excess = excess_ns(trips(*minute)) / MS
    assert excess[:600].max() == 0
    assert excess[601] == 20
    assert excess[-600:].max() == 0


def test_drift_is_the_change_between_stretches_of_ten_seconds() -> None:
    assert drift(trips(*[100.0] * 100, *[125.0] * 100)) == pytest.approx(0.25)
    assert drift(trips(*[100.0] * 200)) == 0.0
    assert drift(trips(*[1.0] * 100, *[1.8] * 100)) == 0.0  # less than a millisecond
    assert drift(trips(*[100.0] * 90)) is None


def test_great_circles_are_as_long_as_they_are_known_to_be() -> None:
    london, new_york, pole = Location(51.47, -0.45), Location(40.64, -73.78), Location(90, 0)
    assert great_circle_km(london, new_york) == pytest.approx(5_540, rel=0.005)
    assert great_circle_km(pole, Location(0, 123)) == pytest.approx(10_007, rel=0.002)
    assert great_circle_km(london, london) == 0


def test_light_in_fibre_needs_about_five_microseconds_a_kilometre() -> None:
    assert fibre_ms(1000) == pytest.approx(4.897, abs=0.001)


def test_every_region_of_the_matrix_has_a_place() -> None:
    assert region_locations().keys() == matrix_regions()


def test_no_measured_round_trip_between_regions_is_faster_than_light_in_fibre() -> None:
    """Holds every coordinate against the 33 × 32 measured round trips; places are good to about 100 km."""
    places = region_locations()
    for (source, replica), (p50, _) in rtt_matrix_ms().items():
        if source != replica:
            floor = 2 * fibre_ms(max(0, great_circle_km(places[source], places[replica]) - 100))
            assert p50 > floor, (source, replica, p50, floor)


def test_a_pair_is_described_by_its_distance_and_what_lies_above_the_floor() -> None:
    described = describe_reads("us-west-2", "ap-southeast-2", trips(*[141.0, 145.0] * 150))
    assert described["distance_km"] == pytest.approx(12_500, rel=0.02)
    assert described["fibre_floor"] == pytest.approx(123, abs=2)
    assert described["over_fibre_floor"] == pytest.approx(141 - described["fibre_floor"])
    assert (described["min"], described["p50"], described["p99"]) == (141, 143, 145)
    assert described["drift_share"] == 0


def test_latency_is_set_against_one_way_only() -> None:
    latency = {"p50": {"value": 700.0}, "p99": {"needs": 368, "n": 100}, "p90": {"value": None}}
    over = over_one_way_floor("us-west-2", "ap-southeast-2", latency)
    assert over is not None
    assert over == {"p50": pytest.approx(700 - 61.5, abs=1)}


def test_a_region_whose_place_is_unknown_is_not_guessed() -> None:
    described = describe_reads("us-west-2", "moon-1", trips(3.0, 4.0))
    assert set(described) == {"min", "p50", "p99", "drift_share"}
    assert over_one_way_floor("us-west-2", "moon-1", {"p50": {"value": 7.0}}) is None


def test_a_pair_without_an_answer_has_no_round_trip() -> None:
    described = describe_reads("us-west-2", "ap-southeast-2", np.empty((0, 2), np.int64))
    assert described["min"] is described["over_fibre_floor"] is described["drift_share"] is None
