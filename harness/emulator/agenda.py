"""What is to happen when: one heap, emptied in order of the instants asked for, never early."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from harness.measure.clock import Alarm, now_ns


class Agenda:
    """Calls back in order of instants. What is due already happens at once, after all that was due before it.

    Belongs to the running event loop; `close()` it before the loop ends.
    """

    def __init__(self) -> None:
        self._alarm = Alarm()
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._wakes: list[int] = []
        self._wake_ns = 0
        self._running = False

    def at(
        self, instant_ns: int, callback: Callable[..., None], *args: Any, by_ns: int | None = None
    ) -> None:
        """Call `callback(*args)` at `instant_ns`, or by `by_ns` at the latest where its exact moment does not matter.

        Its place in the order is that of `instant_ns` all the same; not waking for it saves half the system calls.
        """
        self._count += 1
        heapq.heappush(self._heap, (instant_ns, self._count, callback, args))
        heapq.heappush(self._wakes, instant_ns if by_ns is None else by_ns)
        if not self._running:
            self._run()

    def close(self) -> None:
        """Forget what is to come."""
        self._heap.clear()
        self._alarm.close()

    def _run(self) -> None:
        """Do what is due, and ask to be woken for what comes next."""
        heap = self._heap
        self._running = True
        try:
            while heap and heap[0][0] <= now_ns():
                _, _, callback, args = heapq.heappop(heap)
                callback(*args)
        finally:
            self._running = False
            wakes, now = self._wakes, now_ns()
            while wakes and wakes[0] <= now and (not heap or heap[0][0] > wakes[0]):
                heapq.heappop(wakes)
            if wakes and (self._wake_ns == 0 or wakes[0] < self._wake_ns):
                self._wake_ns = wakes[0]
                self._alarm.call_at(self._wake_ns, self._woken, self._wake_ns)

    def _woken(self, wake_ns: int) -> None:
        if wake_ns == self._wake_ns:  # otherwise an earlier waking has taken this one's place
            self._wake_ns = 0
            self._run()
