"""How an item's place in the plan, a shard and a sequence number, becomes a key of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import TargetUnavailable

HASH_NAME, RANGE_NAME = "pk", "sk"
CHANGE_NAME, PAD_NAME = "rev", "pad"  # attributes of every item; none of the four is a reserved word
FOREIGN_PREFIX = "replication-latency#"  # begins the partition key of our items among somebody else's

Attributes = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Key:
    """An item's place: partition and sequence number."""

    shard: str
    seq: int


@dataclass(frozen=True, slots=True)
class Schema:
    """A string partition key and, unless `range_name` is None, a number sort key.

    Without a sort key the sequence number ends the partition key. `prefix` begins it.
    """

    hash_name: str = HASH_NAME
    range_name: str | None = RANGE_NAME
    prefix: str = ""

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """(name, type) of the partition key and, where there is one, the sort key."""
        hash_key = (self.hash_name, "S")
        return (hash_key,) if self.range_name is None else (hash_key, (self.range_name, "N"))

    @property
    def tells(self) -> str:
        """The attribute whose value tells the sequence number."""
        return self.range_name or self.hash_name

    def key(self, key: Key) -> Attributes:
        """The key as DynamoDB's JSON has it."""
        if self.range_name is None:
            return {self.hash_name: {"S": f"{self.prefix}{key.shard}#{key.seq}"}}
        return {self.hash_name: {"S": self.prefix + key.shard}, self.range_name: {"N": str(key.seq)}}

    def seq(self, item: Mapping[str, Mapping[str, str]]) -> int:
        """The sequence number of an item of ours."""
        if self.range_name is None:
            return int(item[self.hash_name]["S"].rpartition("#")[2])
        return int(item[self.range_name]["N"])


def schema_of(description: Mapping[str, Any], table: str, region: str) -> Schema:
    """The schema of a table that exists, as its DescribeTable tells it.

    Raises:
        TargetUnavailable: its keys cannot hold ours.
    """
    types = {d["AttributeName"]: d["AttributeType"] for d in description.get("AttributeDefinitions", ())}
    names = {k["KeyType"]: str(k["AttributeName"]) for k in description["KeySchema"]}
    hash_name, range_name = names["HASH"], names.get("RANGE")
    kinds = (types.get(hash_name), None if range_name is None else types.get(range_name))
    reserved = {CHANGE_NAME, PAD_NAME} & {hash_name, range_name}
    if kinds not in (("S", None), ("S", "N")) or reserved:
        has = " and ".join(f"{name} ({types.get(name, '?')})" for name in (hash_name, range_name) if name)
        why = f"uses the name {reserved.pop()}, which probes need" if reserved else "cannot hold probes"
        raise TargetUnavailable(
            f"the key of table {table} in {region}, {has}, {why}: a string partition key alone, or with a number sort "
            "key, is needed; choose another with --table, or leave it out"
        )
    return Schema(hash_name, range_name, FOREIGN_PREFIX)
