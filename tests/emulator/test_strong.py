"""Multi-Region strong consistency: three Regions at once, quorum times, conflicts, and what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.emulator.errors import WireError
from harness.emulator.pace import fast
from harness.emulator.replication import EventualReads
from harness.emulator.rtt import matrix
from harness.emulator.truth import Truth
from harness.measure.clock import now_ns
from tests.emulator.processes import boto_client, emulator
from tests.emulator.test_tables import change, described, refused, replicas
from tests.emulator.worlds import MS, OREGON, SYDNEY, Client, S, world_of

VIRGINIA, OHIO = "us-east-1", "us-east-2"
REGIONS = (OREGON, VIRGINIA, OHIO)
ARRIVED = 1 * S


def creates(*regions: str) -> list[dict[str, Any]]:
    return [{"Create": {"RegionName": region}} for region in regions]


def make_strong(client: Client, now_ns: int = 0, witness: str | None = None, **more: Any) -> dict[str, Any]:
    """A table made strong in all three Regions, or in two and a witness."""
    others = [region for region in (VIRGINIA, OHIO) if region != witness]
    request: dict[str, Any] = {"ReplicaUpdates": creates(*others), "MultiRegionConsistency": "STRONG", **more}
    if witness:
        request["GlobalTableWitnessUpdates"] = creates(witness)
    return client.ask("UpdateTable", OREGON, now_ns, **request)["TableDescription"]


def strong_table(witness: str | None = None, **more: Any) -> Client:
    client = Client(world_of(*REGIONS, SYDNEY, lag="constant=100s", **more))
    client.create(0)
    make_strong(client, witness=witness)
    return client


def test_three_regions_become_strong_in_one_call() -> None:
    client = Client(world_of(*REGIONS, SYDNEY, pace=fast(0, 500 * MS)))
    client.create(0)
    answer = make_strong(client)
    assert (answer["TableStatus"], answer["MultiRegionConsistency"]) == ("UPDATING", "STRONG")
    assert replicas(client, OREGON, 499 * MS) == {VIRGINIA: "CREATING", OHIO: "CREATING"}
    assert replicas(client, OHIO, 500 * MS) == {OREGON: "ACTIVE", VIRGINIA: "ACTIVE"}
    assert described(client, OHIO, 500 * MS)["MultiRegionConsistency"] == "STRONG"


def test_a_witness_takes_part_and_has_no_table() -> None:
    client = strong_table(witness=OHIO)
    table = described(client, OREGON, 1)
    assert table["GlobalTableWitnesses"] == [{"RegionName": OHIO, "WitnessStatus": "ACTIVE"}]
    assert replicas(client, OREGON, 1) == {VIRGINIA: "ACTIVE"}
    with refused("ResourceNotFoundException"):
        described(client, OHIO, 1)
    client.put(OREGON, 1, "x")
    nearest_ns = matrix()[OREGON, OHIO].p50_ns
    assert nearest_ns < matrix()[OREGON, VIRGINIA].p50_ns
    assert nearest_ns + 5 * MS <= client.world.quorum.settle() <= nearest_ns + 10 * MS


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"ReplicaUpdates": creates(VIRGINIA)}, "exactly three Regions"),
        ({"ReplicaUpdates": creates(VIRGINIA, OHIO, SYDNEY)}, "exactly three Regions"),
        ({"ReplicaUpdates": creates(VIRGINIA, VIRGINIA)}, "exactly three Regions"),
        ({"GlobalTableWitnessUpdates": creates(SYDNEY)}, "exactly three Regions"),
        ({"ReplicaUpdates": creates(VIRGINIA, SYDNEY)}, "Regions of one of these sets"),
        ({"ReplicaUpdates": creates(VIRGINIA, "eu-north-1")}, "Region eu-north-1 is not supported."),
        ({"MultiRegionConsistency": "EVENTUAL"}, "more than one create or delete replica actions"),
        ({"MultiRegionConsistency": "SOME"}, "enum value set"),
    ],
)
def test_a_strong_table_that_cannot_be_says_why(more: dict[str, Any], text: str) -> None:
    client = Client(world_of(*REGIONS, SYDNEY))
    client.create(0)
    with refused("ValidationException", text):
        make_strong(client, **more)


def test_a_table_with_items_or_replicas_cannot_become_strong() -> None:
    client = Client(world_of(*REGIONS))
    client.create(0)
    client.put(OREGON, 1, "x")
    with refused("ValidationException", "only for an empty table"):
        make_strong(client, 2)
    client.ask("DeleteItem", OREGON, 3, Key={"pk": {"S": "x"}})
    change(client, "Create", OHIO, 4)
    with refused("ValidationException", "only for a table without replicas"):
        make_strong(client, 5)


def test_a_strong_table_is_frozen_and_dissolved_in_one_call() -> None:
    client = strong_table(witness=OHIO)
    client.put(VIRGINIA, 1, "x", "kept")
    with refused("ValidationException", "keeps its Regions"):
        change(client, "Create", SYDNEY, 2 * S)
    with refused("ValidationException", f"deletes every other replica and the witness: {VIRGINIA}, {OHIO}"):
        change(client, "Delete", VIRGINIA, 2 * S)
    deletes = [{"Delete": {"RegionName": VIRGINIA}}], [{"Delete": {"RegionName": OHIO}}]
    client.ask("UpdateTable", OREGON, 3 * S, ReplicaUpdates=deletes[0], GlobalTableWitnessUpdates=deletes[1])
    table = described(client, OREGON, 4 * S)
    assert not {"MultiRegionConsistency", "GlobalTableWitnesses"} & table.keys()
    assert client.get(OREGON, 4 * S, "x")["v"]["S"] == "kept"
    assert client.world.quorum.settle() > 0, "of the put"
    client.ask("DeleteTable", OREGON, 5 * S)


def test_a_write_is_at_once_in_strong_reads_everywhere_and_later_in_eventual_ones() -> None:
    client = strong_table()
    client.put(OREGON, S, "x", "1")
    way_ns = matrix()[OREGON, VIRGINIA].p50_ns // 2
    key = {"pk": {"S": "x"}}
    for region in REGIONS:
        assert client.get(region, S, "x")["v"]["S"] == "1"
    assert client.ask("Scan", VIRGINIA, S, ConsistentRead=True)["Count"] == 1
    for before in (0, way_ns + 5 * MS - 1):
        assert "Item" not in client.ask("GetItem", VIRGINIA, S + before, Key=key)
        assert client.ask("Scan", VIRGINIA, S + before)["Count"] == 0
    assert "Item" in client.ask("GetItem", VIRGINIA, S + way_ns + 10 * MS, Key=key)
    assert "Item" in client.ask("GetItem", OREGON, S + way_ns + 10 * MS, Key=key)


def test_an_eventual_read_may_be_stale_and_a_strong_one_never_is() -> None:
    client = strong_table(eventual=EventualReads(1.0, 100 * MS))
    client.put(OREGON, S, "x", "1")
    client.put(OREGON, 2 * S, "x", "2")
    key = {"pk": {"S": "x"}}
    read = [client.ask("GetItem", OREGON, 2 * S + at, Key=key)["Item"]["v"]["S"] for at in range(50)]
    assert "1" in read
    assert {client.get(region, 2 * S + 50, "x")["v"]["S"] for region in REGIONS} == {"2"}


def test_writes_and_strong_reads_wait_for_the_nearest_region_and_eventual_reads_do_not() -> None:
    client = strong_table()
    quorum = client.world.quorum
    nearest_ns = min(matrix()[VIRGINIA, OHIO].p50_ns, matrix()[VIRGINIA, OREGON].p50_ns)
    key = {"pk": {"S": "x"}}

    def owed(operation: str, **request: Any) -> int:
        client.ask(operation, VIRGINIA, S, **request)
        return quorum.settle()

    slow = [
        owed("PutItem", Item={**key, "v": {"S": "1"}}),
        owed("GetItem", Key=key, ConsistentRead=True),
        owed(
            "Query",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "x"}},
            ConsistentRead=True,
        ),
        owed("BatchWriteItem", RequestItems={"items": [{"DeleteRequest": {"Key": key}}]}),
        owed(
            "BatchGetItem",
            RequestItems={"items": {"Keys": [key, {"pk": {"S": "y"}}], "ConsistentRead": True}},
        ),
    ]
    assert all(nearest_ns + 5 * MS <= ns <= nearest_ns + 10 * MS for ns in slow), slow
    assert owed("GetItem", Key=key) == 0
    assert owed("DescribeTable") == 0


def test_a_condition_is_checked_against_what_any_region_has_written() -> None:
    client = strong_table()
    client.put(OREGON, S, "x", "1")
    with refused("ConditionalCheckFailedException"):
        client.put(VIRGINIA, S + 200 * MS, "x", "2", ConditionExpression="attribute_not_exists(pk)")


def test_concurrent_writes_of_one_item_from_two_regions_conflict_until_the_first_is_acknowledged() -> None:
    client = strong_table()
    client.put(OREGON, S, "x", "first")
    owed_ns = client.world.quorum.settle()
    client.put(OREGON, S + 1, "y", "another item")
    for request in ({"Item": {"pk": {"S": "x"}}}, {"Item": {"pk": {"S": "x"}, "v": {"S": "second"}}}):
        with refused("ReplicatedWriteConflictException"):
            client.ask("PutItem", VIRGINIA, S + owed_ns - 1, **request)
    with pytest.raises(WireError) as conflict:
        client.put(VIRGINIA, S + owed_ns - 1, "x")
    assert conflict.value.status == 409
    two = [{"PutRequest": {"Item": {"pk": {"S": pk}}}} for pk in ("z", "x")]
    with refused("ReplicatedWriteConflictException"):
        client.ask("BatchWriteItem", VIRGINIA, S + owed_ns - 1, RequestItems={"items": two})
    assert client.get(OHIO, S + owed_ns - 1, "z") is None, "nothing of a refused batch is written"
    client.put(OREGON, S + owed_ns - 1, "q")
    client.put(VIRGINIA, S + owed_ns, "x", "second")
    assert client.get(OREGON, S + owed_ns, "x")["v"]["S"] == "second"


def test_one_region_may_write_an_item_again_before_the_first_is_acknowledged() -> None:
    client = strong_table()
    client.put(OREGON, S, "x", "1")
    client.put(OREGON, S + 1, "x", "2")
    assert client.get(OHIO, S + 1, "x")["v"]["S"] == "2"


def test_transactions_are_refused() -> None:
    client = strong_table()
    key = {"TableName": "items", "Key": {"pk": {"S": "x"}}}
    put = {"Put": {"TableName": "items", "Item": {"pk": {"S": "x"}}}}
    check = {"ConditionCheck": {**key, "ConditionExpression": "attribute_not_exists(pk)"}}
    for action in (put, check, {"Delete": key}):
        with refused("ValidationException", "Transactions are not supported"):
            client.ask("TransactWriteItems", OREGON, S, TransactItems=[action])


def test_the_truth_of_a_strong_write_is_its_commit(tmp_path: Path) -> None:
    truth = Truth(tmp_path / "truth.jsonl")
    client = strong_table(truth=truth)
    client.put(OREGON, S, "x")
    truth.close()
    lines = (tmp_path / "truth.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert all(f'"commit_ns":{S},"visible_ns":{S}' in line for line in lines)


def test_the_pending_writes_do_not_pile_up() -> None:
    client = strong_table()
    for number in range(3000):
        client.put(OREGON, S + number * MS, str(number))
    assert len(client.world.catalogue.readable(OREGON, "items", 5 * S).table.pending) <= 1001


def test_an_unmodified_sdk_makes_a_strong_table_and_waits_for_its_quorum() -> None:
    with (
        emulator(regions=",".join(REGIONS)) as running,
        boto_client(running.url(OREGON), OREGON) as oregon,
        boto_client(running.url(OHIO), OHIO) as ohio,
    ):
        oregon.create_table(
            TableName="items",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        oregon.update_table(
            TableName="items", MultiRegionConsistency="STRONG", ReplicaUpdates=creates(VIRGINIA, OHIO)
        )
        assert ohio.describe_table(TableName="items")["Table"]["MultiRegionConsistency"] == "STRONG"
        sent_ns = now_ns()
        oregon.put_item(TableName="items", Item={"pk": {"S": "x"}})
        assert now_ns() - sent_ns >= matrix()[OREGON, OHIO].p50_ns + 5 * MS
        assert "Item" in ohio.get_item(TableName="items", Key={"pk": {"S": "x"}}, ConsistentRead=True)
