"""Watching a handful of items become visible: polls at a fixed spacing, and for each item a hard bracket.

For a demonstration, not for percentiles: `session` takes samples by the thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from harness.dynamodb.courses import Sighting
from harness.measure.clock import now_ns, pause
from harness.units import NS_PER_MS, NS_PER_S

SPACING_NS = 50 * NS_PER_MS
_IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class Bracket:
    """The replication latency of one item lies between these, whatever the network did.

    `lower_ns` is None where no read after the write missed the item.
    """

    lower_ns: int | None
    upper_ns: int


@dataclass(slots=True)
class Watch:
    """What the polls of one batch of items saw, around a write sent and acknowledged at two instants."""

    wanted: frozenset[str]
    sent_ns: int
    acked_ns: int
    polls: int = 0
    _last_miss_ns: dict[str, int] = field(default_factory=dict)
    _first_hit_ns: dict[str, int] = field(default_factory=dict)

    def note(self, sighting: Sighting) -> set[str]:
        """Take in one read; the items it was the first to find."""
        self.polls += 1
        for item in sighting.missed:
            self._last_miss_ns[item] = max(sighting.sent_ns, self._last_miss_ns.get(item, sighting.sent_ns))
        fresh = set(sighting.found) - self._first_hit_ns.keys()
        for item in sighting.found:
            hit_ns = self._first_hit_ns.get(item, sighting.received_ns)
            self._first_hit_ns[item] = min(hit_ns, sighting.received_ns)
        return fresh

    @property
    def missing(self) -> frozenset[str]:
        """Items no read has found yet."""
        return self.wanted - self._first_hit_ns.keys()

    def bracket(self, item: str) -> Bracket:
        """Between the last miss and the first hit of an item that was found."""
        miss_ns = self._last_miss_ns.get(item)
        after_write = miss_ns is not None and miss_ns >= self.acked_ns
        lower_ns = miss_ns - self.acked_ns if miss_ns is not None and after_write else None
        return Bracket(lower_ns, self._first_hit_ns[item] - self.sent_ns)


def watch(
    items: Collection[str],
    write: Callable[[], object],
    look: Callable[[], Sighting],
    seen: Callable[[str, int], None],
    timeout_ns: int,
) -> Watch:
    """Poll with `look` from before `write()` until every item is found or `timeout_ns` is over.

    `seen(item, age_ns)` is called for each item when it is found first. Reads overlap where one takes longer than the
    spacing; what `write` and `look` raise passes through.
    """
    with ThreadPoolExecutor(_IN_FLIGHT) as threads:
        pending: set[Future[Sighting]] = {threads.submit(look)}
        wait(pending)  # the connection is open before anything is timed
        sent_ns = now_ns()
        write()
        found = Watch(frozenset(items), sent_ns, now_ns())
        next_ns = found.acked_ns
        while found.missing and now_ns() < found.acked_ns + timeout_ns:
            if now_ns() >= next_ns and len(pending) < _IN_FLIGHT:
                pending.add(threads.submit(look))
                next_ns = max(next_ns + SPACING_NS, now_ns())
            rest_ns = max(0, next_ns - now_ns())
            if not pending:
                pause(rest_ns)
                continue
            full = len(pending) == _IN_FLIGHT
            done, pending = wait(pending, None if full else rest_ns / NS_PER_S, FIRST_COMPLETED)
            for answer in done:
                for item in sorted(found.note(answer.result())):
                    seen(item, answer.result().received_ns - found.sent_ns)
        for answer in wait(pending).done:  # a miss among them may be later than the last one known
            found.note(answer.result())
    return found
