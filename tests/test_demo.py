"""The demo end to end: the verb as a process, its story, its numbers, and what it leaves behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "harness.demo"]
ROW = re.compile(r"(us-west-2|ap-southeast-2) → (us-west-2|ap-southeast-2) +(\S+) +(.+) … (.+)")


def emulators(seed: str) -> list[str]:
    """Command lines of emulators that were started with this seed and still run."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "harness.emulator" in line and f"--seed {seed} " in line]


def test_the_demo_ends_with_nine_equal_items_and_six_times() -> None:
    seed = "710001"
    done = subprocess.run([*COMMAND, "--seed", seed], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for number in range(1, 8):
        assert f"\nStep {number}: " in done.stdout
    assert "simulated" in done.stdout
    assert "9 of 9 items are equal in both Regions" in done.stdout
    assert done.stdout.count("  =  ") == 9
    rows = [match.groups()[:3] for match in map(ROW.search, done.stdout.splitlines()) if match]
    assert [source for source, _, _ in rows] == ["us-west-2"] * 3 + ["ap-southeast-2"] * 3
    assert [replica for _, replica, _ in rows] == ["ap-southeast-2"] * 3 + ["us-west-2"] * 3
    assert len({course for *_, course in rows}) == 6
    assert "is removed from both Regions" in done.stdout
    assert emulators(seed) == []


def test_the_result_as_json_holds_the_brackets() -> None:
    done = subprocess.run(
        [*COMMAND, "--json", "--lag", "constant=400ms", "--keep-table", "--table", "courses"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["target"], result["simulated"], result["equal_items"]) == ("local", True, 9)
    assert "The table courses stays in us-west-2 and ap-southeast-2." in done.stderr
    assert len(result["propagation"]) == 6
    for row in result["propagation"]:
        assert row["lower_ms"] <= 400 <= row["upper_ms"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["Step 1", "Step 4", "Step 5"])
def test_an_interrupted_demo_removes_its_table(moment: str, number: signal.Signals) -> None:
    seed = f"71{moment[-1]}{int(number)}"
    with subprocess.Popen(
        [*COMMAND, "--lag", "slow", "--seed", seed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith(moment):
                process.send_signal(number)
                break
        rest, progress = process.communicate(timeout=30)
    assert process.returncode == 130, progress
    assert "Traceback" not in progress
    assert moment == "Step 1" or "is removed from both Regions" in rest
    assert emulators(seed) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--to", "us-west-2"), "the demo needs two Regions"),
        (("--tabel", "x"), "did you mean --table?"),
        (("--target", "aws", "--to", "us-wets-2"), "did you mean"),
        (("--lag", "sideways"), "sideways"),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_exit_2(arguments: tuple[str, ...], complaint: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert complaint in line
