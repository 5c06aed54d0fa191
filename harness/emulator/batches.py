"""BatchGetItem and BatchWriteItem: everything in a batch happens at one instant."""

from __future__ import annotations

from typing import Any

from harness.emulator.capacity import consumed, read_units, wanted, write_units
from harness.emulator.errors import WireError, validation
from harness.emulator.expressions import parse_projection
from harness.emulator.items import Item, Key, item_size, normalise_item
from harness.emulator.operations import checked_size
from harness.emulator.replication import World
from harness.emulator.requests import Request, check_members, expression_context, flag, required, typed
from harness.emulator.tables import Replica

MAX_GET_KEYS, MAX_GET_BYTES, MAX_WRITES = 100, 16 << 20, 25

_GET = frozenset({"RequestItems", "ReturnConsumedCapacity"})
_GET_TABLE = frozenset({"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"})
_WRITE = frozenset({"RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"})
_DUPLICATES = "Provided list of item keys contains duplicates"


def batch_get_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """BatchGetItem; keys beyond 16 MB come back as UnprocessedKeys."""
    check_members(request, _GET)
    tables = _request_items(request)
    if sum(len(_keys(wish)) for wish in tables.values()) > MAX_GET_KEYS:
        raise validation("Too many items requested for the BatchGetItem call")
    responses: dict[str, list[Item]] = {}
    unprocessed: dict[str, Request] = {}
    capacity: list[dict[str, Any]] = []
    choice = wanted(request)
    budget = MAX_GET_BYTES
    for name, wish in tables.items():
        replica = world.catalogue.readable(region, name, now_ns)
        items, used, units, done = _get_from(world, replica, wish, now_ns, budget)
        budget -= used
        responses[name] = items
        if done < len(wish["Keys"]):
            unprocessed[name] = {**wish, "Keys": wish["Keys"][done:]}
        if choice:
            capacity.append(consumed(choice, replica.table.name, units))
    answer: dict[str, Any] = {"Responses": responses, "UnprocessedKeys": unprocessed}
    if choice:
        answer["ConsumedCapacity"] = capacity
    return answer


def _get_from(
    world: World, replica: Replica, wish: Request, now_ns: int, budget: int
) -> tuple[list[Item], int, float, int]:
    """(items, their bytes, units, keys processed) of one table's keys."""
    check_members(wish, _GET_TABLE)
    schema, store = replica.table.schema, replica.table.items
    keys = [schema.key_of_request(raw) for raw in wish["Keys"]]
    if len(set(keys)) < len(keys):
        raise validation(_DUPLICATES)
    consistent = flag(wish, "ConsistentRead")
    context = expression_context(wish)
    projection = None
    if "ProjectionExpression" in wish:
        projection = parse_projection(wish["ProjectionExpression"], context)
    context.check_all_used()
    items: list[Item] = []
    used, units = 0, 0.0
    for place, key in enumerate(keys):
        version = store.read(key, replica.view(consistent), world.read_instant(replica, consistent, now_ns))
        size = version.size if version is not None else 0
        if used + size > budget:
            return items, used, units, place
        used += size
        units += read_units(size, consistent)
        if version is not None and version.item is not None:
            items.append(version.item if projection is None else projection.apply(version.item))
    return items, used, units, len(keys)


def batch_write_item(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """BatchWriteItem; all of it is checked before any of it is written, and nothing is ever left over."""
    check_members(request, _WRITE)
    tables = _request_items(request)
    for name, writes in tables.items():
        if type(writes) is not list:
            raise WireError("SerializationException", f"RequestItems of {name} is not of type List")
        if not writes:
            raise _empty(name)
    if sum(map(len, tables.values())) > MAX_WRITES:
        raise validation("Too many items requested for the BatchWriteItem call")
    planned: list[tuple[Replica, Key, Item | None]] = []
    for name, writes in tables.items():
        replica = world.catalogue.readable(region, name, now_ns)
        puts = [(replica, *_planned(replica, write)) for write in writes]
        if len({key for _, key, _ in puts}) < len(puts):
            raise validation(_DUPLICATES)
        planned += puts
    choice = wanted(request)
    units: dict[str, float] = {}
    for replica, key, _ in planned:
        world.quorum.refuse_conflict(replica, key, now_ns)
    for replica, key, item in planned:
        old = replica.table.items.read(key, replica.view(True), now_ns)
        size = 0 if item is None else item_size(item)
        if item is not None or (old is not None and old.item is not None):
            world.commit(replica, key, item, size, now_ns)
        used = write_units(max(size, 0 if old is None else old.size))
        units[replica.table.name] = units.get(replica.table.name, 0.0) + used
    answer: dict[str, Any] = {"UnprocessedItems": {}}
    if choice:
        answer["ConsumedCapacity"] = [consumed(choice, name, used) for name, used in units.items()]
    return answer


def _planned(replica: Replica, write: object) -> tuple[Key, Item | None]:
    """(key, item to put or None to delete) of one entry."""
    if type(write) is not dict:
        raise WireError("SerializationException", "a write request is not of type Map")
    asked = {name: value for name, value in write.items() if value is not None}
    if len(asked) == 1:
        (name, body), schema = next(iter(asked.items())), replica.table.schema
        if name == "PutRequest" and type(body) is dict:
            item = normalise_item(required(body, "Item"))
            key = schema.key_of_item(item)
            checked_size(item, "Item size has exceeded the maximum allowed size")
            return key, item
        if name == "DeleteRequest" and type(body) is dict:
            return schema.key_of_request(required(body, "Key")), None
    raise validation("A write request must hold exactly one of PutRequest and DeleteRequest")


def _request_items(request: Request) -> dict[str, Any]:
    required(request, "RequestItems")
    tables: dict[str, Any] = typed(request, "RequestItems", dict)
    if not tables:
        raise validation(
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    return tables


def _keys(wish: object) -> list[Any]:
    if type(wish) is not dict or type(required(wish, "Keys")) is not list:
        raise WireError("SerializationException", "Keys is not of type List")
    if not wish["Keys"]:
        raise _empty("keys")
    return list(wish["Keys"])


def _empty(name: str) -> WireError:
    return validation(
        f"1 validation error detected: Value '[]' at 'requestItems.{name}' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )
