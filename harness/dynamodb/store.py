"""What a run asks of one Region: change an item, and see which changes show.

`Store` is the edge that tests replace by a fake; `DynamoStore` is DynamoDB. A `Read` says what was looked at and what
was found; what it could not look at (an error, unprocessed keys, a page that ended early) is never a miss.

What is measured is one change of each item: that it is new, that it is updated, or that it is deleted (these need
items that exist everywhere beforehand), or, where two Regions write the same items, that it is the other Region's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from harness.dynamodb.schema import CHANGE_NAME, PAD_NAME, Attributes, Schema
from harness.dynamodb.schema import HASH_NAME as HASH_NAME
from harness.dynamodb.schema import RANGE_NAME as RANGE_NAME
from harness.dynamodb.schema import Key as Key
from harness.dynamodb.signed_http import Exchange, SignedHttp
from harness.measure.plan import KEYS

NEW, UPDATE, DELETE, CONTESTED = KEYS
PREPARED_AT_ONCE = 25  # BatchWriteItem's limit
OWN = Schema()

Items = Sequence[Attributes]


@dataclass(frozen=True, slots=True)
class Put:
    """The answer to a write. `failure` as in `Exchange`; `units` are write units consumed."""

    exchange: Exchange
    units: float


@dataclass(frozen=True, slots=True)
class Read:
    """The answer to a read: the sequence numbers whose change shows, and those asked for but not looked at.

    `complete_to` is the last sequence number a Query covered, None where it covered all it was asked for.
    """

    exchange: Exchange
    found: tuple[int, ...] = ()
    unprocessed: tuple[int, ...] = ()
    complete_to: int | None = None
    units: float = 0.0


class Store(Protocol):
    """One table in one Region."""

    region: str

    async def write(self, key: Key, pad: str) -> Put:
        """Make the change that is measured to one item."""

    async def write_together(self, keys: Sequence[Key], pad: str) -> Put:
        """Write up to 100 new items in one transaction."""

    async def get(self, key: Key, consistent: bool) -> Read:
        """Look for the change of one item."""

    async def batch_get(self, keys: Sequence[Key], consistent: bool) -> Read:
        """Look for the changes of up to 100 items."""

    async def query(self, shard: str, seqs: range, consistent: bool) -> Read:
        """Look for the changes of all items of one shard; `seqs` are ascending."""

    async def prepare(self, keys: Sequence[Key], pad: str) -> Put:
        """Write up to `PREPARED_AT_ONCE` items as they are before their change."""

    async def prepared(self, keys: Sequence[Key]) -> Read:
        """Which of up to 100 items exist, by a strongly consistent read."""

    async def remove(self, keys: Sequence[Key]) -> Put:
        """Delete up to `PREPARED_AT_ONCE` items; those that do not exist are fine."""


class DynamoStore:
    """A `Store` on DynamoDB, or on anything that speaks its API."""

    def __init__(
        self, http: SignedHttp, table: str, change: str = NEW, schema: Schema = OWN, versions: int = 1
    ) -> None:
        self.region = http.region
        self.http = http
        self._table = table
        self._change = change
        self._schema = schema
        self._versions = versions  # writes `n * versions` and those that follow it are of one item

    async def write(self, key: Key, pad: str) -> Put:
        """PutItem, UpdateItem or DeleteItem, by the change that is measured."""
        if self._change == UPDATE:
            how = {
                "Key": self._key(key),
                "UpdateExpression": f"SET {CHANGE_NAME} = :r",
                "ExpressionAttributeValues": {":r": {"N": "1"}},
            }
            exchange = await self._call("UpdateItem", how)
        elif self._change == DELETE:
            exchange = await self._call("DeleteItem", {"Key": self._key(key)})
        else:
            exchange = await self._call("PutItem", {"Item": self._item(key, pad)})
        return Put(exchange, _units(exchange.answer.get("ConsumedCapacity")))

    async def write_together(self, keys: Sequence[Key], pad: str) -> Put:
        """TransactWriteItems: all of them or none."""
        puts = [{"Put": {"TableName": self._table, "Item": self._item(key, pad)}} for key in keys]
        body = {"TransactItems": puts, "ReturnConsumedCapacity": "TOTAL"}
        exchange = await self.http.call("TransactWriteItems", orjson.dumps(body))
        return Put(exchange, _units_of_batch(exchange))

    async def get(self, key: Key, consistent: bool) -> Read:
        """GetItem of one key, projected to what tells its change."""
        exchange = await self._call(
            "GetItem",
            {"Key": self._key(key), "ConsistentRead": consistent, **self._projection()},
        )
        items = [exchange.answer["Item"]] if "Item" in exchange.answer else []
        found = self._changed(items, (key.seq,)) if exchange.failure is None else ()
        return Read(exchange, found, units=_units(exchange.answer.get("ConsumedCapacity")))

    async def batch_get(self, keys: Sequence[Key], consistent: bool) -> Read:
        """BatchGetItem of up to 100 keys; `UnprocessedKeys` come back as `unprocessed`."""
        exchange, items, left = await self._batch(keys, consistent)
        asked = tuple(key.seq for key in keys if key.seq not in left)
        found = self._changed(items, asked) if exchange.failure is None else ()
        return Read(exchange, found, left, units=_units_of_batch(exchange))

    async def query(self, shard: str, seqs: range, consistent: bool) -> Read:
        """Query of one partition; what lies beyond `LastEvaluatedKey` was not looked at."""
        schema = self._schema
        request: dict[str, Any] = {
            **self._projection(),
            "KeyConditionExpression": "#h = :h AND #k BETWEEN :a AND :b",
            "ExpressionAttributeNames": {"#h": schema.hash_name, "#k": schema.tells},
            "ExpressionAttributeValues": {
                ":h": {"S": schema.prefix + shard},
                ":a": {"N": str(seqs[0] // self._versions)},
                ":b": {"N": str(seqs[-1] // self._versions)},
            },
            "ConsistentRead": consistent,
        }
        if self._change == UPDATE:
            request["FilterExpression"] = f"attribute_exists({CHANGE_NAME})"
        elif self._change == CONTESTED:
            request["FilterExpression"] = f"{CHANGE_NAME} <> :me"
            request["ExpressionAttributeValues"][":me"] = {"S": self.region}
        exchange = _holding("Items", await self._call("Query", request))
        answer = exchange.answer
        end = answer.get("LastEvaluatedKey")
        complete_to = None if end is None else (schema.seq(end) + 1) * self._versions - 1
        looked_at = seqs if complete_to is None else range(seqs[0], complete_to + 1, seqs.step)
        found = self._changed(answer.get("Items", ()), looked_at) if exchange.failure is None else ()
        return Read(exchange, found, complete_to=complete_to, units=_units(answer.get("ConsumedCapacity")))

    async def prepare(self, keys: Sequence[Key], pad: str) -> Put:
        """BatchWriteItem of puts."""
        return await self._batch_write([{"PutRequest": {"Item": self._item(key, pad)}} for key in keys])

    async def remove(self, keys: Sequence[Key]) -> Put:
        """BatchWriteItem of deletes."""
        return await self._batch_write([{"DeleteRequest": {"Key": self._key(key)}} for key in keys])

    async def _batch_write(self, requests: Sequence[dict[str, Any]]) -> Put:
        """Keys left unprocessed count as throttled."""
        body = {"RequestItems": {self._table: requests}, "ReturnConsumedCapacity": "TOTAL"}
        exchange = await self.http.call("BatchWriteItem", orjson.dumps(body))
        if exchange.answer.get("UnprocessedItems"):
            exchange = replace(exchange, failure="throttled", error="unprocessed items")
        return Put(exchange, _units_of_batch(exchange))

    async def prepared(self, keys: Sequence[Key]) -> Read:
        """BatchGetItem; an item that exists is found, whatever the change."""
        exchange, items, left = await self._batch(keys, consistent=True)
        there = frozenset(self._seqs(items))
        found = tuple(key.seq for key in keys if key.seq // self._versions in there)
        return Read(exchange, found, left, units=_units_of_batch(exchange))

    async def _batch(self, keys: Sequence[Key], consistent: bool) -> tuple[Exchange, Items, tuple[int, ...]]:
        wanted = {
            "Keys": list({key.seq // self._versions: self._key(key) for key in keys}.values()),
            "ConsistentRead": consistent,
            **self._projection(),
        }
        body = {"RequestItems": {self._table: wanted}, "ReturnConsumedCapacity": "TOTAL"}
        exchange = _holding("Responses", await self.http.call("BatchGetItem", orjson.dumps(body)))
        unasked = exchange.answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", ())
        items = frozenset(self._seqs(unasked))
        left = tuple(key.seq for key in keys if key.seq // self._versions in items)
        return exchange, exchange.answer.get("Responses", {}).get(self._table, ()), left

    def _projection(self) -> dict[str, Any]:
        tells = self._change in (UPDATE, CONTESTED) or self._versions > 1
        return {
            "ProjectionExpression": f"#k, {CHANGE_NAME}" if tells else "#k",
            "ExpressionAttributeNames": {"#k": self._schema.tells},
        }

    def _changed(self, items: Items, looked_at: Iterable[int]) -> tuple[int, ...]:
        """The sequence numbers whose change an answer shows, of those it looked at."""
        if self._change == DELETE:
            there = frozenset(self._seqs(items))
            return tuple(seq for seq in looked_at if seq not in there)
        if self._change == UPDATE:
            return self._seqs([item for item in items if CHANGE_NAME in item])
        if self._change == CONTESTED:
            return self._seqs([item for item in items if item[CHANGE_NAME]["S"] != self.region])
        if self._versions > 1:
            return tuple(int(item[CHANGE_NAME]["N"]) for item in items)
        return self._seqs(items)

    def _key(self, key: Key) -> Attributes:
        return self._schema.key(Key(key.shard, key.seq // self._versions))

    def _item(self, key: Key, pad: str) -> Attributes:
        item = self._key(key) | {PAD_NAME: {"S": pad}}
        if self._change == CONTESTED:
            item[CHANGE_NAME] = {"S": self.region}
        elif self._versions > 1:
            item[CHANGE_NAME] = {"N": str(key.seq)}
        return item

    def _seqs(self, items: Items) -> tuple[int, ...]:
        return tuple(self._schema.seq(item) for item in items)

    async def _call(self, operation: str, request: dict[str, Any]) -> Exchange:
        body = {"TableName": self._table, "ReturnConsumedCapacity": "TOTAL", **request}
        return await self.http.call(operation, orjson.dumps(body))


def _holding(member: str, exchange: Exchange) -> Exchange:
    """An answer that lacks what every answer to its operation has is not DynamoDB's: it must not pass for a miss."""
    if exchange.failure is None and member not in exchange.answer:
        return replace(exchange, answer={}, failure="server_error", error=f"an answer without {member}")
    return exchange


def _units(consumed: dict[str, Any] | None) -> float:
    return float(consumed.get("CapacityUnits", 0.0)) if consumed else 0.0


def _units_of_batch(exchange: Exchange) -> float:
    return sum(_units(entry) for entry in exchange.answer.get("ConsumedCapacity", ()))
