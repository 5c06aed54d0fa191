"""A real process that makes a global table is killed at any step; the emulator is another process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable
from harness.records.ledger import Ledger
from harness.target import EMULATOR_KEYS, EmulatorOptions, Target, emulator
from harness.units import NS_PER_MS

REGIONS = ("us-west-2", "ap-southeast-2")
STEPS = 3  # creating the table, adding the replica, ready
_SETUP = """
import sys
from pathlib import Path
from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable
from harness.records.ledger import Ledger

name, path, *endpoints = sys.argv[1:]
access = Access(dict(text.split("=", 1) for text in endpoints), keys=("AKIAEMULATOR", "emulator-secret"))
say = lambda line: print(line, flush=True)
table = GlobalTable(access, name, list(access.endpoints), say=say, poll_ns=10_000_000, ledger=Ledger(Path(path)))
table.create()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    options = EmulatorOptions(extra=("--rtt", "none", "--control-plane", "aws/1000", "--ignore-updates", "1"))
    with emulator(REGIONS, options) as target:
        yield target


def kill_setup(target: Target, name: str, ledger: Ledger, step: int) -> None:
    """Start a set-up and kill it with SIGKILL when it tells of its `step`-th step."""
    endpoints = [f"{region}={url}" for region, url in target.endpoints.items()]
    command = [sys.executable, "-c", _SETUP, name, str(ledger.path), *endpoints]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        for _ in range(step):
            assert process.stdout.readline(), "the set-up ended by itself"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


def table_of(target: Target, name: str, ledger: Ledger) -> GlobalTable:
    """The same table, for this process."""
    access = Access(target.endpoints, keys=EMULATOR_KEYS)
    return GlobalTable(access, name, REGIONS, poll_ns=10 * NS_PER_MS, ledger=ledger)


def left(target: Target, name: str) -> dict[str, str]:
    """TableStatus by Region, of those that know the table."""
    table = table_of(target, name, Ledger(Path("/nonexistent")))
    found = {region: table.status(region) for region in REGIONS}
    return {region: status for region, status in found.items() if status is not None}


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_setup_killed_at_any_step_is_continued_by_the_next(
    target: Target, tmp_path: Path, step: int
) -> None:
    ledger, name = Ledger(tmp_path / "tables.jsonl"), f"continued-{step}"
    kill_setup(target, name, ledger, step)
    table = table_of(target, name, ledger)
    table.create()
    assert left(target, name) == dict.fromkeys(REGIONS, "ACTIVE")
    assert all(table.complete(region) for region in REGIONS)


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_setup_killed_at_any_step_is_removed_wholly(target: Target, tmp_path: Path, step: int) -> None:
    ledger, name = Ledger(tmp_path / "tables.jsonl"), f"removed-{step}"
    kill_setup(target, name, ledger, step)
    table_of(target, name, ledger).delete()
    assert (left(target, name), ledger.entries()) == ({}, ())
