"""DynamoDB's HTTP on one connection: parsed by httptools, one request at a time, answers in order.

A request's arrival is stamped before anything else is done with its last bytes. The signature is not verified, it
only has to be there: Authorization tells the Region on the combined port.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from functools import lru_cache
from typing import Protocol
from zlib import crc32

import httptools
import orjson

from harness.emulator.errors import WireError
from harness.measure.clock import now_ns

MAX_BODY_BYTES = 16 << 20
_MAX_WAITING = 16
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    409: b"Conflict",
    413: b"Payload Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}


class Arrived:
    """One request, complete since `arrival_ns`. `operation` is None for anything but DynamoDB's POST."""

    __slots__ = ("arrival_ns", "authorization", "body", "keep_alive", "method", "path", "target", "too_large")

    def __init__(self) -> None:
        self.arrival_ns = 0
        self.method = b""
        self.path = b""
        self.target = b""
        self.authorization = b""
        self.body = b""
        self.keep_alive = True
        self.too_large = False


class Handler(Protocol):
    """Whoever answers requests: calls `connection.answer` once for each."""

    def opened(self, connection: Connection) -> None:
        """A client has connected."""

    def lost(self, connection: Connection) -> None:
        """A client has gone."""

    def arrived(self, connection: Connection, request: Arrived) -> None:
        """Take a request that has just arrived."""


class Connection(asyncio.Protocol):
    """One client connection; `region` is None on the combined port.

    A request that arrives while another is being answered waits, and counts as arriving when its turn comes. asyncio
    sets TCP_NODELAY by itself.
    """

    __slots__ = (
        "_busy",
        "_chunks",
        "_ended",
        "_handler",
        "_parser",
        "_request",
        "_size",
        "_transport",
        "_waiting",
        "region",
    )

    def __init__(self, handler: Handler, region: str | None) -> None:
        self._handler = handler
        self.region = region
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._request = Arrived()
        self._chunks: list[bytes] = []
        self._size = 0
        self._busy = False
        self._ended = False
        self._waiting: deque[Arrived] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._handler.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol; breaks the cycle with the parser, since nothing collects it."""
        self._transport = None
        self._parser = None
        self._waiting.clear()
        self._handler.lost(self)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        arrival_ns = now_ns()
        self._request.arrival_ns = arrival_ns
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.close()
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.write(
                    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
            self.close()

    def eof_received(self) -> bool:
        """Part of asyncio.Protocol; a client that will send no more still gets its answers."""
        self._ended = True
        return self._busy

    def close(self) -> None:
        """Close once what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Break the connection (RST), whatever is still to be sent."""
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        """Part of httptools' protocol."""
        self._request.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Part of httptools' protocol."""
        name = name.lower()
        if name == b"x-amz-target":
            self._request.target = value
        elif name == b"authorization":
            self._request.authorization = value
        elif name == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Part of httptools' protocol."""
        self._size += len(body)
        if self._size <= MAX_BODY_BYTES:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Part of httptools' protocol."""
        request, parser = self._request, self._parser
        if parser is None:
            return
        request.method = parser.get_method()
        request.keep_alive = parser.should_keep_alive()
        request.too_large = self._size > MAX_BODY_BYTES
        request.body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._request = Arrived()
        self._request.arrival_ns = request.arrival_ns
        self._chunks = []
        self._size = 0
        if not self._busy:
            self._busy = True
            self._handler.arrived(self, request)
            return
        self._waiting.append(request)
        if len(self._waiting) == _MAX_WAITING and self._transport is not None:
            self._transport.pause_reading()

    def answer(self, response: bytes, keep_alive: bool) -> None:
        """Send the answer to the request in hand, and take the next."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(response)
        if not keep_alive:
            transport.close()
            return
        if not self._waiting:
            self._busy = False
            if self._ended:
                transport.close()
            return
        request = self._waiting.popleft()
        if len(self._waiting) == _MAX_WAITING - 1:
            transport.resume_reading()
        request.arrival_ns = now_ns()
        self._handler.arrived(self, request)


def region_of(authorization: bytes, regions: tuple[str, ...]) -> str:
    """The Region that a request was signed for.

    Raises:
        WireError: there is no such Region here.
    """
    region = _scope_region(authorization)
    if region in regions:
        return region
    if region is None:
        raise WireError(
            "IncompleteSignatureException", "Authorization header requires 'Credential' parameter."
        )
    raise WireError(
        "UnrecognizedClientException",
        f"The request is signed for Region '{region}', which this emulator was not started with; "
        f"it has {', '.join(regions)}",
    )


@lru_cache(maxsize=4096)
def _scope_of(credential: bytes) -> str | None:
    parts = credential.decode("latin-1").rsplit("/", 4)
    return parts[2] if len(parts) == 5 and parts[2] else None


def _scope_region(authorization: bytes) -> str | None:
    start = authorization.find(b"Credential=")
    if start < 0:
        return None
    end = authorization.find(b",", start)
    return _scope_of(authorization[start + 11 : end if end >= 0 else len(authorization)].strip())


def response(status: int, body: dict[str, object], number: int, keep_alive: bool) -> bytes:
    """An answer's bytes; `number` makes its request id."""
    payload = orjson.dumps(body)
    return b"".join(
        (
            b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b"Error")),
            b"Server: Server\r\nContent-Type: application/x-amz-json-1.0\r\n",
            b"Content-Length: %d\r\n" % len(payload),
            b"" if keep_alive else b"Connection: close\r\n",
            b"x-amzn-RequestId: %052d\r\nx-amz-crc32: %d\r\n\r\n" % (number, crc32(payload)),
            payload,
        )
    )
