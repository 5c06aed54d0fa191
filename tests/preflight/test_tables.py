"""Whether a table that was named can be measured, from what its Regions say."""

from __future__ import annotations

from typing import Any

import pytest

from harness.preflight.check import Status
from harness.preflight.tables import judge_table

HERE, THERE = "us-west-2", "eu-west-1"


def description(other: str, **changes: Any) -> dict[str, Any]:
    return {
        "TableStatus": "ACTIVE",
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "Replicas": [{"RegionName": other, "ReplicaStatus": "ACTIVE"}],
    } | changes


def statuses(here: dict[str, Any] | None, there: dict[str, Any] | None) -> list[Status]:
    return [check.status for check in judge_table("mine", {HERE: here, THERE: there})]


def test_a_replicated_table_is_ok_in_every_region_and_one_that_is_nowhere_is_created() -> None:
    assert statuses(description(THERE), description(HERE)) == [Status.OK, Status.OK]
    assert statuses(None, None) == [Status.OK]


def test_a_table_without_sort_key_and_one_with_other_names_are_ok() -> None:
    course = {
        "KeySchema": [{"AttributeName": "courseid", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "courseid", "AttributeType": "S"}],
    }
    assert statuses(description(THERE, **course), description(HERE, **course)) == [Status.OK, Status.OK]


def test_a_table_that_lacks_a_region_fails_there() -> None:
    assert statuses(description(THERE), None) == [Status.OK, Status.FAILED]


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"TableStatus": "UPDATING"}, Status.FAILED, "mine is UPDATING"),
        ({"Replicas": []}, Status.FAILED, "eu-west-1 is no replica"),
        (
            {"Replicas": [{"RegionName": THERE, "ReplicaStatus": "CREATING"}]},
            Status.FAILED,
            "eu-west-1 is CREATING",
        ),
        (
            {"KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}]},
            Status.FAILED,
            "the key of table mine in us-west-2, sk (N), cannot hold probes",
        ),
        ({"MultiRegionConsistency": "STRONG"}, Status.WARNING, "MRSC"),
        ({"BillingModeSummary": {"BillingMode": "PROVISIONED"}}, Status.WARNING, "PROVISIONED"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(changes: dict[str, Any], status: Status, says: str) -> None:
    here = judge_table("mine", {HERE: description(THERE, **changes), THERE: description(HERE)})[0]
    assert here.status is status
    assert says in here.detail
    assert here.remedy
