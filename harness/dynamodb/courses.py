"""The demo's table of courses: what `harness.demo` asks of DynamoDB, one Region at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.dynamodb.access import Access, translated
from harness.measure.clock import now_ns

KEY = "courseid"

Course = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One read that was answered: when it was sent and received, what it found and what it looked for in vain."""

    sent_ns: int
    received_ns: int
    found: frozenset[str]
    missed: frozenset[str]


@dataclass(slots=True)
class Courses:
    """Reads and writes of the table `name` in all its Regions."""

    access: Access
    name: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def write(self, region: str, courses: Sequence[Course]) -> int:
        """BatchWriteItem; the number of items DynamoDB left unprocessed."""
        requests = [{"PutRequest": {"Item": course}} for course in courses]
        with translated(region, self.name):
            answer = self._client(region).batch_write_item(RequestItems={self.name: requests})
        return len(answer.get("UnprocessedItems", {}).get(self.name, ()))

    def look(self, region: str, ids: Sequence[str]) -> Sighting:
        """BatchGetItem with strong reads; keys left unprocessed are neither found nor missed."""
        keys = [{KEY: {"S": course_id}} for course_id in ids]
        request = {self.name: {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": KEY}}
        client = self._client(region)
        sent_ns = now_ns()
        with translated(region, self.name):
            answer = client.batch_get_item(RequestItems=request)
        received_ns = now_ns()
        found = _ids(answer["Responses"].get(self.name, ()))
        unprocessed = _ids(answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", ()))
        return Sighting(sent_ns, received_ns, found, frozenset(ids) - found - unprocessed)

    def all(self, region: str) -> dict[str, Course]:
        """Every course of a Region by its id, read strongly."""
        with translated(region, self.name):
            pages = self._client(region).get_paginator("scan")
            found = [
                item
                for page in pages.paginate(TableName=self.name, ConsistentRead=True)
                for item in page["Items"]
            ]
        return {item[KEY]["S"]: item for item in found}

    def add_replica(self, region: str, replica: str) -> str:
        """UpdateTable with a `Create` replica; the TableStatus of the answer."""
        with translated(region, self.name):
            answer = self._client(region).update_table(
                TableName=self.name, ReplicaUpdates=[{"Create": {"RegionName": replica}}]
            )
        return str(answer["TableDescription"]["TableStatus"])

    def _client(self, region: str) -> Any:
        if region not in self._clients:
            self._clients[region] = self.access.control(region)
        return self._clients[region]


def _ids(items: Sequence[Course]) -> frozenset[str]:
    return frozenset(item[KEY]["S"] for item in items)
