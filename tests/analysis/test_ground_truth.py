"""The emulator's truth journal as it is after pauses and kills."""

from __future__ import annotations

from pathlib import Path

import orjson
import pandas as pd

from harness.analysis.ground_truth import read_truth


def line(key: str, commit_ns: int, visible_ns: int | None) -> bytes:
    entry = {
        "from": "a",
        "to": "b",
        "table": "t",
        "key": key,
        "commit_ns": commit_ns,
        "visible_ns": visible_ns,
    }
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def test_a_commit_counts_by_the_last_word_on_its_arrival(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_bytes(line("x", 10, None) + line("y", 20, None) + line("x", 10, 500) + line("x", 30, 40))
    truth = read_truth(path)
    assert truth["key"].tolist() == ["x", "y", "x"]
    assert truth["commit_ns"].tolist() == [10, 20, 30]
    assert truth["visible_ns"].tolist() == [500, pd.NA, 40]


def test_a_line_that_a_killed_emulator_did_not_finish_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_bytes(line("x", 10, 20) + line("y", 20, 30)[:-7])
    assert read_truth(path)["key"].tolist() == ["x"]
