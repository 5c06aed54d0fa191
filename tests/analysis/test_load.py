"""The public API: runs by names and globs, tables of several, and errors of one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
from harness.analysis.ground_truth import read_truth
from harness.errors import DamagedRun, HarnessError, UsageError
from tests.test_compare import record_run

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "results"
BOTH_WAYS = "example-*-both-ways-*"
CALIBRATION = "example-*-calibration-*/calibration.json"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that differ, one too small for most percentiles, and one that was interrupted."""
    folder = tmp_path_factory.mktemp("results")
    record_run(folder, "run-a", 650, samples=600, tag="a", start_s=1)
    record_run(folder, "run-b", 900, samples=600, tag="b", start_s=2)
    record_run(folder, "small", 650, samples=20, start_s=3)
    record_run(folder, "broken", 650, samples=100, finished=False, start_s=4)
    (folder / "latest").symlink_to("run-b")
    return folder


def test_runs_are_loaded_by_name_glob_directory_and_latest_each_once(results: Path) -> None:
    runs = harness.load_runs(["run-*", "latest", results / "small"], results)
    assert [run.directory.path.name for run in runs] == ["run-a", "run-b", "small"]
    assert [run.directory.path.name for run in harness.load_runs(results=results)] == ["run-b"]
    everything = harness.load_runs("*", results)
    assert len(everything) == 4  # latest is one of the others


def test_a_summary_has_a_row_for_each_run_and_pair_with_n_verdict_and_intervals(results: Path) -> None:
    table = harness.summarize(["run-a", "small", "broken"], results)
    assert list(table.index.names) == ["run", "from", "to"]
    assert list(table["verdict"]) == ["VALID", "VALID", "INVALID"]
    assert list(table["n"]) == [600, 20, 100]
    assert set(table["source"]) == {"simulated"}
    stored = json.loads((results / "run-a" / "summary.json").read_text())["pairs"][0]["latency_ms"]["p50"]
    first = table.iloc[0]
    assert (first["p50_low_ms"], first["p50_ms"], first["p50_high_ms"]) == (
        stored["low"],
        stored["value"],
        stored["high"],
    )
    assert np.isnan(table.iloc[1]["p99_ms"])


def test_a_comparison_has_the_cells_of_the_verb(results: Path) -> None:
    table = harness.compare(["run-a", "run-b"], results=results)
    verb = subprocess.run(
        [sys.executable, "-m", "harness.compare", "run-a", "run-b", "--results", str(results), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    (stored,) = json.loads(verb.stdout)["comparisons"]
    shift = table.xs("shift", level="cell").iloc[0]
    assert shift["value_ms"] == pytest.approx(stored["difference_ms"]["shift"]["value"])
    assert shift["low_ms"] > 150
    assert shift["verdict"] == "significant"
    assert set(table["runs"]) == {"VALID"}


def test_runs_pooled_by_a_tag_are_labelled_by_its_values(results: Path) -> None:
    table = harness.compare(harness.load_runs("run-*", results), by="variant")
    assert {index[:2] for index in table.index} == {("a", "b")}


def test_invalid_runs_are_compared_only_on_request_and_marked(results: Path) -> None:
    with pytest.raises(UsageError, match="no VALID run is left of broken"):
        harness.compare("broken", results=results)
    table = harness.compare(["run-a", "broken"], include_invalid=True, results=results)
    assert set(table["runs"]) == {"INVALID"}


def test_the_pairs_of_one_run_are_compared_with_its_first_and_drawn() -> None:
    run = harness.load_runs(BOTH_WAYS, EXAMPLES)[-1]
    table = harness.compare(run)
    assert len(table.index.droplevel("cell").unique()) == len(run.pairs) - 1
    assert len(harness.comparison_figures(run)) == 2 * (len(run.pairs) - 1)
    matrix = harness.matrix_figure(run, "p50")
    assert {f"{a} → {b}" for a, b in run.pairs} <= {text.get_gid() for text in matrix.axes[0].texts}
    assert {(a, b) for a, b, _ in run.asymmetry_table().index} == {
        ("us-west-2", "ap-southeast-2"),
        ("us-west-2", "eu-west-1"),
    }
    assert run.everywhere_table().loc["us-west-2", "replicas"] == "ap-southeast-2, eu-west-1"


def test_tables_of_an_invalid_run_say_so_in_their_columns(results: Path) -> None:
    run = harness.load_run("broken", results)
    assert all("INVALID" in name for name in run.percentile_table().columns if name.startswith("p"))
    assert "INVALID" in run.title


def test_a_run_on_the_emulator_is_held_against_its_truth() -> None:
    run = harness.load_runs(BOTH_WAYS, EXAMPLES)[-1]
    table = run.truth_table()
    assert list(table.index) == run.pairs
    assert (table["hard_coverage"] == 1).all()
    figure = run.truth_figure("us-west-2", "eu-west-1")
    assert "us-west-2 → eu-west-1" in [text.get_text() for text in figure.texts]


def test_a_calibration_has_a_row_for_each_condition() -> None:
    calibration = harness.load_calibration(EXAMPLES / CALIBRATION)
    table = calibration.table()
    assert list(table.index.names) == ["rtt_ms", "lag", "strategy", "rate_per_s"]
    assert (table["hard_coverage"] == 1).all()
    assert set(table["verdict"]) == {"VALID"}
    assert "simulated" in [text.get_text() for text in calibration.figure().texts]


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda r: harness.load_run("no-such", r), DamagedRun, "no run at no-such"),
        (lambda r: harness.load_runs("no-such-*", r), UsageError, "no run matches 'no-such-\\*'"),
        (lambda r: harness.summarize([], r), UsageError, "no run was given"),
        (lambda r: harness.compare("run-a", results=r), UsageError, "nothing to compare"),
        (
            lambda r: harness.compare(["run-a", "small"], by="size", results=r),
            UsageError,
            "has no tag 'size'",
        ),
        (lambda r: harness.matrix_figure("run-a", "p98", results=r), UsageError, "no 'p98'"),
        (lambda r: harness.load_run("run-a", r).figure("pie"), UsageError, "no figure 'pie'"),
        (lambda r: harness.load_run("run-a", r).figure("ecdf", "eu-west-1"), UsageError, "no pair eu-west-1"),
        (lambda r: harness.load_run("run-a", r).truth_table(), DamagedRun, "only runs on the emulator"),
        (lambda r: harness.load_calibration(r / "none.json"), DamagedRun, "harness.calibrate --json"),
        (lambda r: harness.load_calibration(r / "run-a" / "summary.json"), DamagedRun, "is not what"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    results: Path, call: Callable[[Path], object], error: type[HarnessError], says: str
) -> None:
    with pytest.raises(error, match=says) as found:
        call(results)
    assert isinstance(found.value, harness.HarnessError)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("first", ["import harness.compare", "harness.summarize", "pass"])
def test_compare_can_be_called_whether_or_not_its_verb_was_imported(first: str, results: Path) -> None:
    code = (
        f"import harness\n{first}\nprint(len(harness.compare(['run-a', 'run-b'], results={str(results)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.strip() == "4", done.stderr


def test_a_copy_of_a_run_elsewhere_is_loaded_by_its_path(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "run-a", tmp_path / "moved")
    assert harness.load_run(tmp_path / "moved").pairs == [("us-west-2", "ap-southeast-2")]


def test_of_several_lines_of_one_write_the_last_is_the_truth(tmp_path: Path) -> None:
    def line(key: str, visible: str) -> str:
        return f'{{"from": "a", "to": "b", "table": "t", "key": "{key}", "commit_ns": 1, "visible_ns": {visible}}}\n'

    path = tmp_path / "truth.jsonl"
    path.write_text(line("x", "null") + line("y", "7") + line("x", "9") + line("y", "null"))
    truth = read_truth(path)
    assert list(truth["key"]) == ["x", "y"]
    assert truth["visible_ns"].tolist() == [9, pd.NA]
