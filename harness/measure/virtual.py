"""An event loop whose time passes only while it waits: a run of minutes is over in the time of its own CPU."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Waiting costs no time: the loop's clock jumps ahead by what it would have waited."""

    now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`jumping.now_s` is its time, which whoever wants to stall it may advance."""

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self.jumping.now_s


class LoopClock:
    """A `Clock` on the time of the running loop."""

    def now_ns(self) -> int:
        """The instant now, nanoseconds of the loop's time."""
        return round(asyncio.get_running_loop().time() * 1e9)

    def wall_ns(self) -> int:
        """The same, many years later: there is no wall."""
        return self.now_ns() + 10**18

    async def sleep_until(self, instant_ns: int) -> None:
        """Return at `instant_ns`, or at once where it has passed."""
        await asyncio.sleep(max(0, instant_ns - self.now_ns()) / 1e9)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop whose time passes only while it waits."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
