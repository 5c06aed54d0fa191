"""What a run killed in the middle left in somebody's table is removed, and nothing else."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.measure.plan import RunConfig, Workload
from harness.target import EmulatorOptions, Target, emulator
from tests.recorded import record_run
from tests.recording import recording
from tests.test_existing_table import PAIR, REGIONS, items, made

ENDLESS = ("--samples", "3000", "--warmup", "0s", "--rate", "40/s", "--no-plots")
TWO_KEYS = (("customer", "S"), ("at", "N"))


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with emulator(REGIONS, EmulatorOptions(lag="constant=200ms", extra=("--rtt", "none"))) as running:
        yield running


def table(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.table", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
    )


def killed(target: Target, name: str, results: Path, *arguments: str) -> Path:
    """The directory of a run that SIGKILL ended while it wrote into the table."""
    endpoints = [part for r, url in target.endpoints.items() for part in ("--endpoint", f"{r}={url}")]
    command = [sys.executable, "-m", "harness.run", *PAIR, *ENDLESS, "--table", name, *endpoints, *arguments]
    with subprocess.Popen([*command, "--results", str(results)], stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if "visible" in line:
                break
        run.send_signal(signal.SIGKILL)
    (directory,) = [path for path in results.iterdir() if path.is_dir()]
    long_ago(directory)
    return directory


def long_ago(directory: Path) -> None:
    """Its journal was written a minute ago."""
    journal = directory / "journal.jsonl.zst"
    when_ns = journal.stat().st_mtime_ns - 60 * 10**9
    os.utime(journal, ns=(when_ns, when_ns))


@pytest.mark.parametrize(
    ("name", "keys", "arguments"),
    [
        ("courses", (("courseid", "S"),), ()),
        ("events", TWO_KEYS, ("--both-ways",)),
        ("versions", TWO_KEYS, ("--versions", "5")),
        ("contested", TWO_KEYS, ("--both-ways", "--keys", "contested", "--offset", "50ms")),
        ("updates", TWO_KEYS, ("--keys", "update", "--samples", "300")),
    ],
)
def test_after_a_kill_clean_leaves_only_what_others_wrote_and_may_be_repeated(
    target: Target, tmp_path: Path, name: str, keys: Sequence[tuple[str, str]], arguments: tuple[str, ...]
) -> None:
    access = made(target, name, *keys)
    directory = killed(target, name, tmp_path, *arguments)
    hash_name = keys[0][0]
    run_id = directory.name.rpartition("-")[2]
    there = items(access, name, "us-west-2")
    ours = [item for item in there if item[hash_name]["S"].startswith(f"replication-latency#{run_id}#")]
    assert len(ours) == len(there) - 1 > 0
    done = table("clean", str(directory))
    assert done.returncode == 0, done.stderr
    removed = int(done.stdout.split()[1])
    assert removed >= len(ours)  # what others wrote in the other Region may not have arrived yet
    assert f"removed {removed} items of run {run_id} from table {name}" in done.stdout
    assert "is left in us-west-2, eu-west-1" in done.stdout
    for region in REGIONS:
        assert [item["title"]["S"] for item in items(access, name, region)] == ["kept"]
    again = table("clean", str(directory))
    assert again.returncode == 0, again.stderr
    assert "removed 0 items" in again.stdout


CONFIG = RunConfig(("us-west-2",), (("eu-west-1",),), Workload(samples=20, warmup_ns=0))
OF_AWS = {"endpoints": {}, "table": "theirs", "existing": True}


@pytest.mark.parametrize(
    ("kind", "described", "says"),
    [
        ("local", {"existing": True}, "embedded emulator, which ended with it"),
        (
            "aws",
            OF_AWS | {"existing": False},
            "made by run refused itself; remove it with python -m harness.table teardown --table theirs "
            "--from us-west-2 --to eu-west-1",
        ),
        ("aws", OF_AWS, "nobody is there to ask; say --yes to remove them"),
    ],
)
def test_what_is_not_to_be_cleaned_is_refused_in_one_sentence(
    tmp_path: Path, kind: str, described: dict[str, object], says: str
) -> None:
    run = record_run(tmp_path / "refused", CONFIG, kind=kind, target=described)
    long_ago(run.path)
    done = table("clean", str(run.path))
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_goes_on_is_not_cleaned(tmp_path: Path) -> None:
    run = record_run(tmp_path / "going", CONFIG, kind="aws", target=OF_AWS, finished=False)
    ahead_ns = run.journal.stat().st_mtime_ns + 60 * 10**9
    os.utime(run.journal, ns=(ahead_ns, ahead_ns))
    done = table("clean", str(run.path), "--yes")
    assert done.returncode == 2, done.stderr
    assert "still writes its journal" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("clean",), 2, "which run?"),
        (("clean", "nowhere"), 2, "no run at nowhere"),
        (("status", "somewhere", "--table", "xyz"), 2, "only clean takes a run directory"),
        (("status", "--table", "xyz"), 2, "--from REGION and --to"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: tuple[str, ...], code: int, says: str) -> None:
    done = table(*arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_what_may_not_be_removed_at_the_end_is_said_with_the_command_that_does_and_costs_no_report(
    target: Target, tmp_path: Path
) -> None:
    access = made(target, "guarded", *TWO_KEYS)
    with recording(target.endpoints) as seen:
        seen.denied = frozenset({"BatchWriteItem", "DeleteTable"})
        few = ("--samples", "12", "--warmup", "0s", "--rate", "40/s", "--timeout", "5s")
        for name in ("guarded", "made-by-the-run"):
            command = [sys.executable, "-m", "harness.run", *PAIR, *few, "--table", name, *seen.arguments()]
            results = tmp_path / name
            done = subprocess.run(
                [*command, "--results", str(results)],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            (directory,) = [path for path in results.iterdir() if path.is_dir() and path.name != "latest"]
            verdict = json.loads((directory / "summary.json").read_text())["verdict"]
            assert done.returncode == {"VALID": 4, "INVALID": 3}[verdict], done.stderr
            assert (directory / "report.html").exists()
            (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("left behind: ")]
            assert "AccessDeniedException" in sentence
            seen_command = shlex.split(sentence.partition("; remove ")[2].partition("with python -m ")[2])
            assert seen_command[:2] == ["harness.table", "clean" if name == "guarded" else "teardown"]
            seen.denied, denied = frozenset(), seen.denied
            removed = table(*seen_command[1:])
            assert removed.returncode == 0, removed.stderr
            assert "looked: " in removed.stdout
            seen.denied = denied
    for region in REGIONS:
        assert [item["title"]["S"] for item in items(access, "guarded", region)] == ["kept"]
