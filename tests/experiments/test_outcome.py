"""The outcome of runs made for the purpose: which runs stand behind a number, and what is said of the others."""

from __future__ import annotations

import tomllib
from pathlib import Path

import orjson
import pytest

from harness.errors import ExitCode
from harness.experiments.directory import ExperimentDirectory
from harness.experiments.figures import draw_outcome
from harness.experiments.outcome import Outcome, describe_outcome
from harness.experiments.perform import Failure
from harness.experiments.plan import Destination, Plan, make_plan
from harness.experiments.spec import parse_experiment
from harness.experiments.words import condition_table, outcome_lines, run_lines
from harness.records.manifest import read_json, write_json
from harness.terminal import make_console
from tests.test_compare import REPLICA, SOURCE, record_run

TEXT = f"""
    [experiment]
    name = "try"
    question = "Does it?"
    [regions]
    pairs = [["{SOURCE}", "{REPLICA}"]]
    [workload]
    item_size = ["200B", "4KB"]
    [run]
    repetitions = 2
"""


def planned() -> Plan:
    return make_plan(parse_experiment(tomllib.loads(TEXT)), Destination(), 3, TEXT)


def measured(
    tmp_path: Path, plan: Plan, *, disturbed: tuple[int, ...] = (), until: int = 4
) -> ExperimentDirectory:
    """The runs of the plan up to a number; 4KB takes 200 ms longer, `disturbed` ones did not finish properly."""
    directory = ExperimentDirectory(tmp_path)
    write_json(directory.plan, plan.to_json())
    for run in plan.runs[:until]:
        median_ms = 850 if "4KB" in run.condition else 650
        name, start_s = f"run{run.number}", run.number
        path = record_run(tmp_path, name, median_ms, start_s=start_s, finished=run.number not in disturbed)
        for file in (path / "manifest.json", path / "summary.json"):
            value = read_json(file)
            value["tags"] = {"condition": run.condition, "run": str(run.number)}
            write_json(file, value)
    return directory


def said(outcome: Outcome) -> str:
    console = make_console()
    with console.capture() as capture:
        console.print(condition_table(outcome.summary))
        for line in (*outcome_lines(outcome.summary), *run_lines(outcome.summary["runs"])):
            console.print(line, markup=False)
    return capture.get()


def test_conditions_are_pooled_compared_and_the_difference_is_found(tmp_path: Path) -> None:
    plan = planned()
    outcome = describe_outcome(measured(tmp_path, plan), plan, {})
    assert outcome.summary["verdict"] == "VALID"
    assert [(row["condition"], row["runs"], row["n"]) for row in outcome.summary["conditions"]] == [
        ("item_size=200B", 2, 1200),
        ("item_size=4KB", 2, 1200),
    ]
    (comparison,) = outcome.summary["comparisons"]
    assert (comparison["first"]["label"], comparison["second"]["label"]) == (
        "item_size=200B",
        "item_size=4KB",
    )
    assert comparison["difference_ms"]["p50"]["significant"]
    assert 150 < comparison["difference_ms"]["p50"]["value"] < 250
    assert "item_size=4KB minus item_size=200B" in said(outcome)
    orjson.dumps(outcome.summary, option=orjson.OPT_SERIALIZE_NUMPY)


def test_an_invalid_run_is_left_out_where_its_condition_has_valid_ones_and_named(tmp_path: Path) -> None:
    plan = planned()
    outcome = describe_outcome(measured(tmp_path, plan, disturbed=(1,)), plan, {})
    broken = plan.runs[0].condition
    rows = {row["condition"]: row for row in outcome.summary["conditions"]}
    assert outcome.summary["verdict"] == "INVALID"
    assert (rows[broken]["runs"], rows[broken]["verdict"]) == (1, "VALID")
    assert "run 1 (" in said(outcome)
    assert "is INVALID: complete" in said(outcome)


def test_a_condition_without_a_valid_run_is_shown_as_invalid_and_not_compared(tmp_path: Path) -> None:
    plan = planned()
    broken = plan.runs[0].condition
    disturbed = tuple(run.number for run in plan.runs if run.condition == broken)
    outcome = describe_outcome(measured(tmp_path, plan, disturbed=disturbed), plan, {})
    rows = {row["condition"]: row["verdict"] for row in outcome.summary["conditions"]}
    assert rows.pop(broken) == "INVALID"
    assert set(rows.values()) == {"VALID"}
    assert outcome.summary["comparisons"] == []
    assert said(outcome).count("INVALID") >= 4


def test_runs_that_failed_or_wait_make_the_outcome_incomplete(tmp_path: Path) -> None:
    plan = planned()
    directory = measured(tmp_path, plan, until=2)
    outcome = describe_outcome(directory, plan, {3: Failure("cannot reach it", ExitCode.UNAVAILABLE)})
    assert outcome.summary["verdict"] == "INCOMPLETE"
    assert [run["verdict"] for run in outcome.summary["runs"]] == ["VALID", "VALID", "failed", "not measured"]
    assert "failed: cannot reach it" in said(outcome)
    assert "1 of 4 runs are not measured yet; --resume continues" in said(outcome)


def test_nothing_measured_is_an_empty_outcome(tmp_path: Path) -> None:
    plan = planned()
    outcome = describe_outcome(measured(tmp_path, plan, until=0), plan, {})
    assert outcome.summary["verdict"] == "INCOMPLETE"
    assert outcome.summary["conditions"] == []


@pytest.mark.parametrize("disturbed", [(), (1,)])
def test_two_conditions_are_drawn_side_by_side_and_over_each_other(
    tmp_path: Path, disturbed: tuple[int, ...]
) -> None:
    plan = planned()
    directory = measured(tmp_path, plan, disturbed=disturbed)
    paths = draw_outcome(directory, plan, describe_outcome(directory, plan, {}))
    assert {path.name for path in paths} >= {"conditions.png", "overlay.png", "difference.png"}
    assert all(path.stat().st_size > 10_000 for path in paths)


def test_half_written_runs_are_put_aside_and_finished_ones_stay(tmp_path: Path) -> None:
    plan = planned()
    directory = measured(tmp_path, plan, until=2)
    (tmp_path / "run2" / "summary.json").unlink()
    (tmp_path / "run3").mkdir()
    (tmp_path / "latest").symlink_to("run1")
    assert {run.path.name for run in directory.put_aside()} == {"run2", "run3"}
    assert set(directory.finished()) == {1}
    assert {path.name for path in directory.aside.iterdir()} == {"run2", "run3"}
    assert directory.put_aside() == []
