"""The main verb end to end: real processes, real sockets, the emulator as target."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.ground_truth import measure_accuracy, read_truth, with_truth
from harness.errors import ExitCode
from harness.records.journal import read_journal
from harness.records.samples import read_samples
from harness.target import EmulatorOptions, emulator
from harness.thresholds import check_thresholds, parse_threshold

PAIR = ("--from", "us-west-2", "--to", "ap-southeast-2")
QUICK = ("--samples", "60", "--warmup", "500ms", "--rate", "40/s", "--no-plots")
EXIT_CODES = {"VALID": 0, "INVALID": 3}
FAST_LAG = ("--lag", "median=250ms,sigma=0.4")


def run(*arguments: str, results: Path, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.run", *arguments, "--results", str(results)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def long_run(results: Path) -> subprocess.Popen[str]:
    """A run that is still going when a test has seen enough of it."""
    command = [
        sys.executable,
        "-m",
        "harness.run",
        *PAIR,
        *FAST_LAG,
        "--samples",
        "2000",
        "--results",
        str(results),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def only_run(results: Path) -> Path:
    (found,) = [path for path in results.iterdir() if path.name != "latest"]
    return found


def verdict_of(results: Path) -> str:
    """The verdict of the only run in `results`: a busy machine may make any real run INVALID, rightly."""
    verdict: str = json.loads((only_run(results) / "summary.json").read_text())["verdict"]
    return verdict


def emulators_of(results: Path) -> list[str]:
    """Command lines of processes that still serve a run in `results`."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "harness.emulator" in line and str(results) in line]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run with the default settings but fewer samples, with its plots."""
    results = tmp_path_factory.mktemp("results")
    done = run(*PAIR, "--samples", "100", "--tag", "why=test", results=results)
    return results, done


def test_a_run_prints_percentiles_with_intervals_and_what_they_lack(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    results, done = finished
    assert done.returncode == EXIT_CODES[verdict_of(results)], done.stdout + done.stderr
    for text in (
        "us-west-2 → ap-southeast-2",
        "simulated",
        "p50",
        "needs 368",
        "100 planned, 100 visible",
        f"{verdict_of(results)}: ",
    ):
        assert text in done.stdout
    assert "removing table" in done.stderr


def test_a_run_directory_holds_all_that_is_promised(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    results, _ = finished
    directory = only_run(results)
    names = {path.name for path in directory.iterdir()}
    assert {"manifest.json", "journal.jsonl.zst", "samples.parquet", "summary.json", "truth.jsonl"} <= names
    assert "latency-us-west-2-ap-southeast-2.hgrm" in names
    assert sum(name.endswith(".png") for name in names) >= 2
    assert "emulator.log" not in names
    assert (results / "latest").resolve() == directory.resolve()
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["tags"] == {"why": "test"}
    assert manifest["target"]["kind"] == "local"
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["simulated"] is True
    assert summary["pairs"][0]["latency_ms"]["p99"] == {"needs": 368, "n": 100}


def test_every_hard_bracket_holds_the_truth_and_outcomes_add_up(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    directory = only_run(finished[0])
    samples = read_samples(directory / "samples.parquet")
    truth = read_truth(directory / "truth.jsonl")
    joined = with_truth(samples, truth)
    assert len(joined) == 100
    assert joined["hard_holds"].all()
    accuracy = measure_accuracy(samples, truth)
    assert accuracy.model_coverage >= 0.95
    outcomes = json.loads((directory / "summary.json").read_text())["pairs"][0]["outcomes"]
    assert outcomes.pop("planned") == sum(outcomes.values()) == 100


def test_both_ways_to_several_replicas_measures_every_pair(tmp_path: Path) -> None:
    done = run(
        "--from", "us-west-2", "--to", "eu-west-1,us-east-1", "--both-ways", "--json", *QUICK, *FAST_LAG,
        "--poll-interval", "20ms", results=tmp_path,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    pairs = {(pair["from"], pair["to"]) for pair in json.loads(done.stdout)["pairs"]}
    assert pairs == {
        ("us-west-2", "eu-west-1"),
        ("us-west-2", "us-east-1"),
        ("eu-west-1", "us-west-2"),
        ("us-east-1", "us-west-2"),
    }
    directory = only_run(tmp_path)
    joined = with_truth(read_samples(directory / "samples.parquet"), read_truth(directory / "truth.jsonl"))
    assert len(joined) == 240
    assert joined["hard_holds"].all()


def test_a_control_shows_the_instruments_own_floor(tmp_path: Path) -> None:
    done = run(*PAIR, *QUICK, *FAST_LAG, "--control", results=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    assert "control" in done.stdout
    assert "us-west-2 watched by itself: p50" in done.stdout
    directory = only_run(tmp_path)
    summary = json.loads((directory / "summary.json").read_text())
    pair, control = summary["pairs"]
    assert (pair["control"], control["control"]) == (False, True)
    assert (control["from"], control["to"]) == ("us-west-2", "us-west-2")
    assert control["outcomes"]["visible"] == 60
    assert abs(control["latency_ms"]["p50"]["value"]) < 2
    assert {gate["name"]: gate["status"] for gate in summary["gates"]}["control"] == "pass"
    assert len(list(directory.glob("*.hgrm"))) == 1
    joined = with_truth(read_samples(directory / "samples.parquet"), read_truth(directory / "truth.jsonl"))
    assert len(joined) == 60
    assert joined["hard_holds"].all()


@pytest.mark.parametrize(
    ("strategy", "schedule"), [("query", "fixed"), ("batch", "geometric"), ("get", "adaptive")]
)
def test_every_strategy_and_schedule_brackets_the_truth(tmp_path: Path, strategy: str, schedule: str) -> None:
    done = run(
        *PAIR, *FAST_LAG, *QUICK, "--poll-with", strategy, "--schedule", schedule, "--poll-interval", "20ms", "--json",
        results=tmp_path,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    directory = only_run(tmp_path)
    samples = read_samples(directory / "samples.parquet")
    joined = with_truth(samples, read_truth(directory / "truth.jsonl"))
    assert len(joined) == 60
    assert joined["hard_holds"].all()


@pytest.mark.parametrize(
    ("keys", "strategy"), [("update", "query"), ("delete", "batch"), ("delete", "query")]
)
def test_updates_and_deletes_are_measured_like_new_items(tmp_path: Path, keys: str, strategy: str) -> None:
    done = run(*PAIR, *FAST_LAG, *QUICK, "--keys", keys, "--poll-with", strategy, "--json", results=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    directory = only_run(tmp_path)
    joined = with_truth(read_samples(directory / "samples.parquet"), read_truth(directory / "truth.jsonl"))
    assert len(joined) == 60
    assert joined["hard_holds"].all()


def test_a_transaction_is_written_at_once_and_its_torn_window_is_told(tmp_path: Path) -> None:
    done = run(*PAIR, *FAST_LAG, *QUICK, "--together", "4", results=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    directory = only_run(tmp_path)
    samples = read_samples(directory / "samples.parquet")
    joined = with_truth(samples, read_truth(directory / "truth.jsonl"))
    assert joined["hard_holds"].all()
    transactions = joined.groupby(joined["seq"] // 4)
    assert (transactions["acked_ns"].nunique() == 1).all()
    assert (transactions["commit_ns"].nunique() == 1).all()
    assert "of 15 transactions of 4 items were visible in part" in done.stdout
    torn = json.loads((directory / "summary.json").read_text())["pairs"][0]["torn_window"]
    true_ms = (transactions["true_ns"].max() - transactions["true_ns"].min()).median() / 1e6
    assert torn["window_ms"]["p50"]["low"] <= true_ms <= torn["window_ms"]["p50"]["high"]


def test_versions_that_are_replaced_before_any_read_shows_them_are_told_and_the_last_is_not_lost(
    tmp_path: Path,
) -> None:
    done = run(*PAIR, *FAST_LAG, *QUICK, "--versions", "5", results=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    assert "were replaced by a later one before any read showed them" in done.stdout
    directory = only_run(tmp_path)
    samples = read_samples(directory / "samples.parquet")
    joined = with_truth(samples, read_truth(directory / "truth.jsonl"))
    assert joined["hard_holds"].all()
    assert len(joined) == (samples["outcome"] == "visible").sum()
    last = samples["seq"] % 5 == 4
    assert (samples.loc[last, "outcome"] == "visible").all()
    assert (samples.loc[~last, "outcome"] == "overwritten").any()


def test_of_two_writes_of_one_item_the_later_survives_and_the_other_is_lost(tmp_path: Path) -> None:
    contest = ("--both-ways", "--keys", "contested", "--offset", "100ms", "--timeout", "3s", "--json")
    done = run(*PAIR, *FAST_LAG, *QUICK, *contest, results=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    summary = json.loads(done.stdout)
    there, back = summary["pairs"]
    assert (there["outcomes"]["overwritten"], back["outcomes"]["visible"]) == (60, 60)
    found = summary["contest"]
    assert (found["n"], found["unsettled"]) == (60, 0)
    assert found["second_survives"]["value"] == found["lost_updates"]["value"] == 1.0
    assert found["offset_ms"] > 100  # and half the round trips' difference
    assert {gate["name"]: gate["status"] for gate in summary["gates"]}["losses"] == "pass"


def test_both_read_modes_are_shown_side_by_side(tmp_path: Path) -> None:
    done = run(*PAIR, *FAST_LAG, *QUICK, "--read", "both", results=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    assert "strong reads" in done.stdout
    assert "eventual reads" in done.stdout
    assert "stable latency" in done.stdout
    summary = json.loads((only_run(tmp_path) / "summary.json").read_text())
    assert [(pair["read"], pair["headline"]) for pair in summary["pairs"]] == [
        ("strong", True),
        ("eventual", False),
    ]
    assert all(pair["outcomes"]["visible"] == 60 for pair in summary["pairs"])
    assert summary["pairs"][1]["flaps"]["share"]["n"] == 60


def test_the_endpoint_target_measures_servers_that_know_no_global_tables(tmp_path: Path) -> None:
    regions = ("us-west-2", "eu-west-1")
    with emulator(regions, EmulatorOptions()) as target:
        endpoints = [
            part for region in regions for part in ("--endpoint", f"{region}={target.endpoints[region]}")
        ]
        done = run(
            "--from", "us-west-2", "--to", "eu-west-1", "--create-per-region", "--samples", "10", "--warmup", "0s",
            "--timeout", "1s", "--no-plots", "--json", *endpoints, results=tmp_path,
        )  # fmt: skip
    # Two tables that do not replicate: every write is lost, and the run says so.
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert summary["target"] == "endpoint"
    assert summary["simulated"] is False
    assert summary["pairs"][0]["outcomes"]["lost"] == 10
    assert {gate["name"] for gate in summary["gates"] if gate["status"] == "fail"} >= {
        "losses",
        "sample_size",
    }


def test_the_endpoint_target_uses_a_table_that_exists_and_leaves_it(tmp_path: Path) -> None:
    from harness.dynamodb.access import Access
    from harness.dynamodb.global_table import GlobalTable
    from harness.target import EMULATOR_KEYS

    regions = ("us-west-2", "eu-west-1")
    options = EmulatorOptions(lag="median=200ms,sigma=0.3")
    with emulator(regions, options) as target:
        table = GlobalTable(Access(target.endpoints, keys=EMULATOR_KEYS), "mine", regions, poll_ns=50_000_000)
        table.create()
        endpoints = [
            part for region in regions for part in ("--endpoint", f"{region}={target.endpoints[region]}")
        ]
        done = run(
            "--from",
            "us-west-2",
            "--to",
            "eu-west-1",
            "--table",
            "mine",
            *QUICK,
            *endpoints,
            results=tmp_path,
        )
        assert done.returncode in (0, 3), done.stderr
        assert "60 planned, 60 visible" in done.stdout
        assert "removing" not in done.stderr
        assert table.status("us-west-2") == "ACTIVE"
        assert table.status("eu-west-1") == "ACTIVE"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_was_measured_and_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    with long_run(tmp_path) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "visible" in line:
                break
        time.sleep(0.5)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "INVALID" in out
    assert emulators_of(tmp_path) == []
    summary = json.loads((only_run(tmp_path) / "summary.json").read_text())
    assert summary["verdict"] == "INVALID"
    outcomes = summary["pairs"][0]["outcomes"]
    assert outcomes["visible"] > 20
    assert outcomes.pop("planned") == sum(outcomes.values()) == 2000


def test_once_measured_a_signal_does_what_it_did_before_the_run(tmp_path: Path) -> None:
    code = f"""
import signal
from pathlib import Path
from harness.measure.plan import Polling, RunConfig, Workload
from harness.runner import RunRequest, perform_run
before = {{number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}}
before[signal.SIGTERM] = lambda number, frame: None
signal.signal(signal.SIGTERM, before[signal.SIGTERM])
config = RunConfig(("us-west-2",), (("eu-west-1",),), Workload(3, warmup_ns=0))
perform_run(RunRequest(config, results=Path({str(tmp_path)!r}), quiet=True, show_progress=False))
assert {{number: signal.getsignal(number) for number in before}} == before
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_after_kill_9_the_journal_is_readable_and_the_emulator_is_gone(tmp_path: Path) -> None:
    with long_run(tmp_path) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "visible" in line:
                break
        process.kill()
    directory = only_run(tmp_path)
    assert len(read_journal(directory / "journal.jsonl.zst").events) > 100
    assert not (directory / "summary.json").exists()
    deadline = time.monotonic() + 5
    while emulators_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert emulators_of(tmp_path) == []


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--from", "us-west-2", "--to", "ap-southeast-22"), 2, "did you mean ap-southeast-2"),
        (("--from", "us-west-2", "--to", "us-west-2"), 2, "us-west-2 is named as source and as replica"),
        (("--from", "us-west-2", "--to", "eu-west-1,eu-west-1"), 2, "names a Region twice"),
        (("--from", "us-west-2"), 2, "--to"),
        ((*PAIR, "--rate", "0/s"), 2, "'0/s' must be above zero"),
        ((*PAIR, "--rate=-3/s"), 2, "'-3/s' must be above zero"),
        ((*PAIR, "--duration", "10 parsecs"), 2, "'10 parsecs'"),
        ((*PAIR, "--samples", "0"), 2, "argument --samples: '0' must lie between 1 and"),
        ((*PAIR, "--item-size", "1MB"), 2, "'1MB'"),
        ((*PAIR, "--lag", "sluggish"), 2, "sluggish"),
        ((*PAIR, "--sampels", "3"), 2, "did you mean --samples"),
        ((*PAIR, "--fail-if", "p98>1s"), 2, "p98>1s"),
        ((*PAIR, "--endpoint", "us-west-2"), 2, "REGION=URL"),
        ((*PAIR, "--endpoint", "us-west-2=http://[::1"), 2, "REGION=URL"),
        ((*PAIR, "--endpoint", "us-west-2=http://127.0.0.1:99999"), 2, "REGION=URL"),
        ((*PAIR, "--witness", "cloudwatch"), 2, "the emulator publishes no CloudWatch metrics"),
        ((*PAIR, "--tag", "x"), 2, "KEY=VALUE"),
        ((*PAIR, "--keys", "contested"), 2, "contested keys need two Regions measured both ways"),
        ((*PAIR, "--offset", "1s"), 2, "--offset 1.00 s is for --keys contested"),
        ((*PAIR, "--versions", "2", "--together", "2"), 2, "exclude each other"),
        ((*PAIR, "--versions", "2", "--poll-with", "get"), 2, "by Query"),
        ((*PAIR, "--together", "101"), 2, "argument --together: '101' must lie between 1 and 100"),
        ((*PAIR, "--max-usd", "0.0000001"), 2, "above --max-usd"),
        ((*PAIR, "--target", "aws", "--profile", "no-such-profile"), 2, "no-such-profile"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = run(*arguments, results=tmp_path / "results")
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert says in errors[0]
    assert "Traceback" not in done.stderr
    left = list((tmp_path / "results").iterdir()) if (tmp_path / "results").exists() else []
    assert left == []


def test_an_unreachable_endpoint_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    endpoints = ("--endpoint", f"us-west-2={url}", "--endpoint", f"ap-southeast-2={url}")
    done = run(*PAIR, *endpoints, "--create-per-region", results=tmp_path / "results")
    assert done.returncode == 4, done.stderr
    assert "cannot reach" in done.stderr
    assert url in done.stderr
    assert list((tmp_path / "results").iterdir()) == []


def test_results_that_cannot_be_written_are_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    done = run(*PAIR, results=tmp_path / "file" / "results")
    assert done.returncode == 2
    assert "choose another directory with --results" in done.stderr
    assert "creating table" not in done.stderr


def test_a_dry_run_prints_plan_and_cost_and_makes_nothing(tmp_path: Path) -> None:
    done = run(*PAIR, "--target", "aws", "--dry-run", results=tmp_path / "results")
    assert done.returncode == 0, done.stderr
    assert "writes" in done.stdout
    assert "USD" in done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("p50>700ms", ExitCode.THRESHOLD, "--fail-if p50>700 ms: us-west-2 → eu-west-1 has 800 ms"),
        ("p50>900ms", ExitCode.OK, ""),
        ("p50<900ms", ExitCode.THRESHOLD, "has 800 ms"),
        ("p99>10s", ExitCode.THRESHOLD, "too few samples to tell"),
        ("p90>10s", ExitCode.THRESHOLD, "has ∞"),
    ],
)
def test_a_threshold_that_is_exceeded_or_cannot_be_judged_is_exit_1(
    text: str, code: ExitCode, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    latency = {
        "p50": {"value": 800.0, "n": 40},
        "p90": {"value": None, "n": 40},
        "p99": {"needs": 368, "n": 40},
    }
    pairs = [{"from": "us-west-2", "to": "eu-west-1", "headline": True, "latency_ms": latency}]
    assert check_thresholds([parse_threshold(text)], {"pairs": pairs}) == code
    assert says in capsys.readouterr().err


def test_an_invalid_run_is_exit_3_whatever_its_thresholds(tmp_path: Path) -> None:
    few = ("--samples", "3", "--rate", "10/s", "--warmup", "0s", "--no-plots", "--fail-if", "p50<1h")
    done = run(*PAIR, *FAST_LAG, *few, results=tmp_path)
    assert done.returncode == 3, done.stdout
    assert "sample_size" in done.stdout


def test_help_is_there_in_half_a_second_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from harness.run_flags import make_parser; make_parser();"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'boto3', 'botocore', 'aiohttp', 'aiobotocore'};"
        "heavy &= set(sys.modules);"
        "print(heavy); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_samples_file_is_flat_integer_nanoseconds(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    frame = pd.read_parquet(only_run(finished[0]) / "samples.parquet")
    for name in frame.columns:
        if name.endswith("_ns"):
            assert (
                frame[name]
                .dropna()
                .map(float.is_integer if frame[name].dtype == float else lambda v: True)
                .all()
            )
    assert os.environ.get("HOME", "/nowhere") not in (only_run(finished[0]) / "summary.json").read_text()
