"""Faults on a schedule: what is held up, until when, and who is refused."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from harness.emulator.faults import parse_faults
from harness.errors import UsageError
from harness.measure.clock import now_ns
from tests.emulator.processes import boto_client, create_global_table, emulator
from tests.emulator.worlds import IRELAND, MS, OREGON, SYDNEY, Client, S, global_table

REGIONS = (OREGON, SYDNEY, IRELAND)
FIRST = 100 * S


def faulty(*pauses: str, throttles: tuple[str, ...] = ()) -> Client:
    faults = parse_faults(pauses, throttles, REGIONS)
    return global_table(*REGIONS, lag="constant=1s", faults=faults)


def test_what_would_arrive_during_a_pause_arrives_its_own_lag_after_it() -> None:
    client = faulty("2s-5s")
    for name, at_s in (("before", 0), ("under way", 1.5), ("during", 3), ("after", 4.5)):
        client.put(OREGON, FIRST + int(at_s * S), name)
    visible = {"before": 1.0, "under way": 6.0, "during": 6.0, "after": 5.5}
    for name, at_s in visible.items():
        instant_ns = FIRST + int(at_s * S)
        assert client.get(SYDNEY, instant_ns - MS, name) is None, name
        assert client.get(SYDNEY, instant_ns, name) is not None, name
        assert client.get(IRELAND, instant_ns - MS, name) is None, name


def test_a_pause_of_one_link_leaves_the_others_alone() -> None:
    client = faulty(f"{OREGON}/{SYDNEY}=0s-5s")
    client.put(OREGON, FIRST, "x")
    client.put(SYDNEY, FIRST, "y")
    assert client.get(IRELAND, FIRST + S, "x") is not None
    assert client.get(OREGON, FIRST + S, "y") is not None
    assert client.get(SYDNEY, FIRST + 5 * S, "x") is None
    assert client.get(SYDNEY, FIRST + 6 * S, "x") is not None


def test_versions_of_an_item_keep_their_order_through_a_pause() -> None:
    faults = parse_faults(["1s-3s"], [], REGIONS)
    client = global_table(*REGIONS, lag="median=400ms,sigma=1", faults=faults)
    for n in range(100):
        client.put(OREGON, FIRST + n * 30 * MS, "x", f"{n:03}")
    shown = [client.get(SYDNEY, FIRST + t * 10 * MS, "x") for t in range(1000)]
    values = [item["v"]["S"] for item in shown if item]
    assert values == sorted(values)
    assert values[-1] == "099"


def test_throttling_counts_from_the_first_write_and_only_there_and_only_that() -> None:
    world = faulty(throttles=(f"{SYDNEY}:reads=1s-2s", f"{IRELAND}=3s-4s")).world
    assert not world.throttles(SYDNEY, "GetItem", FIRST + S)
    client = Client(world)
    client.put(OREGON, FIRST, "x")

    def refused(region: str, operation: str, age_s: float) -> bool:
        return world.throttles(region, operation, FIRST + int(age_s * S))

    assert refused(SYDNEY, "Query", 1)
    assert not refused(SYDNEY, "Query", 0.9)
    assert not refused(SYDNEY, "Query", 2)
    assert not refused(SYDNEY, "PutItem", 1)
    assert not refused(OREGON, "Query", 1)
    assert refused(IRELAND, "PutItem", 3)
    assert refused(IRELAND, "BatchGetItem", 3)
    assert not refused(IRELAND, "DescribeTable", 3)


@pytest.mark.parametrize(
    ("pauses", "throttles", "says"),
    [
        (["8s"], [], "8s-16s"),
        ([f"{OREGON}=1s-2s"], [], "FROM/TO"),
        ([f"{OREGON}/mars-1=1s-2s"], [], "mars-1"),
        ([], ["1s-2s"], "REGION=8s-16s"),
        ([], [f"{OREGON}:deletes=1s-2s"], "REGION:reads"),
        ([], ["mars-1=1s-2s"], "emulated are us-west-2"),
    ],
)
def test_what_is_no_fault_is_refused(pauses: list[str], throttles: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_faults(pauses, throttles, REGIONS)


def test_a_client_sees_the_throttling_as_dynamodb_words_it() -> None:
    with emulator("--throttle", f"{SYDNEY}:reads=0s-1h") as process:
        create_global_table(process)
        assert process.ready["faults"] == [
            f"{SYDNEY} throttles reads from 0 s to 60 min 0 s after the first write"
        ]
        key = {"pk": {"S": "x"}}
        with (
            boto_client(process.url(OREGON), OREGON) as here,
            boto_client(process.url(SYDNEY), SYDNEY) as there,
        ):
            here.put_item(TableName="items", Item=key)
            with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
                there.get_item(TableName="items", Key=key)
            there.put_item(TableName="items", Item=key)
            assert here.get_item(TableName="items", Key=key)["Item"] == key


def test_a_pause_is_kept_by_the_process() -> None:
    with emulator("--lag", "constant=1ms", "--pause", "0s-700ms") as process:
        create_global_table(process)
        with (
            boto_client(process.url(OREGON), OREGON) as here,
            boto_client(process.url(SYDNEY), SYDNEY) as there,
        ):
            sent_ns = now_ns()
            here.put_item(TableName="items", Item={"pk": {"S": "x"}})
            while "Item" not in there.get_item(
                TableName="items", Key={"pk": {"S": "x"}}, ConsistentRead=True
            ):
                pass
    assert now_ns() - sent_ns >= 700 * MS
