"""The calibrate verb: a grid of conditions held against the emulator's truth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.calibrate import Condition, calibrate_cell, grid, polled_with
from harness.units import NS_PER_MS


def test_each_axis_is_varied_by_itself_and_the_full_grid_is_every_combination() -> None:
    cells = list(grid(full=False))
    usual = Condition()
    fields = ("rtt_ms", "lag", "strategy", "rate_per_s")
    assert all(sum(getattr(cell, f) != getattr(usual, f) for f in fields) <= 1 for cell in cells)
    assert len(set(cells)) == len(cells)
    assert set(cells) <= set(grid(full=True))


def test_a_cell_reports_coverage_error_and_cost_against_the_truth(tmp_path: Path) -> None:
    row = calibrate_cell(Condition(rtt_ms=70, lag="fast"), 30, 10 * NS_PER_MS, "adaptive", tmp_path)
    assert row["n"] == 30
    assert row["hard_coverage"] == 1.0
    assert row["error_p50_ms"] < 20
    assert row["requests_per_sample"] > 1
    assert row["cpu_ms_per_sample"] > 0


def test_ways_to_poll_can_be_chosen() -> None:
    chosen = polled_with(grid(full=False), "query,batch")
    assert {cell.strategy for cell in chosen} == {"query", "batch"}
    assert len(chosen) == len(list(grid(full=False))) - 1


@pytest.mark.parametrize("flags", [("--poll-interval", "often"), ("--poll-with", "often")])
def test_bad_input_is_one_sentence(flags: tuple[str, str]) -> None:
    command = [sys.executable, "-m", "harness.calibrate", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "'often'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
