"""Requests on their way, each a task: none is forgotten, and the failure of one is the failure of whoever sent it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class InFlight:
    """A set of tasks that empties itself; the first exception among them is kept for `check`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, coroutine: Coroutine[object, object, None]) -> None:
        """Begin one more."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def check(self) -> None:
        """Raise what one of them has raised: not an answer of the target, which is recorded, but a defect or a full
        journal."""
        if self._failure is not None:
            raise self._failure

    async def finish(self, timeout_s: float | None) -> None:
        """Wait until all have ended, or for so long, and `check`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        self.check()

    async def cancel(self) -> None:
        """Cancel what is left, and wait for that."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and self._failure is None:
            self._failure = task.exception()
