"""What a run asks of one Region: put an item, and see which items are there.

`Store` is the edge that tests replace by a fake; `DynamoStore` is DynamoDB. A `Read` says what was looked at and what
was found; what it could not look at (an error, unprocessed keys, a page that ended early) is never a miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from harness.dynamodb.signed_http import Exchange, SignedHttp

HASH_NAME, RANGE_NAME = "pk", "sk"  # neither is one of DynamoDB's reserved words


@dataclass(frozen=True, slots=True)
class Key:
    """An item's key on our own table: partition key and sort key."""

    shard: str
    seq: int


@dataclass(frozen=True, slots=True)
class Put:
    """The answer to a put. `failure` as in `Exchange`; `units` are write units consumed."""

    exchange: Exchange
    units: float


@dataclass(frozen=True, slots=True)
class Read:
    """The answer to a read: the sequence numbers found, and those asked for but not looked at.

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

    async def put(self, key: Key, pad: str) -> Put:
        """Write one item."""

    async def get(self, key: Key, consistent: bool) -> Read:
        """Look for one item."""

    async def batch_get(self, keys: Sequence[Key], consistent: bool) -> Read:
        """Look for up to 100 items."""

    async def query(self, shard: str, first: int, last: int, consistent: bool) -> Read:
        """Look for the items of one shard with `first` ≤ seq ≤ `last`."""


class DynamoStore:
    """A `Store` on DynamoDB, or on anything that speaks its API."""

    def __init__(self, http: SignedHttp, table: str) -> None:
        self.region = http.region
        self.http = http
        self._table = table

    async def put(self, key: Key, pad: str) -> Put:
        """Write one item, padded with `pad`."""
        item = _key_json(key) | {"pad": {"S": pad}}
        exchange = await self._call("PutItem", {"Item": item})
        return Put(exchange, _units(exchange.answer.get("ConsumedCapacity")))

    async def get(self, key: Key, consistent: bool) -> Read:
        """GetItem of one key, projected to its sort key."""
        exchange = await self._call(
            "GetItem",
            {"Key": _key_json(key), "ConsistentRead": consistent, "ProjectionExpression": RANGE_NAME},
        )
        found = (key.seq,) if "Item" in exchange.answer else ()
        return Read(exchange, found, units=_units(exchange.answer.get("ConsumedCapacity")))

    async def batch_get(self, keys: Sequence[Key], consistent: bool) -> Read:
        """BatchGetItem of up to 100 keys; `UnprocessedKeys` come back as `unprocessed`."""
        wanted = {
            "Keys": [_key_json(key) for key in keys],
            "ConsistentRead": consistent,
            "ProjectionExpression": RANGE_NAME,
        }
        body = {"RequestItems": {self._table: wanted}, "ReturnConsumedCapacity": "TOTAL"}
        exchange = await self.http.call("BatchGetItem", orjson.dumps(body))
        answer = exchange.answer
        left = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", ())
        return Read(
            exchange,
            _seqs(answer.get("Responses", {}).get(self._table, ())),
            _seqs(left),
            units=sum(_units(entry) for entry in answer.get("ConsumedCapacity", ())),
        )

    async def query(self, shard: str, first: int, last: int, consistent: bool) -> Read:
        """Query of one partition; what lies beyond `LastEvaluatedKey` was not looked at."""
        exchange = await self._call(
            "Query",
            {
                "KeyConditionExpression": f"{HASH_NAME} = :h AND {RANGE_NAME} BETWEEN :a AND :b",
                "ExpressionAttributeValues": {
                    ":h": {"S": shard},
                    ":a": {"N": str(first)},
                    ":b": {"N": str(last)},
                },
                "ProjectionExpression": RANGE_NAME,
                "ConsistentRead": consistent,
            },
        )
        answer = exchange.answer
        end = answer.get("LastEvaluatedKey")
        return Read(
            exchange,
            _seqs(answer.get("Items", ())),
            complete_to=None if end is None else int(end[RANGE_NAME]["N"]),
            units=_units(answer.get("ConsumedCapacity")),
        )

    async def _call(self, operation: str, request: dict[str, Any]) -> Exchange:
        body = {"TableName": self._table, "ReturnConsumedCapacity": "TOTAL", **request}
        return await self.http.call(operation, orjson.dumps(body))


def _key_json(key: Key) -> dict[str, dict[str, str]]:
    return {HASH_NAME: {"S": key.shard}, RANGE_NAME: {"N": str(key.seq)}}


def _seqs(items: Sequence[dict[str, dict[str, str]]]) -> tuple[int, ...]:
    return tuple(int(item[RANGE_NAME]["N"]) for item in items)


def _units(consumed: dict[str, Any] | None) -> float:
    return float(consumed.get("CapacityUnits", 0.0)) if consumed else 0.0
