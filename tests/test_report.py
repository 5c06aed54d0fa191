"""The report verb: it rebuilds a run from its journal, and says in a sentence what keeps it from doing so."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.measure.events import Event, Phase, Write
from harness.records.run_directory import RunDirectory
from harness.records.samples import COLUMNS, read_samples
from tests.recorded import ONE_PAIR, events_of, record_run, write_journal

BROWSER = """#!/bin/sh
printf '%s' "$1" > "$(dirname "$0")/opened"
"""


def report(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.report", *map(str, arguments)]
    env = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return record_run(tmp_path / "run")


def files(run: RunDirectory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.iterdir()}


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refusal."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def change_manifest(run: RunDirectory, **changes: Any) -> None:
    manifest = json.loads(run.manifest.read_bytes()) | changes
    run.manifest.write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))


def replace_journal(run: RunDirectory, events: list[Event]) -> None:
    run.journal.unlink()
    write_journal(run.journal, events)


def test_everything_below_the_journal_is_rebuilt_bit_for_bit(run: RunDirectory) -> None:
    assert report(run.path).returncode == 0
    first = files(run)
    for path in run.path.iterdir():
        if path not in (run.manifest, run.journal):
            path.unlink()
    assert report(run.path).returncode == 0
    assert files(run) == first
    assert {"report.html", "summary.json", "samples.parquet"} < first.keys()


def test_it_prints_where_the_page_is(run: RunDirectory) -> None:
    done = report(run.path)
    assert f"report    {run.report}" in done.stdout.splitlines()
    assert run.report.exists()


def test_no_plots_leaves_out_figures_and_page(run: RunDirectory) -> None:
    done = report(run.path, "--no-plots")
    assert done.returncode == 0
    assert not run.report.exists()
    assert "report    " not in done.stdout


def test_csv_has_the_rows_and_columns_of_the_samples(run: RunDirectory) -> None:
    done = report(run.path, "--csv", "--no-plots")
    assert done.returncode == 0, done.stderr
    with run.samples_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    samples = read_samples(run.samples)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["hard_upper_ns"] for row in rows] == [str(value) for value in samples["hard_upper_ns"]]


def test_a_bound_that_is_open_is_empty_in_csv(tmp_path: Path) -> None:
    run = record_run(tmp_path / "run", lost=1)
    assert report(run.path, "--csv", "--no-plots").returncode == 3
    with run.samples_csv.open(newline="") as file:
        *_, last = csv.DictReader(file)
    assert (last["outcome"], last["hard_upper_ns"]) == ("lost", "")


def test_open_shows_the_page_in_the_browser_of_the_person(run: RunDirectory, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    done = report(run.path, "--open", BROWSER=f"{browser} %s")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "opened").read_text() == run.report.as_uri()


def test_open_without_a_page_is_refused(run: RunDirectory) -> None:
    assert "--open" in refused(report(run.path, "--open", "--no-plots"))


def test_a_crashed_run_is_rebuilt_up_to_its_last_whole_flush_and_is_invalid(tmp_path: Path) -> None:
    run = record_run(tmp_path / "run", finished=False)
    with run.journal.open("ab") as file:
        file.write(run.journal.read_bytes()[:100])  # a flush the crash cut short
    done = report(run.path)
    assert done.returncode == 3
    assert "dropped the last 100 bytes" in done.stderr
    assert "ended without finishing" in done.stdout
    assert json.loads(run.summary.read_bytes())["pairs"][0]["outcomes"]["visible"] == 400
    assert report(run.path).returncode == 3  # and again


def test_a_journal_truncated_after_its_run_was_finished_does_not_replace_good_results(
    run: RunDirectory,
) -> None:
    assert report(run.path, "--no-plots").returncode == 0
    before = run.summary.read_bytes()
    unfinished = events_of(ONE_PAIR, 650, finished=False)
    replace_journal(run, unfinished)
    line = refused(report(run.path))
    assert "is truncated" in line
    assert "restore it, or remove summary.json" in line
    assert run.summary.read_bytes() == before


@pytest.mark.parametrize("size", [0, 40])
def test_a_journal_without_a_whole_flush_is_refused(run: RunDirectory, size: int) -> None:
    run.journal.write_bytes(run.journal.read_bytes()[:size])
    assert "holds no whole flush" in refused(report(run.path))


def test_a_missing_journal_is_refused(run: RunDirectory) -> None:
    run.journal.unlink()
    assert "cannot read" in refused(report(run.path))


def test_a_flipped_bit_in_the_journal_is_refused(run: RunDirectory) -> None:
    data = bytearray(run.journal.read_bytes())
    data[len(data) // 2] ^= 1
    run.journal.write_bytes(data)
    assert "is damaged near byte" in refused(report(run.path))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format_version": 99}, "has format version 99; this harness reads version 1"),
        ({"config": None}, "lacks config"),
        ({"run_id": None, "target": None}, "lacks run_id, target"),
        ({"config": {"sources": []}}, "configuration cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(
    run: RunDirectory, changes: dict[str, Any], says: str
) -> None:
    change_manifest(run, **changes)
    assert says in refused(report(run.path))


def test_a_manifest_that_is_not_json_is_refused(run: RunDirectory) -> None:
    run.manifest.write_text("{")
    assert "is not JSON" in refused(report(run.path))


def test_a_run_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "no run at" in refused(report(tmp_path / "nowhere"))


def test_a_journal_of_another_plan_is_refused(run: RunDirectory) -> None:
    replace_journal(run, [Phase("measuring", 1, "1000"), Write("us-west-2", 400, 1, 1, 2, "acked")])
    assert "write 400 of us-west-2" in refused(report(run.path))


def test_samples_that_lack_columns_are_refused_where_they_are_read_and_rebuilt_by_the_report(
    run: RunDirectory,
) -> None:
    assert report(run.path, "--no-plots").returncode == 0
    whole = read_samples(run.samples)
    whole.drop(columns=["acked_ns", "polls"]).to_parquet(run.samples)
    command = [sys.executable, "-m", "harness.compare", "--matrix", str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "lacks the columns acked_ns, polls; rebuild it with harness.report" in refused(done)
    assert report(run.path, "--no-plots").returncode == 0
    assert read_samples(run.samples).equals(whole)
