"""The estimate before a run: what it counts, and that it agrees with what a session does."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from harness.dynamodb.cost import load_prices
from harness.measure.events import Event, Poll, Spent
from harness.measure.forecast import estimate_run
from harness.measure.plan import Polling, RunConfig, Workload
from harness.measure.session import Session
from harness.units import NS_PER_S
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually

A, B, C = "us-west-2", "ap-southeast-2", "eu-west-1"
PLAIN = RunConfig((A,), ((B,),), Workload(100, warmup_ns=NS_PER_S))


def wrote(config: RunConfig = PLAIN, **changes: Any) -> RunConfig:
    return replace(config, workload=replace(config.workload, **changes))


def polled(**changes: Any) -> RunConfig:
    return replace(PLAIN, polling=replace(PLAIN.polling, **changes))


def units(config: RunConfig, kind: str) -> dict[str, float]:
    return {region: entry[kind] for region, entry in estimate_run(config).cost["regions"].items()}


@pytest.mark.parametrize(
    "config",
    [PLAIN, polled(interval_ns=20 * MS), polled(strategy="get", interval_ns=40 * MS), wrote(rate_per_s=5)],
    ids=("default", "20 ms", "get", "5 writes a second"),
)
def test_the_estimate_is_within_a_tenth_of_what_a_session_asks_for(config: RunConfig) -> None:
    events: list[Event] = []
    rng = random.Random(7)
    lags = [round(rng.lognormvariate(0, 0.35) * 650 * MS) + 149 * MS for _ in range(500)]

    async def perform() -> None:
        world = FakeWorld(lags.__getitem__)
        stores = {A: FakeStore(world, A, rtt_ms=2), B: FakeStore(world, B, rtt_ms=141)}
        await Session("run", config, stores, VirtualClock(), events.append).run()

    run_virtually(perform())
    counted = sum(event.units for event in events if isinstance(event, Poll))
    counted += sum(event.read_units for event in events if isinstance(event, Spent))
    assert sum(units(config, "read_units").values()) == pytest.approx(counted, rel=0.1)


def test_of_a_long_run_only_the_beginning_is_performed_and_the_rest_follows_from_it() -> None:
    short, long = estimate_run(wrote(samples=400)), estimate_run(wrote(samples=4000))
    assert (short.writes, long.writes) == (420, 4020)
    assert long.reads == pytest.approx(short.reads * 4000 / 400, rel=0.1)
    assert long.duration_ns == pytest.approx(200 * NS_PER_S, rel=0.03)
    assert long.cost["usd"] == pytest.approx(10 * short.cost["usd"], rel=0.1)


def test_a_write_is_paid_for_in_every_region_that_has_the_table() -> None:
    both_ways = RunConfig((A, B, C), ((B, C), (A,), (A,)), Workload(40, warmup_ns=0))
    assert units(both_ways, "write_units") == {A: 120, B: 120, C: 120}


def test_items_made_beforehand_are_written_twice_and_large_ones_cost_more() -> None:
    assert units(wrote(keys="update"), "write_units") == {A: 240, B: 240}
    assert units(wrote(item_bytes=2500), "write_units") == {A: 360, B: 360}


def test_a_transaction_costs_twice_where_it_is_written() -> None:
    assert units(wrote(together=4), "write_units") == {A: 240, B: 120}


def test_eventually_consistent_reads_cost_half_and_both_modes_cost_both() -> None:
    strong, eventual, both = (
        units(polled(read=read), "read_units")[B] for read in ("strong", "eventual", "both")
    )
    # Each item is looked at for half a second more once an eventually consistent read has shown it.
    assert 0.5 * strong < eventual < 0.75 * strong
    assert both == pytest.approx(strong + eventual, rel=0.05)


def test_a_control_and_large_items_add_reads() -> None:
    plain = units(PLAIN, "read_units")
    assert units(replace(PLAIN, control=True), "read_units")[A] > plain[A] + 100
    assert units(wrote(item_bytes=4096), "read_units")[B] > 2 * plain[B]


def test_an_overwritten_item_is_looked_for_until_its_deadline() -> None:
    polling = Polling(20 * MS, timeout_ns=3 * NS_PER_S)
    contested = RunConfig(
        (A, B), ((B,), (A,)), Workload(40, warmup_ns=0, keys="contested", offset_ns=100 * MS), polling
    )
    assert estimate_run(contested).duration_ns > 4 * NS_PER_S
    assert estimate_run(wrote(contested, keys="new", offset_ns=0)).duration_ns < 4.5 * NS_PER_S


def test_the_basis_and_the_date_of_the_prices_are_told() -> None:
    cost = estimate_run(PLAIN).cost
    for region in (A, B):
        price = load_prices()[region]
        assert f"{price.basis} {price.as_of}" in cost["basis"]
    assert cost["usd"] == pytest.approx(sum(entry["usd"] for entry in cost["regions"].values()))


def test_the_same_settings_give_the_same_estimate() -> None:
    assert estimate_run(wrote(seed=1)) == estimate_run(wrote(seed=2))
