"""The ledger of tables made and not yet removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DamagedRun, UsageError
from harness.records.ledger import Ledger


def test_what_was_added_is_listed_oldest_first_until_it_is_discarded(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "ledger.jsonl")
    assert ledger.entries() == ()
    ledger.add("one", "us-west-2")
    ledger.add("two", "eu-west-1")
    ledger.add("one", "eu-west-1")
    ledger.add("one", "us-west-2")
    assert ledger.tables() == ("one", "two")
    assert ledger.regions("one") == ("us-west-2", "eu-west-1")
    ledger.discard("one", "us-west-2")
    ledger.discard("one", "us-west-2")
    assert [(e.table, e.region) for e in ledger.entries()] == [("two", "eu-west-1"), ("one", "eu-west-1")]
    assert not ledger.holds("one", "us-west-2")


def test_another_process_reads_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).add("one", "us-west-2")
    again = Ledger(path)
    assert again.holds("one", "us-west-2")
    again.discard("one", "us-west-2")
    assert Ledger(path).entries() == ()


def test_every_torn_last_line_is_dropped_and_the_next_one_stands_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).add("one", "us-west-2")
    first = path.read_bytes()
    Ledger(path).add("two", "us-west-2")
    whole = path.read_bytes()
    for length in range(len(first), len(whole)):
        path.write_bytes(whole[:length])
        assert Ledger(path).tables() == ("one",)
        Ledger(path).add("three", "us-west-2")
        assert Ledger(path).tables() == ("one", "three")


@pytest.mark.parametrize("line", ["garbage", "7", '{"add": "x"}', '{"region": "x", "wall_ns": 1}'])
def test_a_damaged_ledger_is_an_error_that_says_what_to_do(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DamagedRun, match="damaged in line 1; look for tables left over"):
        Ledger(path).entries()


def test_a_ledger_that_cannot_be_written_is_an_error_before_anything_is_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DamagedRun, match="cannot read"):
        Ledger(tmp_path / "file" / "ledger.jsonl").entries()
    with pytest.raises(UsageError, match="cannot write the ledger"):
        Ledger(Path("/proc/ledger.jsonl")).add("one", "us-west-2")
