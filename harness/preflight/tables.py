"""Can a run use a table that was named? From what each Region's DescribeTable says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.dynamodb.schema import schema_of
from harness.errors import TargetUnavailable
from harness.preflight.check import Check, Status

Description = Mapping[str, Any]


def judge_table(name: str, descriptions: Mapping[str, Description | None]) -> list[Check]:
    """One check per Region; `descriptions` holds None where there is no such table."""
    if not any(descriptions.values()):
        detail = f"{name} exists in no Region: a run creates it and removes it afterwards"
        return [Check("table", Status.OK, detail)]
    return [
        Check("table", Status.FAILED, f"{name} does not exist here", region, _add_replica(name, region))
        if description is None
        else _judge_one(name, region, description, [r for r in descriptions if r != region])
        for region, description in descriptions.items()
    ]


def consistency(description: Description) -> str:
    """MREC or MRSC; "single Region" where the table has no replica."""
    if description.get("MultiRegionConsistency") == "STRONG":
        return "MRSC"
    return "MREC" if description.get("Replicas") else "single Region"


def replica_states(description: Description) -> dict[str, str]:
    """What this Region says of the others, by Region."""
    return {r["RegionName"]: str(r.get("ReplicaStatus")) for r in description.get("Replicas", ())}


def _judge_one(name: str, region: str, description: Description, others: list[str]) -> Check:
    status = str(description["TableStatus"])
    if status != "ACTIVE":
        return Check("table", Status.FAILED, f"{name} is {status}", region, "wait until it is ACTIVE")
    try:
        schema_of(description, name, region)
    except TargetUnavailable as error:
        remedy = "choose another with --table, or let the run create its own"
        return Check("table", Status.FAILED, str(error), region, remedy)
    states = replica_states(description)
    missing = [
        f"{other} is {states.get(other, 'no replica')}" for other in others if states.get(other) != "ACTIVE"
    ]
    if missing:
        detail = f"{name} is ACTIVE, but says that {', '.join(missing)}"
        return Check("table", Status.FAILED, detail, region, _add_replica(name, others[0]))
    return _judge_mode(name, region, description)


def _judge_mode(name: str, region: str, description: Description) -> Check:
    mode = description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    detail = f"{name} is ACTIVE, {consistency(description)}, {mode}"
    if consistency(description) == "MRSC":
        remedy = "expect next to no latency: a write is acknowledged once other Regions have it"
        return Check("table", Status.WARNING, detail, region, remedy)
    if mode != "PAY_PER_REQUEST":
        remedy = "provisioned capacity may throttle the run: use PAY_PER_REQUEST, or a lower --rate"
        return Check("table", Status.WARNING, detail, region, remedy)
    return Check("table", Status.OK, detail, region)


def _add_replica(name: str, region: str) -> str:
    return (
        f"add a replica of {name} in {region} and wait until every Region says ACTIVE, or leave out --table"
    )
