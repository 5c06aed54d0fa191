"""Reads and writes of single items: GetItem, PutItem, DeleteItem, UpdateItem. Pure: (world, Region, request, instant).

A conditional write looks at the item its own Region shows at that instant and then writes the whole new item, as a
multi-Region eventually consistent global table does.
"""

from __future__ import annotations

from typing import Any

from harness.emulator.capacity import consumed, read_units, wanted, write_units
from harness.emulator.errors import WireError, validation
from harness.emulator.expressions import ExpressionContext, parse_condition, parse_projection, parse_update
from harness.emulator.items import Item, Key, item_size, normalise_item
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
    version = table.items.read(key, replica.number, as_of_ns)
    answer: dict[str, Any] = {}
    if version is not None and version.item is not None:
        answer["Item"] = version.item if projection is None else projection.apply(version.item)
    if choice:
        size = version.size if version is not None else 0
        answer["ConsumedCapacity"] = consumed(choice, table.name, read_units(size, consistent))
    return answer


def put_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """PutItem."""
    check_members(request, _PUT)
    replica = world.catalogue.readable(region, request.get("TableName"), now_ns)
    item = normalise_item(required(request, "Item"))
    key = replica.table.schema.key_of_item(item)
    size = checked_size(item, "Item size has exceeded the maximum allowed size")
    return_values = _return_values(request, "NONE", "ALL_OLD")
    choice = wanted(request)
    old, old_size = _current(replica, key, now_ns)
    _check_condition(request, expression_context(request), old)
    world.commit(replica, key, item, size, now_ns)
    answer = _write_answer(choice, replica, max(size, old_size))
    if return_values == "ALL_OLD" and old is not None:
        answer["Attributes"] = old
    return answer


def delete_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """DeleteItem; deleting what the Region does not show changes nothing, so nothing replicates."""
    check_members(request, _DELETE)
    replica = world.catalogue.readable(region, request.get("TableName"), now_ns)
    key = replica.table.schema.key_of_request(required(request, "Key"))
    return_values = _return_values(request, "NONE", "ALL_OLD")
    choice = wanted(request)
    old, old_size = _current(replica, key, now_ns)
    _check_condition(request, expression_context(request), old)
    if old is not None:
        world.commit(replica, key, None, 0, now_ns)
    answer = _write_answer(choice, replica, old_size)
    if return_values == "ALL_OLD" and old is not None:
        answer["Attributes"] = old
    return answer


def update_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """UpdateItem."""
    check_members(request, _UPDATE)
    replica = world.catalogue.readable(region, request.get("TableName"), now_ns)
    schema = replica.table.schema
    key = schema.key_of_request(required(request, "Key"))
    return_values = _return_values(request, "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
    context = expression_context(request)
    update = None
    if "UpdateExpression" in request:
        update = parse_update(request["UpdateExpression"], context)
    choice = wanted(request)
    old, old_size = _current(replica, key, now_ns)
    _check_condition(request, context, old)
    base = schema.attributes(key) if old is None else old
    new, touched = base, None
    if update is not None:
        result = update.apply(base, schema)
        new, touched = result.item, result.touched
    size = checked_size(new, "Item size to update has exceeded the maximum allowed size")
    world.commit(replica, key, new, size, now_ns)
    answer = _write_answer(choice, replica, max(size, old_size))
    if return_values != "NONE":
        shown = old if return_values.endswith("OLD") else new
        if return_values.startswith("UPDATED") and shown is not None:
            shown = None if touched is None else touched.apply(shown)
        if shown:
            answer["Attributes"] = shown
    return answer


def checked_size(item: Item, message: str) -> int:
    """The size of an item that may be stored."""
    size = item_size(item)
    if size > MAX_ITEM_BYTES:
        raise validation(message)
    return size


def _current(replica: Replica, key: Key, now_ns: int) -> tuple[Item | None, int]:
    version = replica.table.items.read(key, replica.number, now_ns)
    return (None, 0) if version is None else (version.item, version.size)


def _return_values(request: Request, *allowed: str) -> str:
    value = one_of(request, "ReturnValues", "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
    if value not in allowed:
        raise validation("ReturnValues can only be ALL_OLD or NONE")
    return value


def _check_condition(request: Request, context: ExpressionContext, old: Item | None) -> None:
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


def _write_answer(choice: str | None, replica: Replica, size: int) -> dict[str, Any]:
    if choice is None:
        return {}
    return {"ConsumedCapacity": consumed(choice, replica.table.name, write_units(size))}
