"""The pipelined poller of one replica Region: it never waits for an answer before it asks again.

Every poll instant is planned; one that cannot be kept (too many requests in flight, the loop too late) is counted,
not forgotten. The gaps between polls are drawn anew each time, so that polling cannot lock to the writes' rhythm.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable

from harness.dynamodb.signed_http import Exchange
from harness.dynamodb.store import Read, Store
from harness.measure.clock import Clock
from harness.measure.events import UNANSWERED, Event, Poll, Ticks
from harness.measure.in_flight import InFlight
from harness.measure.marks import Marks
from harness.measure.plan import Polling, Watch, WritePlan
from harness.measure.recent import Recent
from harness.measure.schedules import make_schedule
from harness.measure.strategies import Look, batch_looks, make_strategy, portion, proves
from harness.units import NS_PER_MS, NS_PER_S

STRAGGLERS = 100  # latencies seen before their p99 can tell which items are late ones
STRAGGLER_SHARE = 1.5  # of that p99, the age from which an item is one
STRAGGLER_SPACING = (
    0.01  # it is looked at every 1 % of its age, and by itself: a Query pays for all it passes over
)
OPEN_MAX = 5_000  # items looked at together; of more, the oldest are looked at as late ones
IN_FLIGHT_MAX = 400
SETTLE_NS = 500 * NS_PER_MS  # for how long after a sighting another read may take it back
IDLE_NS = 50 * NS_PER_MS  # how soon a stop is noticed while nothing is to be polled


class Poller:
    """Watches the writes of one plan appear in one replica, until each is seen or its deadline has passed.

    Reads that may take back what they showed are made a while longer: eventually consistent ones, and, to `settle`, the
    strongly consistent ones that are not supposed to.
    """

    def __init__(
        self,
        plan: WritePlan,
        store: Store,
        clock: Clock,
        start_ns: int,
        polling: Polling,
        record: Callable[[Event], None],
        *,
        settle: bool = False,
    ) -> None:
        self.plan = plan
        self.watch = Watch(plan.source, store.region, polling.read)
        self.seen = Marks(plan.total)
        self.latencies_ns = Recent()  # due to first answer with a hit, for progress and stragglers
        self._store = store
        self._clock = clock
        self._start_ns = start_ns
        self._polling = polling
        self._consistent = polling.read == "strong"
        self._settles = settle or not self._consistent
        self._record = record
        self._rng = random.Random(f"polls {plan.run_id} {plan.source} {store.region} {polling.read}")
        self._schedule = make_schedule(polling.schedule, polling.interval_ns)
        self._strategy = make_strategy(polling.strategy, plan, self._schedule, self._rng)
        self._next_seq = 0
        self._open: dict[int, int] = {}  # due and not yet seen → instant it was due, in that order
        self._stragglers: dict[int, int] = {}  # seq → when to look again
        self._missed_ns: dict[int, int] = {}  # open seq → when the latest look that missed it was sent
        self._settling: dict[int, int] = {}  # seen, and looked at again → until when
        self._shown_ns: dict[int, int] = {}  # settling seq → when the look that showed it was sent
        self._gone: set[int] = set()  # settling, and missing since it was seen
        self._in_flight = InFlight()
        self._stopped = False
        self._planned = self._skipped = self._late_max_ns = 0
        self._ticks_at_ns = start_ns

    @property
    def done(self) -> bool:
        """Is every planned write seen, and settled, or past its deadline?"""
        return self._next_seq == self.plan.total and not (self._open or self._stragglers or self._settling)

    def stop(self) -> None:
        """Ask nothing more; what is in flight is still answered."""
        self._stopped = True

    def forget(self, seqs: Iterable[int]) -> None:
        """Stop looking for writes that are known not to exist."""
        for seq in seqs:
            self._open.pop(seq, None)
            self._stragglers.pop(seq, None)
            self._missed_ns.pop(seq, None)

    async def run(self) -> None:
        """Poll until `done` or `stop()`. What the store or `record` raises ends it, and is raised when that is so."""
        tick_ns = self._start_ns
        try:
            while not (self._stopped or self.done):
                await self._clock.sleep_until(tick_ns)
                self._in_flight.check()
                now_ns = self._clock.now_ns()
                self._admit_and_expire(now_ns)
                ages_ns = self._ages_ns(now_ns)
                # Counted from the planned instant, so that a late loop does not stretch every gap by its delay.
                from_ns = tick_ns if now_ns - tick_ns < self._polling.interval_ns // 2 else now_ns
                looks, following_ns = self._strategy.turn(from_ns, ages_ns)
                looks += self._late_looks(now_ns)
                if looks:
                    self._send(looks, now_ns - tick_ns, following_ns - now_ns)
                tick_ns = self._next_tick(now_ns, following_ns)
                self._report_ticks(now_ns)
            await self._in_flight.finish(self._polling.timeout_ns / NS_PER_S)
        finally:
            await self._in_flight.cancel()
            self._report_ticks(self._clock.now_ns(), last=True)

    def _admit_and_expire(self, now_ns: int) -> None:
        while self._next_seq < self.plan.total and self._due_ns(self._next_seq) <= now_ns:
            self._open[self._next_seq] = self._due_ns(self._next_seq)
            self._next_seq += 1
        late_ns = self._straggler_age_ns()
        while self._open:
            seq, due_ns = next(iter(self._open.items()))
            if now_ns - due_ns < late_ns and len(self._open) <= OPEN_MAX:
                break
            del self._open[seq]
            self._stragglers[seq] = now_ns
        for seq in [s for s in self._stragglers if now_ns - self._due_ns(s) > self._polling.timeout_ns]:
            del self._stragglers[seq]
            self._missed_ns.pop(seq, None)
        for seq in [s for s, until_ns in self._settling.items() if now_ns > until_ns]:
            if seq not in self._gone or now_ns - self._due_ns(seq) > self._polling.timeout_ns:
                del self._settling[seq], self._shown_ns[seq]

    def _ages_ns(self, now_ns: int) -> dict[int, int]:
        """The ages of all items looked at together, in order of sequence number."""
        if not self._settling:
            return {seq: now_ns - due_ns for seq, due_ns in self._open.items()}
        return {seq: now_ns - self._due_ns(seq) for seq in sorted([*self._open, *self._settling])}

    def _straggler_age_ns(self) -> float:
        """From which age an item is late; while too few were seen to tell, only the deadline is."""
        if self.latencies_ns.count < STRAGGLERS:
            return self._polling.timeout_ns
        return STRAGGLER_SHARE * self.latencies_ns.quantile(0.99)

    def _late_looks(self, now_ns: int) -> list[Look]:
        late = [seq for seq, at_ns in self._stragglers.items() if at_ns <= now_ns]
        for seq in late:
            gap_ns = max(self._polling.interval_ns, STRAGGLER_SPACING * (now_ns - self._due_ns(seq)))
            self._stragglers[seq] = now_ns + round(gap_ns * portion(self._rng))
        return list(batch_looks(self.plan, late))

    def _send(self, looks: list[Look], late_ns: int, gap_ns: int) -> None:
        """Send what an instant asks for. An instant missed altogether by a late loop counts as skipped."""
        missed = late_ns // gap_ns if gap_ns > 0 else 0
        self._planned += 1 + missed
        self._skipped += missed
        self._late_max_ns = max(self._late_max_ns, late_ns)
        if len(self._in_flight) + len(looks) > IN_FLIGHT_MAX:
            self._skipped += 1
            return
        for look in looks:
            self._in_flight.start(self._ask(look))

    def _next_tick(self, now_ns: int, following_ns: int) -> int:
        """The next instant at which there is something to do, `following_ns` if anything is open.

        A write that becomes due before that is looked at soon enough not to leap over its appearance; with nothing
        else open, at a phase of its own.
        """
        coming_ns = phase_ns = now_ns + IDLE_NS
        if self._next_seq < self.plan.total:
            due_ns = self._due_ns(self._next_seq)
            coming_ns = due_ns + round(self._schedule.gap_ns(0, 1.0))
            phase_ns = due_ns + round(self._schedule.gap_ns(0, self._rng.random()))
        if not (self._open or self._settling):
            following_ns = min(now_ns + IDLE_NS, phase_ns)
        return min(following_ns, coming_ns, *self._stragglers.values())

    def _due_ns(self, seq: int) -> int:
        return self._start_ns + self.plan.due_ns(seq)

    async def _ask(self, look: Look) -> None:
        asked_ns = self._clock.now_ns()
        try:
            read = await look.ask(self._store, self._consistent)
        except asyncio.CancelledError:
            unanswered = Exchange(asked_ns, self._clock.now_ns(), {}, "timeout", UNANSWERED)
            self._record(proves(self.watch, look, Read(unanswered), self.seen))
            raise
        event = proves(self.watch, look, read, self.seen, self._gone)
        for seq in event.hits:
            self._saw(seq, event)
        for seq in event.absent:
            self._lost_sight(seq, event)
        if self.plan.versions > 1:
            self.forget(earlier for seq in read.found for earlier in self.plan.superseded(seq))
        covered = event.covered()
        self._missed_ns.update((seq, event.sent_ns) for seq in self._open if seq in covered)
        self._record(event)

    def _saw(self, seq: int, event: Poll) -> None:
        due_ns = self._due_ns(seq)
        missed_ns = self._missed_ns.pop(seq, due_ns)
        if self._settles:
            self._settle(seq, event, missed_ns)
        if seq in self.seen:
            return
        self.seen.add(seq)
        self._open.pop(seq, None)
        self._stragglers.pop(seq, None)
        self._schedule.appeared(missed_ns - due_ns, event.sent_ns - due_ns)
        if seq >= self.plan.warmup:
            self.latencies_ns.add(event.received_ns - due_ns)

    def _settle(self, seq: int, event: Poll, missed_ns: int) -> None:
        """Keep looking for a while at what a read showed."""
        self._settling[seq] = event.received_ns + SETTLE_NS
        self._shown_ns[seq] = event.sent_ns
        self._gone.discard(seq)
        if missed_ns > event.sent_ns:  # a look sent after this one was answered before it
            self._gone.add(seq)

    def _lost_sight(self, seq: int, event: Poll) -> None:
        if event.sent_ns > self._shown_ns.get(seq, event.sent_ns):
            self._gone.add(seq)
            self._settling[seq] = event.received_ns + SETTLE_NS

    def _report_ticks(self, now_ns: int, *, last: bool = False) -> None:
        if self._planned and (last or now_ns - self._ticks_at_ns >= NS_PER_S):
            done = (self._planned, self._skipped, self._late_max_ns, self.watch.read)
            self._record(Ticks(self.plan.source, self.watch.replica, now_ns, *done))
            self._planned = self._skipped = self._late_max_ns = 0
            self._ticks_at_ns = now_ns
