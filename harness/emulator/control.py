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
from harness.emulator.replicas import SOURCE, change_replicas, new_replica, protected, sourced
from harness.emulator.replication import World
from harness.emulator.requests import Request, check_members, flag, positive, typed
from harness.emulator.store import ItemStore
from harness.emulator.tables import Replica, Table, table_name

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
    {
        "AttributeDefinitions",
        "GlobalTableWitnessUpdates",
        "MultiRegionConsistency",
        "ReplicaUpdates",
        "TableName",
    }
)
_IN_USE = "The resource which you are attempting to change is in use."


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
    replica = new_replica(world, table, region, now_ns, active_ns)
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
        raise protected(replica)
    if replica.status(now_ns) != "ACTIVE":
        raise WireError("ResourceInUseException", _in_use_by(replica, now_ns))
    others = [other.region for other in replica.table.present(now_ns) if other is not replica]
    if others:
        raise validation(
            SOURCE
            if sourced(world, replica, now_ns)
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
    replicas = bool(request.get("ReplicaUpdates") or request.get("GlobalTableWitnessUpdates"))
    _check_update(request, replicas)
    if replica.status(now_ns) != "ACTIVE" or _changing(replica.table, now_ns):
        raise WireError("ResourceInUseException", _IN_USE)
    if replicas and not change_replicas(world, replica, request, now_ns):
        return {"TableDescription": describe(world, replica, now_ns) | {"TableStatus": "UPDATING"}}
    if not replicas:
        _update_settings(world, replica, request, now_ns)
    return {"TableDescription": describe(world, replica, now_ns)}


def _check_update(request: Request, replicas: bool) -> None:
    changes = _SETTINGS & request.keys()
    if not replicas and not changes:
        raise validation("At least one of ReplicaUpdates, " + ", ".join(sorted(_SETTINGS)) + " is required")
    if replicas and changes:
        raise not_supported(f"ReplicaUpdates together with {', '.join(sorted(changes))}")


def _update_settings(world: World, replica: Replica, request: Request, now_ns: int) -> None:
    table = replica.table
    if "DeletionProtectionEnabled" in request:
        replica.deletion_protected = flag(request, "DeletionProtectionEnabled")
    if "StreamSpecification" in request:
        replica.stream = stream_specification(request)
    if "BillingMode" in request or "ProvisionedThroughput" in request:
        table.billing = billing(request, table.billing, now_ns)
        table.busy_until_ns = now_ns + world.takes_ns(world.settings.pace.table)


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
