"""Measuring a table that somebody else made: other key names, no sort key, and none of ours left in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable
from harness.target import EMULATOR_KEYS, EmulatorOptions, Target, emulator

PAIR = ("--from", "us-west-2", "--to", "eu-west-1")
REGIONS = ("us-west-2", "eu-west-1")
FEW = ("--samples", "30", "--warmup", "0s", "--rate", "40/s", "--timeout", "5s", "--no-plots", "--json")


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with emulator(REGIONS, EmulatorOptions(lag="constant=200ms")) as running:
        yield running


def made(target: Target, name: str, *keys: tuple[str, str]) -> Access:
    """A global table of theirs, with one item of theirs in it."""
    access = Access(target.endpoints, keys=EMULATOR_KEYS)
    GlobalTable(access, name, REGIONS, keys, poll_ns=50_000_000).create()
    values = {"S": "theirs", "N": "7"}
    item = {key: {kind: values[kind]} for key, kind in keys} | {"title": {"S": "kept"}}
    access.control("us-west-2").put_item(TableName=name, Item=item)
    return access


def measured(target: Target, name: str, results: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    endpoints = [part for r, url in target.endpoints.items() for part in ("--endpoint", f"{r}={url}")]
    command = [sys.executable, "-m", "harness.run", *PAIR, *FEW, "--table", name, *endpoints, *arguments]
    return subprocess.run(
        [*command, "--results", str(results)], capture_output=True, text=True, timeout=120, check=False
    )


def items(access: Access, name: str, region: str) -> list[dict[str, Any]]:
    answer = access.control(region).scan(TableName=name, ConsistentRead=True)
    found: list[dict[str, Any]] = answer["Items"]
    return found


@pytest.mark.parametrize(
    ("name", "keys", "arguments", "polled_with"),
    [
        ("courses", (("courseid", "S"),), (), "batch"),
        ("lone", (("courseid", "S"),), ("--poll-with", "get", "--keys", "update"), "get"),
        ("events", (("customer", "S"), ("at", "N")), ("--keys", "delete"), "query"),
        ("reserved", (("name", "S"), ("timestamp", "N")), ("--both-ways",), "query"),
    ],
)
def test_a_table_with_other_keys_is_measured_and_left_as_it_was(
    target: Target,
    tmp_path: Path,
    name: str,
    keys: tuple[tuple[str, str], ...],
    arguments: tuple[str, ...],
    polled_with: str,
) -> None:
    access = made(target, name, *keys)
    done = measured(target, name, tmp_path, *arguments)
    assert done.returncode in (0, 3), done.stderr  # 3: so few samples may make a run INVALID
    summary = json.loads(done.stdout)
    assert summary["settings"]["poll_with"] == polled_with
    assert all(pair["outcomes"]["visible"] == 30 for pair in summary["pairs"])
    for region in REGIONS:
        assert [item["title"]["S"] for item in items(access, name, region)] == ["kept"]


def test_items_written_several_times_are_taken_out_too(target: Target, tmp_path: Path) -> None:
    access = made(target, "versions", ("customer", "S"), ("at", "N"))
    done = measured(target, "versions", tmp_path, "--versions", "5")
    assert done.returncode in (0, 3), done.stderr
    assert "left behind" not in done.stderr
    for region in REGIONS:
        assert [item["title"]["S"] for item in items(access, "versions", region)] == ["kept"]


def test_a_query_of_a_table_without_sort_key_is_refused_in_one_sentence(
    target: Target, tmp_path: Path
) -> None:
    access = made(target, "unqueried", ("courseid", "S"))
    done = measured(target, "unqueried", tmp_path, "--poll-with", "query")
    assert done.returncode == 2
    assert "--poll-with query needs a sort key, and table unqueried has none" in done.stderr
    assert len(items(access, "unqueried", "us-west-2")) == 1


def test_a_key_that_cannot_hold_probes_is_refused_and_nothing_is_written(
    target: Target, tmp_path: Path
) -> None:
    access = made(target, "numbered", ("id", "N"))
    done = measured(target, "numbered", tmp_path)
    assert done.returncode == 4
    assert "id (N), cannot hold probes" in done.stderr
    assert len(items(access, "numbered", "us-west-2")) == 1
    assert list(tmp_path.iterdir()) == []
