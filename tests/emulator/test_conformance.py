"""One set of client calls, with the answers AWS documents, for any server that speaks the DynamoDB API.

It runs against the emulator and against moto. For a DynamoDB Local, whose licence keeps it out of this project's
environment, start one and name it:

    DYNAMODB_LOCAL=http://127.0.0.1:8000 python -m pytest -m slow tests/emulator/test_conformance.py
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator

REGION = "us-west-2"
TABLE = "conformance"
MOTO_DIFFERS = {
    "test_numbers_come_back_in_their_normal_spelling": "moto does not normalise numbers",
    "test_a_batch_writes_at_most_25_items": "moto has no limit of 25",
    "test_a_key_of_the_wrong_type_is_refused": "moto reads with a key of any type",
    "test_a_key_condition_may_have_its_operands_reversed": "moto wants the attribute first",
    "test_a_batch_names_each_key_once": "moto writes a key twice",
}


@dataclass(frozen=True)
class Server:
    """A client of the server under test, and the partition key of this test alone."""

    client: Any
    hash_key: str

    def key(self, sort: str = "1") -> dict[str, Any]:
        """A key of this test's partition."""
        return {"pk": {"S": self.hash_key}, "sk": {"N": sort}}

    def put(self, sort: str = "1", **attributes: Any) -> None:
        """Put an item."""
        self.client.put_item(TableName=TABLE, Item=self.key(sort) | attributes)

    def get(self, sort: str = "1", **more: Any) -> dict[str, Any] | None:
        """The item without its key, read strongly; None where there is none."""
        answer = self.client.get_item(TableName=TABLE, Key=self.key(sort), ConsistentRead=True, **more)
        item: dict[str, Any] | None = answer.get("Item")
        return None if item is None else {n: v for n, v in item.items() if n not in ("pk", "sk")}

    def update(self, expression: str, values: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """UpdateItem."""
        request = {"ExpressionAttributeValues": values} if values else {}
        answer: dict[str, Any] = self.client.update_item(
            TableName=TABLE, Key=self.key(), UpdateExpression=expression, **request, **more
        )
        return answer

    def query(self, condition: str, **more: Any) -> list[str]:
        """The sort keys a Query of this test's partition finds; `:p` is the partition."""
        values = {":p": {"S": self.hash_key}, **more.pop("values", {})}
        answer = self.client.query(
            TableName=TABLE,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            **more,
        )
        return [item["sk"]["N"] for item in answer["Items"]]


@pytest.fixture(scope="module", params=["emulator", "moto", pytest.param("local", marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "local":
        if not (url := os.environ.get("DYNAMODB_LOCAL")):
            pytest.skip("no DynamoDB Local: start one and set DYNAMODB_LOCAL=http://127.0.0.1:8000")
        yield _made(_client(url))
    elif request.param == "moto":
        with mock_aws():
            yield _made(_client(None))
    else:
        options = EmulatorOptions(extra=("--rtt", "none", "--eventual-lag", "none", "--table-delay", "1ms"))
        with emulator([REGION], options) as target:
            yield _made(_client(target.endpoints[REGION]))


@pytest.fixture
def server(client: Any, request: pytest.FixtureRequest) -> Server:
    name = request.node.originalname
    if client.meta.endpoint_url.endswith("amazonaws.com") and name in MOTO_DIFFERS:
        pytest.skip(f"known difference: {MOTO_DIFFERS[name]}")
    return Server(client, name)


def _client(url: str | None) -> Any:
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=EMULATOR_KEYS[0],
        aws_secret_access_key=EMULATOR_KEYS[1],
        config=Config(retries={"total_max_attempts": 1}),
    )


def _made(client: Any) -> Any:
    """The client, once its table is there, new."""
    if TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=TABLE)
        client.get_waiter("table_not_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    return client


def refused(code: str) -> Any:
    """Expect this error code."""
    return pytest.raises(ClientError, match=rf"\({code}\)")


def test_an_item_of_every_type_comes_back_as_it_was_put(server: Server) -> None:
    item = {
        "s": {"S": "ä"},
        "n": {"N": "1.5"},
        "b": {"B": b"\x00\xff"},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "l": {"L": [{"S": "a"}, {"N": "1"}]},
        "m": {"M": {"x": {"L": []}}},
    }
    server.put(**item)
    assert server.get() == item
    server.put("2", ss={"SS": ["a", "b"]})
    sets = server.get("2")
    assert sets is not None
    assert sorted(sets["ss"]["SS"]) == ["a", "b"]


def test_what_is_not_there_is_an_answer_without_an_item(server: Server) -> None:
    assert server.get() is None
    server.client.delete_item(TableName=TABLE, Key=server.key())


def test_numbers_come_back_in_their_normal_spelling(server: Server) -> None:
    server.put(n={"N": "001.500"}, m={"N": "1e3"}, z={"N": "-0"})
    assert server.get() == {"n": {"N": "1.5"}, "m": {"N": "1000"}, "z": {"N": "0"}}


def test_a_put_replaces_the_whole_item_and_can_show_the_old_one(server: Server) -> None:
    server.put(a={"S": "1"})
    answer = server.client.put_item(
        TableName=TABLE, Item={**server.key(), "b": {"S": "2"}}, ReturnValues="ALL_OLD"
    )
    assert answer["Attributes"]["a"] == {"S": "1"}
    assert server.get() == {"b": {"S": "2"}}


def test_a_condition_that_does_not_hold_writes_nothing_and_can_show_the_item(server: Server) -> None:
    server.put(a={"S": "1"})
    with refused("ConditionalCheckFailedException") as failure:
        server.client.put_item(
            TableName=TABLE,
            Item=server.key(),
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert failure.value.response["Item"]["a"] == {"S": "1"}
    assert server.get() == {"a": {"S": "1"}}


def test_an_update_sets_adds_removes_and_makes_the_item(server: Server) -> None:
    server.update("SET a = :a, m = :m", {":a": {"S": "x"}, ":m": {"M": {}}})
    server.update("ADD n :one", {":one": {"N": "2"}})
    answer = server.update(
        "SET m.x = if_not_exists(m.x, :v), n = n + :v REMOVE a", {":v": {"N": "3"}}, ReturnValues="ALL_NEW"
    )
    assert answer["Attributes"]["n"] == {"N": "5"}
    assert server.get() == {"m": {"M": {"x": {"N": "3"}}}, "n": {"N": "5"}}


def test_an_update_of_a_path_that_is_not_there_is_refused(server: Server) -> None:
    server.put()
    with refused("ValidationException"):
        server.update("SET m.x = :v", {":v": {"N": "1"}})


def test_an_update_of_the_key_is_refused(server: Server) -> None:
    with refused("ValidationException"):
        server.update("SET sk = :v", {":v": {"N": "9"}})


def test_a_projection_shows_only_its_paths(server: Server) -> None:
    server.put(m={"M": {"x": {"S": "1"}, "y": {"S": "2"}}}, l={"L": [{"S": "a"}, {"S": "b"}]})
    assert server.get(ProjectionExpression="m.y, l[1]") == {
        "m": {"M": {"y": {"S": "2"}}},
        "l": {"L": [{"S": "b"}]},
    }


def test_a_reserved_word_needs_an_alias(server: Server) -> None:
    server.put(name={"S": "n"})
    with refused("ValidationException"):
        server.get(ProjectionExpression="name")
    assert server.get(ProjectionExpression="#n", ExpressionAttributeNames={"#n": "name"}) == {
        "name": {"S": "n"}
    }


def test_a_query_goes_in_order_of_numbers_either_way(server: Server) -> None:
    for sort in ("10", "9", "-1", "2.5"):
        server.put(sort)
    assert server.query("pk = :p") == ["-1", "2.5", "9", "10"]
    assert server.query("pk = :p", ScanIndexForward=False) == ["10", "9", "2.5", "-1"]
    between = {":a": {"N": "0"}, ":b": {"N": "9"}}
    assert server.query("pk = :p AND sk BETWEEN :a AND :b", values=between) == ["2.5", "9"]


def test_a_key_condition_may_have_its_operands_reversed(server: Server) -> None:
    server.put("1")
    server.put("2")
    assert server.query("pk = :p AND :a < sk", values={":a": {"N": "1"}}) == ["2"]


def test_a_query_goes_on_where_its_page_ended(server: Server) -> None:
    for sort in range(5):
        server.put(str(sort))
    found, start = [], {}
    while True:
        answer = server.client.query(
            TableName=TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": server.hash_key}},
            Limit=2,
            **start,
        )
        found += [item["sk"]["N"] for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert found == ["0", "1", "2", "3", "4"]


def test_a_filter_counts_what_it_scanned(server: Server) -> None:
    for sort in ("1", "2", "3"):
        server.put(sort, even={"BOOL": sort == "2"})
    answer = server.client.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :p",
        FilterExpression="even = :t",
        ExpressionAttributeValues={":p": {"S": server.hash_key}, ":t": {"BOOL": True}},
    )
    assert (answer["Count"], answer["ScannedCount"]) == (1, 3)


def test_a_batch_writes_and_reads_items_and_leaves_nothing_over(server: Server) -> None:
    server.put("3")
    writes = [{"PutRequest": {"Item": server.key(sort)}} for sort in ("1", "2")]
    writes.append({"DeleteRequest": {"Key": server.key("3")}})
    assert server.client.batch_write_item(RequestItems={TABLE: writes})["UnprocessedItems"] == {}
    keys = {"Keys": [server.key(sort) for sort in ("1", "2", "3")], "ConsistentRead": True}
    answer = server.client.batch_get_item(RequestItems={TABLE: keys})
    assert sorted(item["sk"]["N"] for item in answer["Responses"][TABLE]) == ["1", "2"]
    assert answer["UnprocessedKeys"] == {}


def test_a_batch_writes_at_most_25_items(server: Server) -> None:
    writes = [{"PutRequest": {"Item": server.key(str(sort))}} for sort in range(26)]
    with refused("ValidationException"):
        server.client.batch_write_item(RequestItems={TABLE: writes})


def test_a_batch_names_each_key_once(server: Server) -> None:
    with refused("ValidationException"):
        server.client.batch_write_item(
            RequestItems={
                TABLE: [{"PutRequest": {"Item": server.key()}}, {"DeleteRequest": {"Key": server.key()}}]
            }
        )


def test_a_batch_reads_at_most_100_keys(server: Server) -> None:
    keys = [server.key(str(sort)) for sort in range(101)]
    with refused("ValidationException"):
        server.client.batch_get_item(RequestItems={TABLE: {"Keys": keys}})


def test_a_transaction_is_all_or_nothing(server: Server) -> None:
    server.put("1")
    put = {"Put": {"TableName": TABLE, "Item": server.key("2")}}
    check = {
        "ConditionCheck": {
            "TableName": TABLE,
            "Key": server.key("1"),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }
    with refused("TransactionCanceledException") as cancelled:
        server.client.transact_write_items(TransactItems=[put, check])
    codes = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert server.get("2") is None
    server.client.transact_write_items(TransactItems=[put])
    assert server.get("2") == {}


def test_a_key_of_the_wrong_type_is_refused(server: Server) -> None:
    with refused("ValidationException"):
        server.client.get_item(TableName=TABLE, Key={**server.key(), "sk": {"S": "1"}})


def test_an_item_without_its_key_is_refused(server: Server) -> None:
    with refused("ValidationException"):
        server.client.put_item(TableName=TABLE, Item={"pk": {"S": server.hash_key}})


def test_empty_sets_are_refused(server: Server) -> None:
    with refused("ValidationException"):
        server.put(ss={"SS": []})


def test_an_item_beyond_400_kb_is_refused(server: Server) -> None:
    with refused("ValidationException"):
        server.put(s={"S": "x" * 400 * 1024})


def test_a_value_that_is_not_used_is_refused(server: Server) -> None:
    with refused("ValidationException"):
        server.update("SET a = :a", {":a": {"S": "1"}, ":b": {"S": "2"}})


def test_a_table_that_is_not_there_is_told_by_every_operation(server: Server) -> None:
    with refused("ResourceNotFoundException"):
        server.client.get_item(TableName="nothing", Key=server.key())
    with refused("ResourceNotFoundException"):
        server.client.put_item(TableName="nothing", Item=server.key())
    with refused("ResourceNotFoundException"):
        server.client.describe_table(TableName="nothing")
    with refused("ResourceNotFoundException"):
        server.client.delete_table(TableName="nothing")


def test_a_table_that_is_there_cannot_be_made_again(server: Server) -> None:
    with refused("ResourceInUseException"):
        server.client.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )


def test_a_table_says_its_keys_and_that_it_is_active(server: Server) -> None:
    table = server.client.describe_table(TableName=TABLE)["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    assert TABLE in server.client.list_tables()["TableNames"]
