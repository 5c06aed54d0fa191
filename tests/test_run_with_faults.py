"""Runs through faults: every write accounted for, the truth inside the brackets, and the verdict by what happened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis.ground_truth import read_truth, with_truth
from harness.records.samples import read_samples
from tests.test_run import EXIT_CODES, FAST_LAG, PAIR, QUICK, only_run, run, verdict_of

FAULTS = {
    "lossy writes": ("500:after:writes:20%=0s-", "reset:after:writes:10%=0s-", "cut:writes:10%=0s-"),
    "lossy reads": (
        "reset:reads:10%=0s-",
        "garbage:reads:10%=0s-",
        "checksum:reads:10%=0s-",
        "unprocessed:10%=0s-",
    ),
    "replication": ("duplicate:50%=0s-", "reorder:300ms=0s-", "pause=600ms-1s"),
    "lost writes": ("never:20%=0s-",),
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_a_run_through_faults_loses_no_write_and_invents_no_latency(
    tmp_path: Path, faults: tuple[str, ...]
) -> None:
    flags = [word for fault in faults for word in ("--fault", fault)]
    done = run(*PAIR, *FAST_LAG, *QUICK, *flags, "--timeout", "3s", "--seed", "3", results=tmp_path)
    verdict = verdict_of(tmp_path)
    assert done.returncode == EXIT_CODES[verdict], done.stderr
    directory = only_run(tmp_path)
    (pair,) = json.loads((directory / "summary.json").read_text())["pairs"]
    outcomes = dict(pair["outcomes"])
    assert outcomes.pop("planned") == 60 == sum(outcomes.values())
    told = json.loads((directory / "manifest.json").read_text())["target"]["emulator"]["faults"]
    assert len(told) == len(faults)
    joined = with_truth(read_samples(directory / "samples.parquet"), read_truth(directory / "truth.jsonl"))
    assert len(joined) == outcomes["visible"]
    assert joined["hard_holds"].all()
    if faults == FAULTS["lossy writes"]:
        assert outcomes["write_indeterminate"] > 0
        assert outcomes["write_failed"] == 0
        assert verdict == "INVALID"
    if faults == FAULTS["lost writes"]:
        assert outcomes["lost"] > 0
        assert verdict == "INVALID"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--fault", "resett=0s-"), "did you mean reset"),
        (("--fault", "reset=0s-", "--target", "aws"), "--fault can only be had on the emulator"),
    ],
)
def test_a_fault_that_cannot_be_had_is_refused_with_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = run(*PAIR, *arguments, results=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
