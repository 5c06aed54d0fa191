"""The doctor end to end: on the emulator, on endpoints that deny, and where nothing answers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable
from harness.dynamodb.permissions import attempts
from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator
from tests.cloudwatch import cloudwatch
from tests.recording import Recording, recording

PAIR = ("--from", "us-west-2", "--to", "eu-west-1")
REGIONS = ("us-west-2", "eu-west-1")


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def checks(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str | None], dict[str, Any]]:
    return {(check["name"], check["where"]): check for check in json.loads(done.stdout)["checks"]}


@pytest.fixture(scope="module")
def seen() -> Iterator[Recording]:
    options = EmulatorOptions(extra=("--rtt", "none"))
    with emulator(REGIONS, options) as target, recording(target.endpoints) as proxied:
        GlobalTable(
            Access(target.endpoints, keys=EMULATOR_KEYS), "mine", REGIONS, poll_ns=50_000_000
        ).create()
        yield proxied


@pytest.fixture(autouse=True)
def forgetful(seen: Recording) -> None:
    seen.requests.clear()
    seen.denied, seen.date = frozenset(), None


def test_the_embedded_emulator_is_healthy_and_says_that_it_is_simulated() -> None:
    done = doctor(*PAIR)
    assert done.returncode == 0, done.stderr
    assert "simulated" in done.stdout
    assert "failed" not in done.stdout
    for name in (
        "environment",
        "credentials",
        "region",
        "permissions",
        "round_trip",
        "event_loop",
        "connections",
    ):
        assert name in done.stdout


def test_a_denied_permission_fails_with_the_policy_as_remedy(seen: Recording) -> None:
    seen.denied = frozenset({"PutItem", "CreateTable"})
    done = doctor(*PAIR, "--json", *seen.arguments())
    assert done.returncode == 4, done.stderr
    check = checks(done)["permissions", "eu-west-1"]
    assert check["status"] == "failed"
    assert "denied: PutItem, CreateTable" in check["detail"]
    assert "harness.table --iam-policy --from us-west-2 --to eu-west-1" in check["remedy"]


def test_a_table_that_exists_is_judged_and_nobody_asks_to_make_or_remove_one(seen: Recording) -> None:
    done = doctor(*PAIR, "--table", "mine", "--json", *seen.arguments())
    assert done.returncode == 0, done.stderr
    assert "mine is ACTIVE, MREC, PAY_PER_REQUEST" in checks(done)["table", "us-west-2"]["detail"]
    assert not seen.operations & {"CreateTable", "UpdateTable", "DeleteTable"}


def test_no_request_of_the_doctor_changes_anything(seen: Recording) -> None:
    assert doctor(*PAIR, "--table", "mine", *seen.arguments()).returncode == 0
    assert doctor(*PAIR, *seen.arguments()).returncode == 0
    writes = {"PutItem", "UpdateItem", "DeleteItem", "CreateTable", "UpdateTable", "DeleteTable"}
    asked = [recorded for recorded in seen.requests if recorded.operation in writes]
    assert {recorded.operation for recorded in asked} == writes
    assert all(recorded.status == 400 for recorded in asked)
    deletes = [recorded for recorded in seen.requests if recorded.operation == "BatchWriteItem"]
    assert all(
        list(entry) == ["DeleteRequest"]
        for recorded in deletes
        for entries in recorded.request["RequestItems"].values()
        for entry in entries
    )


def test_a_name_that_somebody_gave_is_never_asked_to_be_deleted(seen: Recording) -> None:
    for region in REGIONS:
        list(attempts(Access(seen.endpoints, keys=EMULATOR_KEYS), region, "yours", None))
    assert "UpdateTable" in seen.operations
    assert "DeleteTable" not in seen.operations


def test_a_clock_that_signatures_do_not_survive_fails(seen: Recording) -> None:
    seen.date = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    done = doctor(*PAIR, "--json", *seen.arguments())
    assert done.returncode == 4, done.stderr
    assert "behind the Region's" in checks(done)["clock_skew", "us-west-2"]["detail"]


def test_where_nothing_answers_the_region_fails_in_one_sentence() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        done = doctor(*PAIR, "--json", "--endpoint", f"us-west-2={url}", "--endpoint", f"eu-west-1={url}")
    assert done.returncode == 4, done.stderr
    assert "cannot reach" in checks(done)["region", "us-west-2"]["detail"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to", "eu-west-11"), "did you mean eu-west-1"),
        (("--from", "eu-west-1", "--to", "eu-west-1"), "named as source and as replica"),
        (("--target", "aws", "--profile", "no-such-profile"), "no-such-profile"),
        (("--endpoint", "us-west-2=http://user:pass@127.0.0.1:1"), "user name or password"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_2(arguments: tuple[str, ...], says: str) -> None:
    done = doctor(*arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "pass@" not in done.stderr


def test_a_witness_is_asked_where_one_is_named_and_its_refusal_is_a_warning() -> None:
    with cloudwatch() as server:
        asking = (*PAIR, "--json", "--witness", f"cloudwatch={server.url}")
        answered = checks(doctor(*asking))["witness", "us-west-2"]
        server.denied = frozenset({"us-west-2"})
        done = doctor(*asking)
    refused = checks(done)["witness", "us-west-2"]
    assert answered["status"] == "ok"
    assert done.returncode == 0, done.stderr
    assert refused["status"] == "warning"
    assert "refused GetMetricStatistics: AccessDenied" in refused["detail"]
    assert "--iam-policy --from us-west-2 --to eu-west-1 --witness cloudwatch" in refused["remedy"]


def test_without_a_witness_none_is_checked_and_aws_is_not_asked_about_the_emulator() -> None:
    assert not [name for name, _ in checks(doctor(*PAIR, "--json")) if name == "witness"]
    done = doctor(*PAIR, "--witness", "cloudwatch")
    assert done.returncode == 2
    assert "the emulator publishes no CloudWatch metrics" in done.stderr
