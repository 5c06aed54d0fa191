"""Poll strategies and schedules: each finds every item, in whatever order it appears, within its bracket."""

from __future__ import annotations

import itertools
import random

import pytest

from harness.dynamodb.signed_http import Exchange
from harness.dynamodb.store import Key, Read
from harness.measure.plan import Watch, Workload, WritePlan
from harness.measure.schedules import SCHEDULES, Adaptive, Fixed
from harness.measure.strategies import BatchLook, QueryLook, QueryStrategy, proves
from tests.fakes import MS
from tests.measure.test_session import Run, assert_brackets_hold, lognormal

ANSWERED = Exchange(10, 20, {})


@pytest.mark.parametrize(
    ("strategy", "schedule", "shards"),
    [*itertools.product(["query", "batch", "get"], SCHEDULES, [1]), ("query", "fixed", 4)],
)
def test_every_way_to_poll_brackets_the_truth_in_and_out_of_order(
    strategy: str, schedule: str, shards: int
) -> None:
    run = Run(lognormal(11), samples=120, strategy=strategy, schedule=schedule, shards=shards)
    assert run.outcomes() == {"visible": 120}
    assert_brackets_hold(run)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_polls_of_single_items_resolve_to_about_their_gap(schedule: str) -> None:
    run = Run(lognormal(12), samples=120, strategy="get", schedule=schedule)
    widths = (run.samples["model_upper_ns"] - run.samples["model_lower_ns"]) / MS
    assert widths.median() < (25 if schedule == "fixed" else 80)


def test_where_latencies_keep_together_adaptive_needs_half_the_requests_of_fixed_for_the_same_width() -> None:
    lags = [round(random.Random(seq).gauss(800, 60) * MS) for seq in range(500)]
    frames = {
        schedule: Run(lambda seq: lags[seq], samples=400, strategy="get", schedule=schedule).samples
        for schedule in ("fixed", "adaptive")
    }
    polls = {name: frame["polls"].mean() for name, frame in frames.items()}
    widths = {
        name: (frame["model_upper_ns"] - frame["model_lower_ns"]).median() for name, frame in frames.items()
    }
    assert polls["adaptive"] < polls["fixed"] / 2
    assert widths["adaptive"] < 1.1 * widths["fixed"]


def test_what_lies_beyond_a_page_s_end_is_neither_hit_nor_miss() -> None:
    look = QueryLook("s", 10, 20, 1)
    event = proves(Watch("a", "b"), look, Read(ANSWERED, found=(10, 12), complete_to=13), set())
    assert list(event.covered()) == [10, 11, 12, 13]
    assert event.hits == (10, 12)


def test_unprocessed_keys_are_neither_hit_nor_miss() -> None:
    look = BatchLook((Key("s", 1), Key("s", 2), Key("s", 3)))
    event = proves(Watch("a", "b"), look, Read(ANSWERED, found=(1,), unprocessed=(3,)), set())
    assert event.covered() == (1, 2)
    assert event.hits == (1,)


def test_a_failed_read_covers_nothing() -> None:
    failed = Read(Exchange(10, 20, {}, "throttled", "slow down"))
    event = proves(Watch("a", "b"), QueryLook("s", 0, 9, 1), failed, set())
    assert event.covered() == ()
    assert event.failure == "throttled"


def test_an_item_seen_before_and_missing_now_is_recorded_as_absent() -> None:
    event = proves(Watch("a", "b"), QueryLook("s", 0, 3, 1), Read(ANSWERED, found=(0, 1)), {1, 2})
    assert event.hits == (0,)
    assert event.absent == (2,)


def test_a_query_starts_at_the_lowest_open_item_not_after_the_last_one_seen() -> None:
    plan = WritePlan("r", "us-west-2", Workload())
    looks, _ = QueryStrategy(plan, Fixed(MS), random.Random(1)).turn(0, {3: 50, 9: 20})
    assert [(look.first, look.last) for look in looks if isinstance(look, QueryLook)] == [(3, 9)]


def test_shards_are_queried_each_from_its_own_lowest_open_item() -> None:
    plan = WritePlan("r", "us-west-2", Workload(shards=2))
    looks, _ = QueryStrategy(plan, Fixed(MS), random.Random(1)).turn(0, {3: 50, 4: 40, 8: 30, 9: 20})
    ranges = {(look.shard, look.first, look.last, look.step) for look in looks if isinstance(look, QueryLook)}
    assert ranges == {("r#us-west-2#1", 3, 9, 2), ("r#us-west-2#0", 4, 8, 2)}


def test_an_adaptive_schedule_is_dense_where_items_appear_and_sparse_where_they_do_not() -> None:
    schedule = Adaptive(10 * MS)
    rng = random.Random(3)
    assert schedule.gap_ns(0, 1.0) == 10 * MS
    for _ in range(500):
        age_ns = round(rng.gauss(800, 50) * MS)
        schedule.appeared(age_ns - 5 * MS, age_ns + 5 * MS)
    assert schedule.gap_ns(100 * MS, 1.0) > 40 * MS
    assert schedule.gap_ns(800 * MS, 1.0) < 15 * MS
    assert schedule.shared_gap_ns([800 * MS], 1.0) <= schedule.shared_gap_ns([100 * MS], 1.0)
