"""DynamoDB requests with their time stamps taken next to the socket.

Credentials (with refresh), endpoint and signature are botocore's, the HTTP is aiohttp's; what is left out is the
SDK's own work per request, which costs four times the CPU (experiments/poll_cost.py) and moves the stamps by 1-3 ms.
`sent_ns` is read just before the request's bytes are handed to the transport and `received_ns` when the first byte of
the answer arrives, so the request was served inside [sent_ns, received_ns] whatever the event loop did in between.

Nothing is retried here: a failure is a fact, and what follows from it is decided by whoever asked.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import aiohttp
import orjson
from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from harness.dynamodb.credentials import KeptCredentials
from harness.dynamodb.routes import Route
from harness.dynamodb.signing import Signer
from harness.errors import TargetUnavailable
from harness.measure.clock import now_ns, wall_ns

_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
    }
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    `failure` is None for an answer that can be used, else throttled, server_error (5xx, or an answer that is not
    what was asked for or not what was sent, by its checksum), timeout, connection (broken or refused) or rejected (any
    other error of the service, or no credentials to ask it with). `sent_ns` is None where nothing was sent.
    """

    sent_ns: int | None
    received_ns: int
    answer: dict[str, Any]
    failure: str | None = None
    error: str | None = None
    new_connection: bool = False


class SignedHttp:
    """DynamoDB's JSON protocol towards one Region; `open()` it before use.

    Where `credentials` have expired and cannot be renewed, nothing is sent and the request is rejected.
    """

    def __init__(
        self,
        region: str,
        route: Route,
        credentials: KeptCredentials,
        connections: int,
        timeout_ns: int,
    ) -> None:
        self.region = region
        self.connections = connections
        self._route = route
        self.url = route.url.rstrip("/") + "/"
        self._signer = Signer(region, self.url)
        self.credentials = credentials
        self._timeout = aiohttp.ClientTimeout(total=timeout_ns / 1e9)
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make the connection pool; connections themselves are made by the first requests."""
        self._session = aiohttp.ClientSession(
            connector=_StampedConnector(
                limit=self.connections,
                limit_per_host=0,
                keepalive_timeout=55,
                ttl_dns_cache=300,
                ssl=self._route.tls or True,
            ),
            proxy=self._route.proxy,
            response_class=_StampedResponse,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, operation: str, body: bytes) -> Exchange:
        """Send one DynamoDB operation with its JSON `body`; never raises for what the network or service does."""
        assert self._session is not None, "open() comes first"
        request = _StampedBody(body)
        response: Any = None
        try:
            frozen = await self.credentials.get_frozen_credentials()
            headers = self._signer.headers(operation, body, frozen, wall_ns()) | self._route.headers
            async with self._session.post(
                self.url, data=request, headers=headers, proxy_headers=self._route.to_proxy
            ) as response:
                raw = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
            kind = "timeout" if isinstance(error, TimeoutError) else "connection"
            return Exchange(
                request.sent_ns, now_ns(), {}, kind, f"{type(error).__name__}: {error}".rstrip(": ")
            )
        except TargetUnavailable as error:
            return Exchange(None, now_ns(), {}, "rejected", str(error))
        return _exchange(request.sent_ns, response, raw)


def _exchange(sent_ns: int | None, response: _StampedResponse, raw: bytes) -> Exchange:
    received_ns, fresh = response.first_byte_ns, response.new_connection
    if not _intact(response, raw):
        text = f"HTTP {response.status} with a body that does not match its x-amz-crc32"
        return Exchange(sent_ns, received_ns, {}, "server_error", text, fresh)
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        answer = None
    if response.status == 200 and isinstance(answer, dict):
        return Exchange(sent_ns, received_ns, answer, new_connection=fresh)
    if not isinstance(answer, dict):
        text = f"HTTP {response.status} with a body that is not DynamoDB's JSON"
        return Exchange(sent_ns, received_ns, {}, "server_error", text, fresh)
    name = str(answer.get("__type", f"HTTP {response.status}")).rpartition("#")[2]
    error = f"{name}: {answer.get('message') or answer.get('Message') or ''}".rstrip(": ")
    if name in _THROTTLES:
        failure = "throttled"
    else:
        failure = "server_error" if response.status >= 500 else "rejected"
    return Exchange(sent_ns, received_ns, {}, failure, error, fresh)


def _intact(response: _StampedResponse, raw: bytes) -> bool:
    """Is the body the one that was sent? Servers other than AWS may not say."""
    told = response.headers.get("x-amz-crc32")
    return told is None or told == str(crc32(raw))


class _StampedBody(payload.BytesPayload):
    """A request body that notes when it is handed to the transport; aiohttp sends the headers with it."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.sent_ns: int | None = None

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self.sent_ns = now_ns()
        await super().write_with_length(writer, content_length)


class _StampedHandler(ResponseHandler):
    """A connection that notes when the first byte of an answer arrives."""

    first_byte_ns = 0
    exchanges = 0

    def data_received(self, data: bytes) -> None:
        if self.first_byte_ns == 0:
            self.first_byte_ns = now_ns()
        super().data_received(data)


class _StampedResponse(aiohttp.ClientResponse):
    """An answer that keeps its connection's stamp, which is gone once the connection returns to the pool."""

    first_byte_ns = 0
    new_connection = False

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        handler = connection.protocol
        assert isinstance(handler, _StampedHandler)
        handler.first_byte_ns = 0
        self.new_connection = handler.exchanges == 0
        handler.exchanges += 1
        await super().start(connection)
        self.first_byte_ns = handler.first_byte_ns
        return self


class _StampedConnector(aiohttp.TCPConnector):
    """Connections that are `_StampedHandler`s; aiohttp offers no public way to choose the protocol class."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        loop = asyncio.get_running_loop()
        self._factory = functools.partial(_StampedHandler, loop=loop)  # type: ignore[assignment] # a subclass
