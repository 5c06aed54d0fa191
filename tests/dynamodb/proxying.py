"""A forward proxy that leads to servers nobody else can find, and notes what it was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to the proxy: its method, the host it wants, who asks, and under what name it speaks."""

    method: str
    host: str
    authorization: str | None
    client: str | None


@dataclass(slots=True)
class Proxy:
    """A running proxy; while `refusing`, it lets nobody through."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    refusing: bool = False

    def url(self, user: str = "") -> str:
        """How the environment names it."""
        return f"http://{user}{'@' if user else ''}{HOST}:{self.port}"


@contextmanager
def proxying(upstream: Mapping[str, str], scratch: Path) -> Iterator[tuple[Proxy, Path]]:
    """A proxy to `upstream` (host → URL on this host), and the certificate to trust where TLS is spoken to them."""
    certificate, key = _certificate(sorted(upstream), scratch)
    proxy, ready, ended = Proxy(), threading.Event(), threading.Event()

    async def serve() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        decrypting = {}
        async with contextlib.AsyncExitStack() as stack:
            for host, url in upstream.items():
                port = int(urlsplit(url).port or 0)
                server = await asyncio.start_server(_piped_to(port), HOST, 0, ssl=context)
                stack.callback(server.close)
                decrypting[host] = server.sockets[0].getsockname()[1]
            server = await asyncio.start_server(_forward(proxy, upstream, decrypting), HOST, 0)
            stack.callback(server.close)
            proxy.port = server.sockets[0].getsockname()[1]
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy, certificate
    finally:
        ended.set()
        thread.join(10)


def _forward(proxy: Proxy, upstream: Mapping[str, str], decrypting: Mapping[str, int]):
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rest = head.splitlines()
                method, target, _ = line.split(" ")
                headers = {n.lower(): v for n, _, v in (text.partition(": ") for text in rest if text)}
                place = urlsplit(f"//{target}" if method == "CONNECT" else target)
                host = place.hostname or ""
                found = (headers.get("proxy-authorization"), headers.get("user-agent"))
                proxy.asked.append(Asked(method, host, *found))
                if proxy.refusing or host not in upstream:
                    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                    return
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await _piped_to(decrypting[host])(reader, writer)
                    return
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                port = int(urlsplit(upstream[host]).port or 0)
                writer.write(await _answer(port, f"POST {place.path} HTTP/1.1", rest, body))

    return handle


async def _answer(port: int, line: str, headers: list[str], body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    with contextlib.closing(writer):
        writer.write(
            "\r\n".join([line, *headers, "", ""]).replace("\r\n\r\n\r\n", "\r\n\r\n").encode() + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(text.partition(":")[2])
            for text in head.decode().splitlines()
            if text.lower().startswith("content-length")
        )
        return head + await reader.readexactly(length)


def _piped_to(port: int):
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, port)
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    return handle


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError), contextlib.closing(writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


def _certificate(hosts: list[str], scratch: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = scratch / "certificate.pem", scratch / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths
