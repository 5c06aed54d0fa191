"""Each fault as the harness's own client meets it, and what the emulator then holds for true."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from botocore import exceptions as boto

from harness.dynamodb.access import Access
from harness.dynamodb.signed_http import Exchange
from harness.dynamodb.store import OWN, DynamoStore, Key
from harness.measure.clock import now_ns, pause
from harness.target import EMULATOR_KEYS
from tests.emulator.processes import Emulator, Http, boto_client, create_global_table, emulator
from tests.emulator.worlds import MS, OREGON, SYDNEY

THROTTLED = "ProvisionedThroughputExceededException"
# What is ordered, what the client makes of it, the error it tells, and whether a write was committed all the same.
ANSWERS = [
    ("throttle", "throttled", f"{THROTTLED}: The level of configured provisioned throughput", False),
    ("rate-limit", "throttled", "ThrottlingException: Throughput exceeds the current capacity", False),
    ("request-limit", "throttled", "RequestLimitExceeded: Throughput exceeds", False),
    ("500", "server_error", "InternalServerError", False),
    ("500:after", "server_error", "InternalServerError", True),
    ("503", "server_error", "ServiceUnavailable", False),
    ("503:after", "server_error", "ServiceUnavailable", True),
    ("reset", "connection", "Connection reset by peer", False),
    ("reset:after", "connection", "Connection reset by peer", True),
    ("hang", "timeout", "TimeoutError", False),
    ("hang:after", "timeout", "TimeoutError", True),
    ("cut", "connection", "ClientPayloadError", True),
    ("checksum", "server_error", "x-amz-crc32", True),
    ("garbage", "server_error", "not DynamoDB's JSON", True),
    (
        "expired",
        "rejected",
        "ExpiredTokenException: The security token included in the request is expired",
        False,
    ),
    ("unrecognized", "rejected", "UnrecognizedClientException", False),
    ("skew", "rejected", "InvalidSignatureException: Signature expired", False),
]


@asynccontextmanager
async def client(running: Emulator, region: str = OREGON, table: str = "items") -> AsyncIterator[DynamoStore]:
    """The harness's own client of one Region."""
    access = Access({region: running.url(region)}, keys=EMULATOR_KEYS)
    async with access.stores((region,), table) as stores:
        yield stores[region]


async def put(store: DynamoStore, pk: str) -> Exchange:
    return await store.http.call("PutItem", orjson.dumps({"TableName": "items", "Item": {"pk": {"S": pk}}}))


async def get(store: DynamoStore, pk: str) -> Exchange:
    asked = {"TableName": "items", "Key": {"pk": {"S": pk}}, "ConsistentRead": True}
    return await store.http.call("GetItem", orjson.dumps(asked))


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator") / "truth.jsonl"


@pytest.fixture(scope="module")
def running(truth: Path) -> Iterator[Emulator]:
    """One emulator with a global table `items` and a constant lag of 1 ms, for tests that order their own faults."""
    with emulator("--lag", "constant=1ms", "--truth", str(truth)) as process:
        create_global_table(process)
        yield process


@contextmanager
def wrong(running: Emulator, *faults: str) -> Iterator[Http]:
    """While these faults last; the administration's connection."""
    with Http(running.url()) as admin:
        assert [entry["state"] for entry in admin.faults("POST", *faults)] == ["in force"] * len(faults)
        try:
            yield admin
        finally:
            assert admin.faults("DELETE") == []


def lines_of(truth: Path, keys: set[str], last: str) -> dict[str, list[int | None]]:
    """`visible_ns` as told for each of these keys, once the truth of `last` is written."""
    while True:
        lines = [orjson.loads(line) for line in truth.read_bytes().splitlines()]
        if any(line["key"] == last for line in lines):
            break
        pause(20 * MS)
    told: dict[str, list[int | None]] = {}
    for line in lines:
        if line["key"] in keys:
            told.setdefault(line["key"], []).append(line["visible_ns"])
    return told


@pytest.mark.parametrize(("fault", "failure", "error", "committed"), ANSWERS, ids=[a[0] for a in ANSWERS])
async def test_a_struck_request_is_told_apart_and_the_truth_knows_whether_it_took_effect(
    running: Emulator, truth: Path, fault: str, failure: str, error: str, committed: bool
) -> None:
    pk = f"struck by {fault}"
    async with client(running) as http, client(running) as calm:
        with wrong(running, f"{fault}=0s-") as admin:
            written, read = await asyncio.gather(put(http, pk), get(http, "never written"))
            assert [entry["struck"] for entry in admin.faults()] == [2]
        for exchange in (written, read):
            assert exchange.failure == failure
            assert error in str(exchange.error)
            assert exchange.sent_ns is not None
            assert exchange.answer == {}
        assert ("Item" in (await get(calm, pk)).answer) is committed
        assert (await put(calm, f"after {pk}")).failure is None
    told = lines_of(truth, {pk}, f"after {pk}")
    assert len(told.get(pk, ())) == committed


async def test_a_slow_answer_is_late_and_right(running: Emulator) -> None:
    async with client(running) as http:
        with wrong(running, f"slow:300ms:{OREGON}=0s-"):
            before_ns = now_ns()
            assert (await put(http, "slow")).failure is None
            assert now_ns() - before_ns >= 300 * MS
            assert "Item" in (await get(http, "slow")).answer


async def test_one_operation_in_one_region_and_a_share_are_struck(running: Emulator) -> None:
    async with client(running) as here, client(running, SYDNEY) as there:
        with wrong(running, f"500:PutItem:{OREGON}=0s-", f"throttle:{SYDNEY}:reads:50%=0s-") as admin:
            assert (await put(here, "selective")).failure == "server_error"
            assert (await get(here, "selective")).failure is None
            assert (await put(there, "selective")).failure is None
            failures = [(await get(there, "selective")).failure for _ in range(64)]
            assert set(failures) == {None, "throttled"}
            assert [entry["struck"] for entry in admin.faults()] == [1, failures.count("throttled")]


async def test_two_faults_strike_the_same_request(running: Emulator) -> None:
    async with client(running) as http:
        with wrong(running, "slow:50ms=0s-", "500:after=0s-", "checksum=0s-"):
            exchange = await put(http, "twice struck")
            assert exchange.failure == "server_error"
            assert "x-amz-crc32" in str(exchange.error)
        assert "Item" in (await get(http, "twice struck")).answer


async def test_batches_come_back_in_part_and_only_the_rest_is_committed(running: Emulator) -> None:
    keys = [Key("batch", seq) for seq in range(25)]
    async with client(running, table="ranged") as store:
        table = {"TableName": "ranged", "BillingMode": "PAY_PER_REQUEST"}
        types = {"shard": "S", "seq": "N"}
        table |= schema_of(types)
        await store.http.call("CreateTable", orjson.dumps(table))
        with wrong(running, "unprocessed:writes:50%=0s-") as admin:
            written = await store.prepare(keys, "x")
            assert written.exchange.failure == "throttled"
            left = admin.faults()[0]["struck"]
            assert 0 < left < 25
        present = await store.batch_get(keys, consistent=True)
        assert len(present.found) == 25 - left
        with wrong(running, "unprocessed=0s-"):
            none = await store.batch_get(keys, consistent=True)
            assert none.exchange.failure is None
            assert (none.found, sorted(none.unprocessed)) == ((), list(range(25)))
        with wrong(running, "unprocessed:reads:0.5=0s-"):
            some = await store.batch_get(keys, consistent=True)
            assert 0 < len(some.unprocessed) < 25
            assert set(some.found) == set(present.found) - set(some.unprocessed)


def schema_of(types: dict[str, str]) -> dict[str, Any]:
    """CreateTable's members for the keys that the harness writes."""
    names = list(OWN.key(Key("s", 0)))
    return {
        "AttributeDefinitions": [
            {"AttributeName": n, "AttributeType": t} for n, t in zip(names, types.values(), strict=True)
        ],
        "KeySchema": [
            {"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"), strict=True)
        ],
    }


async def test_a_partition_holds_writes_up_both_ways_until_it_heals(running: Emulator, truth: Path) -> None:
    async with client(running) as here, client(running, SYDNEY) as there:
        with wrong(running, f"partition:{SYDNEY}=0s-"):
            assert (await put(here, "to the island")).failure is None
            assert (await put(there, "from the island")).failure is None
            assert (await get(there, "to the island")).answer == {}
            assert (await get(here, "from the island")).answer == {}
            healed_ns = now_ns()
        while "Item" not in (await get(there, "to the island")).answer:
            pass
        seen_ns = now_ns()
        while "Item" not in (await get(here, "from the island")).answer:
            pass
        await put(here, "after the partition")
    told = lines_of(truth, {"to the island", "from the island"}, "after the partition")
    for before_ns, after_ns in told.values():
        assert before_ns is None
        assert after_ns is not None
        assert after_ns > healed_ns
    assert told["to the island"][1] <= seen_ns


async def test_a_lost_write_stays_away_and_later_ones_do_not(running: Emulator, truth: Path) -> None:
    async with client(running) as here, client(running, SYDNEY) as there:
        with wrong(running, f"never:{OREGON}/{SYDNEY}=0s-") as admin:
            await put(here, "lost")
            assert admin.faults()[0]["struck"] == 1
        await put(here, "after the loss")
        while "Item" not in (await get(there, "after the loss")).answer:
            pass
        assert (await get(there, "lost")).answer == {}
        assert "Item" in (await get(here, "lost")).answer
    assert lines_of(truth, {"lost"}, "after the loss") == {"lost": [None]}


async def test_a_deleted_table_is_gone_from_then_on_in_that_region(tmp_path: Path) -> None:
    with emulator("--lag", "constant=1h", "--truth", str(tmp_path / "truth.jsonl")) as process:
        create_global_table(process)
        async with client(process) as here, client(process, SYDNEY) as there:
            await put(here, "x")
            with wrong(process, f"table-deleted:{SYDNEY}=0s-"):
                gone = await put(there, "y")
                assert (gone.failure, gone.error) == (
                    "rejected",
                    "ResourceNotFoundException: Requested resource not found",
                )
                assert "Item" in (await get(here, "x")).answer
            assert (await put(there, "y")).failure == "rejected"
    lines = [orjson.loads(line) for line in (tmp_path / "truth.jsonl").read_bytes().splitlines()]
    assert [line["visible_ns"] is None for line in lines] == [False, True]


async def test_tables_deleted_at_an_instant_are_deleted_everywhere() -> None:
    with emulator("--fault", "table-deleted=200ms-") as process:
        create_global_table(process)
        async with client(process) as here, client(process, SYDNEY) as there:
            await put(here, "x")
            while (await put(here, "x")).failure is None:
                pass
            assert "ResourceNotFoundException" in str((await get(there, "x")).error)


async def test_a_region_that_is_away_refuses_connections_and_comes_back(running: Emulator) -> None:
    port = urlsplit(running.url(SYDNEY)).port
    async with client(running) as here, client(running, SYDNEY) as there:
        assert (await get(there, "x")).failure is None
        with (
            socket.create_connection(("127.0.0.1", port)) as idle,
            wrong(running, f"region-down:{SYDNEY}=0s-"),
        ):
            with pytest.raises(ConnectionResetError):
                idle.recv(1)
            while (refused := await get(there, "x")).sent_ns is not None:  # the pooled connection was reset
                assert refused.failure == "connection"
            assert refused.failure == "connection"
            assert (await put(here, "while away")).failure is None
            with (
                boto_client(running.url(), SYDNEY) as combined,
                pytest.raises((boto.ConnectionError, boto.HTTPClientError)),
            ):
                combined.list_tables()
        while (back := await get(there, "while away")).failure is not None:
            assert back.failure == "connection"
        assert "Item" in back.answer


async def test_a_region_comes_back_by_itself() -> None:
    with emulator("--fault", f"region-down:{SYDNEY}=50ms-150ms") as process, Http(process.url()) as admin:
        create_global_table(process)
        async with client(process) as here, client(process, SYDNEY) as there:
            assert (await put(here, "x")).failure is None
            while admin.faults()[0]["state"] != "over":
                pause(10 * MS)
            assert admin.faults()[0]["struck"] == 1
            while (await get(there, "x")).failure is not None:
                pass


def test_the_administration_lists_orders_and_clears_faults_and_refuses_what_is_none(
    running: Emulator,
) -> None:
    with Http(running.url(SYDNEY)) as admin:
        assert admin.faults() == []
        listed = admin.faults("POST", f"throttle:{SYDNEY}:reads=1h-2h", "pause=0s-1h")
        assert [(entry["fault"], entry["state"], entry["struck"]) for entry in listed] == [
            (f"throttle:{SYDNEY}:reads=1h-2h", "to come", 0),
            ("pause=0s-1h", "in force", 0),
        ]
        assert listed[1]["words"] == "every link paused from 0 s to 60 min 0 s after it was ordered"
        for body, says in ((b"resett=0s-", "did you mean reset"), (b"", "holds no fault")):
            status, answer, _ = admin.post(body, {}, "/_admin/faults")
            assert status == 400
            assert says in answer["message"]
        assert admin.post(b"", {}, "/_admin/faults", "PUT")[0] == 404
        assert admin.faults() == listed
        assert admin.faults("DELETE") == []
