"""Query and Scan: pages of one partition in order of sort keys, or of a table in order of its tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sortedcontainers import SortedList

from harness.emulator.capacity import consumed, read_units, wanted
from harness.emulator.errors import not_supported, validation
from harness.emulator.expressions import (
    Condition,
    ExpressionContext,
    KeyRange,
    Projection,
    parse_condition,
    parse_key_condition,
    parse_projection,
)
from harness.emulator.items import Key, KeyPart
from harness.emulator.replication import World
from harness.emulator.requests import (
    Request,
    check_members,
    expression_context,
    flag,
    one_of,
    positive,
    typed,
)
from harness.emulator.store import TOKENS, ItemStore, token
from harness.emulator.tables import Replica

MAX_PAGE_BYTES = 1 << 20

_BOTH = {
    "TableName",
    "ConsistentRead",
    "ExclusiveStartKey",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "FilterExpression",
    "Limit",
    "ProjectionExpression",
    "ReturnConsumedCapacity",
    "Select",
}
_QUERY = frozenset(_BOTH | {"KeyConditionExpression", "ScanIndexForward"})
_SELECT = ("ALL_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
_SCAN = frozenset(_BOTH | {"Segment", "TotalSegments"})


def query(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """Query."""
    replica = _replica(world, region, request, now_ns, _QUERY)
    schema = replica.table.schema
    context = expression_context(request)
    if "KeyConditionExpression" not in request:
        raise validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    wish = parse_key_condition(request["KeyConditionExpression"], context, schema)
    shape = _shape(request, context)
    for name in schema.names:
        if shape.filter is not None and name in shape.filter.roots:
            raise validation(
                f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
            )
    start = _start_key(request, replica)
    if start is not None and start[0] != wish.hash:
        raise validation("The provided starting key is outside query boundaries based on provided conditions")
    keys = _partition(replica.table.items, wish, start, flag(request, "ScanIndexForward", default=True))
    return _page(world, replica, request, keys, shape, now_ns)


def scan(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """Scan, whole or one of several segments."""
    replica = _replica(world, region, request, now_ns, _SCAN)
    context = expression_context(request)
    shape = _shape(request, context)
    segment, total = positive(request, "Segment", 0), positive(request, "TotalSegments")
    if (segment is None) != (total is None):
        missing = "TotalSegments" if total is None else "Segment"
        present = "Segment" if total is None else "TotalSegments"
        raise validation(
            f"The {missing} parameter is required but was not present in the request when {present} "
            "parameter is present"
        )
    segment, total = segment or 0, total or 1
    if segment >= total:
        raise validation(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    low, high = segment * TOKENS // total, (segment + 1) * TOKENS // total
    start = _start_key(request, replica)
    if start is not None and not low <= token(start[0]) < high:
        raise validation("The provided starting key is invalid: it lies in another segment")
    return _page(world, replica, request, _everything(replica.table.items, start, low, high), shape, now_ns)


class _Shape:
    """What becomes of an item that was read: filtered, projected, or only counted."""

    __slots__ = ("counts_only", "filter", "projection")

    def __init__(self, condition: Condition | None, projection: Projection | None, counts_only: bool) -> None:
        self.filter = condition
        self.projection = projection
        self.counts_only = counts_only


def _replica(world: World, region: str, request: Request, now_ns: int, allowed: frozenset[str]) -> Replica:
    if request.get("IndexName") is not None:
        raise not_supported("A secondary index")
    check_members(request, allowed)
    return world.catalogue.readable(region, request.get("TableName"), now_ns)


def _shape(request: Request, context: ExpressionContext) -> _Shape:
    select = request.get("Select") and one_of(request, "Select", *_SELECT)
    projection = condition = None
    if "FilterExpression" in request:
        condition = parse_condition(request["FilterExpression"], context, "FilterExpression")
    if "ProjectionExpression" in request:
        if select in ("ALL_ATTRIBUTES", "COUNT"):
            what = select if select == "ALL_ATTRIBUTES" else "only the Count"
            raise validation(f"Cannot specify the ProjectionExpression when choosing to get {what}")
        projection = parse_projection(request["ProjectionExpression"], context)
    elif select == "SPECIFIC_ATTRIBUTES":
        raise validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES"
        )
    if select == "ALL_PROJECTED_ATTRIBUTES":
        raise validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    context.check_all_used()
    return _Shape(condition, projection, select == "COUNT")


def _start_key(request: Request, replica: Replica) -> Key | None:
    raw = typed(request, "ExclusiveStartKey", dict)
    return None if raw is None else replica.table.schema.key_of_request(raw)


def _page(
    world: World, replica: Replica, request: Request, keys: Iterator[Key], shape: _Shape, now_ns: int
) -> dict[str, Any]:
    """Read keys in order until the limit, 1 MB or the end."""
    limit = positive(request, "Limit")
    consistent = flag(request, "ConsistentRead")
    as_of_ns = world.read_instant(replica, consistent, now_ns)
    read, number = replica.table.items.read, replica.view(consistent)
    items = []
    count = scanned = size = 0
    last: Key | None = None
    for key in keys:
        version = read(key, number, as_of_ns)
        if version is None or version.item is None:
            continue
        scanned += 1
        size += version.size
        if shape.filter is None or shape.filter.holds(version.item):
            count += 1
            if not shape.counts_only:
                projection = shape.projection
                items.append(version.item if projection is None else projection.apply(version.item))
        if scanned == limit or size >= MAX_PAGE_BYTES:
            last = key
            break
    answer: dict[str, Any] = {"Count": count, "ScannedCount": scanned}
    if not shape.counts_only:
        answer["Items"] = items
    if last is not None:
        answer["LastEvaluatedKey"] = replica.table.schema.attributes(last)
    if choice := wanted(request):
        answer["ConsumedCapacity"] = consumed(choice, replica.table.name, read_units(size, consistent))
    return answer


def _partition(store: ItemStore, wish: KeyRange, start: Key | None, forward: bool) -> Iterator[Key]:
    """Keys of one partition that satisfy `wish`, in order, after `start`."""
    hash_part = wish.hash
    ranges = store.range_keys(hash_part)
    if ranges is None:
        return iter(()) if start is not None else iter(((hash_part, None),))
    low: Any = wish.low  # parts of one table's keys are all of one type, and compare
    high: Any = wish.high
    low_in, high_in = wish.low_inclusive, wish.high_inclusive
    if wish.prefix is not None:
        low, low_in, high, high_in = wish.prefix, True, _after_prefix(wish.prefix), False
    after: Any = None if start is None else start[1]
    if after is not None:
        if forward and (low is None or after >= low):
            low, low_in = after, False
        elif not forward and (high is None or after <= high):
            high, high_in = after, False
    if low is not None and high is not None and low > high:
        return iter(())
    chosen = ranges.irange(low, high, (low_in, high_in), reverse=not forward)
    return ((hash_part, range_part) for range_part in chosen)


def _after_prefix(prefix: KeyPart) -> KeyPart | None:
    """The first text or bytes after all that begin with `prefix`; None where nothing is."""
    if isinstance(prefix, bytes):
        stem = prefix.rstrip(b"\xff")
        return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None
    text = str(prefix).rstrip("\U0010ffff")
    return text[:-1] + chr(ord(text[-1]) + 1) if text else None


def _everything(store: ItemStore, start: Key | None, low: int, high: int) -> Iterator[Key]:
    """Keys of a table with low ≤ token < high, in order, after `start`."""
    place = None if start is None else (token(start[0]), start[0])
    for _, hash_part in store.scan_from(place, low, high):
        ranges = store.range_keys(hash_part)
        after = start is not None and hash_part == start[0]
        if ranges is None:
            if not after:
                yield hash_part, None
            continue
        for range_part in _after(ranges, start[1] if after and start is not None else None):
            yield hash_part, range_part


def _after(ranges: SortedList, start: KeyPart | None) -> Iterator[KeyPart]:
    return ranges.irange(start, None, (False, True))  # type: ignore[no-any-return]
