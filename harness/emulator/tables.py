"""Tables and their replicas; what they are at an instant is computed from a few stored instants.

    Replica   created_ns ── CREATING ── active_ns ── ACTIVE ── deleting_ns ── DELETING ── gone_ns
              listed by other Regions from listed_ns to left_ns, described by its own from known_ns to gone_ns
    Table     is being changed until busy_until_ns; its replicas say UPDATING meanwhile

A table created in one Region is a global table with one replica. The same name created in two Regions is two tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.emulator.errors import WireError, table_not_found, validation
from harness.emulator.items import Key, KeySchema
from harness.emulator.store import ItemStore

ACCOUNT = "000000000000"
FOREVER = 1 << 62
ANYWHERE = 0
"""No replica's number: reading under it shows what any Region has written."""


@dataclass(slots=True)
class Table:
    """What all replicas share. `definition` holds members of DescribeTable as they were given.

    With `strong` it is consistent across its Regions, one of which may be a `witness` without items; `pending` holds
    (replica number, instant of the acknowledgement) of writes by key.
    """

    name: str
    schema: KeySchema
    items: ItemStore
    definition: dict[str, Any]
    billing: dict[str, Any]
    replicas: dict[str, Replica] = field(default_factory=dict)
    busy_until_ns: int = 0
    strong: bool = False
    witness: str | None = None
    pending: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def participants(self) -> list[str]:
        """The Regions of a quorum."""
        return [*self.replicas, *([self.witness] if self.witness else [])]

    def present(self, now_ns: int) -> list[Replica]:
        """Its replicas, those included that are under way or not listed yet."""
        return [replica for replica in self.replicas.values() if now_ns < replica.left_ns]


@dataclass(slots=True, eq=False)
class Replica:
    """One table in one Region. `number` is never used again, so a replica made anew is another one.

    `listed_ns` is when the other Regions begin to list it and `left_ns` when they stop, `known_ns` when its own
    Region begins to describe it and `gone_ns` when it stops.
    """

    number: int
    region: str
    table: Table
    table_id: str
    created_ns: int
    active_ns: int
    listed_ns: int = 0
    known_ns: int = 0
    source: str | None = None
    deletion_protected: bool = False
    stream: dict[str, Any] | None = None
    deleting_ns: int = FOREVER
    left_ns: int = FOREVER
    gone_ns: int = FOREVER

    @property
    def arn(self) -> str:
        """The table's ARN in this Region."""
        return f"arn:aws:dynamodb:{self.region}:{ACCOUNT}:table/{self.table.name}"

    def view(self, consistent: bool) -> int:
        """The number to read under."""
        return ANYWHERE if consistent and self.table.strong else self.number

    def status(self, now_ns: int) -> str:
        """TableStatus at an instant."""
        if now_ns >= self.deleting_ns:
            return "DELETING"
        if now_ns < self.active_ns:
            return "CREATING"
        return "UPDATING" if now_ns < self.table.busy_until_ns else "ACTIVE"

    def replica_status(self, now_ns: int) -> str:
        """ReplicaStatus at an instant, as the other Regions list it."""
        status = self.status(now_ns)
        return "ACTIVE" if status == "UPDATING" else status


class Catalogue:
    """Which Region knows which table."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._replicas: dict[str, dict[str, Replica]] = {region: {} for region in regions}
        self._count = 0

    def next_number(self) -> int:
        """A number no replica has had."""
        self._count += 1
        return self._count

    def add(self, replica: Replica) -> None:
        """Make `replica` known in its Region."""
        self._replicas[replica.region][replica.table.name] = replica
        replica.table.replicas[replica.region] = replica

    def find(self, region: str, name: str, now_ns: int) -> Replica | None:
        """The table of this name in a Region, in whatever state, even unknown there yet; None where there is none."""
        replica = self._replicas[region].get(name)
        if replica is not None and now_ns >= replica.gone_ns:
            del self._replicas[region][name]
            if replica.table.replicas.get(region) is replica:
                del replica.table.replicas[region]
            return None
        return replica

    def readable(self, region: str, name: object, now_ns: int) -> Replica:
        """The table of this name in a Region, ready for reads and writes."""
        replica = self._replicas[region].get(name) if type(name) is str else None
        if replica is None:
            replica = self.find(region, table_name(name, region), now_ns)
        if replica is None or not replica.active_ns <= now_ns < replica.deleting_ns:
            raise table_not_found()
        return replica

    def in_region(self, region: str, now_ns: int) -> Iterator[str]:
        """Names of the tables of one Region, sorted."""
        for name in sorted(self._replicas[region]):
            replica = self.find(region, name, now_ns)
            if replica is not None and now_ns >= replica.known_ns:
                yield name


def table_name(name: object, region: str) -> str:
    """The name in a TableName parameter, which may be an ARN of this Region."""
    if name is None:
        raise validation(
            "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: "
            "Member must not be null"
        )
    if not isinstance(name, str):
        raise WireError("SerializationException", "TableName must be a string")
    if name.startswith("arn:"):
        parts = name.split(":", 5)
        if len(parts) != 6 or parts[3] != region or not parts[5].startswith("table/"):
            raise validation(f"Invalid TableName: {name} is not the ARN of a table in {region}")
        return parts[5].removeprefix("table/")
    return name
