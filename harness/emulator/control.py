"""Tables and replicas as a client creates, changes, lists and deletes them. Nothing here waits: a request stores the
instants at which the table's status changes.
"""

from __future__ import annotations

from typing import Any

from harness.emulator.definitions import (
    billing,
    describe,
    key_schema,
    new_table_name,
    refuse_unsupported,
    stream_specification,
)
from harness.emulator.errors import WireError, not_supported, table_not_found, validation
from harness.emulator.replication import World
from harness.emulator.requests import Request, check_members, flag, one_of, positive, required, typed
from harness.emulator.store import ItemStore
from harness.emulator.tables import FOREVER, Replica, Table, table_name

_CREATE = frozenset(
    {
        "AttributeDefinitions",
        "BillingMode",
        "DeletionProtectionEnabled",
        "KeySchema",
        "ProvisionedThroughput",
        "StreamSpecification",
        "TableClass",
        "TableName",
        "Tags",
    }
)
_SETTINGS = frozenset(
    {"BillingMode", "DeletionProtectionEnabled", "ProvisionedThroughput", "StreamSpecification"}
)
_UPDATE = _SETTINGS | frozenset(
    {"AttributeDefinitions", "MultiRegionConsistency", "ReplicaUpdates", "TableName"}
)
_IN_USE = "The resource which you are attempting to change is in use."
_NOT_A_MEMBER = (
    "Update global table operation failed because one or more replicas were not part of the global table. "
    "Please retry the request without these replicas: [{}]."
)
_SOURCE = (
    "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to "
    "the table in the last 24 hours."
)


def create_table(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """CreateTable."""
    refuse_unsupported(request)
    check_members(request, _CREATE)
    name = new_table_name(request, region)
    schema = key_schema(request)
    if world.catalogue.find(region, name, now_ns) is not None:
        raise WireError("ResourceInUseException", f"Table already exists: {name}")
    definition = {member: request[member] for member in ("AttributeDefinitions", "KeySchema")}
    table = Table(
        name, schema, ItemStore(schema.range_name is not None), definition, billing(request, None, now_ns)
    )
    active_ns = now_ns + world.takes_ns(world.settings.pace.table)
    replica = _new_replica(world, table, region, now_ns, active_ns)
    replica.deletion_protected = flag(request, "DeletionProtectionEnabled")
    replica.stream = stream_specification(request)
    return {"TableDescription": describe(world, replica, now_ns)}


def describe_table(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """DescribeTable."""
    check_members(request, frozenset({"TableName"}))
    return {"Table": describe(world, _existing(world, region, request, now_ns), now_ns)}


def list_tables(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """ListTables."""
    check_members(request, frozenset({"ExclusiveStartTableName", "Limit"}))
    start = typed(request, "ExclusiveStartTableName", str) or ""
    limit = positive(request, "Limit") or 100
    names = [name for name in world.catalogue.in_region(region, now_ns) if name > start]
    answer: dict[str, Any] = {"TableNames": names[:limit]}
    if len(names) > limit:
        answer["LastEvaluatedTableName"] = names[limit - 1]
    return answer


def delete_table(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """DeleteTable; the replicas in other Regions have to go first."""
    check_members(request, frozenset({"TableName"}))
    replica = _existing(world, region, request, now_ns)
    if replica.deletion_protected:
        raise _protected(replica)
    if replica.status(now_ns) != "ACTIVE":
        raise WireError("ResourceInUseException", _in_use_by(replica, now_ns))
    others = [other.region for other in replica.table.present(now_ns) if other is not replica]
    if others:
        raise validation(
            _SOURCE
            if _sourced(world, replica, now_ns)
            else f"Table {replica.table.name} is part of a global table; remove its replicas first: "
            f"UpdateTable with ReplicaUpdates Delete, one Region per call ({', '.join(others)})"
        )
    replica.deleting_ns = now_ns
    replica.left_ns = replica.gone_ns = now_ns + world.takes_ns(world.settings.pace.table)
    return {"TableDescription": describe(world, replica, now_ns)}


def update_table(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """UpdateTable: one replica made or removed, or settings of the table."""
    refuse_unsupported(request)
    check_members(request, _UPDATE)
    replica = _existing(world, region, request, now_ns)
    updates = typed(request, "ReplicaUpdates", list)
    _check_update(request, updates)
    if replica.status(now_ns) != "ACTIVE" or _changing(replica.table, now_ns):
        raise WireError("ResourceInUseException", _IN_USE)
    if updates and not _update_replicas(world, replica, updates, now_ns):
        return {"TableDescription": describe(world, replica, now_ns) | {"TableStatus": "UPDATING"}}
    if not updates:
        _update_settings(world, replica, request, now_ns)
    return {"TableDescription": describe(world, replica, now_ns)}


def _check_update(request: Request, updates: list[Any] | None) -> None:
    if one_of(request, "MultiRegionConsistency", "EVENTUAL", "STRONG") == "STRONG":
        raise not_supported("MultiRegionConsistency STRONG")
    changes = _SETTINGS & request.keys()
    if not updates and not changes:
        raise validation("At least one of ReplicaUpdates, " + ", ".join(sorted(_SETTINGS)) + " is required")
    if updates and changes:
        raise not_supported(f"ReplicaUpdates together with {', '.join(sorted(changes))}")


def _update_replicas(world: World, replica: Replica, updates: list[Any], now_ns: int) -> bool:
    """Make or remove one replica; False where the emulator is set to answer as if it did."""
    if not all(type(update) is dict and len(update) == 1 for update in updates):
        raise validation("Each of ReplicaUpdates must hold exactly one of Create, Update and Delete")
    if len(updates) > 1:
        raise validation(
            "Update table operation with more than one create or delete replica actions not allowed"
        )
    action, body = next(iter(updates[0].items()))
    if action not in ("Create", "Delete") or type(body) is not dict:
        raise not_supported(f"ReplicaUpdates {action}")
    check_members(body, frozenset({"RegionName"}))
    other = str(required(body, "RegionName"))
    if other == replica.region:
        raise validation(
            "Cannot add or delete the local region through ReplicaUpdates. "
            "Use CreateTable, DeleteTable, or UpdateTable as required."
        )
    if other not in world.regions:
        known = ", ".join(world.regions)
        raise validation(f"Region {other} is not supported. This emulator was started with {known}.")
    if world.ignored_updates:
        world.ignored_updates -= 1
        return False
    if action == "Create":
        _create_replica(world, replica, other, now_ns)
    else:
        _delete_replica(world, replica, other, now_ns)
    return True


def _create_replica(world: World, source: Replica, region: str, now_ns: int) -> None:
    table = source.table
    if world.catalogue.find(region, table.name, now_ns) is not None:
        raise validation(
            f"Failed to create a the new replica of table with name: '{table.name}' because one or more "
            "replicas already existed as tables."
        )
    if table.billing["BillingMode"] != "PAY_PER_REQUEST":
        raise validation("Table write capacity should either be Pay-Per-Request or AutoScaled.")
    pace = world.settings.pace
    span = pace.loaded if table.items.holds(source.number, now_ns) else pace.empty
    table.busy_until_ns = now_ns + world.takes_ns(span)
    replica = _new_replica(world, table, region, now_ns, table.busy_until_ns)
    replica.listed_ns = min(now_ns + world.takes_ns(pace.listed), replica.active_ns)
    replica.known_ns = min(now_ns + world.takes_ns(pace.known), replica.active_ns)
    replica.source = source.region
    images = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    replica.stream = images
    source.stream = source.stream or images


def _delete_replica(world: World, asked: Replica, region: str, now_ns: int) -> None:
    """The asked Region is UPDATING for a while; the replica's own Region answers a little longer than it is listed."""
    table = asked.table
    replica = table.replicas.get(region)
    if replica is None or replica.deleting_ns != FOREVER:
        raise validation(_NOT_A_MEMBER.format(region))
    if replica.deletion_protected:
        raise _protected(replica)
    if _sourced(world, replica, now_ns):
        raise validation(_SOURCE)
    pace = world.settings.pace
    table.busy_until_ns = now_ns + world.takes_ns(pace.updating)
    replica.deleting_ns = now_ns
    replica.left_ns = table.busy_until_ns + world.takes_ns(pace.deleting)
    replica.gone_ns = replica.left_ns + world.takes_ns(pace.lingering)


def _sourced(world: World, replica: Replica, now_ns: int) -> bool:
    """Has its Region added a replica, still there, in the last 24 hours?"""
    since_ns = now_ns - world.settings.pace.source_ns
    present = replica.table.present(now_ns)
    return any(other.source == replica.region and other.created_ns > since_ns for other in present)


def _update_settings(world: World, replica: Replica, request: Request, now_ns: int) -> None:
    table = replica.table
    if "DeletionProtectionEnabled" in request:
        replica.deletion_protected = flag(request, "DeletionProtectionEnabled")
    if "StreamSpecification" in request:
        replica.stream = stream_specification(request)
    if "BillingMode" in request or "ProvisionedThroughput" in request:
        table.billing = billing(request, table.billing, now_ns)
        table.busy_until_ns = now_ns + world.takes_ns(world.settings.pace.table)


def _new_replica(world: World, table: Table, region: str, now_ns: int, active_ns: int) -> Replica:
    number = world.catalogue.next_number()
    replica = Replica(number, region, table, world.new_id(), created_ns=now_ns, active_ns=active_ns)
    world.catalogue.add(replica)
    return replica


def _existing(world: World, region: str, request: Request, now_ns: int) -> Replica:
    name = table_name(request.get("TableName"), region)
    replica = world.catalogue.find(region, name, now_ns)
    if replica is None or now_ns < replica.known_ns:
        raise table_not_found(f"Requested resource not found: Table: {name} not found")
    return replica


def _changing(table: Table, now_ns: int) -> bool:
    return any(replica.status(now_ns) != "ACTIVE" for replica in table.present(now_ns))


def _in_use_by(replica: Replica, now_ns: int) -> str:
    verb = {"CREATING": "created", "UPDATING": "updated", "DELETING": "deleted"}[replica.status(now_ns)]
    return f"Attempt to change a resource which is still in use: Table is being {verb}: {replica.table.name}"


def _protected(replica: Replica) -> WireError:
    return validation(
        f"Resource cannot be deleted as it is currently protected against deletion. "
        f"Disable deletion protection first. Table: {replica.arn}"
    )
