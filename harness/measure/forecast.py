"""What a run will do and cost, found by performing it on virtual time against imagined stores.

The same session, writers and pollers that measure, so that the estimate follows whatever they become. Of a long run
its beginning is performed, and the rest is more of what happened towards its end.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.dynamodb.cost import price_run, spread_writes
from harness.measure.events import Event, Poll, Spent
from harness.measure.imagined import TAIL_EVERY, ImaginedStore, World
from harness.measure.plan import RunConfig
from harness.measure.session import Session
from harness.measure.virtual import LoopClock, run_virtually
from harness.regions import rtt_matrix_ms
from harness.units import NS_PER_MS, NS_PER_S

# Writes to perform: enough for two rounds of `TAIL_EVERY`, fewer where they are rare, more where they are frequent.
ENOUGH, RARE_PER_S, RARE_ENOUGH, SHORTEST_S = 700, 2.0, 120, 3.0
WARMUP_NS = 2 * NS_PER_S
HOME_NS = 2 * NS_PER_MS  # a round trip inside a Region
UNKNOWN_NS = 100 * NS_PER_MS  # and to one that the matrix does not know


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to do: how long it takes, its requests, and `price_run` of its units."""

    duration_ns: int
    writes: int
    reads: int
    cost: dict[str, Any]


@dataclass(slots=True)
class _Totals:
    """Counts of an imagined run; units by Region."""

    duration_ns: float
    writes: float
    write_units: dict[str, float]
    reads: float
    read_units: dict[str, float]


def estimate_run(config: RunConfig, *, tidied: bool = False) -> Estimate:
    """The duration, requests and units of a run whose latencies are about those AWS speaks of.

    With `tidied` its items are removed afterwards, from a table that stays.
    """
    workload = config.workload
    if workload.arrivals != "poisson":
        config = replace(config, workload=replace(workload, seed=0))
    totals = _forecast(config, tidied)
    return Estimate(
        round(totals.duration_ns),
        round(totals.writes),
        round(totals.reads),
        price_run(totals.write_units, totals.read_units),
    )


@functools.lru_cache(maxsize=256)
def _forecast(config: RunConfig, tidied: bool) -> _Totals:
    short = _shortened(config)
    stores, events, duration_ns = run_virtually(_perform(short, tidied))
    writes = len(config.sources) * _writes(short)
    totals = _Totals(
        duration_ns,
        writes,
        spread_writes(
            {region: store.made_units for region, store in stores.items()},
            {region: store.replicated_units for region, store in stores.items()},
        ),
        sum(store.requests for store in stores.values()) - writes,
        {region: store.read_units for region, store in stores.items()},
    )
    more = _writes(config) - _writes(short)
    if more:
        _extend(totals, short, events, more)
    return totals


def _shortened(config: RunConfig) -> RunConfig:
    workload = config.workload
    enough = ENOUGH if workload.rate_per_s >= RARE_PER_S else RARE_ENOUGH
    enough = max(enough, round(SHORTEST_S * workload.rate_per_s))
    return replace(
        config,
        workload=replace(
            workload,
            samples=min(workload.samples, enough),
            warmup_ns=min(workload.warmup_ns, WARMUP_NS),
        ),
    )


def _writes(config: RunConfig) -> int:
    """Writes of one source."""
    return config.plan("imagined", config.sources[0]).total


async def _perform(config: RunConfig, tidied: bool) -> tuple[dict[str, ImaginedStore], list[Event], int]:
    clock, events = LoopClock(), list[Event]()
    world = World(config.workload.keys, config.workload.item_bytes, quorum_ns=_quorum_ns(config))
    client = config.regions[0]
    trips_ns = {region: _trip_ns(client, region) for region in config.regions}
    stores = {region: ImaginedStore(world, region, trips_ns, clock) for region in config.regions}
    start_ns = clock.now_ns()
    session = Session("imagined", config, stores, clock, events.append)
    await session.run()
    if tidied:
        await session.tidy()
    return stores, events, clock.now_ns() - start_ns


def _quorum_ns(config: RunConfig) -> dict[str, int] | None:
    """The round trip from each Region to its nearest partner, of a strongly consistent table."""
    if not config.strong:
        return None
    partners = config.participants
    return {
        region: min(_trip_ns(region, other) for other in partners if other != region) for region in partners
    }


def _trip_ns(client: str, region: str) -> int:
    if client == region:
        return HOME_NS
    trip_ms = rtt_matrix_ms().get((client, region))
    return UNKNOWN_NS if trip_ms is None else round(trip_ms[0] * NS_PER_MS)


def _extend(totals: _Totals, config: RunConfig, events: Sequence[Event], more: int) -> None:
    """Add `more` writes of each source and the reads that go with them, as at the end of what was performed."""
    plan = config.plan("imagined", config.sources[0])
    polls = [event for event in events if isinstance(event, Poll)]
    begin_ns = min(poll.sent_ns for poll in polls)
    last = plan.total - 1
    first = last - TAIL_EVERY if last >= 2 * TAIL_EVERY else last // 2
    start_ns, end_ns = (begin_ns + plan.due_ns(seq) for seq in (first, last))
    times = more / (last - first)
    total = plan.total + more
    totals.write_units = {region: units * total / plan.total for region, units in totals.write_units.items()}
    totals.writes = totals.writes * total / plan.total
    totals.duration_ns += more / config.workload.rate_per_s * NS_PER_S
    for poll in polls:
        if start_ns <= poll.sent_ns < end_ns:
            totals.reads += times
            totals.read_units[poll.replica] += times * poll.units
    for event in events:
        if isinstance(event, Spent) and event.what in ("preparing", "tidying") and event.read_units:
            totals.reads += more / plan.total
            totals.read_units[event.region] += event.read_units * more / plan.total
