"""One run, from opened connections to the final sweep.

    1. connect    open and warm every connection that rate × round trip will need
    2. prepare    where updates or deletes are measured: make the items, and wait until every Region has them
    3. warm-up    the plan's first writes, polled like all others but not counted
    4. measure    writers and pollers side by side, each from the plan alone
    5. drain      poll until every write is seen or past its deadline
    6. sweep      one last strongly consistent look at each write no poll has seen

Whatever happens in between (a signal, an exception), every planned write gets its record and what was measured is
kept. A session knows Regions, stores and a place to record events; it does not know what serves the stores.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.dynamodb.store import Key, Store
from harness.measure.clock import Clock
from harness.measure.events import ClockPair, Event, LoopDelay, Phase, Spent, Swept
from harness.measure.plan import EXPECTED_LATENCY_NS, Polling, RunConfig, Watch, pick_strategy
from harness.measure.poller import IN_FLIGHT_MAX, Poller
from harness.measure.prepare import prepare_items
from harness.measure.strategies import BATCH_LIMIT
from harness.measure.tidy import if_possible, remove_items
from harness.measure.writer import Writer
from harness.units import NS_PER_MS, NS_PER_S

PINGS = 5
LOOP_PROBE_NS = 10 * NS_PER_MS
CLOCK_PAIR_NS = 10 * NS_PER_S
CONTROL_CLOSER = 4
SWEEP_ATTEMPTS = 4
SWEEP_RETRY_NS = 500 * NS_PER_MS
GARBAGE = (
    30_000  # objects more than there were, at most some 10 MB, whose collection takes a few milliseconds
)


@dataclass(slots=True)
class Progress:
    """What a run is doing, for whoever shows it; changed in place."""

    phase: str = "connecting"
    planned: int = 0
    sent: int = 0
    start_ns: int = 0
    end_ns: int = 0
    pollers: list[Poller] = field(default_factory=list)
    writers: list[Writer] = field(default_factory=list)


class Session:
    """Runs one `RunConfig` against opened stores; `record` keeps the events."""

    def __init__(
        self,
        run_id: str,
        config: RunConfig,
        stores: Mapping[str, Store],
        clock: Clock,
        record: Callable[[Event], None],
    ) -> None:
        self.run_id = run_id
        self.config = config
        self.progress = Progress(planned=config.workload.samples * len(config.pairs))
        self.interrupted: str | None = None
        self._stores = stores
        self._clock = clock
        self._record = record
        self._plans = {source: config.plan(run_id, source) for source in config.sources}

    def stop(self, reason: str) -> None:
        """End the run early and in order: nothing more is sent, what is known is kept."""
        self.interrupted = self.interrupted or reason
        for writer in self.progress.writers:
            writer.stop()
        for poller in self.progress.pollers:
            poller.stop()

    async def run(self) -> None:
        """The procedure of the module's docstring."""
        watches = [asyncio.create_task(self._watch_clocks())]
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection at any moment is a pause of the event loop, up to 50 ms
        try:
            await self._connect()
            if self.config.workload.keys in ("update", "delete"):
                await self._prepare()
            watches.append(asyncio.create_task(self._probe_loop()))
            await self._measure()
            await self._sweep()
        except BaseException as error:
            self.interrupted = self.interrupted or type(error).__name__
            raise
        finally:
            gc.enable()
            gc.unfreeze()
            for task in watches:
                task.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            self._record(ClockPair(self._clock.now_ns(), self._clock.wall_ns()))
            if self.interrupted:
                self._phase("interrupted", self.interrupted)
            self._phase("finished")

    async def tidy(self) -> None:
        """Remove every item of the run, and make sure that none is left in any Region, even if no event can be kept.

        Raises:
            TargetUnavailable: some are.
        """
        self._record = if_possible(self._record)
        self._phase("tidying")
        await remove_items(
            self._plans.values(), self._stores, self._clock, functools.partial(self._spend, "tidying")
        )

    async def _connect(self) -> None:
        self._phase("connecting")
        await asyncio.gather(*(self._warm(store) for store in self._stores.values()))

    async def _warm(self, store: Store) -> None:
        """Open as many connections as requests will be in flight at once, by Little's law, and half as many more."""
        nobody = Key(f"{self.run_id}#ping", 0)
        rtt_ns, reads = NS_PER_S, []
        for _ in range(PINGS):
            reads.append(await store.get(nobody, consistent=True))
            exchange = reads[-1].exchange
            if exchange.failure is None and exchange.sent_ns is not None:
                rtt_ns = min(rtt_ns, exchange.received_ns - exchange.sent_ns)
        in_flight = round(1.5 * requests_per_s(self.config, store.region) * rtt_ns / NS_PER_S)
        together = min(4 + in_flight, IN_FLIGHT_MAX)
        reads += await asyncio.gather(*(store.get(nobody, consistent=True) for _ in range(together)))
        self._spend("warming", store.region, sum(read.units for read in reads))

    async def _prepare(self) -> None:
        self._phase("preparing")
        for plan, group in zip(self._plans.values(), self.config.replicas, strict=True):
            stores = {region: self._stores[region] for region in (plan.source, *group)}
            await prepare_items(
                plan,
                self.config.workload.item_bytes,
                stores,
                self._clock,
                lambda: self._stopped,
                functools.partial(self._spend, "preparing"),
            )

    @property
    def _stopped(self) -> bool:
        return self.interrupted is not None

    async def _measure(self) -> None:
        start_ns = self._clock.now_ns() + 20 * NS_PER_MS
        workload = self.config.workload
        progress = self.progress
        progress.writers = [
            Writer(plan, self._stores[source], self._clock, start_ns, workload.item_bytes, self._record)
            for source, plan in self._plans.items()
        ]
        progress.pollers = [
            Poller(
                self._plans[watch.source],
                self._stores[watch.replica],
                self._clock,
                start_ns,
                polling_of(self.config, watch),
                self._record,
                settle=self.config.strong,
            )
            for watch in self.config.watched
        ]
        progress.start_ns = start_ns
        progress.end_ns = start_ns + max(plan.end_ns for plan in self._plans.values())
        self._phase("measuring", str(start_ns))
        if self.interrupted:
            self.stop(self.interrupted)
        writing = [asyncio.create_task(self._write(writer)) for writer in progress.writers]
        polls = [asyncio.create_task(poller.run()) for poller in progress.pollers]
        try:
            await asyncio.gather(*writing, *polls)
        finally:
            for task in (*writing, *polls):
                # A second cancellation would end what the first one makes it put in order.
                if not task.cancelling():
                    task.cancel()
            await asyncio.gather(*writing, *polls, return_exceptions=True)
            for writer in progress.writers:
                writer.account_for_rest()

    async def _write(self, writer: Writer) -> None:
        await writer.run()
        self._phase("draining", writer.plan.source)
        for poller in self.progress.pollers:
            if poller.plan is writer.plan:
                poller.forget(writer.failed)

    async def _sweep(self) -> None:
        self._phase("sweeping")
        looks = []
        for poller in self.progress.pollers:
            writer = next(w for w in self.progress.writers if w.plan is poller.plan)
            unseen = [seq for seq in poller.seen.missing() if seq not in writer.failed]
            looks += [
                self._look_once_more(poller, unseen[at : at + BATCH_LIMIT])
                for at in range(0, len(unseen), BATCH_LIMIT)
            ]
        await asyncio.gather(*looks)

    async def _look_once_more(self, poller: Poller, seqs: Sequence[int]) -> None:
        """Record a `Swept` for each of `seqs`: absent after the last attempt, or None where no answer could be had."""
        store, left = self._stores[poller.watch.replica], dict.fromkeys(seqs)
        absent: dict[int, int] = {}
        for attempt in range(SWEEP_ATTEMPTS):
            if attempt:
                await self._clock.sleep_until(self._clock.now_ns() + SWEEP_RETRY_NS)
            read = await store.batch_get(
                [Key(poller.plan.hash_key(seq), seq) for seq in left], consistent=True
            )
            self._spend("sweeping", store.region, read.units)
            if read.exchange.failure is None:
                at_ns = read.exchange.received_ns
                for seq in left.keys() & set(read.found):
                    del left[seq]
                    self._record(Swept(poller.plan.source, poller.watch.replica, seq, True, at_ns))
                absent.update(dict.fromkeys(left.keys() - set(read.unprocessed), at_ns))
            if not left:
                return
        for seq in left:
            present = False if seq in absent else None
            at_ns = absent.get(seq, self._clock.now_ns())
            self._record(Swept(poller.plan.source, poller.watch.replica, seq, present, at_ns))

    async def _watch_clocks(self) -> None:
        while True:
            now_ns = self._clock.now_ns()
            self._record(ClockPair(now_ns, self._clock.wall_ns()))
            await self._clock.sleep_until(now_ns + CLOCK_PAIR_NS)

    async def _probe_loop(self) -> None:
        """Probes are due at fixed instants: a long stall makes many of them late, not one."""
        delays: list[int] = []
        due_ns = self._clock.now_ns()
        try:
            while True:
                due_ns += LOOP_PROBE_NS
                await self._clock.sleep_until(due_ns)
                delays.append(self._clock.now_ns() - due_ns)
                if len(delays) >= NS_PER_S // LOOP_PROBE_NS:
                    self._record(LoopDelay(self._clock.now_ns(), tuple(delays)))
                    delays = []
                if gc.get_count()[0] > GARBAGE:  # a broken connection leaves reference cycles behind
                    gc.collect()
        finally:
            if delays:
                self._record(LoopDelay(self._clock.now_ns(), tuple(delays)))

    def _spend(self, what: str, region: str, read_units: float = 0.0, write_units: float = 0.0) -> None:
        self._record(Spent(what, region, self._clock.now_ns(), read_units, write_units))

    def _phase(self, name: str, detail: str | None = None) -> None:
        self.progress.phase = name
        self._record(Phase(name, self._clock.now_ns(), detail))


def polling_of(config: RunConfig, watch: Watch) -> Polling:
    """How one watch polls: a control closer than the rest, for the little while that a write is unseen at home."""
    closer = CONTROL_CLOSER if watch.control and config.control else 1
    interval_ns = max(NS_PER_MS, config.polling.interval_ns // closer)
    return replace(config.polling, read=watch.read, strategy=pick_strategy(config), interval_ns=interval_ns)


def requests_per_s(config: RunConfig, region: str) -> float:
    """About how many requests a second one Region gets, for items that stay unseen for a second."""
    rate = config.workload.rate_per_s
    open_items = max(1.0, rate * EXPECTED_LATENCY_NS / NS_PER_S)
    per_instant = {
        "get": open_items,
        "batch": math.ceil(open_items / BATCH_LIMIT),
        "query": config.workload.shards,
    }[pick_strategy(config)]
    watched = sum(region == watch.replica for watch in config.watched)
    return rate * (region in config.sources) + watched * per_instant * NS_PER_S / config.polling.interval_ns
