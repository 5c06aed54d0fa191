"""CPU per request of the emulator's process, beside moto's own server, in one run on this machine.

python experiments/emulator_cost.py [PATH OF moto_server]

Without a moto_server that starts (it needs `pip install moto[server]`, in an environment of its own), only the
emulator is measured.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-west-2/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0"
)
KEYS = [("pk", "S", "HASH"), ("sk", "N", "RANGE")]
TABLE = {
    "TableName": "cost",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind, _ in KEYS],
    "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, _, kind in KEYS],
}
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Client:
    """One request after the other, on one connection where the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def call(self, operation: str, body: dict[str, object]) -> bytes:
        """Send one request and read its answer."""
        payload = orjson.dumps(body)
        head = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n"
            f"Content-Type: application/x-amz-json-1.0\r\nAuthorization: {AUTHORIZATION}\r\n"
            f"X-Amz-Date: 20260101T000000Z\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.sendall(head.encode() + payload)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        headers, body_part = answer.split(b"\r\n\r\n", 1)
        length = re.search(rb"content-length: *(\d+)", headers, re.IGNORECASE)
        while length and len(body_part) < int(length[1]):
            body_part += self._socket.recv(65536)
        if re.search(rb"connection: *close", headers, re.IGNORECASE):
            self.close()
        if b" 200 " not in headers.split(b"\r\n", 1)[0]:
            raise RuntimeError(f"{operation}: {body_part.decode()}")
        return body_part

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@contextmanager
def emulator(*options: str) -> Iterator[tuple[int, int]]:
    """(pid, port) of a fresh emulator without delays."""
    command = [sys.executable, "-m", "harness.emulator", "--regions", "us-west-2,ap-southeast-2,eu-west-1"]
    process = subprocess.Popen(
        [*command, "--rtt", "none", "--table-delay", "0s", "--json", "--seed", "1", *options],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = orjson.loads(process.stdout.readline())
    try:
        yield process.pid, int(ready["regions"]["us-west-2"].rsplit(":", 1)[1])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def moto(server: str) -> Iterator[tuple[int, int]]:
    """(pid, port) of moto's server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [server, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        if process.returncode is not None:
            raise FileNotFoundError(f"{server} does not start")
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def cpu_s(pid: int) -> float:
    """User and system time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(pid: int, port: int, requests: int) -> dict[str, float]:
    """Milliseconds of the server's CPU per request, by operation."""
    client = Client(port)
    client.call("CreateTable", dict(TABLE))
    key = lambda n: {"pk": {"S": f"shard-{n % 8}"}, "sk": {"N": str(n)}}  # noqa: E731
    operations: dict[str, Callable[[int], dict[str, object]]] = {
        "PutItem": lambda n: {"Item": {**key(n), "pad": {"S": "x" * 200}}},
        "GetItem": lambda n: {"Key": key(n), "ConsistentRead": True},
        "Query": lambda n: {
            "KeyConditionExpression": "pk = :h AND sk BETWEEN :a AND :b",
            "ExpressionAttributeValues": {
                ":h": {"S": f"shard-{n % 8}"},
                ":a": {"N": str(n)},
                ":b": {"N": str(n + 80)},
            },
            "ProjectionExpression": "sk",
            "ConsistentRead": True,
        },
    }
    costs = {}
    for operation, body in operations.items():
        before = cpu_s(pid)
        for n in range(requests):
            client.call(operation, {"TableName": "cost", **body(n)})
        costs[operation] = (cpu_s(pid) - before) / requests * 1e3
    client.close()
    return costs


def main() -> None:
    """Print both, and how often ours goes into moto's."""
    server = sys.argv[1] if len(sys.argv) > 1 else str(Path(sys.executable).parent / "moto_server")
    with emulator() as (pid, port):
        ours = measure(pid, port, 5000)
    theirs: dict[str, float] = {}
    try:
        with moto(server) as (pid, port):
            theirs = measure(pid, port, 300)
    except FileNotFoundError as error:
        print(f"moto was not measured: {error}", file=sys.stderr)
    print(f"{'operation':<10} {'emulator':>10} {'moto':>10} {'ratio':>7}   CPU ms per request")
    for operation, cost in ours.items():
        if operation in theirs:
            print(
                f"{operation:<10} {cost:>10.3f} {theirs[operation]:>10.3f} {theirs[operation] / cost:>6.0f}x"
            )
        else:
            print(f"{operation:<10} {cost:>10.3f}")


if __name__ == "__main__":
    main()
