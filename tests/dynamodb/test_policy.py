"""The least-privilege policy: what it names, and that nothing the harness asks for lies outside it.

The same runs show that no credential is kept anywhere, and that the units of a summary are those of the answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import zstandard

from harness.dynamodb.access import Access
from harness.dynamodb.permissions import own_name
from harness.dynamodb.policy import OWN_TABLES, actions_of, make_policy
from harness.dynamodb.witness import CloudWatch
from harness.target import EmulatorOptions, emulator
from tests.cloudwatch import cloudwatch
from tests.recording import Recording, recording

REGIONS = ("us-west-2", "eu-west-1")
PAIR = ("--from", "us-west-2", "--to", "eu-west-1")
KEY_ID, SECRET, TOKEN = (
    "AKIARECOGNISABLE0001",
    "recognisable-secret-key-000000000000001",
    "recognisable/token==",
)
LEAN = ("--samples", "12", "--warmup", "0s", "--rate", "40/s", "--timeout", "5s")
NEW = ("--control",)
MODES = {
    "updates": ("--keys", "update", "--poll-with", "batch", "--no-plots"),
    "deletes": ("--keys", "delete", "--poll-with", "get", "--no-plots"),
    "transactions": ("--together", "4", "--no-plots"),
}


@dataclass(frozen=True, slots=True)
class Done:
    """Whole measurements through a recording proxy: what went through, what they printed, where they wrote."""

    seen: Recording
    output: str
    results: Path


def run(verb: str, *arguments: str) -> str:
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, "-m", f"harness.{verb}", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | keys,
    )
    assert done.returncode in (0, 3), done.stderr  # 3: so few samples make a run INVALID
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    results = tmp_path_factory.mktemp("results")
    kept = ("--results", str(results))
    with (
        emulator(REGIONS, EmulatorOptions(lag="constant=150ms", extra=("--rtt", "none"))) as target,
        recording(target.endpoints) as seen,
    ):
        there = seen.arguments()
        output = run("run", *PAIR, *LEAN, *NEW, *there, *kept)
        named = ("--table", "mine", *PAIR, *there)
        output += run("table", "setup", *named, *kept)
        output += run("doctor", *named)
        output += "".join(run("run", *LEAN, *mode, *named, *kept) for mode in MODES.values())
        output += run("table", "status", *named, *kept)
        output += run("table", "teardown", *named, *kept)
        yield Done(seen, output, results)


def test_every_request_of_whole_measurements_is_in_the_policy(done: Done) -> None:
    allowed = {
        action for statement in make_policy("mine", REGIONS)["Statement"] for action in statement["Action"]
    }
    asked = {
        action for operation in done.seen.operations - {"DescribeLimits"} for action in actions_of(operation)
    }
    assert {"dynamodb:CreateTable", "dynamodb:BatchWriteItem", "dynamodb:UpdateItem"} <= asked
    assert "TransactWriteItems" in done.seen.operations
    assert asked <= allowed


def test_no_credential_is_kept_or_printed(done: Done) -> None:
    assert all(KEY_ID in recorded.authorization for recorded in done.seen.requests)
    assert {recorded.token for recorded in done.seen.requests} == {TOKEN}
    files = [path for path in done.results.rglob("*") if path.is_file()]
    assert {"manifest.json", "summary.json", "report.html", "samples.parquet", "tables.jsonl"} <= {
        path.name for path in files
    }
    for text in (done.output, *(text_of(path) for path in files)):
        for secret in (KEY_ID, SECRET, TOKEN):
            assert secret not in text


def text_of(path: Path) -> str:
    """All that a file holds, unpacked."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as frames:
            data = frames.read()
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv() + data.decode("latin-1")
    return data.decode("latin-1")


def test_the_units_of_a_summary_are_those_of_the_answers(done: Done) -> None:
    for directory in done.results.glob("2*"):
        summary = json.loads((directory / "summary.json").read_text())
        table = json.loads((directory / "manifest.json").read_text())["target"]["table"]
        for region in REGIONS:
            if table != "mine":  # that one others have read too
                counted = summary["cost"]["regions"][region]
                assert counted["read_units"] == _units(done.seen, region, table) > 0


def _units(seen: Recording, region: str, table: str) -> float:
    """Read units that the answers of one Region tell for a run's table."""
    total = 0.0
    for recorded in seen.requests:
        consumed = recorded.answer.get("ConsumedCapacity") or []
        for entry in [consumed] if isinstance(consumed, dict) else consumed:
            reads = recorded.operation in ("GetItem", "BatchGetItem", "Query")
            if reads and recorded.region == region and entry["TableName"] == table:
                total += entry["CapacityUnits"]
    return total


def test_the_doctor_and_the_table_verb_leave_nothing_behind(done: Done) -> None:
    assert "looked: no table mine is left in us-west-2, eu-west-1" in done.output
    created = {
        r.request["TableName"] for r in done.seen.requests if r.operation == "CreateTable" and r.status == 200
    }
    deleted = {
        r.request["TableName"] for r in done.seen.requests if r.operation == "DeleteTable" and r.status == 200
    }
    assert len(created) == 2
    assert created == deleted


def test_the_policy_is_limited_to_the_name_and_the_regions() -> None:
    for statement in make_policy("mine", ("us-west-2", "cn-north-1"), "123456789012")["Statement"]:
        if statement["Sid"] != "ReplicationRole":
            assert statement["Resource"] == [
                "arn:aws:dynamodb:us-west-2:123456789012:table/mine",
                "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/mine",
            ]
            assert all(action.startswith("dynamodb:") and "*" not in action for action in statement["Action"])


def test_reading_metrics_is_in_the_policy_where_a_witness_is_asked_and_only_there() -> None:
    asking = {
        action
        for statement in make_policy("mine", REGIONS, witness=True)["Statement"]
        for action in statement["Action"]
    }
    assert "cloudwatch" not in json.dumps(make_policy("mine", REGIONS))
    with cloudwatch() as server:
        CloudWatch(Access(keys=(KEY_ID, SECRET)), "mine", server.url).points(*REGIONS, [0])
        assert {action for _, name in server.asked for action in actions_of(name)} <= asking
        assert len(server.asked) == 1
    (statement,) = [
        statement
        for statement in make_policy("mine", REGIONS, witness=True)["Statement"]
        if statement["Sid"] == "Witness"
    ]
    assert statement["Action"] == ["cloudwatch:GetMetricStatistics"]
    assert statement["Condition"] == {"StringEquals": {"aws:RequestedRegion": list(REGIONS)}}


def test_the_table_verb_prints_the_policy_with_a_witness_on_request_and_takes_it_for_nothing_else() -> None:
    asking = ("--iam-policy", "--witness", "cloudwatch", *PAIR)
    policy = json.loads(run("table", *asking))
    assert [s["Sid"] for s in policy["Statement"]].count("Witness") == 1
    refused = subprocess.run(
        [sys.executable, "-m", "harness.table", "status", *asking[1:], "--table", "mine"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "--witness is for --iam-policy" in refused.stderr


def test_the_name_that_no_table_can_have_is_covered_by_the_policy_of_runs() -> None:
    assert own_name().startswith(OWN_TABLES.removesuffix("*"))
    assert own_name() != own_name()
