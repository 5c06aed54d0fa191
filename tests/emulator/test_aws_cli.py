"""The demo's seven steps by hand with the AWS CLI, against a real emulator process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.target import EMULATOR_KEYS, EmulatorOptions, Target, emulator

OREGON, SYDNEY = "us-west-2", "ap-southeast-2"
TABLE = "cloudacademy-courses"
AWS = str(Path(sys.executable).with_name("aws"))
COURSES = json.loads((Path(__file__).parents[2] / "harness/data/courses.json").read_text())

Aws = Callable[..., dict[str, Any]]


@pytest.fixture
def target() -> Iterator[Target]:
    """No round trips, so that what takes time is replication: 3 s, longer than the AWS CLI needs for one call."""
    extra = ("--rtt", "none", "--eventual-lag", "none", "--table-delay", "50ms", "--replica-delay", "3s")
    with emulator([OREGON, SYDNEY], EmulatorOptions(lag="constant=3s", extra=extra)) as ready:
        yield ready


@pytest.fixture
def aws(target: Target, tmp_path: Path) -> Aws:
    """`aws dynamodb VERB --option … --region R --endpoint-url …`, its JSON answer parsed."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": EMULATOR_KEYS[0],
        "AWS_SECRET_ACCESS_KEY": EMULATOR_KEYS[1],
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def call(region: str, *words: str, **options: object) -> dict[str, Any]:
        command = [AWS, "dynamodb", *words, "--region", region, "--endpoint-url", target.endpoints[region]]
        command += ["--output", "json"]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}"]
            command += [] if value is True else [value if isinstance(value, str) else json.dumps(value)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout or "{}"))

    return call


def batch(items: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {TABLE: [{"PutRequest": {"Item": item}} for item in items]}


def read(aws: Aws, region: str, courseid: str) -> dict[str, Any] | None:
    key = {"courseid": {"S": courseid}}
    return aws(region, "get-item", table_name=TABLE, key=key, consistent_read=True).get("Item")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "still not so after 30 s"


def test_the_seven_steps_of_the_demo(aws: Aws) -> None:
    first, second, third = COURSES
    # 1. the table in Oregon
    created = aws(
        OREGON,
        "create-table",
        table_name=TABLE,
        attribute_definitions=[{"AttributeName": "courseid", "AttributeType": "S"}],
        key_schema=[{"AttributeName": "courseid", "KeyType": "HASH"}],
        billing_mode="PAY_PER_REQUEST",
    )["TableDescription"]
    assert (created["TableName"], created["TableStatus"]) == (TABLE, "CREATING")
    assert created["KeySchema"] == [{"AttributeName": "courseid", "KeyType": "HASH"}]
    aws(OREGON, "wait", "table-exists", table_name=TABLE)
    # 2. three courses
    assert aws(OREGON, "batch-write-item", request_items=batch(first)) == {"UnprocessedItems": {}}
    # 3. a replica in Sydney
    updates = [{"Create": {"RegionName": SYDNEY}}]
    updated = aws(OREGON, "update-table", table_name=TABLE, replica_updates=updates)["TableDescription"]
    assert updated["TableStatus"] == "UPDATING"
    described = aws(OREGON, "describe-table", table_name=TABLE)["Table"]
    assert [(r["RegionName"], r["ReplicaStatus"]) for r in described["Replicas"]] == [(SYDNEY, "CREATING")]
    # 4. until it is ACTIVE
    for region, other in ((SYDNEY, OREGON), (OREGON, SYDNEY)):
        wait_for(lambda: aws(region, "describe-table", table_name=TABLE)["Table"]["TableStatus"] == "ACTIVE")  # noqa: B023
        replicas = aws(region, "describe-table", table_name=TABLE)["Table"]["Replicas"]
        assert [(r["RegionName"], r["ReplicaStatus"]) for r in replicas] == [(other, "ACTIVE")]
    wait_for(lambda: read(aws, SYDNEY, first[0]["courseid"]["S"]) == first[0])
    # 5. and 6. three more each way: not there at first, there later
    for items, source, replica in ((second, OREGON, SYDNEY), (third, SYDNEY, OREGON)):
        watched = items[-1]["courseid"]["S"]
        assert aws(source, "batch-write-item", request_items=batch(items)) == {"UnprocessedItems": {}}
        assert read(aws, replica, watched) is None
        assert read(aws, source, watched) == items[-1]
        wait_for(lambda: read(aws, replica, watched) == items[-1])  # noqa: B023
    # 7. the same nine items in both
    for region in (OREGON, SYDNEY):
        scanned = aws(region, "scan", table_name=TABLE, consistent_read=True)
        assert scanned["Count"] == 9
        by_id = {item["courseid"]["S"]: item for item in scanned["Items"]}
        assert by_id == {item["courseid"]["S"]: item for item in first + second + third}


def test_an_error_reaches_the_command_line_as_aws_words_it(target: Target, aws: Aws) -> None:
    with pytest.raises(AssertionError, match="ResourceNotFoundException"):
        read(aws, OREGON, "x")
