"""The emulator's listening ports: one for each Region and one for all, and how a Region goes away and comes back."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence

from harness.emulator.wire import Connection, Handler
from harness.errors import UsageError

HOST = "127.0.0.1"
_BACKLOG = 1024


class Ports:
    """Listeners by Region (None for the combined port), and the connections made through them.

    A Region that is down keeps its port without listening, so that nobody else can take it meanwhile.
    """

    def __init__(self, handler: Handler) -> None:
        self.numbers: dict[str | None, int] = {}
        self.down: set[str] = set()
        self.connections: set[Connection] = set()
        self._handler = handler
        self._listeners: dict[str | None, asyncio.Server] = {}
        self._kept: dict[str, socket.socket] = {}
        self._opening: set[asyncio.Task[None]] = set()

    async def listen(self, regions: Sequence[str], port: int) -> None:
        """Open the combined port and one per Region: consecutive ones from `port` on, or any that are free.

        Raises:
            UsageError: a port is taken.
        """
        for offset, region in enumerate((None, *regions)):
            await self._listen(region, port + offset if port else 0)

    async def _listen(self, region: str | None, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(lambda: self._made(region), HOST, port, backlog=_BACKLOG)
        except OverflowError:
            raise UsageError(f"port {port} is beyond 65535; choose a lower --port") from None
        except OSError as error:
            reason = "already in use" if error.errno == errno.EADDRINUSE else error.strerror
            raise UsageError(
                f"port {port} on {HOST} is {reason}; choose another --port, or leave it out for any free one"
            ) from None
        self._listeners[region] = listener
        self.numbers[region] = listener.sockets[0].getsockname()[1]

    def _made(self, region: str | None) -> Connection:
        return Connection(self._handler, region)

    def take_down(self, region: str) -> None:
        """Refuse connections to a Region's port from now on, and reset those that are open."""
        self.down.add(region)
        listener = self._listeners.pop(region, None)
        if listener is None:  # it was about to come back
            return
        listener.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept = self._kept[region] = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        _share(kept, address=True, port=True)
        kept.bind((HOST, self.numbers[region]))
        _share(kept, address=False, port=False)
        listener.close()
        for connection in tuple(self.connections):
            if connection.region == region:
                connection.reset()

    def bring_back(self, region: str) -> None:
        """Take connections again."""
        self.down.discard(region)
        task = asyncio.get_running_loop().create_task(self._reopen(region))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _reopen(self, region: str) -> None:
        if region in self.down or region not in self._kept:
            return
        kept = self._kept.pop(region)
        _share(kept, address=True, port=False)
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: self._made(region), sock=kept, backlog=_BACKLOG, start_serving=False
        )
        self._listeners[region] = listener
        await listener.start_serving()

    async def close(self) -> None:
        """Close every port and connection."""
        await asyncio.gather(*self._opening)
        for kept in self._kept.values():
            kept.close()
        for listener in self._listeners.values():
            listener.close()
        for connection in tuple(self.connections):
            connection.close()
        for listener in self._listeners.values():
            await listener.wait_closed()


def _share(kept: socket.socket, *, address: bool, port: bool) -> None:
    """May a port be bound beside its closed connections, or beside another socket of ours?"""
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, address)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, port)
