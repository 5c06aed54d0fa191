"""Reads and writes of items as requests ask for them, at instants the test gives."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.emulator.errors import WireError
from tests.emulator.worlds import OREGON, SYDNEY, Client, S, global_table

KB = 1024


def key(pk: str, sk: int) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}}


def filled(count: int = 50, size: int = 0) -> Client:
    """A table in two Regions: partitions a and b with sort keys 0, 2, 4 …"""
    client = global_table(OREGON, SYDNEY, sort_key="N", lag="constant=1s")
    for n in range(count):
        for pk in "ab":
            client.ask("PutItem", OREGON, S, Item={**key(pk, 2 * n), "pad": {"S": "x" * size}})
    return client


def query(client: Client, condition: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A strongly consistent Query of partition a, long after the writes."""
    names = {f":{name}": {"N": str(value)} for name, value in values.items()}
    return client.ask(
        "Query",
        more.pop("region", OREGON),
        10 * S,
        KeyConditionExpression=f"pk = :p{condition}",
        ExpressionAttributeValues={":p": {"S": "a"}, **names},
        ConsistentRead=True,
        **more,
    )


def sort_keys(answer: dict[str, Any]) -> list[int]:
    return [int(item["sk"]["N"]) for item in answer["Items"]]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("", {}, range(0, 100, 2)),
        (" AND sk = :a", {"a": 4}, [4]),
        (" AND sk < :a", {"a": 4}, [0, 2]),
        (" AND sk <= :a", {"a": 4}, [0, 2, 4]),
        (" AND sk > :a", {"a": 94}, [96, 98]),
        (" AND sk >= :a", {"a": 94}, [94, 96, 98]),
        (" AND sk BETWEEN :a AND :b", {"a": 3, "b": 8}, [4, 6, 8]),
        (" AND sk = :a", {"a": 5}, []),
    ],
)
def test_a_query_returns_its_range_in_order_both_ways(
    condition: str, values: dict[str, int], expected: list[int]
) -> None:
    client = filled()
    assert sort_keys(query(client, condition, values)) == list(expected)
    backwards = query(client, condition, values, ScanIndexForward=False)
    assert sort_keys(backwards) == list(expected)[::-1]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_of_a_query_hold_everything_once(forward: bool, limit: int) -> None:
    client = filled()
    seen: list[int] = []
    more: dict[str, Any] = {}
    while True:
        page = query(client, " AND sk > :a", {"a": 10}, Limit=limit, ScanIndexForward=forward, **more)
        assert page["ScannedCount"] <= limit
        seen += sort_keys(page)
        if "LastEvaluatedKey" not in page:
            break
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert seen == sorted(range(12, 100, 2), reverse=not forward)


def test_a_page_ends_after_1_mb() -> None:
    client = filled(10, size=300 * KB)
    page = query(client, "", {}, ReturnConsumedCapacity="TOTAL")
    assert sort_keys(page) == [0, 2, 4, 6]
    assert page["LastEvaluatedKey"] == key("a", 6)
    assert page["ConsumedCapacity"]["CapacityUnits"] > 300


def test_begins_with_finds_its_prefix_and_nothing_else() -> None:
    client = global_table(OREGON, sort_key="S")
    for text in ("a", "ab", "abc", "ab\U0010ffff", "ac", "b"):
        client.ask("PutItem", OREGON, S, Item={"pk": {"S": "p"}, "sk": {"S": text}})
    values = {":p": {"S": "p"}, ":x": {"S": "ab"}}
    condition = "pk = :p AND begins_with(sk, :x)"
    for forward in (True, False):
        answer = client.ask(
            "Query",
            OREGON,
            S,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=forward,
        )
        found = [item["sk"]["S"] for item in answer["Items"]]
        assert found == sorted(["ab", "abc", "ab\U0010ffff"], reverse=not forward)


def test_a_query_shows_only_what_has_arrived_in_its_region() -> None:
    client = filled(5)
    client.ask("PutItem", OREGON, 10 * S - 1, Item=key("a", 1))
    assert sort_keys(query(client, "", {})) == [0, 1, 2, 4, 6, 8]
    assert sort_keys(query(client, "", {}, region=SYDNEY)) == [0, 2, 4, 6, 8]


def test_filters_projections_and_counts() -> None:
    client = filled(5)
    client.ask("PutItem", OREGON, 2 * S, Item={**key("a", 2), "v": {"N": "7"}})
    found = query(client, "", {"v": 5}, FilterExpression="v > :v", ProjectionExpression="v")
    assert (found["Items"], found["Count"], found["ScannedCount"]) == ([{"v": {"N": "7"}}], 1, 5)
    counted = query(client, "", {}, Select="COUNT")
    assert (counted["Count"], "Items" in counted) == (5, False)
    with pytest.raises(WireError, match="non-primary key attributes"):
        query(client, "", {"v": 5}, FilterExpression="sk > :v")


def test_scans_in_segments_and_pages_hold_everything_once() -> None:
    client = global_table(OREGON, sort_key="N")
    rng = random.Random(1)
    expected = {(f"p{rng.randrange(40)}", n) for n in range(300)}
    for pk, sk in expected:
        client.ask("PutItem", OREGON, S, Item=key(pk, sk))
    for total in (1, 3):
        seen = []
        for segment in range(total):
            more: dict[str, Any] = {"Segment": segment, "TotalSegments": total}
            while True:
                page = client.ask("Scan", OREGON, 2 * S, Limit=11, **more)
                seen += [(item["pk"]["S"], int(item["sk"]["N"])) for item in page["Items"]]
                if "LastEvaluatedKey" not in page:
                    break
                more["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        assert (len(seen), set(seen)) == (300, expected)


def test_a_condition_sees_what_its_own_region_shows() -> None:
    client = global_table(OREGON, SYDNEY, lag="constant=1s")
    client.put(OREGON, S, "x", "from Oregon")
    absent = {"ConditionExpression": "attribute_not_exists(pk)"}
    with pytest.raises(WireError, match="The conditional request failed") as caught:
        client.put(OREGON, S + 1, "x", **absent, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.body()["Item"] == {"pk": {"S": "x"}, "v": {"S": "from Oregon"}}
    client.put(SYDNEY, S + 1, "x", "from Sydney", **absent)
    assert client.get(OREGON, 5 * S, "x")["v"]["S"] == "from Sydney"


def test_an_update_writes_the_whole_item_its_region_showed() -> None:
    client = global_table(OREGON, SYDNEY, lag="constant=1s")
    client.put(OREGON, S, "x", "v")
    add = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    first = client.ask("UpdateItem", OREGON, 2 * S, Key={"pk": {"S": "x"}}, ReturnValues="UPDATED_NEW", **add)
    assert first["Attributes"] == {"n": {"N": "1"}}
    client.ask("UpdateItem", SYDNEY, 2 * S + 1, Key={"pk": {"S": "x"}}, **add)
    assert client.get(OREGON, 9 * S, "x") == {"pk": {"S": "x"}, "v": {"S": "v"}, "n": {"N": "1"}}
    made = client.ask("UpdateItem", OREGON, 9 * S, Key={"pk": {"S": "new"}}, ReturnValues="ALL_NEW", **add)
    assert made["Attributes"] == {"pk": {"S": "new"}, "n": {"N": "1"}}
    old = client.ask("UpdateItem", OREGON, 9 * S, Key={"pk": {"S": "x"}}, ReturnValues="UPDATED_OLD", **add)
    assert old["Attributes"] == {"n": {"N": "1"}}


def test_return_values_of_put_and_delete_are_the_old_item() -> None:
    client = global_table(OREGON)
    assert client.put(OREGON, S, "x", "1", ReturnValues="ALL_OLD") == {}
    assert client.put(OREGON, S, "x", "2", ReturnValues="ALL_OLD")["Attributes"]["v"] == {"S": "1"}
    deleted = client.ask("DeleteItem", OREGON, S, Key={"pk": {"S": "x"}}, ReturnValues="ALL_OLD")
    assert deleted["Attributes"]["v"] == {"S": "2"}
    with pytest.raises(WireError, match="ReturnValues can only be ALL_OLD or NONE"):
        client.put(OREGON, S, "x", ReturnValues="ALL_NEW")


def test_a_batch_is_written_whole_or_not_at_all() -> None:
    client = filled(0)
    puts = [{"PutRequest": {"Item": key("a", n)}} for n in range(24)]
    answer = client.ask("BatchWriteItem", OREGON, S, RequestItems={"items": puts})
    assert answer == {"UnprocessedItems": {}}
    mixed = [{"DeleteRequest": {"Key": key("a", 0)}}, {"PutRequest": {"Item": key("a", 99)}}]
    client.ask("BatchWriteItem", OREGON, 2 * S, RequestItems={"items": mixed})
    assert sort_keys(query(client, "", {})) == [*range(1, 24), 99]
    for wrong, text in (
        ([*puts, *mixed], "Too many items"),
        ([*mixed, mixed[0]], "duplicates"),
        ([mixed[0], {"PutRequest": {"Item": {"pk": {"S": "a"}}}}], "Missing the key sk"),
        ([{"PutRequest": {"Item": key("a", 1)}, "DeleteRequest": {"Key": key("a", 1)}}], "exactly one"),
        ([], "length greater than or equal to 1"),
    ):
        with pytest.raises(WireError, match=text):
            client.ask("BatchWriteItem", OREGON, 3 * S, RequestItems={"items": wrong})
    assert sort_keys(query(client, "", {})) == [*range(1, 24), 99]


def test_a_batch_get_leaves_misses_out_and_bills_them() -> None:
    client = filled(5)
    wish = {"Keys": [key("a", n) for n in range(10)], "ConsistentRead": True, "ProjectionExpression": "sk"}
    answer = client.ask(
        "BatchGetItem", OREGON, 9 * S, RequestItems={"items": wish}, ReturnConsumedCapacity="TOTAL"
    )
    assert sorted(int(item["sk"]["N"]) for item in answer["Responses"]["items"]) == [0, 2, 4, 6, 8]
    assert answer["UnprocessedKeys"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": "items", "CapacityUnits": 10.0}]
    for keys, text in (
        ([key("a", n) for n in range(101)], "Too many items"),
        ([key("a", 1)] * 2, "duplicates"),
    ):
        with pytest.raises(WireError, match=text):
            client.ask("BatchGetItem", OREGON, 9 * S, RequestItems={"items": {"Keys": keys}})


def test_a_batch_get_returns_what_exceeds_16_mb_as_unprocessed() -> None:
    client = filled(60, size=390 * KB)
    keys = [key("a", 2 * n) for n in range(60)]
    got = 0
    for _ in range(2):
        answer = client.ask("BatchGetItem", OREGON, 9 * S, RequestItems={"items": {"Keys": keys}})
        got += len(answer["Responses"]["items"])
        keys = answer["UnprocessedKeys"].get("items", {}).get("Keys", [])
    assert (got, keys) == (60, [])


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(0, True, 1.0), (0, False, 0.5), (3 * KB, True, 1.0), (5 * KB, True, 2.0), (5 * KB, False, 1.0)],
)
def test_reads_cost_a_unit_per_started_4_kb_and_half_if_eventual(
    size: int, consistent: bool, units: float
) -> None:
    client = global_table(OREGON)
    client.put(OREGON, S, "x", "v" * size)
    request = {"Key": {"pk": {"S": "x"}}, "ConsistentRead": consistent, "ReturnConsumedCapacity": "INDEXES"}
    capacity = client.ask("GetItem", OREGON, 2 * S, **request)["ConsumedCapacity"]
    assert capacity == {"TableName": "items", "CapacityUnits": units, "Table": {"CapacityUnits": units}}


def test_writes_cost_a_unit_per_started_1_kb_of_the_larger_of_old_and_new() -> None:
    client = global_table(OREGON, SYDNEY)
    total = {"ReturnConsumedCapacity": "TOTAL"}
    assert client.put(OREGON, S, "x", "v" * 3000, **total)["ConsumedCapacity"]["CapacityUnits"] == 3.0
    assert client.put(OREGON, S, "x", "v", **total)["ConsumedCapacity"]["CapacityUnits"] == 3.0
    assert client.put(OREGON, S, "x", "v", **total)["ConsumedCapacity"]["CapacityUnits"] == 1.0


@pytest.mark.parametrize(
    ("operation", "request_", "text"),
    [
        ("GetItem", {}, "Value null at 'key'"),
        ("GetItem", {"Key": {"nope": {"S": "x"}}}, "does not match the schema"),
        (
            "GetItem",
            {"Key": {"pk": {"S": "x"}}, "AttributesToGet": ["a"]},
            "legacy parameter AttributesToGet",
        ),
        ("PutItem", {"Item": {"pk": {"S": "x"}}, "Expected": {}}, "legacy parameter Expected"),
        ("PutItem", {"Item": {"pk": {"S": "x"}, "v": {"S": "x" * 410_000}}}, "Item size has exceeded"),
        ("PutItem", {"Item": {"pk": {"S": "x" * 2049}}}, "2048"),
        ("PutItem", {"Item": {"v": {"S": "x"}}}, "Missing the key pk"),
        ("Query", {"KeyConditions": {}}, "legacy parameter KeyConditions"),
        ("Query", {"IndexName": "i"}, "secondary index is not supported"),
        ("Query", {}, "must be specified in the request"),
        ("Scan", {"Limit": 0}, "greater than or equal to 1"),
        ("Scan", {"Segment": 1}, "TotalSegments"),
        ("Scan", {"Segment": 2, "TotalSegments": 2}, "must be less than"),
        (
            "UpdateItem",
            {"Key": {"pk": {"S": "x"}}, "AttributeUpdates": {}},
            "legacy parameter AttributeUpdates",
        ),
        ("DeleteItem", {"Key": {"pk": {"S": "x"}}, "ReturnConsumedCapacity": "SOME"}, "enum value set"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(
    operation: str, request_: dict[str, Any], text: str
) -> None:
    client = global_table(OREGON)
    with pytest.raises(WireError, match=text):
        client.ask(operation, OREGON, S, **request_)


def test_a_request_that_is_refused_writes_nothing() -> None:
    client = global_table(OREGON)
    for operation in ("PutItem", "UpdateItem"):
        what = {"Item": {"pk": {"S": "x"}}} if operation == "PutItem" else {"Key": {"pk": {"S": "x"}}}
        with pytest.raises(WireError):
            client.ask(operation, OREGON, S, ReturnConsumedCapacity="SOME", **what)
    assert client.get(OREGON, 2 * S, "x") is None
