"""Multi-Region strong consistency from the command line: real processes against the emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.analysis.ground_truth import read_truth, with_truth
from harness.dynamodb.access import Access
from harness.records.samples import read_samples
from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator
from tests.test_run import EXIT_CODES, only_run, run

OHIO_PAIR = ("--from", "us-east-1", "--to", "us-east-2")
STRONG = (*OHIO_PAIR, "--consistency", "strong")
QUICK = ("--samples", "40", "--warmup", "500ms", "--no-plots")
REGIONS = ("us-east-1", "us-east-2", "us-west-2")


def test_a_strong_run_checks_its_reads_and_measures_writes_and_eventual_reads(tmp_path: Path) -> None:
    done = run(*STRONG, *QUICK, results=tmp_path)
    directory = only_run(tmp_path)
    summary = json.loads((directory / "summary.json").read_text())
    assert done.returncode == EXIT_CODES[summary["verdict"]], done.stderr
    assert done.stdout.startswith("strong reads: none of ")
    assert summary["settings"]["consistency"] == "strong"
    assert summary["strong_reads"]["stale_reads"] == 0
    assert summary["strong_reads"]["writes"] == 2 * (40 + 10)  # with the warm-up, in two Regions
    (writes,) = summary["writes"]
    assert writes["latency_ms"]["p50"]["value"] > 15  # a quorum takes the round trip to Ohio
    headline = [(p["to"], p["read"], p["since"]) for p in summary["pairs"] if p["headline"]]
    assert headline == [("us-east-2", "eventual", "acknowledgement")]
    samples = read_samples(directory / "samples.parquet")
    for read in ("eventual", "strong"):
        mine = with_truth(samples[samples["read"] == read], read_truth(directory / "truth.jsonl"))
        steady = mine[mine["flaps"] == 0]
        assert (steady["hard_upper_ns"] >= steady["true_ns"]).all()
        if read == "strong":
            assert mine["hard_holds"].all()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--from", "us-east-1", "--to", "eu-west-1", "--consistency", "strong"), "one of these sets"),
        (
            ("--from", "us-east-1", "--to", "us-east-2", "--quorum-witness", "us-west-2"),
            "--consistency strong",
        ),
        ((*STRONG, "--together", "4"), "transactions"),
        ((*STRONG, "--witness", "cloudwatch=http://127.0.0.1:9"), "--consistency strong"),
        ((*STRONG, "--keys", "contested", "--both-ways"), "writes that meet"),
    ],
)
def test_what_strong_consistency_cannot_do_is_one_sentence(
    arguments: tuple[str, ...], text: str, tmp_path: Path
) -> None:
    done = run(*arguments, results=tmp_path)
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_strong_table_is_set_up_measured_only_as_such_and_removed(tmp_path: Path) -> None:
    with emulator(REGIONS, EmulatorOptions(extra=("--rtt", "none"))) as target:
        ends = [part for r, url in target.endpoints.items() for part in ("--endpoint", f"{r}={url}")]
        here = (*ends, "--table", "strong", "--results", str(tmp_path))

        def table(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "harness.table", *arguments, *STRONG, *here]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        made = table("setup")
        assert made.returncode == 0, made.stderr
        assert "us-west-2 its witness" in made.stderr
        status = table("status")
        assert "MRSC" in status.stdout, status.stderr
        refused = run(*OHIO_PAIR, *ends, "--table", "strong", *QUICK, results=tmp_path)
        assert refused.returncode == 2
        assert "say --consistency strong" in refused.stderr
        measured = run(*STRONG, *ends, "--table", "strong", *QUICK, results=tmp_path)
        assert measured.returncode in (0, 3), measured.stderr
        assert "strong reads: none of " in measured.stdout
        assert table("teardown").returncode == 0
        names = Access(target.endpoints, keys=EMULATOR_KEYS).control("us-east-2").list_tables()["TableNames"]
        assert names == []


def test_the_policy_of_a_strong_table_lets_its_witness_be_made() -> None:
    command = [sys.executable, "-m", "harness.table", "--iam-policy", *STRONG, "--table", "strong"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    (witness,) = [part for part in json.loads(printed)["Statement"] if part["Sid"] == "QuorumWitness"]
    assert "dynamodb:CreateGlobalTableWitness" in witness["Action"]
    assert any(":us-west-2:" in arn for arn in witness["Resource"])


def test_a_stale_strong_read_is_the_first_thing_said_and_ends_with_1(tmp_path: Path) -> None:
    done = run(*STRONG, *QUICK, "--fault", "stale:us-east-2:30%:400ms=0s-", results=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("VIOLATION: ")
    found = json.loads((only_run(tmp_path) / "summary.json").read_text())["strong_reads"]
    assert found["stale_reads"] > 0
    assert {entry["to"] for entry in found["violations"]} == {"us-east-2"}
    assert all(0 < entry["stale_ms"] < 400 for entry in found["violations"])
    audit = [sys.executable, "-m", "harness.check", str(only_run(tmp_path))]
    assert subprocess.run(audit, capture_output=True, timeout=60, check=False).returncode == 0
