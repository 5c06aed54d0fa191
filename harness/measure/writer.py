"""The open-loop writer: every write is sent when it is due, whatever became of the writes before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness.dynamodb.store import Key, Put, Store
from harness.measure.clock import Clock
from harness.measure.events import UNANSWERED, Event, Write
from harness.measure.in_flight import InFlight
from harness.measure.marks import Marks
from harness.measure.plan import WritePlan
from harness.units import NS_PER_MS, NS_PER_S

# A throttled write was refused and may be repeated; any other failure ends it.
ATTEMPTS = 3
RETRY_AFTER_NS = 50 * NS_PER_MS
GRACE_NS = 2 * NS_PER_S

SPARE_BYTES = 14  # below the size asked for, so that no item costs a unit more than it should
_OTHER_BYTES = 10  # of an item besides partition key and padding: three names and a number

# What a failure says about the item: refused for certain, or unknown. A 5xx may have been committed.
_REFUSED = frozenset({"throttled", "rejected"})


class Writer:
    """Writes one plan into its source Region and records exactly one `Write` for each planned write."""

    def __init__(
        self,
        plan: WritePlan,
        store: Store,
        clock: Clock,
        start_ns: int,
        item_bytes: int,
        record: Callable[[Event], None],
    ) -> None:
        self.plan = plan
        self.failed = Marks(plan.total)  # the writes known not to exist
        self._ended = Marks(plan.total)
        self._store = store
        self._clock = clock
        self._start_ns = start_ns
        self._record = record
        self._pad = padding(plan, item_bytes)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Send nothing more; what is in flight gets a moment to be answered."""
        self._stop.set()

    async def run(self) -> None:
        """Write the whole plan, or until `stop()`; returns when every planned write has its record.

        What the store or `record` raises ends it, and is raised when that is so.
        """
        writes = InFlight()
        try:
            for first in range(0, self.plan.total, self.plan.together):
                if not await self._wait_until(self._start_ns + self.plan.due_ns(first)):
                    break
                writes.check()
                writes.start(self._write(self.plan.transaction(first)))
            await writes.finish(GRACE_NS / NS_PER_S if self._stop.is_set() else None)
        finally:
            await writes.cancel()
            self.account_for_rest()

    def account_for_rest(self) -> None:
        """Record what was never sent, once a run is over, so that every planned write has its record."""
        for seq in self._ended.missing():
            due_ns = self._start_ns + self.plan.due_ns(seq)
            error = "not attempted: the run ended before this write was sent"
            self._finish(Write(self.plan.source, seq, due_ns, None, None, "failed", 0, error))

    async def _wait_until(self, instant_ns: int) -> bool:
        """Wait for the instant; False when stopped meanwhile."""
        if not self._stop.is_set():
            await self._clock.sleep_until(instant_ns)
        return not self._stop.is_set()

    async def _write(self, seqs: range) -> None:
        due_ns = self._start_ns + self.plan.due_ns(seqs[0])
        sent_ns, attempt = self._clock.now_ns(), 0
        try:
            for attempt in range(1, ATTEMPTS + 1):
                sent_ns = self._clock.now_ns()
                put = await self._send(seqs)
                if put.exchange.failure != "throttled" or attempt == ATTEMPTS or self._stop.is_set():
                    break
                await self._clock.sleep_until(self._clock.now_ns() + RETRY_AFTER_NS * 2 ** (attempt - 1))
            for seq in seqs:
                self._finish(_ended(self.plan.source, seq, due_ns, attempt, put, put.units / len(seqs)))
        except BaseException as raised:
            cancelled = isinstance(raised, asyncio.CancelledError)
            error = UNANSWERED if cancelled else f"{type(raised).__name__}: {raised}"
            for seq in seqs:
                event = Write(self.plan.source, seq, due_ns, sent_ns, None, "indeterminate", attempt, error)
                self._finish(event)
            raise

    async def _send(self, seqs: range) -> Put:
        keys = [Key(self.plan.hash_key(seq), seq) for seq in seqs]
        if len(keys) == 1:
            return await self._store.write(keys[0], self._pad)
        return await self._store.write_together(keys, self._pad)

    def _finish(self, event: Write) -> None:
        if event.seq in self._ended:
            return
        self._ended.add(event.seq)
        if event.result == "failed":
            self.failed.add(event.seq)
        self._record(event)


def padding(plan: WritePlan, item_bytes: int) -> str:
    """What brings an item of the plan to its size, less `SPARE_BYTES`."""
    return "x" * max(1, item_bytes - len(plan.hash_key(0)) - SPARE_BYTES - _OTHER_BYTES)


def _ended(source: str, seq: int, due_ns: int, attempts: int, put: Put, units: float) -> Write:
    exchange = put.exchange
    if exchange.failure is None:
        result, acked_ns = "acked", exchange.received_ns
    elif exchange.failure in _REFUSED or exchange.sent_ns is None:
        result, acked_ns = "failed", None
    else:
        result, acked_ns = "indeterminate", None
    return Write(
        source,
        seq,
        due_ns,
        exchange.sent_ns,
        acked_ns,
        result,
        attempts,
        exchange.error,
        exchange.new_connection,
        units,
        exchange.failure,
    )
