"""Keys of tables that somebody else made: which can hold probes, and how."""

from __future__ import annotations

from typing import Any

import pytest

from harness.dynamodb.schema import FOREIGN_PREFIX, Key, Schema, schema_of
from harness.errors import TargetUnavailable

KEY = Key("run#us-west-2#0", 17)


def description(*keys: tuple[str, str]) -> dict[str, Any]:
    return {
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind}
            for (name, _), kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in keys],
    }


def test_names_are_those_of_the_table_and_our_items_are_recognised_by_their_prefix() -> None:
    schema = schema_of(description(("customer", "S"), ("at", "N")), "t", "eu-west-1")
    item = schema.key(KEY)
    assert item == {"customer": {"S": f"{FOREIGN_PREFIX}run#us-west-2#0"}, "at": {"N": "17"}}
    assert schema.seq(item) == 17
    assert schema.keys == (("customer", "S"), ("at", "N"))


def test_without_a_sort_key_the_sequence_number_ends_the_partition_key() -> None:
    schema = schema_of(description(("courseid", "S")), "t", "eu-west-1")
    item = schema.key(KEY)
    assert item == {"courseid": {"S": f"{FOREIGN_PREFIX}run#us-west-2#0#17"}}
    assert schema.seq(item) == 17
    assert schema.keys == (("courseid", "S"),)


def test_our_own_tables_have_no_prefix() -> None:
    assert Schema().key(KEY) == {"pk": {"S": "run#us-west-2#0"}, "sk": {"N": "17"}}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ((("id", "N"),), r"id \(N\), cannot hold probes"),
        ((("id", "S"), ("at", "S")), r"id \(S\) and at \(S\), cannot hold probes"),
        ((("id", "B"),), r"id \(B\), cannot hold probes"),
        ((("rev", "S"),), "uses the name rev, which probes need"),
    ],
)
def test_a_key_that_cannot_hold_probes_is_refused_in_one_sentence(
    keys: tuple[tuple[str, str], ...], says: str
) -> None:
    with pytest.raises(TargetUnavailable, match=says):
        schema_of(description(*keys), "t", "eu-west-1")
