"""Tables and replicas over time."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulator.errors import WireError
from harness.emulator.pace import fast
from tests.emulator.worlds import IRELAND, MS, OREGON, SYDNEY, Client, S, global_table, world_of


def timed() -> Client:
    """A world where a table takes 200 ms and a replica 500 ms, and a table made at instant 0."""
    pace = fast(200 * MS, 500 * MS)
    client = Client(world_of(OREGON, SYDNEY, IRELAND, lag="constant=1s", pace=pace))
    client.create(0)
    return client


def described(client: Client, region: str, now_ns: int) -> dict[str, Any]:
    """The table as DescribeTable shows it."""
    return client.ask("DescribeTable", region, now_ns)["Table"]


def replicas(client: Client, region: str, now_ns: int) -> dict[str, str]:
    """ReplicaStatus by Region, as one Region lists it."""
    table = described(client, region, now_ns)
    return {entry["RegionName"]: entry["ReplicaStatus"] for entry in table.get("Replicas", ())}


def change(client: Client, action: str, region: str, now_ns: int, asked: str = OREGON) -> dict[str, Any]:
    """One replica made or removed."""
    update = [{action: {"RegionName": region}}]
    return client.ask("UpdateTable", asked, now_ns, ReplicaUpdates=update)["TableDescription"]


def refused(error_type: str, text: str = "") -> Any:
    """Expect an error of this type with this text in it."""

    class Refused:
        def __enter__(self) -> None:
            return None

        def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
            assert isinstance(error, WireError), f"not refused: {error!r}"
            assert (error.error_type, text in error.message) == (error_type, True), error.message
            return True

    return Refused()


def test_a_table_is_creating_then_active_and_answers_data_calls_only_then() -> None:
    client = timed()
    assert described(client, OREGON, 1)["TableStatus"] == "CREATING"
    with refused("ResourceNotFoundException"):
        client.put(OREGON, 199 * MS, "x")
    with refused("ResourceInUseException"):
        change(client, "Create", SYDNEY, 199 * MS)
    assert described(client, OREGON, 200 * MS)["TableStatus"] == "ACTIVE"
    client.put(OREGON, 200 * MS, "x")


def test_the_description_has_what_the_sdks_read() -> None:
    client = global_table(OREGON, SYDNEY)
    client.put(OREGON, S, "x", "y")
    table = described(client, OREGON, 2 * S)
    assert table["TableArn"] == f"arn:aws:dynamodb:{OREGON}:000000000000:table/items"
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert (table["ItemCount"], table["TableSizeBytes"]) == (1, 5)
    assert table["GlobalTableVersion"] == "2019.11.21"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert "MultiRegionConsistency" not in table
    assert client.ask("DescribeTable", OREGON, 2 * S, TableName=table["TableArn"])["Table"] == table


def test_a_replica_is_creating_then_active_and_its_region_never_lists_itself() -> None:
    client = timed()
    answer = change(client, "Create", SYDNEY, S)
    assert (answer["TableStatus"], answer["Replicas"]) == (
        "UPDATING",
        [{"RegionName": SYDNEY, "ReplicaStatus": "CREATING"}],
    )
    assert replicas(client, OREGON, S + 499 * MS) == {SYDNEY: "CREATING"}
    assert described(client, SYDNEY, S + 499 * MS)["TableStatus"] == "CREATING"
    with refused("ResourceNotFoundException"):
        client.get(SYDNEY, S + 499 * MS, "x")
    with refused("ResourceInUseException", "in use"):
        change(client, "Create", IRELAND, S + 499 * MS)
    assert described(client, OREGON, S + 500 * MS)["TableStatus"] == "ACTIVE"
    assert replicas(client, OREGON, S + 500 * MS) == {SYDNEY: "ACTIVE"}
    assert replicas(client, SYDNEY, S + 500 * MS) == {OREGON: "ACTIVE"}
    change(client, "Create", IRELAND, S + 500 * MS, asked=SYDNEY)
    assert replicas(client, OREGON, 2 * S) == {SYDNEY: "ACTIVE", IRELAND: "ACTIVE"}


def test_items_from_before_a_replica_are_there_from_its_first_instant_and_later_ones_after_their_lag() -> (
    None
):
    client = timed()
    client.put(OREGON, 300 * MS, "before")
    change(client, "Create", SYDNEY, S)
    client.put(OREGON, S + 1 * MS, "meanwhile")
    assert client.get(SYDNEY, S + 500 * MS, "before") is not None
    assert client.get(SYDNEY, 2 * S, "meanwhile") is None
    assert client.get(SYDNEY, 2 * S + 1 * MS, "meanwhile") is not None


def test_a_replica_leaves_step_by_step_and_can_come_back() -> None:
    client = timed()
    client.put(OREGON, 300 * MS, "x", "old")
    change(client, "Create", SYDNEY, S)
    answer = change(client, "Delete", SYDNEY, 3 * S)
    assert answer["TableStatus"] == "UPDATING"
    assert replicas(client, OREGON, 3 * S + 300 * MS) == {SYDNEY: "DELETING"}
    assert described(client, OREGON, 3 * S + 300 * MS)["TableStatus"] == "ACTIVE"
    with refused("ResourceInUseException"):
        change(client, "Create", SYDNEY, 3 * S + 300 * MS)
    with refused("ResourceNotFoundException"):
        client.get(SYDNEY, 3 * S + 1, "x")
    assert replicas(client, OREGON, 3 * S + 500 * MS) == {}
    assert described(client, SYDNEY, 3 * S + 500 * MS)["TableStatus"] == "DELETING"
    with refused("ResourceNotFoundException"):
        described(client, SYDNEY, 4 * S)
    client.put(OREGON, 4 * S, "x", "new")
    change(client, "Create", SYDNEY, 4 * S + 1)
    assert client.get(SYDNEY, 5 * S, "x")["v"]["S"] == "new"


def test_a_region_that_sourced_a_replica_cannot_leave_before_it() -> None:
    client = timed()
    change(client, "Create", SYDNEY, S)
    change(client, "Create", IRELAND, 2 * S, asked=SYDNEY)
    with refused("ValidationException", "acted as a source region"):
        change(client, "Delete", SYDNEY, 3 * S)
    with refused("ValidationException", "acted as a source region"):
        client.ask("DeleteTable", OREGON, 3 * S)
    change(client, "Delete", IRELAND, 4 * S)
    change(client, "Delete", SYDNEY, 5 * S)
    client.ask("DeleteTable", OREGON, 6 * S)
    with refused("ResourceNotFoundException"):
        described(client, OREGON, 7 * S)


def test_deleting_a_replicas_table_is_refused_while_others_exist() -> None:
    client = global_table(OREGON, SYDNEY)
    with refused("ValidationException", "remove its replicas first"):
        client.ask("DeleteTable", SYDNEY, S)


def test_mistakes_with_replicas_get_awss_texts() -> None:
    client = global_table(OREGON, SYDNEY, IRELAND)
    with refused("ValidationException", "one or more replicas already existed as tables."):
        change(client, "Create", SYDNEY, S)
    with refused("ValidationException", "Cannot add or delete the local region through ReplicaUpdates."):
        change(client, "Create", OREGON, S)
    with refused("ValidationException", "Region eu-west-99 is not supported."):
        change(client, "Create", "eu-west-99", S)
    with refused("ValidationException", "more than one create or delete replica actions not allowed"):
        both = [{"Delete": {"RegionName": region}} for region in (SYDNEY, IRELAND)]
        client.ask("UpdateTable", OREGON, S, ReplicaUpdates=both)
    change(client, "Delete", IRELAND, S)
    with refused("ValidationException", f"without these replicas: [{IRELAND}]."):
        change(client, "Delete", IRELAND, 2 * S)
    with refused("ValidationException", "At least one of ReplicaUpdates"):
        client.ask("UpdateTable", OREGON, 2 * S, MultiRegionConsistency="STRONG")
    with refused("ResourceNotFoundException", "Table: nothing not found"):
        client.ask("DescribeTable", OREGON, 2 * S, TableName="nothing")


def test_a_provisioned_table_gets_replicas_only_once_it_is_on_demand() -> None:
    client = Client(world_of(OREGON, SYDNEY))
    throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    client.create(BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
    assert described(client, OREGON, 1)["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    with refused("ValidationException", "Pay-Per-Request or AutoScaled"):
        change(client, "Create", SYDNEY, 1)
    client.ask("UpdateTable", OREGON, 2, BillingMode="PAY_PER_REQUEST")
    change(client, "Create", SYDNEY, 3)


def test_the_same_name_made_in_two_regions_is_two_tables() -> None:
    client = Client(world_of(OREGON, SYDNEY, lag="constant=0s"))
    client.create(0, OREGON)
    client.create(0, SYDNEY)
    client.put(OREGON, 1, "x")
    assert client.get(SYDNEY, 10 * S, "x") is None
    with refused("ValidationException", "already existed as tables"):
        change(client, "Create", SYDNEY, 10 * S)
    with refused("ResourceInUseException", "Table already exists: items"):
        client.create(10 * S, OREGON)


def test_deletion_protection_is_kept_per_region() -> None:
    client = global_table(OREGON, SYDNEY)
    client.ask("UpdateTable", SYDNEY, S, DeletionProtectionEnabled=True)
    with refused("ValidationException", "protected against deletion"):
        change(client, "Delete", SYDNEY, S)
    assert described(client, OREGON, S)["DeletionProtectionEnabled"] is False
    client.ask("UpdateTable", SYDNEY, S, DeletionProtectionEnabled=False)
    change(client, "Delete", SYDNEY, 2 * S)


def test_a_deleted_table_can_be_made_again_and_is_empty() -> None:
    client = timed()
    client.put(OREGON, S, "x")
    client.ask("DeleteTable", OREGON, 2 * S)
    assert described(client, OREGON, 2 * S + 1)["TableStatus"] == "DELETING"
    assert client.ask("ListTables", OREGON, 2 * S + 1, TableName=None)["TableNames"] == ["items"]
    assert client.ask("ListTables", OREGON, 3 * S, TableName=None)["TableNames"] == []
    client.create(3 * S)
    assert client.get(OREGON, 4 * S, "x") is None


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"GlobalSecondaryIndexes": [{}]}, "A global secondary index is not supported"),
        ({"LocalSecondaryIndexes": [{}]}, "A local secondary index is not supported"),
        ({"OnDemandThroughput": {}}, "OnDemandThroughput is not supported"),
        ({"KeySchema": [{"AttributeName": "sk", "KeyType": "RANGE"}]}, "Invalid KeySchema"),
        ({"AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}]}, "does not exactly match"),
        ({"BillingMode": "PROVISIONED"}, "must both be specified"),
        ({"BillingMode": "FREE"}, "enum value set"),
        ({"TableName": "ab"}, "at least 3 characters"),
        ({"TableName": "a b c"}, "regular expression"),
    ],
)
def test_a_table_that_cannot_be_made_says_why(more: dict[str, Any], text: str) -> None:
    client = Client(world_of(OREGON))
    with refused("ValidationException", text):
        client.create(**more)
