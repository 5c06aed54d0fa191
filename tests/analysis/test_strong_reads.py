"""The promise of strong consistency held against a run's reads: what is stale, what is not, and what is not checked."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.strong_reads import describe_strong_reads
from harness.errors import UsageError
from harness.measure.config_json import config_from_json
from harness.measure.events import Event, Poll, Write
from harness.measure.plan import Polling, RunConfig, Workload
from harness.measure.session import Session
from harness.records.samples import join_samples
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually

VIRGINIA, OHIO, OREGON = "us-east-1", "us-east-2", "us-west-2"


def strong(read: str = "both", samples: int = 40, **more: Any) -> RunConfig:
    workload = Workload(samples=samples, rate_per_s=20, warmup_ns=0)
    return RunConfig(
        (VIRGINIA,), ((OHIO,),), workload, Polling(20 * MS, read=read), consistency="strong",
        quorum_witness=OREGON, **more,
    )  # fmt: skip


def events_of(config: RunConfig, lag_ms: int) -> list[Event]:
    """A session on virtual time whose writes reach the other Region so long after their commit."""

    async def perform() -> list[Event]:
        world, events = FakeWorld(lambda seq: lag_ms * MS), list[Event]()
        stores = {VIRGINIA: FakeStore(world, VIRGINIA, rtt_ms=2), OHIO: FakeStore(world, OHIO, rtt_ms=20)}
        await Session("run", config, stores, VirtualClock(), events.append).run()
        return events

    return run_virtually(perform())


def write(seq: int, acked_ms: int) -> Write:
    return Write(VIRGINIA, seq, 0, 0, acked_ms * MS, "acked")


def poll(sent_ms: int, received_ms: int, hits: tuple[int, ...] = (), absent: tuple[int, ...] = ()) -> Poll:
    return Poll(VIRGINIA, OHIO, sent_ms * MS, received_ms * MS, 0, 0, hits=hits, absent=absent)


def found(*events: Event) -> dict[str, Any]:
    described = describe_strong_reads("run", strong(samples=1), events)
    assert described is not None
    return described


def test_reads_of_what_is_visible_at_once_are_never_stale_and_many_are_checked() -> None:
    described = describe_strong_reads("run", strong(), events_of(strong(), lag_ms=0))
    assert described is not None
    assert described["stale_reads"] == 0
    assert described["violations"] == []
    assert described["writes"] == 80  # in the source Region and in the replica
    assert described["reads"] > 1000
    assert described["share"]["high"] < 0.05
    assert described["finding"].startswith("strong reads: none of ")


def test_writes_that_arrive_after_their_acknowledgement_are_violations() -> None:
    described = describe_strong_reads("run", strong(), events_of(strong(), lag_ms=300))
    assert described is not None
    assert described["share"]["value"] == 0.5  # all of them, in the replica alone
    assert {entry["to"] for entry in described["violations"]} == {OHIO}
    assert 200 < described["violations"][0]["stale_ms"] < 300
    assert described["finding"].startswith("VIOLATION: ")


def test_a_miss_sent_before_the_acknowledgement_arrived_proves_nothing() -> None:
    described = found(write(0, acked_ms=30), poll(29, 50), poll(31, 60, hits=(0,)))
    assert (described["reads"], described["stale_reads"]) == (1, 0)


def test_a_miss_sent_after_the_acknowledgement_is_stale_however_the_answers_are_ordered() -> None:
    late = found(write(0, acked_ms=30), poll(40, 50, hits=(0,)), poll(31, 60, absent=(0,)))
    early = found(write(0, acked_ms=30), poll(31, 45), poll(40, 50, hits=(0,)))
    for described in (late, early):
        assert described["stale_reads"] == 1
        assert described["violations"] == [
            {"from": VIRGINIA, "to": OHIO, "seq": 0, "reads": 1, "stale_ms": 1.0}
        ]


def test_what_a_read_takes_back_is_stale() -> None:
    described = found(write(0, acked_ms=5), poll(10, 20, hits=(0,)), poll(30, 40, absent=(0,)))
    assert described["stale_reads"] == 1


def test_a_write_without_acknowledgement_and_a_failed_read_are_not_checked() -> None:
    unanswered = Write(VIRGINIA, 0, 0, 0, None, "indeterminate")
    failed = Poll(VIRGINIA, OHIO, 31 * MS, 40 * MS, failure="timeout")
    assert found(unanswered, poll(31, 40))["reads"] == 0
    described = found(write(0, acked_ms=30), failed)
    assert (described["reads"], described["share"]) == (0, None)
    assert "nothing is known" in described["finding"]


def test_nothing_is_promised_by_an_eventual_table_or_checked_by_eventual_reads() -> None:
    plain = RunConfig((VIRGINIA,), ((OHIO,),), Workload(samples=1))
    assert describe_strong_reads("run", plain, [write(0, acked_ms=1), poll(5, 9)]) is None
    assert describe_strong_reads("run", strong("eventual"), []) is None


def test_latencies_of_a_strong_table_count_from_the_acknowledgement_and_eventual_reads_lead() -> None:
    config = strong()
    samples = join_samples("run", config, events_of(config, lag_ms=100))
    assert samples["read"].iloc[0] == "eventual"
    eventual = samples[samples["read"] == "eventual"]
    low, high = eventual["model_lower_ns"] / MS, eventual["model_upper_ns"] / MS
    assert (low < 100).all()
    assert (high > 98 - 1).all()  # the acknowledgement is up to 2 ms after the commit
    assert (eventual["hard_lower_ns"] <= 100 * MS).all()
    assert (eventual["hard_upper_ns"] >= 100 * MS).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"quorum_witness": None}, "exactly three Regions"),
        ({"replicas": ((OHIO, OREGON),)}, "exactly three Regions"),
        ({"workload": Workload(together=2)}, "transactions"),
        ({"workload": Workload(versions=2)}, "one write per item"),
        ({"control": True}, "watched anyway"),
    ],
)
def test_what_a_strong_table_cannot_do_is_refused(change: dict[str, Any], text: str) -> None:
    value = {
        "sources": (VIRGINIA,),
        "replicas": ((OHIO,),),
        "consistency": "strong",
        "quorum_witness": OREGON,
    }
    with pytest.raises(UsageError, match=text):
        RunConfig(**{**value, **change})


def test_the_configuration_of_a_strong_run_survives_its_manifest() -> None:
    assert config_from_json(strong().to_json()) == strong()
