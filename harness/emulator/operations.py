"""Reads and writes of single items: GetItem, PutItem, DeleteItem, UpdateItem. Pure: (world, Region, request, instant).

A conditional write looks at the item its own Region shows at that instant and then writes the whole new item, as a
multi-Region eventually consistent global table does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.emulator.capacity import consumed, read_units, wanted, write_units
from harness.emulator.errors import WireError, validation
from harness.emulator.expressions import ExpressionContext, parse_condition, parse_projection, parse_update
from harness.emulator.items import Item, Key, item_size, normalise_item
from harness.emulator.projections import Projection
from harness.emulator.replication import World
from harness.emulator.requests import Request, check_members, expression_context, flag, one_of, required
from harness.emulator.tables import Replica

MAX_ITEM_BYTES = 400 * 1024

_NAMES = {"TableName", "ReturnConsumedCapacity", "ExpressionAttributeNames"}
_GET = frozenset(_NAMES | {"Key", "ConsistentRead", "ProjectionExpression"})
_WRITE = _NAMES | {
    "ConditionExpression",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnItemCollectionMetrics",
    "ReturnValuesOnConditionCheckFailure",
}
_PUT = frozenset(_WRITE | {"Item"})
_DELETE = frozenset(_WRITE | {"Key"})
_UPDATE = frozenset(_WRITE | {"Key", "UpdateExpression"})


def get_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """GetItem."""
    check_members(request, _GET)
    replica = world.catalogue.readable(region, request.get("TableName"), now_ns)
    table = replica.table
    key = table.schema.key_of_request(required(request, "Key"))
    consistent = flag(request, "ConsistentRead")
    context = expression_context(request)
    projection = None
    if "ProjectionExpression" in request:
        projection = parse_projection(request["ProjectionExpression"], context)
    context.check_all_used()
    choice = wanted(request)
    as_of_ns = world.read_instant(replica, consistent, now_ns)
    version = table.items.read(key, replica.view(consistent), as_of_ns)
    answer: dict[str, Any] = {}
    if version is not None and version.item is not None:
        answer["Item"] = version.item if projection is None else projection.apply(version.item)
    if choice:
        size = version.size if version is not None else 0
        answer["ConsumedCapacity"] = consumed(choice, table.name, read_units(size, consistent))
    return answer


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """What a write would do: `item` is what it stores, None where it deletes; `old` is what was there."""

    replica: Replica
    key: Key
    item: Item | None
    size: int
    old: Item | None
    old_size: int
    touched: Projection | None = None

    def commit(self, world: World, now_ns: int) -> None:
        """Do it. Deleting what the Region does not show changes nothing, so nothing replicates."""
        if self.item is not None or self.old is not None:
            world.commit(self.replica, self.key, self.item, self.size, now_ns)

    @property
    def units(self) -> float:
        """The write units it costs."""
        return write_units(max(self.size, self.old_size))


def put_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """PutItem."""
    check_members(request, _PUT)
    return_values = _return_values(request, "NONE", "ALL_OLD")
    planned = plan_put(world, region, request, now_ns)
    return _performed(world, request, planned, return_values, now_ns)


def delete_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """DeleteItem."""
    check_members(request, _DELETE)
    return_values = _return_values(request, "NONE", "ALL_OLD")
    planned = plan_delete(world, region, request, now_ns)
    return _performed(world, request, planned, return_values, now_ns)


def update_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """UpdateItem."""
    check_members(request, _UPDATE)
    return_values = _return_values(request, "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
    planned = plan_update(world, region, request, now_ns)
    return _performed(world, request, planned, return_values, now_ns)


def plan_put(world: World, region: str, request: Request, now_ns: int) -> PlannedWrite:
    """What a put would do; raises where its condition does not hold."""
    replica = world.catalogue.readable(region, request.get("TableName"), now_ns)
    item = normalise_item(required(request, "Item"))
    key = replica.table.schema.key_of_item(item)
    size = checked_size(item, "Item size has exceeded the maximum allowed size")
    old, old_size = current(replica, key, now_ns)
    check_condition(request, expression_context(request), old)
    return PlannedWrite(replica, key, item, size, old, old_size)


def plan_delete(world: World, region: str, request: Request, now_ns: int) -> PlannedWrite:
    """What a delete would do; raises where its condition does not hold."""
    replica = world.catalogue.readable(region, request.get("TableName"), now_ns)
    key = replica.table.schema.key_of_request(required(request, "Key"))
    old, old_size = current(replica, key, now_ns)
    check_condition(request, expression_context(request), old)
    return PlannedWrite(replica, key, None, 0, old, old_size)


def plan_update(world: World, region: str, request: Request, now_ns: int) -> PlannedWrite:
    """What an update would do; raises where its condition does not hold."""
    replica = world.catalogue.readable(region, request.get("TableName"), now_ns)
    schema = replica.table.schema
    key = schema.key_of_request(required(request, "Key"))
    context = expression_context(request)
    update = None
    if "UpdateExpression" in request:
        update = parse_update(request["UpdateExpression"], context)
    old, old_size = current(replica, key, now_ns)
    check_condition(request, context, old)
    base = schema.attributes(key) if old is None else old
    new, touched = base, None
    if update is not None:
        result = update.apply(base, schema)
        new, touched = result.item, result.touched
    size = checked_size(new, "Item size to update has exceeded the maximum allowed size")
    return PlannedWrite(replica, key, new, size, old, old_size, touched)


def _performed(
    world: World, request: Request, planned: PlannedWrite, return_values: str, now_ns: int
) -> dict[str, Any]:
    """Commit and answer."""
    choice = wanted(request)
    planned.commit(world, now_ns)
    answer: dict[str, Any] = {}
    if choice is not None:
        answer["ConsumedCapacity"] = consumed(choice, planned.replica.table.name, planned.units)
    if return_values != "NONE":
        shown = planned.old if return_values.endswith("OLD") else planned.item
        if return_values.startswith("UPDATED") and shown is not None:
            shown = None if planned.touched is None else planned.touched.apply(shown)
        if shown:
            answer["Attributes"] = shown
    return answer


def checked_size(item: Item, message: str) -> int:
    """The size of an item that may be stored."""
    size = item_size(item)
    if size > MAX_ITEM_BYTES:
        raise validation(message)
    return size


def current(replica: Replica, key: Key, now_ns: int) -> tuple[Item | None, int]:
    """The item a Region shows now, and its size."""
    version = replica.table.items.read(key, replica.view(True), now_ns)
    return (None, 0) if version is None else (version.item, version.size)


def _return_values(request: Request, *allowed: str) -> str:
    value = one_of(request, "ReturnValues", "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
    if value not in allowed:
        raise validation("ReturnValues can only be ALL_OLD or NONE")
    return value


def check_condition(request: Request, context: ExpressionContext, old: Item | None) -> None:
    """Raise where the request's condition does not hold of the item that is there."""
    condition = None
    if "ConditionExpression" in request:
        condition = parse_condition(request["ConditionExpression"], context)
    context.check_all_used()
    if condition is None or condition.holds(old):
        return
    shows = one_of(request, "ReturnValuesOnConditionCheckFailure", "NONE", "ALL_OLD") == "ALL_OLD"
    raise WireError(
        "ConditionalCheckFailedException",
        "The conditional request failed",
        extra={"Item": old} if shows and old is not None else None,
    )
