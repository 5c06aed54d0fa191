"""The one place that reads time: CLOCK_MONOTONIC in integer nanoseconds, shared by every process of the host.

asyncio's timers have 1 ms steps; an `Alarm` rests on one timerfd and fires within about 0.05 ms,
never early. Where timerfd does not exist, the event loop's own timers stand in.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

CLOCK_NAME = "CLOCK_MONOTONIC"

_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC if sys.platform == "linux" else 0
_TFD_ABSTIME = 1


class Clock(Protocol):
    """Monotonic nanoseconds, and waiting for an instant of them."""

    def now_ns(self) -> int:
        """The instant now, monotonic nanoseconds."""

    def wall_ns(self) -> int:
        """Wall-clock nanoseconds since 1970, for annotation only."""

    async def sleep_until(self, instant_ns: int) -> None:
        """Return at `instant_ns`, or at once where it has passed."""


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def now_ns() -> int:
    """The instant now, monotonic nanoseconds."""
    return time.monotonic_ns()


def wall_ns() -> int:
    """Wall-clock nanoseconds since 1970, for annotation only."""
    return time.time_ns()


class Alarm:
    """Calls back at instants of the monotonic clock, in order of their instant, never early.

    Belongs to the running event loop; `close()` it before the loop ends.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._armed_ns = 0
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_FLAGS)
            if self._fd < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create failed")
            self._spec = _Itimerspec()
            self._loop.add_reader(self._fd, self._on_readable)

    def call_at(self, instant_ns: int, callback: Callable[..., None], *args: Any) -> None:
        """Call `callback(*args)` at `instant_ns`; an instant in the past is called on the next turn."""
        self._count += 1
        heapq.heappush(self._heap, (instant_ns, self._count, callback, args))
        if self._heap[0][0] == instant_ns and (self._armed_ns == 0 or instant_ns < self._armed_ns):
            self._arm(instant_ns)

    async def sleep_until(self, instant_ns: int) -> None:
        """Return at `instant_ns`; where it has passed, after one turn of the loop."""
        if instant_ns <= time.monotonic_ns():
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        self.call_at(instant_ns, _wake, waiter)
        await waiter

    def close(self) -> None:
        """Forget what is pending and give the timer back."""
        self._heap.clear()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _arm(self, instant_ns: int) -> None:
        self._armed_ns = instant_ns
        if self._fd < 0:
            self._loop.call_at(instant_ns / 1e9, self._fire)
            return
        self._spec.value.sec, self._spec.value.nsec = divmod(max(instant_ns, 1), 1_000_000_000)
        self._libc.timerfd_settime(self._fd, _TFD_ABSTIME, ctypes.byref(self._spec), None)

    def _on_readable(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # re-armed for later between becoming readable and now
            return
        self._fire()

    def _fire(self) -> None:
        self._armed_ns = 0
        heap = self._heap
        try:
            while heap and heap[0][0] <= time.monotonic_ns():
                _, _, callback, args = heapq.heappop(heap)
                callback(*args)
        finally:
            if heap and self._armed_ns == 0:
                self._arm(heap[0][0])


class MonotonicClock:
    """The real `Clock`, with an `Alarm` of the running event loop."""

    def __init__(self) -> None:
        self._alarm = Alarm()

    now_ns = staticmethod(time.monotonic_ns)
    wall_ns = staticmethod(time.time_ns)

    async def sleep_until(self, instant_ns: int) -> None:
        """Return at `instant_ns`, or at once where it has passed."""
        await self._alarm.sleep_until(instant_ns)

    def close(self) -> None:
        """Give the timer back."""
        self._alarm.close()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def pause(duration_ns: int) -> None:
    """Block this thread; for the control plane only, never on an event loop."""
    time.sleep(duration_ns / 1e9)


def cpu_ns() -> int:
    """CPU time this process has used, nanoseconds."""
    return time.process_time_ns()
