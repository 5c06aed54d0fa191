"""The check verb: one line per invariant, exit 3 where one is violated."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = max((Path(__file__).parents[1] / "results").glob("example-*us-west-2-ap-southeast-2*"))


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def altered(tmp_path: Path) -> Path:
    """A run whose summary was edited."""
    shutil.copytree(EXAMPLE, tmp_path / "run")
    path = tmp_path / "run" / "summary.json"
    summary = json.loads(path.read_bytes())
    summary["pairs"][0]["outcomes"]["visible"] += 1
    path.write_text(json.dumps(summary))
    return path.parent


def test_a_run_that_keeps_its_promises_exits_0_with_a_line_for_each() -> None:
    done = check(EXAMPLE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith(EXAMPLE.name)
    assert {line.split()[0] for line in lines[1:-1]} <= {"ok", "n/a"}
    assert lines[-1].startswith(f"{len(lines) - 2} invariants")


def test_a_violated_invariant_exits_3_and_says_what_is_wrong(altered: Path) -> None:
    done = check(EXAMPLE, altered)
    assert done.returncode == 3
    assert "violated  summary_rebuilt" in done.stdout
    assert "pairs[0].outcomes.visible is " in done.stdout


def test_json_is_one_object_of_all_runs(altered: Path) -> None:
    done = check(altered, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert answer["ok"] is False
    (run,) = answer["runs"]
    bad = [finding["name"] for finding in run["findings"] if finding["status"] == "violated"]
    assert bad == ["counts_add_up", "summary_rebuilt"]


def test_no_run_is_one_sentence(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no run at ")
