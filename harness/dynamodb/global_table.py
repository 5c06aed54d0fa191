"""The table a run writes to: created in the source Region, replicated, waited for in every Region, removed.

Replicas are added before any data is loaded (it takes AWS ten minutes more once the table holds an item), one per
call, and a Region counts as ready when every Region says so, not when one does.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from harness.dynamodb.access import Access, translated
from harness.dynamodb.store import HASH_NAME, RANGE_NAME
from harness.errors import TargetUnavailable
from harness.measure.clock import now_ns, pause
from harness.units import NS_PER_S, format_duration

READY_TIMEOUT_NS = 1200 * NS_PER_S
PROBE_KEYS = ((HASH_NAME, "S"), (RANGE_NAME, "N"))

_MISSING = "ResourceNotFoundException"
_BUSY = frozenset({"ResourceInUseException", "LimitExceededException"})


@dataclass(slots=True)
class GlobalTable:
    """One table name in several Regions.

    `keys` are (name, type) of the partition key and, where there is one, the sort key. With `per_region` the table is
    created in each Region by itself, for servers that know no global tables. `say` gets a line at each step. `poll_ns`
    is how often a status is asked for; `created` turns true with the first call that may create something.
    """

    access: Access
    name: str
    regions: Sequence[str]
    keys: Sequence[tuple[str, str]] = PROBE_KEYS
    per_region: bool = False
    say: Callable[[str], None] = lambda _: None
    poll_ns: int = NS_PER_S
    created: bool = False
    _clients: dict[str, Any] = field(default_factory=dict)

    def create(self) -> None:
        """Create the table everywhere and wait until every Region serves it.

        Raises:
            TargetUnavailable: a Region cannot be reached, refuses, or already has a table of this name.
        """
        first, *others = self.regions
        for region in self.regions:
            if self.status(region) is not None:
                raise TargetUnavailable(
                    f"table {self.name} already exists in {region}; choose another with --table, or remove it"
                )
        self.created = True
        for region in self.regions if self.per_region else (first,):
            self.say(f"creating table {self.name} in {region}")
            self._create_in(region)
            self._wait(
                region, functools.partial(self._has_status, region, "ACTIVE"), "table to become ACTIVE"
            )
        for region in () if self.per_region else others:
            self.say(f"adding a replica in {region}")
            self._update(first, {"Create": {"RegionName": region}})
            self._wait(region, functools.partial(self._replicated, first, region), "replica to become ACTIVE")
        if not self.per_region:
            for region in self.regions:
                self._wait(
                    region, functools.partial(self.complete, region), "replicas to become ACTIVE everywhere"
                )

    def check(self) -> None:
        """Make sure that the table exists, ready and replicated, without changing anything.

        Raises:
            TargetUnavailable: it is missing somewhere, not ready, or not a replica of the others.
        """
        for region in self.regions:
            description = self.describe(region)
            if description is None:
                raise TargetUnavailable(
                    f"table {self.name} does not exist in {region}; create it, or add --create-per-region"
                )
            if description["TableStatus"] != "ACTIVE":
                status = description["TableStatus"]
                raise TargetUnavailable(f"table {self.name} in {region} is {status}; wait until it is ACTIVE")
            schema = {k["KeyType"]: k["AttributeName"] for k in description["KeySchema"]}
            if tuple(schema.get(kind) for kind in ("HASH", "RANGE")) != tuple(name for name, _ in self.keys):
                wanted = " and ".join(f"{name} ({kind})" for name, kind in self.keys)
                raise TargetUnavailable(f"table {self.name} in {region} has other keys than {wanted}")

    def delete(self) -> None:
        """Remove the table from every Region, replicas first; what is already gone is fine."""
        first, *others = self.regions
        for region in () if self.per_region else others:
            if first_knows := self.describe(first):
                if region not in _replica_status(first_knows):
                    continue
                self.say(f"removing the replica in {region}")
                self._update(first, {"Delete": {"RegionName": region}})
                self._wait(region, functools.partial(self._removed, first, region), "replica to be removed")
        for region in self.regions if self.per_region else (first,):
            if self.status(region) is not None:
                self.say(f"removing table {self.name} from {region}")
                with translated(region, self.name):
                    self._client(region).delete_table(TableName=self.name)
                self._wait(region, functools.partial(self._has_status, region, None), "table to be removed")

    def describe(self, region: str) -> Mapping[str, Any] | None:
        """DescribeTable's description, None where there is no such table."""
        with translated(region, self.name):
            try:
                description: Mapping[str, Any] = self._client(region).describe_table(TableName=self.name)[
                    "Table"
                ]
            except ClientError as error:
                if error.response["Error"]["Code"] == _MISSING:
                    return None
                raise
        return description

    def status(self, region: str) -> str | None:
        """The table's status there, None where it does not exist."""
        description = self.describe(region)
        return None if description is None else str(description["TableStatus"])

    def _has_status(self, region: str, status: str | None) -> bool:
        return self.status(region) == status

    def complete(self, region: str) -> bool:
        """Does this Region say that it and every other replica is ACTIVE?"""
        description = self.describe(region)
        if description is None or description["TableStatus"] != "ACTIVE":
            return False
        replicas = _replica_status(description)
        return all(replicas.get(other) == "ACTIVE" for other in self.regions if other != region)

    def _replicated(self, first: str, region: str) -> bool:
        description = self.describe(first)
        return description is not None and _replica_status(description).get(region) == "ACTIVE"

    def _removed(self, first: str, region: str) -> bool:
        description = self.describe(first)
        gone = description is None or region not in _replica_status(description)
        return gone and self.status(region) is None

    def _create_in(self, region: str) -> None:
        kinds = ("HASH", "RANGE")
        with translated(region, self.name):
            self._client(region).create_table(
                TableName=self.name,
                AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in self.keys],
                KeySchema=[
                    {"AttributeName": n, "KeyType": kind}
                    for (n, _), kind in zip(self.keys, kinds, strict=False)
                ],
                BillingMode="PAY_PER_REQUEST",
            )

    def _update(self, region: str, action: Mapping[str, Any]) -> None:
        """One replica action; another still in flight is waited for."""
        deadline_ns = now_ns() + READY_TIMEOUT_NS
        with translated(region, self.name):
            while True:
                try:
                    self._client(region).update_table(TableName=self.name, ReplicaUpdates=[action])
                    return
                except ClientError as error:
                    if error.response["Error"]["Code"] not in _BUSY or now_ns() > deadline_ns:
                        raise
                pause(self.poll_ns)

    def _wait(self, region: str, ready: Callable[[], bool], what: str) -> None:
        deadline_ns = now_ns() + READY_TIMEOUT_NS
        while not ready():
            if now_ns() > deadline_ns:
                waited = format_duration(READY_TIMEOUT_NS)
                raise TargetUnavailable(
                    f"gave up after {waited} waiting in {region} for the {what} ({self.name})"
                )
            pause(self.poll_ns)

    def _client(self, region: str) -> Any:
        if region not in self._clients:
            self._clients[region] = self.access.control(region)
        return self._clients[region]


@contextlib.contextmanager
def temporary_table(table: GlobalTable, *, keep: bool) -> Iterator[GlobalTable]:
    """The table for as long as the context lasts; removed afterwards whatever happened, unless `keep`."""
    try:
        table.create()
        yield table
    finally:
        if keep and table.created:
            table.say(f"keeping table {table.name} in {', '.join(table.regions)}")
        elif table.created:
            table.delete()


def _replica_status(description: Mapping[str, Any]) -> dict[str, str]:
    return {r["RegionName"]: str(r.get("ReplicaStatus")) for r in description.get("Replicas", ())}
