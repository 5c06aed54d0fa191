"""The global table is made and removed whatever happens in between; time is virtual, and AWS's."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.dynamodb.creations import Noted
from harness.dynamodb.global_table import GlobalTable, temporary_table
from harness.emulator.pace import FAST
from harness.errors import TargetUnavailable
from harness.records.ledger import Ledger
from tests.dynamodb.regions import TABLE, Killed, Regions
from tests.emulator.worlds import IRELAND, OPERATIONS, OREGON, SYDNEY, S

EVERYWHERE = {OREGON: "ACTIVE", SYDNEY: "ACTIVE", IRELAND: "ACTIVE"}
MOMENTS_OF_SETUP, MOMENTS_OF_TEARDOWN = 6, 6


def kill_at(moment: int) -> Callable[[int, str, str], None]:
    """A fault that kills at one moment: an odd one is before a call takes effect, an even one after it."""

    def fault(number: int, *_: str) -> None:
        if number == moment:
            raise Killed

    return fault


def replica_actions(regions: Regions) -> list[tuple[str, str]]:
    """(action, Region) of each replica asked for."""
    updates = [r["ReplicaUpdates"] for operation, _, r in regions.calls if operation == "UpdateTable"]
    return [
        (action, body["RegionName"]) for update in updates for one in update for action, body in one.items()
    ]


def usable(table: GlobalTable) -> bool:
    return all(table.complete(region) for region in table.regions)


def put(regions: Regions, region: str) -> None:
    OPERATIONS["PutItem"](
        regions.world, region, {"TableName": TABLE, "Item": {"pk": {"S": "x"}, "sk": {"N": "1"}}}, regions.now
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_table_is_made_replica_by_replica_and_removed_leaves_first(seed: int) -> None:
    regions, ledger = Regions(seed=seed), Noted()
    table = regions.table(ledger=ledger)
    table.create()
    assert usable(table)
    assert replica_actions(regions) == [("Create", SYDNEY), ("Create", IRELAND)]
    assert 40 * S < regions.now < 150 * S
    table.delete()
    assert regions.statuses() == {}
    assert replica_actions(regions)[2:] == [("Delete", IRELAND), ("Delete", SYDNEY)]
    assert regions.calls[-1][:2] == ("DeleteTable", OREGON)
    assert not any(ledger.holds(TABLE, region) for region in table.regions)


def test_making_what_is_there_and_removing_what_is_gone_changes_nothing() -> None:
    regions, ledger = Regions(), Noted()
    regions.table(ledger=ledger).create()
    calls = len(regions.calls)
    regions.table(ledger=ledger).create()
    assert len(regions.calls) == calls
    regions.table(ledger=ledger).delete()
    calls = len(regions.calls)
    regions.table(ledger=ledger).delete()
    assert len(regions.calls) == calls


@pytest.mark.parametrize("moment", range(1, MOMENTS_OF_SETUP + 1))
def test_a_setup_killed_at_any_call_continues_to_one_usable_table(moment: int, tmp_path: Path) -> None:
    regions, path = Regions(fault=kill_at(moment)), tmp_path / "tables.jsonl"
    with pytest.raises(Killed):
        regions.table(ledger=Ledger(path)).create()
    again = regions.table(ledger=Ledger(path))
    again.create()
    assert usable(again)
    assert len(replica_actions(regions)) <= 3
    again.delete()
    assert (regions.statuses(), Ledger(path).entries()) == ({}, ())


@pytest.mark.parametrize("moment", range(1, MOMENTS_OF_SETUP + 1))
def test_a_setup_killed_at_any_call_is_removed_wholly(moment: int, tmp_path: Path) -> None:
    regions, path = Regions(fault=kill_at(moment)), tmp_path / "tables.jsonl"
    with pytest.raises(Killed):
        regions.table(ledger=Ledger(path)).create()
    regions.table(*Ledger(path).regions(TABLE), ledger=Ledger(path)).delete()
    assert (regions.statuses(), Ledger(path).entries()) == ({}, ())
    regions.now += 1000 * S
    assert regions.statuses() == {}, "nothing appears later"


@pytest.mark.parametrize("then", ["remove", "make"])
@pytest.mark.parametrize("moment", range(1, MOMENTS_OF_TEARDOWN + 1))
def test_a_teardown_killed_at_any_call_can_be_finished_or_turned_round(
    moment: int, then: str, tmp_path: Path
) -> None:
    regions, path = Regions(), tmp_path / "tables.jsonl"
    regions.table(ledger=Ledger(path)).create()
    put(regions, SYDNEY)
    regions.fault = kill_at(MOMENTS_OF_SETUP + moment)
    with pytest.raises(Killed):
        regions.table(ledger=Ledger(path)).delete()
    again = regions.table(ledger=Ledger(path))
    if then == "make":
        again.create()
        assert usable(again)
    again.delete()
    assert (regions.statuses(), Ledger(path).entries()) == ({}, ())


@pytest.mark.parametrize("moments", [(1, 2, 3), (2, 3, 5), (2, 4, 6), (1, 3, 5), (1, 4, 7)])
def test_killing_it_again_and_again_leaves_one_usable_table(moments: tuple[int, ...], tmp_path: Path) -> None:
    regions, path = Regions(), tmp_path / "tables.jsonl"
    for moment in moments:
        regions.fault = kill_at(moment)
        with pytest.raises(Killed):
            regions.table(ledger=Ledger(path)).create()
    regions.table(ledger=Ledger(path)).create()
    assert regions.statuses() == EVERYWHERE


def test_every_region_is_listed_before_the_call_that_creates_its_table(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "tables.jsonl")
    listed: dict[int, tuple[str, ...]] = {}
    regions = Regions(fault=lambda number, *_: listed.setdefault(number, ledger.regions(TABLE)) and None)
    regions.table(ledger=ledger).create()
    assert [listed[before] for before in (1, 3, 5)] == [
        (OREGON,),
        (OREGON, SYDNEY),
        (OREGON, SYDNEY, IRELAND),
    ]


@pytest.mark.parametrize("place", [OREGON, SYDNEY, IRELAND])
def test_a_table_that_is_not_in_the_ledger_is_refused_and_never_removed(place: str) -> None:
    regions, theirs, ours = Regions(), Noted(), Noted()
    regions.table(place, ledger=theirs).create()
    table = regions.table(ledger=ours)
    with (
        pytest.raises(TargetUnavailable, match=f"already exists in {place}; choose another"),
        temporary_table(table, keep=False),
    ):
        pass
    assert not table.created
    table.delete()
    assert regions.statuses() == {place: "ACTIVE"}


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_table_made_by_another_at_the_last_moment_is_left_alone(number: int) -> None:
    """The other one's CreateTable comes between our look and our call."""
    regions, ledger, theirs = Regions(), Noted(), []
    other = Regions.table

    def barge_in(moment: int, operation: str, region: str) -> None:
        if moment == number and not theirs:
            place = {1: OREGON, 3: SYDNEY, 5: IRELAND}[number]
            theirs.append(place)
            other(regions, place).create()

    regions.fault = barge_in
    with (
        pytest.raises(TargetUnavailable, match="already exists in"),
        temporary_table(regions.table(ledger=ledger), keep=False),
    ):
        pass
    assert list(regions.statuses()) == theirs


def test_a_replica_added_by_another_is_not_removed_and_is_named() -> None:
    regions, ours = Regions(), Noted()
    table = regions.table(OREGON, SYDNEY, ledger=ours)
    table.create()
    regions.control(OREGON).update_table(
        TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": IRELAND}}]
    )
    with pytest.raises(
        TargetUnavailable, match=f"has a replica in {IRELAND} that this harness did not create"
    ):
        table.delete()
    assert regions.statuses() == EVERYWHERE


@pytest.mark.parametrize("ignored", [1, 2, 4])
def test_a_change_that_did_not_stick_is_asked_for_again(ignored: int) -> None:
    regions, ledger = Regions(ignored_updates=ignored), Noted()
    table = regions.table(ledger=ledger)
    table.create()
    assert usable(table)
    assert regions.said.count("  that had no effect; asking again") == ignored
    regions.world.ignored_updates = ignored
    table.delete()
    assert regions.statuses() == {}


def test_a_change_that_never_sticks_is_given_up_and_what_was_made_is_removed() -> None:
    regions = Regions(ignored_updates=6)
    with (
        pytest.raises(TargetUnavailable, match="5 times without effect"),
        temporary_table(regions.table(), keep=False),
    ):
        pass
    assert regions.statuses() == {}


@pytest.mark.parametrize("times", [1, 2])
def test_only_a_second_signal_while_the_table_is_removed_leaves_it_and_says_so(
    times: int, tmp_path: Path
) -> None:
    regions, ledger = Regions(pace=FAST), Ledger(tmp_path / "tables.jsonl")

    def interrupt(_number: int, operation: str, _region: str) -> None:
        if operation == "DeleteTable":
            regions.fault = lambda *_: None
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    def measure() -> None:
        with temporary_table(regions.table(ledger=ledger), keep=False):
            regions.fault = interrupt

    with pytest.raises(KeyboardInterrupt):
        measure()
    left = times > 1
    assert bool(regions.statuses()) == bool(ledger.entries()) == left
    assert regions.said[-1].startswith(f"table {TABLE} is left in") == left


def test_a_failure_to_remove_the_table_does_not_hide_what_failed_before() -> None:
    regions = Regions(pace=FAST)

    def refuse(_number: int, operation: str, region: str) -> None:
        if operation == "DeleteTable":
            raise TargetUnavailable(f"cannot reach {region}")

    def measure() -> None:
        with temporary_table(regions.table(), keep=False):
            regions.fault = refuse
            raise KeyError

    with pytest.raises(KeyError):
        measure()
    assert regions.said[-1].startswith("could not remove table items: cannot reach")


def test_a_failure_to_remove_the_table_is_told_where_all_else_went_well() -> None:
    regions = Regions(pace=FAST)

    def refuse(_number: int, operation: str, region: str) -> None:
        if operation == "DeleteTable":
            raise TargetUnavailable(f"cannot reach {region}")

    with pytest.raises(TargetUnavailable, match="cannot reach"), temporary_table(regions.table(), keep=False):
        regions.fault = refuse


def test_a_table_made_in_another_order_is_removed_leaves_first_all_the_same() -> None:
    regions, ledger = Regions(), Noted()
    regions.table(IRELAND, SYDNEY, OREGON, ledger=ledger).create()
    regions.table(OREGON, IRELAND, SYDNEY, ledger=ledger).delete()
    assert regions.statuses() == {}


def test_a_chain_of_replicas_is_removed_from_its_end() -> None:
    regions, ledger = Regions(), Noted()
    regions.table(OREGON, SYDNEY, ledger=ledger).create()
    ledger.add(TABLE, IRELAND)
    regions.control(SYDNEY).update_table(
        TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": IRELAND}}]
    )
    regions.table(OREGON, IRELAND, SYDNEY, ledger=ledger).delete()
    assert regions.statuses() == {}


def test_deletion_protection_is_told_and_removing_goes_on_once_it_is_off() -> None:
    regions, ledger = Regions(), Noted()
    table = regions.table(ledger=ledger)
    table.create()
    regions.control(SYDNEY).update_table(TableName=TABLE, DeletionProtectionEnabled=True)
    with pytest.raises(TargetUnavailable, match="protected against deletion"):
        table.delete()
    regions.control(SYDNEY).update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    table.delete()
    assert regions.statuses() == {}


def test_progress_is_told_step_by_step_and_while_waiting() -> None:
    regions = Regions()
    table = regions.table(OREGON, SYDNEY)
    table.create()
    assert regions.said[0] == f"creating table {TABLE} in {OREGON}"
    assert f"adding a replica in {SYDNEY}" in regions.said
    assert any(f"{OREGON} UPDATING, {SYDNEY} CREATING (for " in line for line in regions.said)
    assert len(regions.said) < 30


def test_waiting_has_an_end_that_says_how_it_stands() -> None:
    regions = Regions()
    table = regions.table(OREGON, SYDNEY)
    table.create()
    regions.world.catalogue.find(SYDNEY, TABLE, regions.now).active_ns = 1 << 61  # type: ignore[union-attr]
    with pytest.raises(TargetUnavailable, match=rf"gave up .* {SYDNEY} CREATING; repeat to continue"):
        table.delete()


def test_tables_of_their_own_in_each_region_are_made_and_removed_one_by_one() -> None:
    regions, ledger = Regions(fault=kill_at(4)), Noted()
    with pytest.raises(Killed):
        regions.table(per_region=True, ledger=ledger).create()
    table = regions.table(per_region=True, ledger=ledger)
    table.create()
    assert (regions.statuses(), replica_actions(regions)) == (EVERYWHERE, [])
    table.delete()
    assert regions.statuses() == {}


def test_a_table_with_other_keys_is_refused() -> None:
    regions = Regions()
    regions.table(OREGON, keys=(("courseid", "S"),)).create()
    with pytest.raises(TargetUnavailable, match="has other keys than pk"):
        regions.table(OREGON).check()


AMERICA = (OREGON, "us-east-1", "us-east-2")


@pytest.mark.parametrize("witness", [None, "us-east-2"])
def test_a_strong_table_is_made_and_dissolved_in_one_change_each(witness: str | None) -> None:
    regions, ledger = Regions(places=AMERICA), Noted()
    places = [region for region in AMERICA if region != witness]
    table = regions.table(*places, ledger=ledger, strong=True, witness=witness)
    table.create()
    descriptions = [table.describe(region) or {} for region in places]
    assert {description["MultiRegionConsistency"] for description in descriptions} == {"STRONG"}
    assert usable(table)
    put(regions, places[1])
    table.delete()
    assert regions.statuses() == {}
    assert [operation for operation, _, _ in regions.calls].count("UpdateTable") == 2


@pytest.mark.parametrize("witness", [None, "us-east-2"])
@pytest.mark.parametrize("moment", range(1, 9))
def test_a_strong_table_killed_at_any_call_is_continued_and_removed(
    moment: int, witness: str | None, tmp_path: Path
) -> None:
    regions, path = Regions(places=AMERICA, fault=kill_at(moment)), tmp_path / "tables.jsonl"
    places = [region for region in AMERICA if region != witness]

    def table() -> GlobalTable:
        return regions.table(*places, ledger=Ledger(path), strong=True, witness=witness)

    def make_and_remove() -> None:
        table().create()
        table().delete()

    with pytest.raises(Killed):
        make_and_remove()
    table().create()
    assert usable(table())
    table().delete()
    assert (regions.statuses(), Ledger(path).entries()) == ({}, ())
