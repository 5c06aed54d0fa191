"""moto's CloudWatch behind a real socket, in a thread of its own; its own server would need Flask."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.request import Request
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

HOST = "127.0.0.1"
CREDENTIALS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
DENIED = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/x "
    "is not authorized to perform: cloudwatch:GetMetricStatistics</Message></Error></ErrorResponse>"
)
MINUTE_NS = 60 * 10**9


@dataclass(slots=True)
class CloudWatchServer:
    """A running server: what it was asked, and in which Regions it denies everything."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    denied: frozenset[str] = frozenset()

    def put(
        self,
        source: str,
        replica: str,
        table: str,
        minute_ns: int,
        values: tuple[float, ...],
        unit: str = "Milliseconds",
    ) -> None:
        """Publish single latencies of one minute, as DynamoDB would."""
        config = Config(retries={"total_max_attempts": 1})
        client = boto3.client(
            "cloudwatch", region_name=source, endpoint_url=self.url, config=config, **CREDENTIALS
        )
        client.put_metric_data(
            Namespace="AWS/DynamoDB", MetricData=[_datum(table, replica, minute_ns, values, unit)]
        )
        client.close()


@contextmanager
def cloudwatch() -> Iterator[CloudWatchServer]:
    """An empty CloudWatch, for as long as the context lasts."""
    running = CloudWatchServer()

    @Request.application
    def answer(request: Any) -> Response:
        region = request.headers["Authorization"].split("/")[2]
        running.asked.append((region, request.form["Action"]))
        if region in running.denied:
            return Response(DENIED, 403, content_type="text/xml")
        status, headers, body = CloudWatchResponse.dispatch(request, request.url, dict(request.headers))
        return Response(body, status, headers)

    cloudwatch_backends.reset()
    server = make_server(HOST, 0, answer, threaded=True, request_handler=_Quiet)
    running.url = f"http://{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        cloudwatch_backends.reset()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  (its name there)
        """Say nothing of each request."""


def _datum(table: str, replica: str, minute_ns: int, values: tuple[float, ...], unit: str) -> dict[str, Any]:
    return {
        "MetricName": "ReplicationLatency",
        "Dimensions": [
            {"Name": "TableName", "Value": table},
            {"Name": "ReceivingRegion", "Value": replica},
        ],
        "Timestamp": datetime.datetime.fromtimestamp(minute_ns / 1e9, datetime.UTC),
        "Values": list(values),
        "Unit": unit,
    }
