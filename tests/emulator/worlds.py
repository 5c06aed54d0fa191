"""Small emulated worlds without sockets, for tests that give every request its instant."""

from __future__ import annotations

from typing import Any

from harness.emulator import batches, control, operations, queries, transactions
from harness.emulator.lag import parse_lag
from harness.emulator.pace import fast
from harness.emulator.replication import EventualReads, Settings, World

MS = 1_000_000
S = 1_000 * MS
OREGON, SYDNEY, IRELAND = "us-west-2", "ap-southeast-2", "eu-west-1"

OPERATIONS = {
    "BatchGetItem": batches.batch_get_item,
    "BatchWriteItem": batches.batch_write_item,
    "CreateTable": control.create_table,
    "DeleteItem": operations.delete_item,
    "DeleteTable": control.delete_table,
    "DescribeTable": control.describe_table,
    "GetItem": operations.get_item,
    "ListTables": control.list_tables,
    "PutItem": operations.put_item,
    "Query": queries.query,
    "Scan": queries.scan,
    "TransactWriteItems": transactions.transact_write_items,
    "UpdateItem": operations.update_item,
    "UpdateTable": control.update_table,
}


class Client:
    """Asks a world as a client would: `ask("GetItem", region, instant, Key=…)`; the table is `table`."""

    def __init__(self, world: World, table: str = "items") -> None:
        self.world = world
        self.table = table

    def ask(self, operation: str, region: str, now_ns: int, **request: Any) -> dict[str, Any]:
        """One request of one table."""
        body = (
            request
            if {"RequestItems", "TransactItems"} & request.keys()
            else {"TableName": self.table, **request}
        )
        return OPERATIONS[operation](self.world, region, body, now_ns)

    def create(self, now_ns: int = 0, region: str = OREGON, sort_key: str | None = None, **more: Any) -> None:
        """A table with hash key pk (S), and a sort key sk of the type given."""
        keys = [("pk", "S", "HASH")] + ([("sk", sort_key, "RANGE")] if sort_key else [])
        self.ask(
            "CreateTable",
            region,
            now_ns,
            **{
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t, _ in keys],
                "KeySchema": [{"AttributeName": n, "KeyType": k} for n, _, k in keys],
                **more,
            },
        )

    def add_replica(self, region: str, now_ns: int, asked: str = OREGON) -> None:
        """Make a replica in `region`."""
        self.ask("UpdateTable", asked, now_ns, ReplicaUpdates=[{"Create": {"RegionName": region}}])

    def get(self, region: str, now_ns: int, pk: str, **more: Any) -> dict[str, Any] | None:
        """The item a strongly consistent read shows."""
        key = {"pk": {"S": pk}}
        return self.ask("GetItem", region, now_ns, Key=key, ConsistentRead=True, **more).get("Item")

    def put(self, region: str, now_ns: int, pk: str, v: str = "", **more: Any) -> dict[str, Any]:
        """Put an item with a value v."""
        return self.ask("PutItem", region, now_ns, Item={"pk": {"S": pk}, "v": {"S": v}}, **more)


def world_of(*regions: str, lag: str = "typical", seed: int = 1, **more: Any) -> World:
    """A world whose tables and replicas are ready at once, unless told otherwise."""
    more.setdefault("eventual", EventualReads(0.0, 0))
    more.setdefault("pace", fast(0, 0))
    truth = more.pop("truth", None)
    return World(Settings(regions, parse_lag(lag), seed, **more), truth)


def global_table(*regions: str, lag: str = "typical", sort_key: str | None = None, **more: Any) -> Client:
    """A table with replicas in all `regions` from instant 0 on."""
    client = Client(world_of(*regions, lag=lag, **more))
    client.create(0, regions[0], sort_key)
    for region in regions[1:]:
        client.add_replica(region, 0, asked=regions[0])
    return client
