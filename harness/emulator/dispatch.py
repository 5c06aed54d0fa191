"""What a request asks for, and its answer: from HTTP to one of the emulator's operations and back."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from harness.emulator import batches, control, operations, queries, transactions
from harness.emulator.errors import WireError, not_supported
from harness.emulator.faults.request import Strike, strike_at
from harness.emulator.replication import World
from harness.emulator.wire import Arrived

_PREFIX = b"DynamoDB_20120810."

Operation = Callable[[World, str, dict[str, Any], int], dict[str, Any]]
OPERATIONS: dict[bytes, Operation] = {
    b"BatchGetItem": batches.batch_get_item,
    b"BatchWriteItem": batches.batch_write_item,
    b"TransactWriteItems": transactions.transact_write_items,
    b"CreateTable": control.create_table,
    b"DeleteItem": operations.delete_item,
    b"DeleteTable": control.delete_table,
    b"DescribeTable": control.describe_table,
    b"GetItem": operations.get_item,
    b"ListTables": control.list_tables,
    b"PutItem": operations.put_item,
    b"Query": queries.query,
    b"Scan": queries.scan,
    b"UpdateItem": operations.update_item,
    b"UpdateTable": control.update_table,
}
_KNOWN_ELSEWHERE = frozenset(
    b"BatchExecuteStatement CreateBackup CreateGlobalTable DeleteBackup DeleteResourcePolicy DescribeBackup "
    b"DescribeContinuousBackups DescribeContributorInsights DescribeEndpoints DescribeExport DescribeGlobalTable "
    b"DescribeGlobalTableSettings DescribeImport DescribeKinesisStreamingDestination DescribeLimits "
    b"DescribeTableReplicaAutoScaling DescribeTimeToLive DisableKinesisStreamingDestination "
    b"EnableKinesisStreamingDestination ExecuteStatement ExecuteTransaction ExportTableToPointInTime "
    b"GetResourcePolicy ImportTable ListBackups ListContributorInsights ListExports ListGlobalTables ListImports "
    b"ListTagsOfResource PutResourcePolicy RestoreTableFromBackup RestoreTableToPointInTime TagResource "
    b"TransactGetItems UntagResource UpdateContinuousBackups UpdateContributorInsights "
    b"UpdateGlobalTable UpdateGlobalTableSettings UpdateKinesisStreamingDestination "
    b"UpdateTableReplicaAutoScaling UpdateTimeToLive".split()
)


def answer_request(
    world: World, region: str, request: Arrived, nominal_ns: int
) -> tuple[int, dict[str, Any], Strike | None]:
    """(HTTP status, body, what struck it) of one request, performed as of its nominal instant."""
    strike = None
    try:
        operation = _operation(request)
        if world.faults.requests:
            strike = strike_at(world.faults, region, _name(request).decode(), nominal_ns)
        if strike is None:
            return 200, operation(world, region, _json(request.body), nominal_ns), None
        perform = partial(_performed, operation, world, region, nominal_ns)
        return 200, strike.perform(perform, _json(request.body)), strike
    except WireError as error:
        return error.status, error.body(), strike
    except Exception:  # a defect must not take the other Regions down
        traceback.print_exc(file=sys.stderr)
        defect = WireError("InternalServerError", "The emulator failed; see its standard error", 500)
        return defect.status, defect.body(), strike


def _performed(
    operation: Operation, world: World, region: str, nominal_ns: int, request: dict[str, Any]
) -> dict[str, Any]:
    return operation(world, region, request, nominal_ns)


def _name(request: Arrived) -> bytes:
    return request.target.removeprefix(_PREFIX)


def _operation(request: Arrived) -> Operation:
    """What a request asks for."""
    if not request.authorization:
        raise WireError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if request.too_large:
        raise WireError("RequestEntityTooLarge", "Request body is larger than 16 MB", 413)
    name = _name(request)
    operation = OPERATIONS.get(name) if name != request.target and request.method == b"POST" else None
    if operation is not None:
        return operation
    if name in _KNOWN_ELSEWHERE:
        raise not_supported(name.decode())
    raise WireError("UnknownOperationException", "")


def _json(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise WireError("SerializationException", "The request body is not JSON") from None
    if type(request) is not dict:
        raise WireError("SerializationException", "The request body is not a JSON object")
    return request
