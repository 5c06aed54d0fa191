"""The emulator as a process of its own, and a bare HTTP client for it."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import orjson
from botocore.config import Config

CREDENTIALS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def url(self, region: str | None = None) -> str:
        """A Region's endpoint, or the combined one."""
        return str(self.ready["regions"][region] if region else self.ready["combined"])


@contextmanager
def emulator(*options: str, regions: str = "us-west-2,ap-southeast-2") -> Iterator[Emulator]:
    """An emulator without delays unless told otherwise; it must end quietly on SIGTERM."""
    fixed = "--json --seed 1 --rtt none --table-delay 0s --replica-delay 0s --eventual-lag none"
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.emulator", "--regions", regions, *fixed.split(), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Emulator(process, orjson.loads(process.stdout.readline()))
        if process.poll() is None:
            process.terminate()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def boto_client(url: str, region: str) -> Iterator[Any]:
    """An unmodified boto3 client that does not retry."""
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client("dynamodb", region_name=region, endpoint_url=url, config=config, **CREDENTIALS)
    try:
        yield client
    finally:
        client.close()


def create_global_table(running: Emulator, table: str = "items", *others: str) -> None:
    """A table with hash key pk in us-west-2, and replicas."""
    with boto_client(running.url("us-west-2"), "us-west-2") as client:
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        for region in others or ("ap-southeast-2",):
            client.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": region}}])


def signed(region: str = "us-west-2", operation: str = "ListTables") -> dict[str, str]:
    """Headers of a request that looks signed."""
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=AKID/20260101/{region}/dynamodb/aws4_request, Signature=0",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
    }


class Http:
    """One kept-alive connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=10)

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(
        self,
        body: bytes = b"{}",
        headers: dict[str, str] | None = None,
        path: str = "/",
        method: str = "POST",
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """(status, JSON, headers) of one POST, or of another method."""
        self._connection.request(method, path, body, signed() if headers is None else headers)
        response = self._connection.getresponse()
        raw = response.read()
        return response.status, orjson.loads(raw), {k.lower(): v for k, v in response.getheaders()}

    def faults(self, method: str = "GET", *faults: str) -> list[dict[str, Any]]:
        """What is wrong with the emulator, once it was asked to add (POST) or to clear (DELETE) faults."""
        status, answer, _ = self.post(" ".join(faults).encode(), {}, "/_admin/faults", method)
        assert status == 200, answer
        return list(answer["faults"])
