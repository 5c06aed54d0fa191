"""A request that fails where no answer says so ends what sent it, and no task's failure goes unheard."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from harness.measure.events import Event, Poll
from harness.measure.in_flight import InFlight
from harness.measure.plan import RunConfig, Workload
from harness.measure.session import Session
from harness.records.journal import JournalFull
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually

A, B = "us-west-2", "eu-west-1"


async def test_the_failure_of_one_is_raised_and_the_others_can_be_cancelled() -> None:
    requests = InFlight()

    async def fail() -> None:
        raise KeyError

    async def hang() -> None:
        await asyncio.Event().wait()

    requests.start(hang())
    requests.start(fail())
    requests.check()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(KeyError):
        await requests.finish(0.01)
    assert len(requests) == 1
    await requests.cancel()
    assert len(requests) == 0


@pytest.mark.parametrize("together", range(1, 40, 3))
def test_a_journal_that_fills_up_ends_the_run_with_its_own_error_alone(together: int) -> None:
    unheard: list[dict[str, Any]] = []
    polls = [together]

    def record(event: Event) -> None:
        polls[0] -= isinstance(event, Poll)
        if polls[0] < 0:
            raise JournalFull("cannot write the journal: No space left on device")

    async def perform() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        world = FakeWorld(lambda seq: 300 * MS)
        stores = {region: FakeStore(world, region) for region in (A, B)}
        config = RunConfig((A,), ((B,),), Workload(20, warmup_ns=0))
        with pytest.raises(JournalFull):
            await Session("run", config, stores, VirtualClock(), record).run()
        gc.collect()

    run_virtually(perform())
    assert unheard == []
