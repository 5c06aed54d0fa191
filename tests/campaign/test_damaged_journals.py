"""The journal of a finished run is cut at a random byte, or one bit of it is flipped: what was dropped is said."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.analysis.audit import audit_run, violations
from harness.analysis.derive import derive_results
from harness.errors import DamagedRun
from harness.records.journal import read_journal
from harness.records.manifest import read_json
from harness.records.run_directory import RunDirectory
from tests.campaign.drawn import FULL, SEED
from tests.campaign.hosts import Case, run_directories
from tests.campaign.processes_judge import perform
from tests.campaign.report import report_case

pytestmark = pytest.mark.campaign

DAMAGES = 30 if FULL else 4
BY_PROCESS = 6 if FULL else 1
SAMPLES = 40


def cut(journal: bytes, rng: random.Random) -> bytes:
    """The journal without its end."""
    return journal[: rng.randrange(len(journal))]


def flip(journal: bytes, rng: random.Random) -> bytes:
    """The journal with one bit turned."""
    at = rng.randrange(len(journal))
    return journal[:at] + bytes([journal[at] ^ (1 << rng.randrange(8))]) + journal[at + 1 :]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that nothing happened to."""
    root = tmp_path_factory.mktemp("finished")
    result = perform(Case("no fault", target="embedded"), root)
    assert result.broken == []
    return RunDirectory(run_directories(root / "results")[0])


def damaged(
    finished: RunDirectory, path: Path, damage: Callable[..., bytes], rng: random.Random
) -> RunDirectory:
    """A copy of the run with its journal damaged."""
    shutil.copytree(finished.path, path)
    copy = RunDirectory(path)
    copy.journal.write_bytes(damage(finished.journal.read_bytes(), rng))
    return copy


@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_journal_of_a_run_known_as_finished_is_refused(
    finished: RunDirectory, tmp_path: Path, damage: Callable[..., bytes]
) -> None:
    rng = random.Random(SEED)
    for number in range(DAMAGES):
        run = damaged(finished, tmp_path / str(number), damage, rng)
        with pytest.raises(DamagedRun, match=r"journal\.jsonl\.zst"):
            derive_results(run)
        assert [finding.name for finding in violations(audit_run(run))] == ["journal_readable"]
        report_case(f"journal {damage.__name__}", "refused", 0, 0)


@pytest.mark.parametrize("damage", [cut, flip])
def test_what_a_damaged_journal_still_holds_is_accounted_for_and_never_valid(
    finished: RunDirectory, tmp_path: Path, damage: Callable[..., bytes]
) -> None:
    rng = random.Random(SEED + 1)
    whole = len(read_journal(finished.journal).events)
    for number in range(DAMAGES):
        run = damaged(finished, tmp_path / str(number), damage, rng)
        run.summary.unlink()
        run.samples.unlink()
        try:
            summary, _ = derive_results(run)
        except DamagedRun:
            report_case(f"journal {damage.__name__}", "refused", 0, 0)
            continue
        outcomes = dict(summary["pairs"][0]["outcomes"])
        assert outcomes.pop("planned") == sum(outcomes.values()) == SAMPLES
        assert summary["verdict"] == "INVALID"
        assert len(read_journal(run.journal).events) < whole
        assert violations(audit_run(run)) == []
        report_case(f"journal {damage.__name__}", summary["verdict"], SAMPLES, sum(outcomes.values()))


@pytest.mark.parametrize("verb", ["report", "check"])
@pytest.mark.parametrize("damage", [cut, flip])
def test_the_verbs_say_in_a_sentence_what_is_wrong(
    finished: RunDirectory, tmp_path: Path, damage: Callable[..., bytes], verb: str
) -> None:
    rng = random.Random(SEED + 2)
    for number in range(BY_PROCESS):
        run = damaged(finished, tmp_path / str(number), damage, rng)
        command = [sys.executable, "-m", f"harness.{verb}", str(run.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in (2, 3)
        assert "journal.jsonl.zst" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1
        assert read_json(run.summary) == read_json(finished.summary)
