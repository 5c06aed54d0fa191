"""A whole session on virtual time against stores whose truth is known."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pandas as pd
import pytest

from harness.analysis.evidence import Evidence
from harness.analysis.gates import evaluate_gates, verdict
from harness.dynamodb.store import Key, Put, Read
from harness.measure.events import UNANSWERED, Event, Phase, Poll, Ticks, Write
from harness.measure.plan import Polling, RunConfig, Workload, WritePlan
from harness.measure.session import Session
from harness.records.samples import join_samples
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually

SOURCE, REPLICA, THIRD = "us-west-2", "ap-southeast-2", "eu-west-1"
Fault = Callable[[str, int], str | None]


def no_fault(operation: str, seq: int) -> str | None:
    return None


class Run:
    """A session performed on virtual time, and what it recorded."""

    def __init__(
        self,
        lag_ns: Callable[[int], int | None],
        *,
        samples: int = 60,
        replicas: tuple[str, ...] = (REPLICA,),
        write_fault: Fault = no_fault,
        read_fault: Fault = no_fault,
        stop_after_s: float | None = None,
        cancel_after_s: float | None = None,
        timeout_ms: int = 3000,
        control: bool = False,
        strategy: str = "auto",
        schedule: str = "adaptive",
        shards: int = 1,
        source_delay_ms: float = 0,
        read: str = "strong",
        stale_ms: Callable[[], float] = lambda: 0.0,
        world: type[FakeWorld] = FakeWorld,
        store: type[FakeStore] = FakeStore,
    ) -> None:
        self.config = RunConfig(
            (SOURCE,),
            (replicas,),
            Workload(samples=samples, rate_per_s=20, warmup_ns=500 * MS, shards=shards),
            Polling(20 * MS, strategy, schedule, read, timeout_ms * MS),
            control,
        )
        self.world = world(lag_ns, source_delay_ns=round(source_delay_ms * MS))
        self.stale_ms = stale_ms
        self.events: list[Event] = []
        self.cancel_after_s = cancel_after_s
        self.store = store
        self.ended_by: BaseException | None = None
        run_virtually(self._perform(write_fault, read_fault, stop_after_s))
        self.samples = join_samples("run", self.config, self.events)

    async def _perform(self, write_fault: Fault, read_fault: Fault, stop_after_s: float | None) -> None:

        stores = {SOURCE: self.store(self.world, SOURCE, rtt_ms=2, fault=write_fault)}
        for at, replica in enumerate(self.config.replicas[0]):
            stores[replica] = self.store(
                self.world, replica, rtt_ms=141 - 20 * at, fault=read_fault, stale_ms=self.stale_ms
            )
        session = Session("run", self.config, stores, VirtualClock(), self.events.append)
        if stop_after_s is not None:
            asyncio.get_running_loop().call_later(stop_after_s, session.stop, "SIGINT")
        running = asyncio.create_task(session.run())
        if self.cancel_after_s is not None:
            asyncio.get_running_loop().call_later(self.cancel_after_s, running.cancel)
        (self.ended_by,) = await asyncio.gather(running, return_exceptions=self.cancel_after_s is not None)

    def outcomes(self) -> Counter[str]:
        return Counter(self.samples["outcome"])

    def truths_ns(self, replica: str = REPLICA) -> dict[int, int]:
        """True latency by sequence number, for the writes that became visible."""
        plan = WritePlan("run", SOURCE, self.config.workload)
        truths = {}
        for seq in plan.measured:
            key = Key(plan.hash_key(seq), seq)
            visible_ns = self.world.visible_ns(key, replica)
            if visible_ns is not None:
                truths[seq] = visible_ns - self.world.committed[key][1]
        return truths

    def gate(self, name: str) -> str:
        gates = evaluate_gates(self.evidence())
        return next(gate.status for gate in gates if gate.name == name)

    def verdict(self) -> str:
        return verdict(evaluate_gates(self.evidence()))

    def evidence(self) -> Evidence:
        return Evidence(self.config, self.events, self.samples)


def lognormal(seed: int) -> Callable[[int], int]:
    lags = [round(random.Random(seed + seq).lognormvariate(0, 0.35) * 650 * MS) for seq in range(2000)]
    return lambda seq: lags[seq]


def assert_brackets_hold(run: Run, replica: str = REPLICA, samples: pd.DataFrame | None = None) -> None:
    truths = run.truths_ns(replica)
    rows = run.samples if samples is None else samples
    seen = rows[(rows["to_region"] == replica) & (rows["outcome"] == "visible")]
    assert len(seen)
    for row in seen.itertuples():
        assert row.hard_lower_ns <= truths[row.seq] <= row.hard_upper_ns


@pytest.mark.parametrize("seed", range(5))
def test_the_hard_bracket_holds_the_truth_and_every_write_is_accounted_for(seed: int) -> None:
    run = Run(lognormal(seed))
    assert run.outcomes() == {"visible": 60}
    assert_brackets_hold(run)
    assert run.verdict() == "VALID"


def test_the_model_bracket_is_about_as_wide_as_the_poll_spacing_whatever_the_round_trip() -> None:
    run = Run(lognormal(7))
    widths = (run.samples["model_upper_ns"] - run.samples["model_lower_ns"]) / MS
    assert widths.median() < 25
    assert ((run.samples["hard_upper_ns"] - run.samples["hard_lower_ns"]) / MS).median() > 141


def test_several_replicas_are_watched_at_once_each_with_its_own_bracket() -> None:
    run = Run(lognormal(3), replicas=(REPLICA, THIRD))
    assert run.outcomes() == {"visible": 120}
    assert_brackets_hold(run, REPLICA)
    assert_brackets_hold(run, THIRD)


def test_latency_shorter_than_a_round_trip_is_bracketed_too() -> None:
    run = Run(lambda seq: 3 * MS)
    assert run.outcomes() == {"visible": 60}
    assert_brackets_hold(run)


def test_a_write_that_never_replicates_is_lost_and_not_dropped() -> None:
    run = Run(lambda seq: None if seq == 30 else 200 * MS)
    assert run.outcomes() == {"visible": 59, "lost": 1}
    lost = run.samples[run.samples["outcome"] == "lost"].iloc[0]
    assert pd.isna(lost["model_upper_ns"])
    assert lost["model_lower_ns"] > 2000 * MS
    assert run.gate("losses") == "fail"
    assert run.verdict() == "INVALID"


def test_a_write_that_arrives_after_its_deadline_is_late_and_right_censored() -> None:
    run = Run(lambda seq: 3100 * MS if seq == 69 else 200 * MS)
    assert run.outcomes() == {"visible": 59, "late": 1}
    assert run.samples["model_upper_ns"].isna().sum() == 1


def test_an_item_overtaking_an_earlier_one_is_found() -> None:
    run = Run(lambda seq: 1500 * MS if seq % 7 == 0 else 150 * MS)
    assert run.outcomes() == {"visible": 60}
    assert_brackets_hold(run)


def test_failed_polls_are_never_misses() -> None:
    rng = random.Random(5)
    run = Run(lognormal(5), read_fault=lambda operation, seq: "throttled" if rng.random() < 0.3 else None)
    assert run.outcomes() == {"visible": 60}
    assert_brackets_hold(run)
    assert run.gate("throttles") == "fail"
    assert run.gate("first_attempts") == "fail"


def test_a_lost_acknowledgement_is_indeterminate_and_not_failed() -> None:
    run = Run(lognormal(2), write_fault=lambda operation, seq: "timeout after" if seq == 40 else None)
    assert run.outcomes() == {"visible": 59, "write_indeterminate": 1}


def test_a_rejected_write_is_failed_and_not_waited_for() -> None:
    run = Run(lognormal(2), write_fault=lambda operation, seq: "rejected" if seq == 40 else None)
    assert run.outcomes() == {"visible": 59, "write_failed": 1}


def test_a_throttled_write_is_repeated_and_flagged() -> None:
    tries: Counter[int] = Counter()

    def fault(operation: str, seq: int) -> str | None:
        tries[seq] += operation == "put"
        return "throttled" if operation == "put" and seq == 40 and tries[seq] == 1 else None

    run = Run(lognormal(2), write_fault=fault)
    assert run.outcomes() == {"visible": 60}
    assert_brackets_hold(run)
    assert "retried" in run.samples.set_index("seq").loc[40, "flags"]
    assert run.gate("throttles") == "fail"


def test_stopping_early_keeps_what_was_measured_and_accounts_for_the_rest() -> None:
    run = Run(lognormal(4), stop_after_s=2.5)
    outcomes = run.outcomes()
    assert outcomes.total() == 60
    assert outcomes["visible"] > 5
    assert outcomes["write_failed"] > 5
    assert_brackets_hold(run)
    assert run.gate("complete") == "fail"
    assert run.gate("accounting") == "pass"


def test_a_journal_that_ends_in_the_middle_still_accounts_for_every_write() -> None:
    run = Run(lognormal(4))
    for end in range(0, len(run.events), 97):
        samples = join_samples("run", run.config, run.events[:end])
        assert len(samples) == 60
        assert (
            samples["outcome"].isin(["visible", "late", "lost", "write_failed", "write_indeterminate"]).all()
        )


def test_a_control_sees_writes_in_their_own_region_at_once_and_does_not_count_as_a_replica() -> None:
    run = Run(lognormal(5), control=True, samples=150)
    control = run.samples[run.samples["to_region"] == SOURCE]
    assert (control["outcome"] == "visible").all()
    assert len(control) == 150
    middles_ms = (control["model_lower_ns"] + control["model_upper_ns"]) / 2 / MS
    assert abs(middles_ms.median()) < 2
    assert (control["hard_lower_ns"] <= 0).all()
    assert (control["hard_upper_ns"] >= 0).all()
    assert_brackets_hold(run)
    assert run.gate("control") == "pass"
    assert run.verdict() == "VALID"


def test_a_control_that_is_not_about_zero_invalidates_the_run() -> None:
    run = Run(lognormal(5), control=True, source_delay_ms=40)
    assert run.gate("control") == "fail"
    assert run.gate("losses") == "pass"


def test_without_a_control_there_is_no_gate_for_it() -> None:
    assert "control" not in {gate.name for gate in evaluate_gates(Run(lognormal(5)).evidence())}


def now_and_then_stale(seed: int, share: float = 0.02) -> Callable[[], float]:
    rng = random.Random(seed)
    return lambda: rng.uniform(0, 100) if rng.random() < share else 0.0


@pytest.mark.parametrize("strategy", ["query", "batch"])
def test_eventual_reads_may_take_back_what_they_showed_and_the_stable_sighting_is_told_apart(
    strategy: str,
) -> None:
    run = Run(
        lognormal(21), samples=150, read="eventual", strategy=strategy, stale_ms=now_and_then_stale(5, 0.1)
    )
    truths, flapped = run.truths_ns(), run.samples[run.samples["flaps"] > 0]
    assert run.outcomes() == {"visible": 150}
    assert 5 < len(flapped) < 100
    assert (flapped["stable_upper_ns"] > flapped["model_upper_ns"]).all()
    for row in run.samples.itertuples():
        assert row.stable_lower_ns <= row.stable_upper_ns
        assert truths[row.seq] <= row.hard_upper_ns
        assert row.model_upper_ns <= row.stable_upper_ns
    assert run.verdict() == "VALID"


class ForgetfulWorld(FakeWorld):
    """Item 40 is gone again between 0.3 and 0.5 s after it became visible."""

    def visible_ns(self, key: Key, region: str) -> int | None:
        visible_ns = super().visible_ns(key, region)
        if key.seq != 40 or visible_ns is None or region == SOURCE:
            return visible_ns
        gone = visible_ns + 300 * MS < VirtualClock().now_ns() < visible_ns + 500 * MS
        return None if gone else visible_ns


def test_strong_reads_that_take_back_what_they_showed_contradict_themselves() -> None:
    run = Run(lambda seq: (2000 if seq == 39 else 500) * MS, world=ForgetfulWorld)
    flags = run.samples.set_index("seq")["flags"]
    assert flags[40] == "contradiction,flapped"
    assert (flags.drop(40) == "").all()
    assert run.gate("consistency") == "fail"


def test_both_read_modes_side_by_side_are_samples_of_their_own() -> None:
    run = Run(lognormal(23), read="both", stale_ms=now_and_then_stale(6), control=True)
    strong, eventual = (
        run.samples[(run.samples["read"] == read) & (run.samples["to_region"] == REPLICA)]
        for read in ("strong", "eventual")
    )
    assert len(strong) == len(eventual) == 60
    assert_brackets_hold(run, samples=strong)
    assert (strong["flaps"] == 0).all()
    assert run.gate("accounting") == "pass"
    assert run.verdict() == "VALID"


def test_a_run_that_was_cancelled_says_so_and_accounts_for_every_write_and_poll_instant() -> None:
    for after_s in (0.1, 0.9, 1.7):
        run = Run(lognormal(4), cancel_after_s=after_s)
        assert run.outcomes().total() == 60
        assert run.gate("complete") == "fail"
        assert [
            event.detail for event in run.events if isinstance(event, Phase) and event.name == "interrupted"
        ] == ["CancelledError"]
        writes = [event.seq for event in run.events if isinstance(event, Write)]
        assert sorted(writes) in ([], list(range(70)))
        polled = any(isinstance(event, Poll) for event in run.events)
        assert polled <= any(isinstance(event, Ticks) for event in run.events)


class Broken(Exception):
    """Something no store should raise."""


class BreakingStore(FakeStore):
    """A store whose client breaks at one write, after it took effect, or at one read."""

    breaks_at: tuple[str, int] = ("", -1)

    async def write(self, key: Key, pad: str) -> Put:
        put = await super().write(key, pad)
        if self.breaks_at == ("put", key.seq):
            raise Broken
        return put

    async def query(self, shard: str, seqs: range, consistent: bool) -> Read:
        read = await super().query(shard, seqs, consistent)
        if self.breaks_at[0] == "query" and self.breaks_at[1] in read.found:
            raise Broken
        return read


@pytest.mark.parametrize("breaks_at", [("put", 40), ("query", 30)])
def test_a_client_that_breaks_ends_the_run_which_says_so_and_accounts_for_every_write(
    breaks_at: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    class Store(BreakingStore):
        pass

    Store.breaks_at = breaks_at
    run = Run(lognormal(4), store=Store, cancel_after_s=60)
    writes = {event.seq: event for event in run.events if isinstance(event, Write)}
    assert sorted(writes) == list(range(70))
    assert isinstance(run.ended_by, Broken)
    assert run.gate("complete") == "fail"
    assert not caplog.records
    if breaks_at[0] == "put":
        assert (writes[40].result, writes[40].error) == ("indeterminate", "Broken: ")


class SilentStore(FakeStore):
    """A store that never answers some of its queries."""

    queries = 0

    async def query(self, shard: str, seqs: range, consistent: bool) -> Read:
        self.queries += 1
        if 10 < self.queries <= 15:
            await asyncio.Event().wait()
        return await super().query(shard, seqs, consistent)


def test_a_poll_that_is_never_answered_is_recorded_as_one_that_failed() -> None:
    run = Run(lambda seq: 300 * MS, store=SilentStore, timeout_ms=2000, strategy="query")
    silent = [event for event in run.events if isinstance(event, Poll) and event.failure]
    assert [(poll.failure, poll.error) for poll in silent] == [("timeout", UNANSWERED)] * 5
    assert all(poll.received_ns - poll.sent_ns > 1000 * MS for poll in silent)
    assert run.gate("first_attempts") == "fail"
    assert run.outcomes() == Counter(visible=60)
