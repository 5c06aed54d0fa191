"""The experiment verb end to end: real processes, the emulator as target, killed and resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.target import EmulatorOptions, emulator

ROOT = Path(__file__).parent.parent
SHIPPED = sorted((ROOT / "experiments").glob("*.toml"))
OF_THEIR_OWN = ("one-pair", "region-matrix", "conflict", "order", "replication-pause", "throttled-replica")
QUICK = """
[experiment]
name = "quick"
question = "Does the size matter?"
[regions]
pairs = [["us-west-2", "eu-west-1"]]
[workload]
samples = 40
rate = "40/s"
warmup = "250ms"
item_size = ["200B", "4KB"]
seed = 5
[emulator]
lag = "constant=300ms"
rtt = "none"
[run]
repetitions = 2
"""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "harness.experiment", *map(str, arguments)]


def experiment(*arguments: str | Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT
    )


def written(tmp_path: Path, text: str = QUICK) -> Path:
    path = tmp_path / "quick.toml"
    path.write_text(text)
    return path


def only_experiment(results: Path) -> Path:
    (found,) = (results / "experiments").iterdir()
    return found


def summaries(directory: Path) -> dict[str, dict[str, Any]]:
    """The summaries of the finished runs by the name of their directory."""
    found = (path for path in directory.iterdir() if path.is_dir() and not path.is_symlink())
    return {
        path.name: json.loads((path / "summary.json").read_text())
        for path in found
        if path.name != "aside" and (path / "summary.json").exists()
    }


@contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_measuring(process: subprocess.Popen[str], results: Path, number: int) -> None:
    """Until run `number` has begun to keep what it measures."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(f"run {number} of"):
            break
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for journal in only_experiment(results).glob("*/journal.jsonl.zst"):
            tags = json.loads((journal.parent / "manifest.json").read_text())["tags"]
            if tags["run"] == str(number) and journal.stat().st_size > 500:
                return
        time.sleep(0.02)
    raise AssertionError(f"run {number} did not begin")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A sweep measured to its end: its directory and the outcome it printed."""
    tmp_path = tmp_path_factory.mktemp("experiment")
    done = experiment(written(tmp_path), "--results", tmp_path, "--json")
    assert done.returncode in (0, 3), done.stderr
    return only_experiment(tmp_path), json.loads(done.stdout)


def test_an_experiment_has_a_page_that_tells_its_question_and_leads_to_its_runs(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    directory, outcome = finished
    page = (directory / "report.html").read_text()
    assert "<h1>Does the size matter?</h1>" in page
    assert f"<title>{outcome['verdict']}, simulated: quick</title>" in page
    assert page.count("<svg") >= 1
    links = re.findall(r'href="([^"#]+report\.html)"', page)
    assert links
    assert all((directory / link).exists() for link in links)
    assert re.findall(r'(?:src|href)="https?:', page) == []


def marks_of(path: Path) -> list[pytest.MarkDecorator]:
    """Mere sweeps, all alike to the harness, are for CI; those with something of their own run always."""
    return [] if path.stem in OF_THEIR_OWN else [pytest.mark.slow]


def tiny_copy(path: Path, tmp_path: Path) -> Path:
    """A shipped file with each condition measured once, of many offsets three, and without round trips or a tail of the
    lag where it does not set the emulator."""
    text = re.sub(r"repetitions = \d+", "repetitions = 1", path.read_text())
    text = re.sub(r"offset = .*", 'offset = ["-2s", "0s", "2s"]', text)
    if "[emulator]" not in text:
        text += '\n[emulator]\nlag = "median=250ms,sigma=0.25"\nrtt = "none"\n'
    copy = tmp_path / path.name
    copy.write_text(text)
    return copy


@pytest.mark.parametrize("path", [pytest.param(path, marks=marks_of(path), id=path.stem) for path in SHIPPED])
def test_a_shipped_experiment_runs_at_tiny_scale(path: Path, tmp_path: Path) -> None:
    faulty = path.stem in ("replication-pause", "throttled-replica")
    size = ("--scale", "0.15") if faulty else ("--samples", "10")
    done = experiment(tiny_copy(path, tmp_path), "--results", tmp_path, "--json", "--no-plots", *size)
    assert done.returncode in (0, 3), done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["simulated"] is True
    assert outcome["verdict"] in ("VALID", "INVALID"), outcome["runs"]
    assert all(run["directory"] for run in outcome["runs"])
    judge = {
        "region-matrix": joint_samples_of_every_source,
        "replication-pause": a_backlog_that_was_caught_up,
        "throttled-replica": invalid_by_the_throttles_gate,
        "both-ways": both_directions,
        "conflict": later_writes_survive,
        "order": torn_transactions,
    }.get(path.stem)
    if judge is not None:
        judge(outcome)


def later_writes_survive(outcome: dict[str, Any]) -> None:
    shares = {row["condition"]: row["second_survives"]["value"] for row in outcome["contests"]}
    assert (shares["offset=-2s"], shares["offset=2s"]) == (0.0, 1.0)
    assert all(row["unsettled"] == 0 for row in outcome["contests"])


def torn_transactions(outcome: dict[str, Any]) -> None:
    torn = {row["condition"]: row["torn_window"] for row in outcome["order"]}
    assert len(torn) == 4
    assert [found is not None for found in torn.values()] == ["transaction=4" in name for name in torn]


def joint_samples_of_every_source(outcome: dict[str, Any]) -> None:
    assert len(outcome["runs"]) == 5
    assert len({(cell["from"], cell["to"]) for cell in outcome["matrix"]}) == 20
    assert all(cell["n"] == 10 for cell in outcome["matrix"])
    assert len(outcome["everywhere"]) == 5
    for entry in outcome["everywhere"]:
        slowest = max(
            row["latency_ms"]["p50"]["value"] for row in outcome["conditions"] if row["from"] == entry["from"]
        )
        assert entry["latency_ms"]["p50"]["value"] >= slowest - 30  # the width of a bracket


def a_backlog_that_was_caught_up(outcome: dict[str, Any]) -> None:
    (backlog,) = outcome["backlog"]
    assert backlog["pause_s"] == pytest.approx(1.5)
    assert backlog["peak"] > backlog["usual"] + 15  # 30 writes were due during the pause


def invalid_by_the_throttles_gate(outcome: dict[str, Any]) -> None:
    assert outcome["verdict"] == "INVALID"
    assert "throttles" in outcome["runs"][0]["failed_gates"]
    assert outcome["expected_to_fail"] == [{"gate": "throttles", "failed_in": 1, "runs": 1}]


def both_directions(outcome: dict[str, Any]) -> None:
    assert len(outcome["runs"]) == 1
    (entry,) = outcome["asymmetry"]
    assert set(entry["between"]) == {"us-west-2", "ap-southeast-2"}


def test_every_run_of_a_sweep_is_measured_once_and_in_the_order_of_the_plan(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    directory, outcome = finished
    plan = json.loads((directory / "plan.json").read_text())
    assert [run["number"] for run in plan["runs"]] == [1, 2, 3, 4]
    tags = [summary["tags"] for _, summary in sorted(summaries(directory).items())]
    assert [int(tag["run"]) for tag in tags] == [1, 2, 3, 4]
    assert [tag["condition"] for tag in tags] == [run["condition"] for run in plan["runs"]]
    assert [run["directory"] for run in outcome["runs"]] == sorted(summaries(directory))
    assert json.loads((directory / "outcome.json").read_text()) == outcome


def test_the_outcome_pools_the_runs_of_a_condition_and_holds_them_against_the_truth(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    _, outcome = finished
    assert [row["condition"] for row in outcome["conditions"]] == ["item_size=200B", "item_size=4KB"]
    for row in outcome["conditions"]:
        assert row["n"] in (40, 80)  # a run that this machine disturbed is INVALID and left out
        assert row["truth"]["p50_ms"] == pytest.approx(300, abs=0.01)
        assert row["latency_ms"]["p50"]["value"] == pytest.approx(300, abs=30)
    for comparison in outcome["comparisons"]:
        assert comparison["first"]["label"] == "item_size=200B"


def test_the_figures_of_an_experiment_lie_beside_its_outcome(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = finished
    assert (directory / "conditions.png").stat().st_size > 10_000


def test_an_experiment_killed_in_the_middle_is_resumed_without_repeating_or_losing_a_run(
    tmp_path: Path,
) -> None:
    file, results = written(tmp_path), tmp_path / "results"
    with started(file, "--results", results, "--no-plots") as process:
        wait_for_measuring(process, results, 3)
        process.send_signal(signal.SIGKILL)
    directory = only_experiment(results)
    kept = summaries(directory)
    assert sorted(int(summary["tags"]["run"]) for summary in kept.values()) == [1, 2]

    done = experiment(file, "--results", results, "--resume", "--json", "--no-plots")
    assert done.returncode in (0, 3), done.stderr
    assert only_experiment(results) == directory
    after = summaries(directory)
    assert {name: after[name] for name in kept} == kept
    assert sorted(int(summary["tags"]["run"]) for summary in after.values()) == [1, 2, 3, 4]
    (aside,) = (directory / "aside").iterdir()
    assert json.loads((aside / "manifest.json").read_text())["tags"]["run"] == "3"
    assert "kept aside" in done.stderr

    uninterrupted = experiment(file, "--dry-run", "--json")
    plan = json.loads(uninterrupted.stdout)
    assert json.loads((directory / "plan.json").read_text()) == plan
    measured = {
        run["number"]: run["condition"] for run in json.loads(done.stdout)["runs"] if run["directory"]
    }
    assert measured == {run["number"]: run["condition"] for run in plan["runs"]}
    for name, summary in after.items():
        config = json.loads((directory / name / "manifest.json").read_text())["config"]
        assert config == plan["runs"][int(summary["tags"]["run"]) - 1]["config"]


def test_an_interrupted_experiment_says_how_to_go_on_and_goes_on(tmp_path: Path) -> None:
    file, results = written(tmp_path), tmp_path / "results"
    with started(file, "--results", results, "--no-plots") as process:
        wait_for_measuring(process, results, 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    directory = only_experiment(results)
    assert f"harness.experiment {directory} --resume" in err
    assert "Traceback" not in err
    done = experiment(directory, "--resume", "--no-plots")
    assert done.returncode in (0, 3), done.stderr
    assert len(summaries(directory)) == 4
    again = experiment(directory, "--resume", "--no-plots", "--json")
    assert "run 1 of" not in again.stderr
    assert json.loads(again.stdout)["verdict"] in ("VALID", "INVALID")


def test_two_processes_cannot_measure_one_experiment(tmp_path: Path) -> None:
    file, results = written(tmp_path), tmp_path / "results"
    with started(file, "--results", results, "--no-plots") as process:
        wait_for_measuring(process, results, 1)
        second = experiment(file, "--results", results, "--resume")
    assert second.returncode == 2
    assert "another process is measuring" in second.stderr


def test_a_run_that_fails_is_listed_and_the_others_are_measured(tmp_path: Path) -> None:
    text = QUICK.replace(
        'pairs = [["us-west-2", "eu-west-1"]]',
        'pairs = [["us-west-2", "eu-west-1"], ["us-east-1", "eu-west-1"]]',
    )
    text = re.sub(r"\[emulator\][^[]*", "", text).replace('["200B", "4KB"]', '"200B"')
    text = text.replace("repetitions = 2", "repetitions = 1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    options = EmulatorOptions(lag="constant=300ms", extra=("--rtt", "none"))
    with emulator(("us-west-2", "eu-west-1"), options) as target:
        endpoints = {**target.endpoints, "us-east-1": f"http://127.0.0.1:{closed}"}
        flags = [word for region, url in endpoints.items() for word in ("--endpoint", f"{region}={url}")]
        done = experiment(written(tmp_path, text), *flags, "--results", tmp_path, "--no-plots", "--json")
    assert done.returncode == 4, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["verdict"] == "INCOMPLETE"
    assert outcome["simulated"] is False
    by_source = {run["pairs"][0][0]: run for run in outcome["runs"]}
    assert by_source["us-east-1"]["verdict"] == "failed"
    assert "cannot reach" in by_source["us-east-1"]["error"]
    assert by_source["us-west-2"]["directory"] is not None
    assert outcome["conditions"][0]["n"] == 40
    assert outcome["conditions"][0]["truth"] is None


def test_a_dry_run_shows_runs_duration_requests_and_cost_and_writes_nothing(tmp_path: Path) -> None:
    done = experiment(
        ROOT / "experiments" / "region-matrix.toml", "--dry-run", "--results", tmp_path / "results"
    )
    assert done.returncode == 0, done.stderr
    for words in ("20 in 5 Regions", "runs        5", "8,000", "writes", "reads", "USD if it were AWS"):
        assert words in done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (("--samples", "0"), QUICK, "argument --samples: '0' must lie between 1 and"),
        (("--samples", "5", "--scale", "0.5"), QUICK, "exclude each other"),
        (("--max-usd", "0.00000001"), QUICK, "above --max-usd"),
        (("--target", "aws", "--dry-run"), QUICK, "[emulator] can only be had on the emulator"),
        (("--endpoint", "us-west-2=http://127.0.0.1:1", "--dry-run"), QUICK, "no --endpoint for eu-west-1"),
        (("--create-per-region",), QUICK, "--create-per-region is for --endpoint"),
        ((), QUICK.replace("constant=300ms", "sluggish"), "'sluggish' is not a lag model"),
        ((), QUICK.replace("eu-west-1", "eu-west-11"), "did you mean eu-west-1"),
        ((), QUICK.replace("rate =", "rat ="), "did you mean rate"),
        (("--resume",), QUICK, "no experiment quick"),
        (("--resume", "--samples", "3"), QUICK, "leave out --samples"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    tmp_path: Path, arguments: tuple[str, ...], text: str, says: str
) -> None:
    done = experiment(written(tmp_path, text), *arguments, "--results", tmp_path / "results")
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert says in errors[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_file_that_changed_since_its_plan_is_not_resumed(
    tmp_path: Path, finished: tuple[Path, dict[str, Any]]
) -> None:
    directory, _ = finished
    file = written(tmp_path, QUICK.replace('rate = "40/s"', 'rate = "50/s"'))
    done = experiment(file, "--resume", "--results", directory.parent.parent)
    assert done.returncode == 2
    assert "has changed since the plan" in done.stderr
    assert str(directory) in done.stderr


def test_nothing_of_the_machine_is_in_the_outcome(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = finished
    home = os.environ.get("HOME", "/nowhere")
    for name in ("plan.json", "outcome.json"):
        assert str(directory.parent) not in (directory / name).read_text()
        assert home not in (directory / name).read_text()
