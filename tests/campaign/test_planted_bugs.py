"""The campaign finds bugs: each of a list, planted in a copy of the harness, within 150 runs. Without one, nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.campaign.drawn import FULL
from tests.campaign.planted import BUGS, HARNESS, Bug, plant
from tests.campaign.report import note
from tests.campaign.search import AT_MOST

ROOT = HARNESS.parent
QUICKLY_FOUND = frozenset(
    {
        "a lost acknowledgement called failed",
        "an outcome logged at every attempt",
        "the first miss kept, not the last",
        "acknowledged stamped before the answer",
        "late counted as lost",
    }
)
TRIED = [bug for bug in BUGS if FULL or bug.name in QUICKLY_FOUND]

pytestmark = pytest.mark.campaign


def searched(bug: Bug | None, folder: Path) -> dict[str, Any]:
    """What a campaign finds in a process that imports the copy."""
    plant(bug, folder)
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "CAMPAIGN_SEED": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.campaign.search"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["harness"].startswith(str(folder))
    return answer


def test_every_bug_still_fits_the_source(tmp_path: Path) -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 12
    for number, bug in enumerate(BUGS):
        plant(bug, tmp_path / str(number))


@pytest.mark.parametrize("bug", TRIED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    answer = searched(bug, tmp_path)
    assert answer["problem"] is not None, f"not found in {AT_MOST} runs"
    note(f"found in {answer['runs']:>3} runs: {bug.name} ({answer['problem'].split(':')[0]})")


@pytest.mark.skipif(not FULL, reason="the reduced campaign performs these runs by itself")
def test_without_a_bug_nothing_is_found(tmp_path: Path) -> None:
    answer = searched(None, tmp_path)
    assert answer["runs"] == AT_MOST
    assert answer["problem"] is None
