"""Replicas made and removed by UpdateTable: one at a time, or a strongly consistent table's all at once."""

from __future__ import annotations

from harness.emulator.errors import WireError, not_supported, validation
from harness.emulator.pace import Span
from harness.emulator.replication import World
from harness.emulator.requests import Request, check_members, one_of, required, typed
from harness.emulator.rtt import matrix
from harness.emulator.tables import FOREVER, Replica, Table
from harness.regions import STRONG_SETS

SOURCE = (
    "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to "
    "the table in the last 24 hours."
)
_NOT_A_MEMBER = (
    "Update global table operation failed because one or more replicas were not part of the global table. "
    "Please retry the request without these replicas: [{}]."
)
_STRONG = (
    "A table with MultiRegionConsistency STRONG has exactly three Regions, all added in one UpdateTable: "
    "two replicas, or one replica and one witness"
)
_FROZEN = (
    "A table with MultiRegionConsistency STRONG keeps its Regions; it is dissolved in one UpdateTable that deletes "
    "every other replica and the witness: {}"
)


def change_replicas(world: World, asked: Replica, request: Request, now_ns: int) -> bool:
    """Do what UpdateTable asks; False where the emulator is set to answer as if it did.

    Raises:
        WireError: with AWS's texts where they are known; those about STRONG are this emulator's own.
    """
    actions = _actions(request, "ReplicaUpdates")
    witness = _actions(request, "GlobalTableWitnessUpdates")
    strong = one_of(request, "MultiRegionConsistency", "EVENTUAL", "STRONG") == "STRONG"
    if len(actions) > 1 and not (strong or asked.table.strong):
        raise validation(
            "Update table operation with more than one create or delete replica actions not allowed"
        )
    _check_regions(world, asked, actions, witness)
    if world.ignored_updates:
        world.ignored_updates -= 1
        return False
    if asked.table.strong:
        _dissolve(world, asked, actions, witness, now_ns)
    elif strong:
        _make_strong(world, asked, actions, witness, now_ns)
    elif witness:
        raise validation(_STRONG)
    elif actions[0][0] == "Create":
        _create_one(world, asked, actions[0][1], now_ns)
    else:
        _delete(world, asked, [actions[0][1]], now_ns)
    return True


def new_replica(world: World, table: Table, region: str, now_ns: int, active_ns: int) -> Replica:
    """A table in one Region, ACTIVE later."""
    number = world.catalogue.next_number()
    replica = Replica(number, region, table, world.new_id(), created_ns=now_ns, active_ns=active_ns)
    world.catalogue.add(replica)
    return replica


def sourced(world: World, replica: Replica, now_ns: int) -> bool:
    """Has its Region added a replica, still there, in the last 24 hours?"""
    since_ns = now_ns - world.settings.pace.source_ns
    present = replica.table.present(now_ns)
    return any(other.source == replica.region and other.created_ns > since_ns for other in present)


def protected(replica: Replica) -> WireError:
    """The refusal to delete it."""
    return validation(
        f"Resource cannot be deleted as it is currently protected against deletion. "
        f"Disable deletion protection first. Table: {replica.arn}"
    )


def _actions(request: Request, member: str) -> list[tuple[str, str]]:
    """(Create or Delete, Region) of each entry."""
    updates = typed(request, member, list) or []
    if not all(type(update) is dict and len(update) == 1 for update in updates):
        raise validation(f"Each of {member} must hold exactly one of Create, Update and Delete")
    actions = []
    for update in updates:
        action, body = next(iter(update.items()))
        if action not in ("Create", "Delete") or type(body) is not dict:
            raise not_supported(f"{member} {action}")
        check_members(body, frozenset({"RegionName"}))
        actions.append((action, str(required(body, "RegionName"))))
    return actions


def _check_regions(
    world: World, asked: Replica, actions: list[tuple[str, str]], witness: list[tuple[str, str]]
) -> None:
    for _, region in (*actions, *witness):
        if region == asked.region:
            raise validation(
                "Cannot add or delete the local region through ReplicaUpdates. "
                "Use CreateTable, DeleteTable, or UpdateTable as required."
            )
    for _, region in actions:
        if region not in world.regions:
            known = ", ".join(world.regions)
            raise validation(f"Region {region} is not supported. This emulator was started with {known}.")
    for _, region in witness:
        if (asked.region, region) not in matrix():
            raise validation(f"Region {region} is not supported.")


def _create_one(world: World, source: Replica, region: str, now_ns: int) -> None:
    pace, table = world.settings.pace, source.table
    _check_new(world, source, [region], now_ns)
    span = pace.loaded if table.items.holds(source.number, now_ns) else pace.empty
    replica = _create(world, source, [region], span, now_ns)[0]
    images = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    replica.stream = images
    source.stream = source.stream or images


def _make_strong(
    world: World,
    source: Replica,
    actions: list[tuple[str, str]],
    witness: list[tuple[str, str]],
    now_ns: int,
) -> None:
    table = source.table
    regions = [region for _, region in actions]
    everywhere = {source.region, *regions, *(region for _, region in witness)}
    creates = all(action == "Create" for action, _ in (*actions, *witness))
    if not (creates and regions and len(actions) + len(witness) == 2 and len(everywhere) == 3):
        raise validation(_STRONG)
    if len(table.present(now_ns)) > 1:
        raise validation("MultiRegionConsistency STRONG is only for a table without replicas")
    if not any(everywhere <= one for one in STRONG_SETS):
        sets = "; ".join(", ".join(sorted(one)) for one in STRONG_SETS)
        raise validation(f"MultiRegionConsistency STRONG is only for Regions of one of these sets: {sets}")
    if table.items.holds(source.number, now_ns):
        raise validation("MultiRegionConsistency STRONG is only for an empty table")
    _check_new(world, source, regions, now_ns)
    _create(world, source, regions, world.settings.pace.empty, now_ns)
    table.strong = True
    table.witness = witness[0][1] if witness else None


def _check_new(world: World, source: Replica, regions: list[str], now_ns: int) -> None:
    table = source.table
    if any(world.catalogue.find(region, table.name, now_ns) is not None for region in regions):
        raise validation(
            f"Failed to create a the new replica of table with name: '{table.name}' because one or more "
            "replicas already existed as tables."
        )
    if table.billing["BillingMode"] != "PAY_PER_REQUEST":
        raise validation("Table write capacity should either be Pay-Per-Request or AutoScaled.")


def _create(world: World, source: Replica, regions: list[str], takes: Span, now_ns: int) -> list[Replica]:
    pace, table = world.settings.pace, source.table
    table.busy_until_ns = now_ns + world.takes_ns(takes)
    replicas = [new_replica(world, table, region, now_ns, table.busy_until_ns) for region in regions]
    for replica in replicas:
        replica.listed_ns = min(now_ns + world.takes_ns(pace.listed), replica.active_ns)
        replica.known_ns = min(now_ns + world.takes_ns(pace.known), replica.active_ns)
        replica.source = source.region
    return replicas


def _dissolve(
    world: World,
    asked: Replica,
    actions: list[tuple[str, str]],
    witness: list[tuple[str, str]],
    now_ns: int,
) -> None:
    table = asked.table
    others = [other.region for other in table.present(now_ns) if other is not asked]
    wanted = [("Delete", region) for region in others]
    wanted_witness = [("Delete", table.witness)] if table.witness else []
    if sorted(actions) != sorted(wanted) or witness != wanted_witness:
        raise validation(_FROZEN.format(", ".join([*others, *(region for _, region in wanted_witness)])))
    _delete(world, asked, others, now_ns)
    table.strong = False
    table.witness = None


def _delete(world: World, asked: Replica, regions: list[str], now_ns: int) -> None:
    """The asked Region is UPDATING for a while; a replica's own Region answers a little longer than it is listed."""
    pace, table = world.settings.pace, asked.table
    leaving = []
    for region in regions:
        replica = table.replicas.get(region)
        if replica is None or replica.deleting_ns != FOREVER:
            raise validation(_NOT_A_MEMBER.format(region))
        if replica.deletion_protected:
            raise protected(replica)
        if sourced(world, replica, now_ns):
            raise validation(SOURCE)
        leaving.append(replica)
    table.busy_until_ns = now_ns + world.takes_ns(pace.updating)
    for replica in leaving:
        replica.deleting_ns = now_ns
        replica.left_ns = table.busy_until_ns + world.takes_ns(pace.deleting)
        replica.gone_ns = replica.left_ns + world.takes_ns(pace.lingering)
