"""The control plane at AWS's pace: what a client sees of tables and replicas between the request and ACTIVE."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulator.pace import like_aws, parse_pace
from harness.errors import UsageError
from tests.emulator.test_tables import change, described, refused, replicas
from tests.emulator.worlds import IRELAND, OREGON, SYDNEY, Client, S, world_of

MISSING, IN_USE = "ResourceNotFoundException", "ResourceInUseException"
LATER = 11 * S
"""After a table at AWS's pace is ACTIVE."""


def at_aws_pace(divisor: float = 1.0, seed: int = 1, **more: Any) -> Client:
    """A table made at instant 0."""
    regions = (OREGON, SYDNEY, IRELAND)
    client = Client(world_of(*regions, lag="constant=1s", pace=like_aws(divisor), seed=seed, **more))
    client.create(0)
    return client


def first_instant(client: Client, region: str, now_ns: int, status: str | None, step: int = S) -> int:
    """The first instant from `now_ns` on, in steps, at which a Region says that its table is `status`."""
    for instant_ns in range(now_ns, now_ns + 1000 * step, step):
        names = client.ask("ListTables", region, instant_ns, TableName=None)["TableNames"]
        seen = described(client, region, instant_ns)["TableStatus"] if names else None
        if seen == status:
            return instant_ns
    raise AssertionError(f"{region} is never {status}")


@pytest.mark.parametrize("seed", range(5))
def test_a_replica_of_an_empty_table_is_listed_then_described_then_active(seed: int) -> None:
    client = at_aws_pace(seed=seed)
    answer = change(client, "Create", SYDNEY, LATER)
    assert (answer["TableStatus"], answer["Replicas"]) == ("UPDATING", [])
    assert replicas(client, OREGON, LATER + 5 * S - 1) == {}
    assert replicas(client, OREGON, LATER + 7 * S) == {SYDNEY: "CREATING"}
    with refused(MISSING, "Table: items not found"):
        described(client, SYDNEY, LATER + 9 * S - 1)
    assert client.ask("ListTables", SYDNEY, LATER + 9 * S - 1, TableName=None)["TableNames"] == []
    assert described(client, SYDNEY, LATER + 11 * S)["TableStatus"] == "CREATING"
    with refused(MISSING):
        client.get(SYDNEY, LATER + 11 * S, "x")
    with refused(IN_USE, "The resource which you are attempting to change is in use."):
        change(client, "Create", IRELAND, LATER + 11 * S)
    active_ns = first_instant(client, SYDNEY, LATER + 11 * S, "ACTIVE") - LATER
    assert 14 * S <= active_ns <= 50 * S
    assert described(client, OREGON, LATER + active_ns)["TableStatus"] == "ACTIVE"
    client.put(SYDNEY, LATER + active_ns, "x")


@pytest.mark.parametrize("seed", range(5))
def test_a_single_item_makes_a_replica_take_ten_minutes(seed: int) -> None:
    client = at_aws_pace(seed=seed)
    client.put(OREGON, LATER, "x")
    change(client, "Create", SYDNEY, LATER)
    assert replicas(client, OREGON, LATER + 560 * S - 1) == {SYDNEY: "CREATING"}
    assert replicas(client, OREGON, LATER + 690 * S) == {SYDNEY: "ACTIVE"}


def test_a_table_whose_items_are_all_deleted_is_empty_again() -> None:
    client = at_aws_pace()
    client.put(OREGON, LATER, "x")
    client.ask("DeleteItem", OREGON, LATER + 1, Key={"pk": {"S": "x"}})
    change(client, "Create", SYDNEY, LATER + 2)
    assert replicas(client, OREGON, LATER + 50 * S) == {SYDNEY: "ACTIVE"}


@pytest.mark.parametrize("seed", range(5))
def test_a_replica_is_removed_while_the_table_is_active_again_and_its_region_answers_last(seed: int) -> None:
    client = at_aws_pace(seed=seed)
    change(client, "Create", SYDNEY, LATER)
    start = LATER + 60 * S
    assert change(client, "Delete", SYDNEY, start)["TableStatus"] == "UPDATING"
    active_ns = first_instant(client, OREGON, start, "ACTIVE")
    assert 31 * S <= active_ns - start <= 48 * S
    assert replicas(client, OREGON, active_ns + 90 * S - S) == {SYDNEY: "DELETING"}
    with refused(IN_USE):
        change(client, "Create", IRELAND, active_ns + S)
    left_ns = next(t for t in range(active_ns, active_ns + 245 * S, S) if not replicas(client, OREGON, t))
    assert left_ns - active_ns >= 90 * S
    with refused("ValidationException", "already existed as tables"):
        change(client, "Create", SYDNEY, left_ns)
    gone_ns = first_instant(client, SYDNEY, left_ns, None)
    assert 9 * S <= gone_ns - left_ns <= 36 * S


def test_a_region_may_leave_a_day_after_it_sourced_a_replica() -> None:
    client = at_aws_pace(divisor=100)
    change(client, "Create", SYDNEY, S)
    change(client, "Create", IRELAND, 2 * S, asked=SYDNEY)
    day = 24 * 36 * S
    with refused("ValidationException", "in the last 24 hours."):
        change(client, "Delete", SYDNEY, 2 * S + day - 1)
    change(client, "Delete", SYDNEY, 2 * S + day)


def test_deletion_protection_of_a_region_blocks_its_replica_and_its_table() -> None:
    client = at_aws_pace(divisor=100)
    change(client, "Create", SYDNEY, S)
    for region in (OREGON, SYDNEY):
        client.ask("UpdateTable", region, 2 * S, DeletionProtectionEnabled=True)
    with refused("ValidationException", "protected against deletion"):
        change(client, "Delete", SYDNEY, 3 * S)
    client.ask("UpdateTable", SYDNEY, 3 * S, DeletionProtectionEnabled=False)
    change(client, "Delete", SYDNEY, 3 * S)
    with refused("ValidationException", "protected against deletion"):
        client.ask("DeleteTable", OREGON, 10 * S)


def test_an_ignored_update_answers_as_if_it_had_been_done() -> None:
    client = at_aws_pace(ignored_updates=1)
    assert change(client, "Create", SYDNEY, LATER)["TableStatus"] == "UPDATING"
    assert described(client, OREGON, LATER + 1)["TableStatus"] == "ACTIVE"
    assert replicas(client, OREGON, LATER + 100 * S) == {}
    change(client, "Create", SYDNEY, LATER + 100 * S)
    assert replicas(client, OREGON, LATER + 200 * S) == {SYDNEY: "ACTIVE"}


def test_a_hundredth_of_awss_time_is_a_hundredth_of_every_delay() -> None:
    pace, hundredth = like_aws(), parse_pace("aws/100")
    assert (pace.loaded.low_ns, hundredth.loaded.low_ns) == (560 * S, 5.6 * S)
    assert (pace.source_ns, hundredth.source_ns) == (86_400 * S, 864 * S)
    assert hundredth.describe() == "aws/100: a table takes up to 100 ms, a replica up to 490 ms"


@pytest.mark.parametrize("text", ["slow", "aws/", "aws/0", "aws/x", "aws/0.5", "aws/nan", "AWS"])
def test_a_pace_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not one of fast, aws, or aws/100"):
        parse_pace(text)


def test_delays_of_ones_own_are_refused_at_awss_pace() -> None:
    with pytest.raises(UsageError, match="--table-delay and --replica-delay are for --control-plane fast"):
        parse_pace("aws", "1s")
