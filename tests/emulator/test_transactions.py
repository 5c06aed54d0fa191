"""TransactWriteItems: all or nothing where it is asked for, item by item elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulator.errors import WireError
from tests.emulator.worlds import OREGON, SYDNEY, Client, S, global_table

NEW = {"ConditionExpression": "attribute_not_exists(pk)"}


def put(pk: str, v: str = "", **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "items", "Item": {"pk": {"S": pk}, "v": {"S": v}}, **more}}


def transact(client: Client, now_ns: int, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return client.ask("TransactWriteItems", OREGON, now_ns, TransactItems=list(actions), **more)


def test_all_of_a_transaction_is_visible_at_once_where_it_was_made() -> None:
    client = global_table(OREGON)
    client.put(OREGON, S, "old")
    update = {
        "Key": {"pk": {"S": "b"}},
        "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": {":n": {"N": "1"}},
    }
    delete = {"Key": {"pk": {"S": "old"}}}
    others = [{"Update": {"TableName": "items", **update}}, {"Delete": {"TableName": "items", **delete}}]
    transact(client, 2 * S, put("a"), *others)
    assert [client.get(OREGON, 2 * S, pk) is not None for pk in ("a", "b", "old")] == [True, True, False]


def test_the_items_of_a_transaction_become_visible_apart_in_another_region() -> None:
    client = global_table(OREGON, SYDNEY)
    names = [f"k{n}" for n in range(8)]
    transact(client, S, *(put(name) for name in names))
    counts = {
        sum(client.get(SYDNEY, S + at * S // 100, name) is not None for name in names) for at in range(400)
    }
    assert {0, 8} <= counts
    assert len(counts) > 4


def test_a_condition_that_fails_cancels_all_of_it_and_says_which() -> None:
    client = global_table(OREGON)
    client.put(OREGON, S, "a", "first")
    with pytest.raises(WireError) as raised:
        transact(
            client, 2 * S, put("b"), put("a", "second", ReturnValuesOnConditionCheckFailure="ALL_OLD", **NEW)
        )
    assert raised.value.error_type == "TransactionCanceledException"
    assert "[None, ConditionalCheckFailed]" in raised.value.message
    reasons = raised.value.body()["CancellationReasons"]
    assert isinstance(reasons, list)
    assert reasons[1]["Item"]["v"] == {"S": "first"}
    assert client.get(OREGON, 2 * S, "b") is None


def test_a_condition_check_writes_nothing() -> None:
    client = global_table(OREGON)
    check = {"TableName": "items", "Key": {"pk": {"S": "a"}}, **NEW}
    transact(client, S, {"ConditionCheck": check}, put("b"))
    assert client.get(OREGON, S, "a") is None
    assert client.get(OREGON, S, "b") is not None


def test_a_repeated_token_does_not_write_again_and_must_not_ask_for_something_else() -> None:
    client = global_table(OREGON)
    transact(client, S, put("a", "first"), ClientRequestToken="t")
    client.put(OREGON, 2 * S, "a", "second")
    transact(client, 3 * S, put("a", "first"), ClientRequestToken="t")
    assert (client.get(OREGON, 3 * S, "a") or {})["v"] == {"S": "second"}
    with pytest.raises(WireError, match="non-identical request"):
        transact(client, 4 * S, put("b"), ClientRequestToken="t")


def test_a_transaction_costs_twice_the_units() -> None:
    client = global_table(OREGON)
    answer = transact(client, S, put("a"), put("b"), ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": "items", "CapacityUnits": 4.0}]


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ([], "between 1 and 100"),
        ([put(f"k{n}") for n in range(101)], "between 1 and 100"),
        ([put("a"), put("a")], "multiple operations on one item"),
        ([{"Get": {"TableName": "items"}}], "can only contain one of"),
        (
            [{**put("a"), "Delete": {"TableName": "items", "Key": {"pk": {"S": "a"}}}}],
            "can only contain one of",
        ),
        ([{"Put": {"TableName": "items", "Item": {"pk": {"S": "a"}}, "Expected": {}}}], "not supported"),
    ],
)
def test_what_is_no_transaction_is_refused(actions: list[dict[str, Any]], says: str) -> None:
    client = global_table(OREGON)
    with pytest.raises(WireError, match=says):
        transact(client, S, *actions)
