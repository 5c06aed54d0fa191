"""The emulator's ports, and the one queue that puts all requests of all Regions in order.

1. A request is stamped when it arrives, and its two delays are drawn: d1 there, d2 back.
2. It takes effect at its nominal instant N = arrival + d1, and its answer leaves at N + d2.
3. All requests are performed in order of their nominal instants, from one heap, and evaluated as of N, however late
   the event loop really is. A late loop delays answers, never the truth.

Why the order holds: the agenda performs a request only once the clock has reached its N. Whatever arrives later is
stamped later than that, so its own N' ≥ arrival' ≥ N. Nothing may therefore be performed ahead of its N, and no
arrival may be stamped with an instant before it was seen.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import sys
import traceback
from collections.abc import Callable
from typing import Any

import orjson

from harness.emulator import batches, control, operations, queries, transactions
from harness.emulator.agenda import Agenda
from harness.emulator.errors import WireError, not_supported, throttled
from harness.emulator.replication import World
from harness.emulator.rtt import DelayStream, PairRtt
from harness.emulator.truth import Truth
from harness.emulator.wire import Arrived, Connection, region_of, response
from harness.errors import UsageError
from harness.measure.clock import now_ns
from harness.units import NS_PER_MS

HOST = "127.0.0.1"
_PREFIX = b"DynamoDB_20120810."
_COLLECT_AFTER = 200
_FLUSH_AFTER_NS = 400 * NS_PER_MS

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


class Server:
    """The emulator on its ports. Belongs to the running event loop; `close()` it before the loop ends."""

    def __init__(self, world: World, rtt: dict[str, PairRtt], truth: Truth | None = None) -> None:
        self.world = world
        self.ports: dict[str | None, int] = {}
        self._delays = {
            region: DelayStream(pair, world.stream(f"rtt/{region}")) for region, pair in rtt.items()
        }
        self._agenda = Agenda()
        self._truth = truth
        self._listeners: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._lost = 0
        self._answers = 0
        if truth is not None:
            truth.on_first = self._flush_soon

    async def listen(self, port: int = 0) -> None:
        """Open the combined port and one per Region: consecutive ones from `port` on, or any that are free.

        Raises:
            UsageError: a port is taken.
        """
        for offset, region in enumerate((None, *self.world.regions)):
            wanted = port + offset if port else 0
            await self._listen(region, wanted)

    async def _listen(self, region: str | None, port: int) -> None:
        def connection() -> Connection:
            return Connection(self, region)

        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(connection, HOST, port, backlog=1024)
        except OverflowError:
            raise UsageError(f"port {port} is beyond 65535; choose a lower --port") from None
        except OSError as error:
            reason = "already in use" if error.errno == errno.EADDRINUSE else error.strerror
            raise UsageError(
                f"port {port} on {HOST} is {reason}; choose another --port, or leave it out for any free one"
            ) from None
        self._listeners.append(listener)
        self.ports[region] = listener.sockets[0].getsockname()[1]

    def url(self, region: str | None = None) -> str:
        """The endpoint of a Region, or of the combined port."""
        return f"http://{HOST}:{self.ports[region]}"

    async def close(self) -> None:
        """Close every port and connection, and flush the truth."""
        for listener in self._listeners:
            listener.close()
        for connection in tuple(self._connections):
            connection.close()
        for listener in self._listeners:
            await listener.wait_closed()
        self._agenda.close()
        if self._truth is not None:
            self._truth.close()

    def opened(self, connection: Connection) -> None:
        """A client has connected."""
        self._connections.add(connection)

    def lost(self, connection: Connection) -> None:
        """A client has gone. asyncio leaves a reference cycle of 1 KB behind; collected when a pause harms nobody."""
        self._connections.discard(connection)
        self._lost += 1
        if not self._connections and self._lost >= _COLLECT_AFTER:
            self._lost = 0
            gc.collect(0)

    def arrived(self, connection: Connection, request: Arrived) -> None:
        """Give a request its nominal instant and the instant its answer leaves."""
        region = connection.region
        nominal_ns = leave_ns = request.arrival_ns
        if request.authorization:
            try:
                region = region or region_of(request.authorization, self.world.regions)
            except WireError as error:
                self._agenda.at(nominal_ns, self._refuse, connection, request, error)
                return
            there_ns, back_ns = self._delays[region].draw_ns()
            nominal_ns += there_ns
            leave_ns = nominal_ns + back_ns
        # Performed as of its nominal instant, but no earlier than something wakes the loop: its answer at the latest.
        self._agenda.at(
            nominal_ns, self._perform, connection, request, region, nominal_ns, leave_ns, by_ns=leave_ns
        )

    def _perform(
        self, connection: Connection, request: Arrived, region: str | None, nominal_ns: int, leave_ns: int
    ) -> None:
        status = 200
        try:
            if request.path.startswith(b"/_admin/"):
                body = self._administer(request, nominal_ns)
            else:
                operation = _operation(request)
                if self.world.throttles(str(region), _name(request), nominal_ns):
                    raise throttled()
                body = operation(self.world, str(region), _json(request.body), nominal_ns)
        except WireError as error:
            status, body = error.status, error.body()
        except Exception:  # a defect must not take the other Regions down
            traceback.print_exc(file=sys.stderr)
            error_ = WireError("InternalServerError", "The emulator failed; see its standard error", 500)
            status, body = error_.status, error_.body()
        self._answers += 1
        leave_ns += self.world.quorum.settle()
        answer = response(status, body, self._answers, request.keep_alive)
        self._agenda.at(leave_ns, connection.answer, answer, request.keep_alive)

    def _refuse(self, connection: Connection, request: Arrived, error: WireError) -> None:
        self._answers += 1
        answer = response(error.status, error.body(), self._answers, request.keep_alive)
        connection.answer(answer, request.keep_alive)

    def _administer(self, request: Arrived, instant_ns: int) -> dict[str, Any]:
        if request.method != b"POST" or request.path != b"/_admin/resume":
            raise WireError("UnknownOperationException", "The emulator knows POST /_admin/resume", 404)
        self.world.resume(instant_ns)
        return {}

    def _flush_soon(self) -> None:
        self._agenda.at(now_ns() + _FLUSH_AFTER_NS, self._flush)

    def _flush(self) -> None:
        if self._truth is not None:
            self._truth.flush()


def _name(request: Arrived) -> str:
    return request.target.removeprefix(_PREFIX).decode()


def _operation(request: Arrived) -> Operation:
    """What a request asks for."""
    if not request.authorization:
        raise WireError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if request.too_large:
        raise WireError("RequestEntityTooLarge", "Request body is larger than 16 MB", 413)
    name = request.target.removeprefix(_PREFIX)
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
