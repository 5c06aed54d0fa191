"""Who asks, and what one Region grants them, found by requests that cannot change anything.

DynamoDB looks at permissions before it looks for the table: a request for a table that does not exist gets
AccessDeniedException where it is not allowed, and ResourceNotFoundException where it is. Why none can change anything:

    GetItem, BatchGetItem,      they read
    Query, DescribeTable, …
    PutItem, UpdateItem,        their condition wants one attribute both there and not there, which no item fulfils
    DeleteItem
    BatchWriteItem              deletes the item of a random 128-bit key, which nobody has written
    UpdateTable                 asks to remove the very Region that is asked, which DynamoDB always refuses
    DeleteTable                 for a random 128-bit table name only, never for a name that somebody gave
    CreateTable                 its key is not among its attribute definitions, which DynamoDB always refuses; it can
                                show that permission lacks, and never that it is there

On a table that exists the three conditional writes are billed, one write unit each.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as boto
from botocore import xform_name

from harness.dynamodb.access import CONFIGURED, Access, translated
from harness.dynamodb.schema import HASH_NAME, RANGE_NAME, Key, Schema
from harness.dynamodb.store import OWN
from harness.measure.clock import wall_ns
from harness.units import NS_PER_S

_IMPOSSIBLE = "attribute_exists(#k) AND attribute_not_exists(#k)"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose credentials they are, and where botocore found them."""

    account: str
    arn: str
    method: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what became of it.

    `code` is the error's, None where it was answered. `skew_ns` is how far the server's `Date` is ahead of this host's
    wall clock, give or take half a second and half the round trip; None where there is no such header.
    """

    operation: str
    code: str | None = None
    text: str = ""
    skew_ns: int | None = None


def identity(access: Access, region: str) -> Identity:
    """Ask STS who these credentials are; nobody needs permission for that.

    Raises:
        UsageError, TargetUnavailable: there are no credentials, or STS does not know them.
    """
    session = access.session()
    with translated(region):
        credentials = session.get_credentials()
        if credentials is None:
            raise boto.NoCredentialsError
        answer = session.client("sts", region_name=region, config=CONFIGURED).get_caller_identity()
    return Identity(str(answer["Account"]), str(answer["Arn"]), str(credentials.method))


def own_name() -> str:
    """A table name that no table can have."""
    return f"replication-latency-preflight-{uuid.uuid4().hex}"


def describe(access: Access, region: str, table: str) -> tuple[Attempt, Mapping[str, Any] | None]:
    """DescribeTable, which tells whether the Region answers these credentials at all; and its description.

    Raises:
        TargetUnavailable: the Region cannot be reached.
    """
    answer: dict[str, Any] = {}
    done = _attempt(access.control(region), region, "DescribeTable", {"TableName": table}, answer)
    return done, answer.get("Table")


def attempts(access: Access, region: str, table: str | None, schema: Schema | None) -> Iterator[Attempt]:
    """One attempt of each request the harness may send, for `table` or for a name that no table can have.

    With the `schema` of a table that is there, nothing is asked about making or removing one.

    Raises:
        TargetUnavailable: the Region cannot be reached.
    """
    client = access.control(region)
    requests = _data_requests(table or own_name(), schema or OWN)
    if schema is None:
        requests |= _table_requests(region, table)
    for operation, request in requests.items():
        yield _attempt(client, region, operation, request)


def limits(access: Access, region: str) -> tuple[Attempt, Mapping[str, Any]]:
    """DescribeLimits: what one table may consume, where that may be asked."""
    answer: dict[str, Any] = {}
    return _attempt(access.control(region), region, "DescribeLimits", {}, answer), answer


def leftovers(access: Access, region: str) -> tuple[Attempt, list[str]]:
    """ListTables: tables that runs of this harness left behind, by their names."""
    answer: dict[str, Any] = {}
    request = {"ExclusiveStartTableName": "replication-latency-"}
    done = _attempt(access.control(region), region, "ListTables", request, answer)
    return done, [
        name for name in answer.get("TableNames", ()) if str(name).startswith("replication-latency-")
    ]


def _data_requests(table: str, schema: Schema) -> dict[str, dict[str, Any]]:
    key = schema.key(Key(f"preflight-{uuid.uuid4().hex}", 0))
    of_table, names = {"TableName": table}, {"ExpressionAttributeNames": {"#k": schema.hash_name}}
    condition = {"ConditionExpression": _IMPOSSIBLE, **names}
    query = {
        "KeyConditionExpression": "#k = :h",
        "ExpressionAttributeValues": {":h": key[schema.hash_name]},
        **names,
    }
    return {
        "DescribeTable": of_table,
        "GetItem": {**of_table, "Key": key},
        "BatchGetItem": {"RequestItems": {table: {"Keys": [key]}}},
        "Query": {**of_table, **query},
        "PutItem": {**of_table, "Item": key, **condition},
        "UpdateItem": {**of_table, "Key": key, **condition},
        "DeleteItem": {**of_table, "Key": key, **condition},
        "BatchWriteItem": {"RequestItems": {table: [{"DeleteRequest": {"Key": key}}]}},
    }


def _table_requests(region: str, table: str | None) -> dict[str, dict[str, Any]]:
    name = table or own_name()
    not_among_them: dict[str, Any] = {
        "AttributeDefinitions": [{"AttributeName": RANGE_NAME, "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": HASH_NAME, "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    itself: dict[str, Any] = {"ReplicaUpdates": [{"Delete": {"RegionName": region}}]}
    requests: dict[str, dict[str, Any]] = {
        "CreateTable": {"TableName": name} | not_among_them,
        "UpdateTable": {"TableName": name} | itself,
    }
    return requests if table else requests | {"DeleteTable": {"TableName": own_name()}}


def _attempt(
    client: Any, region: str, operation: str, request: Mapping[str, Any], answer: dict[str, Any] | None = None
) -> Attempt:
    asked_ns = wall_ns()
    with translated(region):
        try:
            response = getattr(client, xform_name(operation))(**request)
        except boto.ClientError as error:
            details = error.response.get("Error", {})
            skew_ns = _skew_ns(error.response, asked_ns)
            return Attempt(operation, str(details.get("Code")), str(details.get("Message", "")), skew_ns)
    if answer is not None:
        answer.update(response)
    return Attempt(operation, skew_ns=_skew_ns(response, asked_ns))


def _skew_ns(response: Mapping[str, Any], asked_ns: int) -> int | None:
    """A `Date` is cut to whole seconds: its middle is half a second later."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if date is None:
        return None
    try:
        server_ns = round((parsedate_to_datetime(date).timestamp() + 0.5) * NS_PER_S)
    except ValueError:
        return None
    return server_ns - (asked_ns + wall_ns()) // 2
