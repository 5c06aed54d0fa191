"""A table's definition: read from CreateTable and UpdateTable, and told in AWS's shape."""

from __future__ import annotations

import re
from typing import Any

from harness.emulator.errors import WireError, not_supported, validation
from harness.emulator.items import KeySchema
from harness.emulator.replication import World
from harness.emulator.requests import Request, one_of, required, typed
from harness.emulator.tables import FOREVER, Replica, table_name
from harness.units import NS_PER_S

_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
_UNSUPPORTED = {
    "GlobalSecondaryIndexes": "A global secondary index",
    "GlobalSecondaryIndexUpdates": "A global secondary index",
    "LocalSecondaryIndexes": "A local secondary index",
    "SSESpecification": "SSESpecification",
}


def refuse_unsupported(request: Request) -> None:
    """Refuse, by its name, what a table may have and this emulator's may not."""
    for member, what in _UNSUPPORTED.items():
        if request.get(member):
            raise not_supported(what)
        request.pop(member, None)


def new_table_name(request: Request, region: str) -> str:
    """The name of a table that is to be made."""
    name = table_name(request.get("TableName"), region)
    if not 3 <= len(name) <= 255:
        raise validation("TableName must be at least 3 characters long and at most 255 characters long")
    if not _NAME.fullmatch(name):
        raise validation(
            f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )
    return name


def key_schema(request: Request) -> KeySchema:
    """The key of CreateTable's KeySchema and AttributeDefinitions."""
    required(request, "KeySchema")
    required(request, "AttributeDefinitions")
    elements = typed(request, "KeySchema", list)
    definitions = typed(request, "AttributeDefinitions", list)
    try:
        types = {entry["AttributeName"]: entry["AttributeType"] for entry in definitions}
        keys = [(entry["AttributeName"], entry["KeyType"]) for entry in elements]
    except (TypeError, KeyError):
        raise WireError("SerializationException", "KeySchema or AttributeDefinitions is malformed") from None
    if [kind for _, kind in keys] not in (["HASH"], ["HASH", "RANGE"]):
        raise validation(
            "Invalid KeySchema: The first KeySchemaElement must be a HASH key type, the second a RANGE key type"
        )
    names = [name for name, _ in keys]
    if len(set(names)) < len(names):
        raise validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if set(names) != set(types) or len(definitions) != len(types):
        raise validation(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly "
            "match number of attributes defined in AttributeDefinitions"
        )
    for name in names:
        if types[name] not in ("S", "N", "B"):
            raise validation(
                f"1 validation error detected: Value '{types[name]}' at 'attributeDefinitions.member."
                "attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]"
            )
    range_name = names[1] if len(names) == 2 else None
    return KeySchema(names[0], types[names[0]], range_name, types[range_name] if range_name else None)


def billing(request: Request, before: dict[str, Any] | None, now_ns: int) -> dict[str, Any]:
    """BillingMode and units of a table; throughput is told back, never enforced."""
    mode = one_of(
        request,
        "BillingMode",
        before["BillingMode"] if before else "PROVISIONED",
        "PROVISIONED",
        "PAY_PER_REQUEST",
    )
    throughput = typed(request, "ProvisionedThroughput", dict)
    if mode == "PAY_PER_REQUEST":
        if throughput:
            raise validation(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits "
                "can be specified when BillingMode is PAY_PER_REQUEST"
            )
        since_ns = before["since_ns"] if before and before["BillingMode"] == mode else now_ns
        return {"BillingMode": mode, "since_ns": since_ns, "read": 0, "write": 0}
    if throughput is None:
        raise validation(
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be "
            "specified when BillingMode is PROVISIONED"
        )
    read, write = throughput.get("ReadCapacityUnits"), throughput.get("WriteCapacityUnits")
    if type(read) is not int or type(write) is not int or read < 1 or write < 1:
        raise validation("ReadCapacityUnits and WriteCapacityUnits must be numbers of at least 1")
    return {"BillingMode": mode, "since_ns": now_ns, "read": read, "write": write}


def stream_specification(request: Request) -> dict[str, Any] | None:
    """StreamSpecification, told back and otherwise without effect: there is no stream to read."""
    given = typed(request, "StreamSpecification", dict)
    return given if given and given.get("StreamEnabled") else None


def describe(world: World, replica: Replica, now_ns: int) -> dict[str, Any]:
    """The TableDescription of one replica at an instant."""
    table = replica.table
    billed = table.billing

    def seconds(instant_ns: int) -> float:
        return round((instant_ns + world.wall_offset_ns) / NS_PER_S, 3)

    described: dict[str, Any] = {
        **table.definition,
        "TableName": table.name,
        "TableStatus": replica.status(now_ns),
        "CreationDateTime": seconds(replica.created_ns),
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": billed["read"],
            "WriteCapacityUnits": billed["write"],
        },
        "TableSizeBytes": table.items.size_bytes,
        "ItemCount": len(table.items),
        "TableArn": replica.arn,
        "TableId": replica.table_id,
        "DeletionProtectionEnabled": replica.deletion_protected,
    }
    if billed["BillingMode"] == "PAY_PER_REQUEST":
        described["BillingModeSummary"] = {
            "BillingMode": "PAY_PER_REQUEST",
            "LastUpdateToPayPerRequestDateTime": seconds(billed["since_ns"]),
        }
    if replica.stream:
        described["StreamSpecification"] = replica.stream
    others = [other for other in table.present(now_ns) if other is not replica]
    if others or replica.source:
        described["GlobalTableVersion"] = "2019.11.21"
        described["Replicas"] = [
            {"RegionName": other.region, "ReplicaStatus": other.replica_status(now_ns)}
            for other in others
            if now_ns >= other.listed_ns
        ]
    if table.strong:
        described["MultiRegionConsistency"] = "STRONG"
    if table.witness:
        status = "CREATING" if now_ns < table.busy_until_ns else "ACTIVE"
        described["GlobalTableWitnesses"] = [{"RegionName": table.witness, "WitnessStatus": status}]
    if replica.deleting_ns != FOREVER:
        described.pop("Replicas", None)
    return described
