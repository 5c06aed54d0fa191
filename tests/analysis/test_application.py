"""What a run says to an application, from sessions on virtual time whose truth is known."""

from __future__ import annotations

import numpy as np

from harness.analysis.application import describe_asymmetry, describe_everywhere, describe_pair
from harness.analysis.view import pair_samples
from tests.fakes import MS
from tests.measure.test_session import REPLICA, SOURCE, THIRD, Run, lognormal


def test_the_share_visible_after_a_wait_is_that_of_the_truth() -> None:
    run = Run(lognormal(5), samples=200)
    found = describe_pair(pair_samples(run.samples, SOURCE, REPLICA))
    truths_ms = np.array(list(run.truths_ns().values())) / MS
    for entry in found["t_visibility"]:
        assert entry["low"] <= (truths_ms <= entry["wait_ms"]).mean() <= entry["high"]
    assert found["loss_rate"]["value"] == 0
    assert found["loss_rate"]["high"] < 0.02


def test_overtaken_writes_are_counted_and_none_where_the_lag_is_constant() -> None:
    overtaking = Run(lambda seq: 900 * MS if seq % 10 == 0 else 200 * MS)
    assert describe_pair(overtaking.samples)["overtaken"]["certainly"] >= 5
    steady = Run(lambda seq: 200 * MS)
    assert describe_pair(steady.samples)["overtaken"]["certainly"] == 0


def test_visible_everywhere_is_later_than_in_any_single_replica() -> None:
    run = Run(lognormal(6), samples=100, replicas=(REPLICA, THIRD))
    (entry,) = describe_everywhere(run.samples, run.config.pairs)
    assert entry["replicas"] == [REPLICA, THIRD]
    truths_ms = np.array(list(run.truths_ns().values())) / MS
    assert entry["latency_ms"]["p50"]["low"] <= np.median(truths_ms) <= entry["latency_ms"]["p50"]["high"]


def test_one_direction_alone_has_no_asymmetry_to_tell_of() -> None:
    run = Run(lognormal(6))
    assert describe_asymmetry(run.samples, run.config.pairs) == []
    assert describe_everywhere(run.samples, run.config.pairs) == []
