"""A proxy before an emulator that records what is asked of each Region, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

HOST = "127.0.0.1"
DENIED = {
    "__type": "com.amazon.coral.service#AccessDeniedException",
    "Message": "User: arn:aws:iam::123456789012:user/x is not authorized to perform it",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request and its answer."""

    region: str
    operation: str
    authorization: str
    token: str | None
    request: dict[str, Any]
    status: int
    answer: dict[str, Any]


@dataclass(slots=True)
class Recording:
    """The proxy's endpoints, what went through it, and the operations it denies."""

    endpoints: dict[str, str] = field(default_factory=dict)
    requests: list[Recorded] = field(default_factory=list)
    denied: frozenset[str] = frozenset()
    date: str | None = None

    @property
    def operations(self) -> set[str]:
        """Every operation that was asked for."""
        return {recorded.operation for recorded in self.requests}

    def arguments(self) -> list[str]:
        """`--endpoint` for each Region."""
        return [part for region, url in self.endpoints.items() for part in ("--endpoint", f"{region}={url}")]


@contextmanager
def recording(upstream: Mapping[str, str]) -> Iterator[Recording]:
    """A proxy for each Region of `upstream`, for as long as the context lasts."""
    found, ready, ended = Recording(), threading.Event(), threading.Event()

    async def serve() -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as client:
            runners = []
            for region, url in upstream.items():
                app = web.Application(client_max_size=32 << 20)
                app.router.add_post("/", _handler(found, region, url, client))
                runner = web.AppRunner(app, access_log=None)
                await runner.setup()
                site = web.TCPSite(runner, HOST, 0)
                await site.start()
                runners.append(runner)
                found.endpoints[region] = f"http://{HOST}:{runner.addresses[0][1]}"
            ready.set()
            await asyncio.to_thread(ended.wait)
            for runner in runners:
                await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield found
    finally:
        ended.set()
        thread.join(10)


def _handler(found: Recording, region: str, url: str, client: aiohttp.ClientSession) -> Any:
    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        if operation in found.denied:
            status, answer = 400, json.dumps(DENIED).encode()
        else:
            headers = {
                name: request.headers[name] for name in ("X-Amz-Target", "Authorization", "Content-Type")
            }
            async with client.post(url, data=body, headers=headers) as response:
                status, answer = response.status, await response.read()
        found.requests.append(
            Recorded(
                region,
                operation,
                request.headers["Authorization"],
                request.headers.get("X-Amz-Security-Token"),
                json.loads(body),
                status,
                json.loads(answer),
            )
        )
        dated = {"Date": found.date} if found.date else {}
        return web.Response(
            status=status, body=answer, content_type="application/x-amz-json-1.0", headers=dated
        )

    return handle
