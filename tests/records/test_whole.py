"""A file is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.whole import NotWritten, written_whole


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    with written_whole(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("summary.json", "whole")]


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")

    def write() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("summary.json", "old")]


def test_a_directory_that_went_away_is_an_error_of_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "summary.json"

    def write() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("whole")

    with pytest.raises(NotWritten, match=r"cannot write .*summary\.json: No such file or directory"):
        write()
