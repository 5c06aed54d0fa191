"""The calls of the control plane that the harness makes, each with the answers it has to tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from botocore.exceptions import ClientError

from harness.dynamodb.access import translated
from harness.dynamodb.table_steps import Step

_MISSING = "ResourceNotFoundException"
_BUSY = frozenset({"ResourceInUseException", "LimitExceededException", "ThrottlingException"})


class Answer(StrEnum):
    """`TAKEN`: a table of this name exists already. `SOURCE`: the Region sourced a replica that has to go first."""

    DONE = "done"
    BUSY = "busy"
    TAKEN = "taken"
    SOURCE = "source"


_TEXTS = {
    "Table already exists": Answer.TAKEN,
    "already existed as tables": Answer.BUSY,  # the next look tells whose they are
    "acted as a source region": Answer.SOURCE,
    "were not part of the global table": Answer.DONE,
}


class Clients(Protocol):
    """Where clients come from: `Access`, or a fake."""

    def control(self, region: str, attempts: int = ...) -> Any:
        """A boto3 client of one Region."""


@dataclass(slots=True)
class TableCalls:
    """Calls about one table name in any Region.

    Raises:
        TargetUnavailable: from all of them, where a Region cannot be reached or refuses for good.
    """

    access: Clients
    name: str
    _clients: dict[tuple[str, int], Any] = field(default_factory=dict)

    def describe(self, region: str) -> Mapping[str, Any] | None:
        """DescribeTable's description, None where there is no such table."""
        with translated(region, self.name):
            try:
                answer = self.client(region).describe_table(TableName=self.name)
            except ClientError as error:
                if error.response["Error"]["Code"] == _MISSING:
                    return None
                raise
        description: Mapping[str, Any] = answer["Table"]
        return description

    def create(self, region: str, keys: Sequence[tuple[str, str]]) -> Answer:
        """CreateTable, on demand. One attempt: the second one would find the table of the first and call it taken."""
        schema = zip(keys, ("HASH", "RANGE"), strict=False)
        return self._ask(
            region,
            "create_table",
            1,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in keys],
            KeySchema=[{"AttributeName": n, "KeyType": kind} for (n, _), kind in schema],
            BillingMode="PAY_PER_REQUEST",
        )

    def change(self, step: Step, strong: bool) -> Answer:
        """UpdateTable with the replicas of a step; `strong` where the table is to become so."""
        request: dict[str, Any] = {
            "ReplicaUpdates": [{action: {"RegionName": region}} for action, region in step.changes]
        }
        if strong:
            request["MultiRegionConsistency"] = "STRONG"
        if step.witness:
            action, region = step.witness
            request["GlobalTableWitnessUpdates"] = [{action: {"RegionName": region}}]
        return self._ask(step.region, "update_table", **request)

    def delete(self, region: str) -> Answer:
        """DeleteTable; one that is gone is fine."""
        return self._ask(region, "delete_table")

    def client(self, region: str, attempts: int = 4) -> Any:
        """The client of a Region, made once."""
        if (region, attempts) not in self._clients:
            self._clients[region, attempts] = self.access.control(region, attempts)
        return self._clients[region, attempts]

    def _ask(self, region: str, operation: str, attempts: int = 4, **request: Any) -> Answer:
        with translated(region, self.name):
            try:
                getattr(self.client(region, attempts), operation)(TableName=self.name, **request)
            except ClientError as error:
                answer = _answer(error, operation)
                if answer is None:
                    raise
                return answer
        return Answer.DONE


def _answer(error: ClientError, operation: str) -> Answer | None:
    """What a refusal means; None where it is final."""
    details = error.response["Error"]
    for text, answer in _TEXTS.items():
        if text in details.get("Message", ""):
            return answer
    if details["Code"] == _MISSING and operation == "delete_table":
        return Answer.DONE
    return Answer.BUSY if details["Code"] in _BUSY else None
