"""A scenario is a run and its faults as data; `perform` is what happens: the real session on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pandas as pd

from harness.measure.events import Event, from_record, to_record
from harness.measure.plan import RunConfig
from harness.measure.session import Session
from tests.campaign.faults import Fault
from tests.campaign.world import FaultyStore, World, lognormal
from tests.fakes import VirtualClock, run_virtually, stall

RUN_ID = "campaign"
PATIENCE_S = 900.0  # of virtual time: far beyond any deadline of a run


class JournalFull(Exception):
    """The fake journal takes no more events."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is measured, what goes wrong, and the seed of all chance."""

    config: RunConfig
    faults: tuple[Fault, ...] = ()
    lag_median_ms: float = 200.0
    lag_sigma: float = 0.3
    rtt_ms: tuple[float, ...] = (2.0, 60.0, 120.0)
    noise_ms: float = 1.0
    there: float = 0.5
    seed: int = 0

    def of(self, name: str) -> list[Fault]:
        """The faults of one name."""
        return [fault for fault in self.faults if fault.name == name]


@dataclass(slots=True)
class Performed:
    """A run that is over: its journal as it was read back, and what really happened."""

    scenario: Scenario
    world: World
    events: list[Event] = field(default_factory=list)
    ended_by: str | None = None
    elapsed_s: float = 0.0
    journal_full: bool = False

    @property
    def manifest(self) -> dict[str, Any]:
        """As much of a manifest as a summary needs."""
        return {"run_id": RUN_ID, "target": {"kind": "local", "label": "simulated"}}

    def truth(self) -> pd.DataFrame:
        """What happened, in the columns of `read_truth`."""
        versions = self.scenario.config.workload.versions
        rows = [
            (c.origin, region, "t", f"{c.key.shard}/{c.key.seq // versions}", c.commit_ns, visible_ns)
            for c in self.world.commits
            for region, visible_ns in c.visible_ns.items()
        ]
        instants = ("commit_ns", "visible_ns")
        truth = pd.DataFrame(rows, columns=["from", "to", "table", "key", *instants])
        return truth.assign(eventual_ns=None).astype(dict.fromkeys([*instants, "eventual_ns"], "Int64"))


def perform(scenario: Scenario) -> Performed:
    """The run, whatever becomes of it."""
    return run_virtually(_perform(scenario))


async def _perform(scenario: Scenario) -> Performed:
    config, loop = scenario.config, asyncio.get_running_loop()
    lag_ns = lognormal(scenario.lag_median_ms, scenario.lag_sigma)
    workload = config.workload
    world = World(
        config.regions, lag_ns, scenario.faults, workload.versions, workload.contested, scenario.seed
    )
    done = Performed(scenario, world)
    stores = {
        region: FaultyStore(world, region, rtt_ms, scenario.noise_ms, scenario.there)
        for region, rtt_ms in zip(config.regions, scenario.rtt_ms, strict=False)
    }
    full = min((round(fault.size_s * 1000) for fault in scenario.of("journal full")), default=None)

    def record(event: Event) -> None:
        if full is not None and len(done.events) >= full:
            world.befallen.add("journal full")
            done.journal_full = True
            raise JournalFull
        done.events.append(from_record(orjson.loads(orjson.dumps(to_record(event)))))

    session = Session(RUN_ID, config, stores, _clock(scenario), record)
    running = asyncio.create_task(session.run())
    _schedule(loop, scenario, world, session, running)
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await running
    except asyncio.CancelledError:
        done.ended_by = "cancelled"
    except Exception as error:
        done.ended_by = type(error).__name__
    done.elapsed_s = world.now_s()
    return done


def _clock(scenario: Scenario) -> VirtualClock:
    steps = scenario.of("wall clock steps")
    if not steps:
        return VirtualClock()
    return VirtualClock(round(steps[0].size_s * 1e9), steps[0].from_s)


def _schedule(
    loop: asyncio.AbstractEventLoop,
    scenario: Scenario,
    world: World,
    session: Session,
    running: asyncio.Task[None],
) -> None:
    def strike(name: str, what: Any, *arguments: Any) -> None:
        if not running.done():
            world.befallen.add(name)
            what(*arguments)

    for fault in scenario.faults:
        actions: dict[str, Sequence[Any]] = {
            "event loop stalls": (stall, fault.size_s),
            "stopped": (session.stop, "SIGINT"),
            "cancelled": (running.cancel,),
            "wall clock steps": (lambda: None,),
        }
        if fault.name in actions:
            loop.call_later(fault.from_s, strike, fault.name, *actions[fault.name])
