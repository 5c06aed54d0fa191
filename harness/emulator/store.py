"""The items of one table in all its Regions, found by key in constant time and by sort key in order."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from zlib import crc32

from sortedcontainers import SortedList

from harness.emulator.items import Key, KeyPart
from harness.emulator.versions import ItemHistory, Version

TOKENS = 1 << 32
"""Hash keys are spread over this many tokens; a scan goes in order of tokens."""


def token(hash_part: KeyPart) -> int:
    """Where in a scan, and in which source partition, a hash key lies."""
    return crc32(
        hash_part if isinstance(hash_part, bytes) else str(hash_part).encode("utf-8", "surrogatepass")
    )


class ItemStore:
    """Histories by key. Memory follows what a read can still return, not how often items are written."""

    def __init__(self, has_range: bool) -> None:
        self._histories: dict[Key, ItemHistory] = {}
        self._ranges: dict[KeyPart, SortedList] | None = {} if has_range else None
        self._scan_order = SortedList()
        self._unsettled: list[tuple[int, Key]] = []
        self.size_bytes = 0

    def __len__(self) -> int:
        """Items known to any Region."""
        return len(self._histories)

    def holds(self, replica: int, as_of_ns: int) -> bool:
        """Does `replica` show any item?"""
        seen = (history.read(replica, as_of_ns) for history in self._histories.values())
        return any(version is not None and version.item is not None for version in seen)

    def read(self, key: Key, replica: int, as_of_ns: int) -> Version | None:
        """The version of `key` that `replica` shows; its item is None where it was deleted."""
        history = self._histories.get(key)
        return None if history is None else history.read(replica, as_of_ns)

    def floor_ns(self, key: Key, origin: int, replica: int) -> int:
        """The earliest arrival at `replica` that keeps one item's versions from `origin` in order."""
        history = self._histories.get(key)
        return 0 if history is None else history.floor_ns(origin, replica)

    def append(self, key: Key, version: Version, horizon_ns: int) -> None:
        """Add the newest version of `key`, and forget what no read at or after `horizon_ns` can return."""
        history = self._histories.get(key)
        if history is None:
            history = self._histories[key] = ItemHistory()
            self._index(key)
        else:
            self.size_bytes -= history.versions[-1].size
        self.size_bytes += version.size
        history.versions.append(version)
        history.prune(horizon_ns)
        if not (history.scheduled or history.settled):
            history.scheduled = True
            heapq.heappush(self._unsettled, (history.settled_ns, key))
        self._sweep(horizon_ns)

    def rewritten(self) -> None:
        """Arrivals of versions under way were changed: look at their items at the new instants."""
        histories = self._histories
        self._unsettled = [(histories[key].settled_ns, key) for _, key in self._unsettled]
        heapq.heapify(self._unsettled)

    def range_keys(self, hash_part: KeyPart) -> SortedList | None:
        """The sort keys of one partition in order; None where the partition is empty."""
        return None if self._ranges is None else self._ranges.get(hash_part)

    def scan_from(
        self, place: tuple[int, KeyPart] | None, low: int, high: int
    ) -> Iterator[tuple[int, KeyPart]]:
        """(token, hash key) of partitions with low ≤ token < high, in order, from `place` on inclusive."""
        return self._scan_order.irange(place or (low,), (high,), inclusive=(True, False))  # type: ignore[no-any-return]

    def _sweep(self, horizon_ns: int) -> None:
        unsettled = self._unsettled
        while unsettled and unsettled[0][0] <= horizon_ns:
            key = heapq.heappop(unsettled)[1]
            history = self._histories[key]
            history.prune(horizon_ns)
            if history.gone(horizon_ns):
                del self._histories[key]
                self._unindex(key)
            elif history.settled:
                history.scheduled = False
            else:
                heapq.heappush(unsettled, (history.settled_ns, key))

    def _index(self, key: Key) -> None:
        hash_part, range_part = key
        if self._ranges is not None:
            ranges = self._ranges.get(hash_part)
            if ranges is not None:
                ranges.add(range_part)
                return
            self._ranges[hash_part] = SortedList((range_part,))
        self._scan_order.add((token(hash_part), hash_part))

    def _unindex(self, key: Key) -> None:
        hash_part, range_part = key
        if self._ranges is not None:
            ranges = self._ranges[hash_part]
            ranges.remove(range_part)
            if ranges:
                return
            del self._ranges[hash_part]
        self._scan_order.remove((token(hash_part), hash_part))
