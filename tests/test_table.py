"""The table verb: what it creates, what it leaves alone, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable
from harness.records.ledger import Ledger
from harness.target import EMULATOR_KEYS, EmulatorOptions, Target, emulator

PAIR = ("--from", "us-west-2", "--to", "eu-west-1")
REGIONS = ("us-west-2", "eu-west-1")


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with emulator(REGIONS, EmulatorOptions(extra=("--rtt", "none"))) as running:
        yield running


def table(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.table", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
    )


def there(target: Target, name: str, results: Path) -> tuple[str, ...]:
    endpoints = [part for r, url in target.endpoints.items() for part in ("--endpoint", f"{r}={url}")]
    return ("--table", name, *PAIR, *endpoints, "--results", str(results))


def global_table(target: Target, name: str) -> GlobalTable:
    return GlobalTable(Access(target.endpoints, keys=EMULATOR_KEYS), name, REGIONS, poll_ns=50_000_000)


def test_a_table_is_set_up_looked_at_and_removed_until_nothing_is_left(
    target: Target, tmp_path: Path
) -> None:
    how = there(target, "ours", tmp_path)
    assert table("status", *how).returncode == 4
    made = table("setup", *how)
    assert made.returncode == 0, made.stderr
    assert "nothing while it is empty" in made.stderr
    assert "estimated 20" in made.stderr or "published 20" in made.stderr
    assert f"python -m harness.table teardown --table ours {' '.join(PAIR)}" in made.stdout
    assert table("setup", *how).returncode == 0  # it is there already, and ours
    status = table("status", *how, "--json")
    assert status.returncode == 0, status.stderr
    found = json.loads(status.stdout)["regions"]["eu-west-1"]
    assert (found["status"], found["listed"], found["replicas"]) == ("ACTIVE", True, {"us-west-2": "ACTIVE"})
    gone = table("teardown", *how)
    assert gone.returncode == 0, gone.stderr
    assert "looked: no table ours is left" in gone.stdout
    assert Ledger(tmp_path / "tables.jsonl").entries() == ()
    again = table("teardown", *how)
    assert again.returncode == 0
    assert "nothing to remove" in again.stdout


def test_what_the_ledger_does_not_list_is_neither_set_up_nor_removed(target: Target, tmp_path: Path) -> None:
    theirs = global_table(target, "theirs")
    theirs.create()
    how = there(target, "theirs", tmp_path)
    refused = table("setup", *how)
    assert refused.returncode == 4
    assert "already exists in us-west-2" in refused.stderr
    left = table("teardown", *how)
    assert left.returncode == 0
    assert "left alone" in left.stderr
    assert all(theirs.status(region) == "ACTIVE" for region in REGIONS)
    assert "not made by this harness" in table("status", *how).stdout


def test_nothing_is_removed_from_aws_unless_somebody_agrees(tmp_path: Path) -> None:
    Ledger(tmp_path / "tables.jsonl").add("ours", "us-west-2")
    done = table("teardown", *PAIR, "--table", "ours", "--target", "aws", "--results", str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "say --yes to remove it" in done.stderr
    assert Ledger(tmp_path / "tables.jsonl").holds("ours", "us-west-2")


def test_the_policy_is_json_and_needs_no_target() -> None:
    done = table("--iam-policy", "--table", "mine", *PAIR)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Version"] == "2012-10-17"
    assert "table/mine" in done.stdout
    assert "table/replication-latency-*" in table("--iam-policy", *PAIR).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("setup", *PAIR, "--table", "xyz"), "say --target aws, or --endpoint"),
        (("setup", *PAIR, "--target", "aws"), "--table NAME is needed"),
        ((*PAIR, "--table", "xyz"), "say either one of setup, status, teardown, clean, or --iam-policy"),
        (("--iam-policy", "--from", "us-west-2", "--to", "eu-west-11"), "did you mean eu-west-1"),
        (("stop", *PAIR), "invalid choice"),
        (("setup", *PAIR, "--table", "xyz", "--target", "aws"), "say --yes to create it"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_2(arguments: tuple[str, ...], says: str) -> None:
    done = table(*arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
