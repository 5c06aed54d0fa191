"""What to do next with a table, given what its Regions say of it: pure decisions, nothing remembered between them.

Because each step follows from what is seen alone, a set-up or a teardown may be killed anywhere and begun again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.errors import TargetUnavailable

_CHANGING = frozenset({"CREATING", "UPDATING", "DELETING"})


class Act(StrEnum):
    """What a step does. `DISOWN`: a listed table proves to be another's, and is taken off the ledger.

    `DONE`: the table is usable everywhere. `GONE`: no Region has it.
    """

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    DISOWN = "disown"
    WAIT = "wait"
    DONE = "done"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Step:
    """One call, asked of `region`. `changes` are (Create or Delete, Region) of replicas, `witness` one of a witness."""

    act: Act
    region: str = ""
    changes: tuple[tuple[str, str], ...] = ()
    witness: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The table to be made: `regions`, the first of which it is created in.

    With `per_region` each has a table of its own. `strong` is multi-Region strong consistency: three Regions, of which
    one may be the `witness`, which holds no table and is not among `regions`.
    """

    name: str
    regions: tuple[str, ...]
    per_region: bool = False
    strong: bool = False
    witness: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """DescribeTable's answers by Region, None where there is no such table."""

    tables: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)

    def status(self, region: str) -> str | None:
        """TableStatus; None where there is no table."""
        table = self.tables.get(region)
        return None if table is None else str(table["TableStatus"])

    def replicas(self, region: str) -> dict[str, str]:
        """ReplicaStatus by Region, as this one lists the others."""
        table = self.tables.get(region) or {}
        return {str(r["RegionName"]): str(r.get("ReplicaStatus")) for r in table.get("Replicas", ())}

    def witness(self, region: str) -> str | None:
        """The witness Region, as this one lists it."""
        table = self.tables.get(region) or {}
        return next((str(w["RegionName"]) for w in table.get("GlobalTableWitnesses", ())), None)

    def strong(self, region: str) -> bool:
        """Does this Region say that its table is strongly consistent across Regions?"""
        return (self.tables.get(region) or {}).get("MultiRegionConsistency") == "STRONG"

    def complete(self, region: str, others: Sequence[str]) -> bool:
        """Does this Region say that it and every other replica is ACTIVE?"""
        replicas = self.replicas(region)
        return self.status(region) == "ACTIVE" and all(replicas.get(other) == "ACTIVE" for other in others)

    def standing(self, regions: Sequence[str]) -> list[str]:
        """The Regions that have the table and are not about to lose it."""
        return [region for region in regions if self.status(region) not in (None, "DELETING")]

    def describe(self) -> str:
        """The statuses in words."""
        return ", ".join(f"{region} {self.status(region) or 'has none'}" for region in self.tables)


def step_of_setup(seen: Seen, wanted: Wanted) -> Step:
    """The next step towards one usable table.

    Every table seen is taken for ours; whoever calls this has made sure of it.

    Raises:
        TargetUnavailable: the table has replicas already, of another consistency than is wanted.
    """
    if wanted.per_region:
        for region in wanted.regions:
            if seen.status(region) != "ACTIVE":
                return Step(Act.WAIT if seen.status(region) else Act.CREATE, region)
        return Step(Act.DONE)
    standing = seen.standing(wanted.regions)
    if not standing:
        gone = all(seen.status(region) is None for region in wanted.regions)
        return Step(Act.CREATE if gone else Act.WAIT, wanted.regions[0])
    anchor = standing[0]
    if _busy(seen, anchor):
        return Step(Act.WAIT, anchor)
    if seen.replicas(anchor) and seen.strong(anchor) != wanted.strong:
        has = "strong" if seen.strong(anchor) else "eventual"
        raise TargetUnavailable(
            f"table {wanted.name} has {has} consistency across its Regions, which cannot be changed; remove it first, "
            "or choose another name"
        )
    missing = []
    for region in wanted.regions:
        listed, status = seen.replicas(anchor).get(region), seen.status(region)
        if region == anchor or listed == "ACTIVE":
            continue
        if listed is not None:  # CREATION_FAILED and its like
            return Step(Act.CHANGE, anchor, (("Delete", region),))
        if status is not None:
            return Step(Act.WAIT if status == "DELETING" else Act.DISOWN, region)
        missing.append(region)
    if wanted.strong and missing:
        creates = tuple(("Create", region) for region in missing)
        return Step(Act.CHANGE, anchor, creates, ("Create", wanted.witness) if wanted.witness else None)
    if missing:
        return Step(Act.CHANGE, anchor, (("Create", missing[0]),))
    everywhere = all(seen.complete(one, _without(wanted.regions, one)) for one in wanted.regions)
    return Step(Act.DONE if everywhere else Act.WAIT, anchor)


def step_of_teardown(seen: Seen, wanted: Wanted, sources: Collection[str] = ()) -> Step:
    """The next step towards no table in any of the Regions, which are all ours to remove.

    `sources` are Regions that cannot leave before the replicas they sourced.

    Raises:
        TargetUnavailable: there is a replica that is not ours, or no Region may leave.
    """
    standing = seen.standing(wanted.regions)
    if not standing:
        gone = all(seen.status(region) is None for region in wanted.regions)
        return Step(Act.GONE if gone else Act.WAIT)
    anchor = standing[0]
    if seen.status(anchor) != "ACTIVE":
        return Step(Act.WAIT, anchor)
    if wanted.per_region:
        return Step(Act.DELETE, anchor)
    if _busy(seen, anchor):
        return Step(Act.WAIT, anchor)
    members = seen.replicas(anchor)
    foreign = [region for region in members if region not in wanted.regions]
    if foreign:
        raise TargetUnavailable(
            f"table {wanted.name} has a replica in {', '.join(foreign)} that this harness did not create; "
            "remove it by hand, then repeat"
        )
    if seen.strong(anchor):
        witness = seen.witness(anchor)
        deletes = tuple(("Delete", region) for region in members)
        return Step(Act.CHANGE, anchor, deletes, ("Delete", witness) if witness else None)
    if members:
        return _leaf(wanted.name, anchor, [r for r in wanted.regions if r in members], sources)
    for region in _without(wanted.regions, anchor):
        if seen.status(region) is not None:
            return Step(Act.WAIT if seen.status(region) == "DELETING" else Act.DISOWN, region)
    return Step(Act.DELETE, anchor)


def _leaf(name: str, anchor: str, members: Sequence[str], sources: Collection[str]) -> Step:
    """Remove a replica that sourced none; the last one made first, the anchor itself only if no other can go."""
    for region in [*reversed(members), anchor]:
        if region not in sources:
            asked = anchor if region != anchor else members[0]
            return Step(Act.CHANGE, asked, (("Delete", region),))
    raise TargetUnavailable(
        f"table {name}: none of {', '.join([anchor, *members])} may leave, each has sourced a replica in the last "
        "24 hours; repeat later"
    )


def _busy(seen: Seen, anchor: str) -> bool:
    return seen.status(anchor) != "ACTIVE" or not _CHANGING.isdisjoint(seen.replicas(anchor).values())


def _without(regions: Sequence[str], one: str) -> list[str]:
    return [region for region in regions if region != one]
