"""Figures of experiments on conflicts and on order: legible, with their finding, n, source and verdict."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.plots.contest import contest_plot
from harness.analysis.plots.order import order_plot
from harness.analysis.visibility import share_of
from tests.analysis.test_plots import everything
from tests.analysis.test_plots_of_groups import assert_legible

P50 = {"value": 760.0, "low": 700.0, "high": 850.0, "n": 60}


def contest(offset_ms: float, second: int, lost: int, verdict: str = "VALID", n: int = 60) -> dict[str, Any]:
    shares = {"first_survives": n - second, "second_survives": second, "lost_updates": lost}
    return {
        "condition": f"offset={offset_ms}ms",
        "verdict": verdict,
        "first": "us-west-2",
        "second": "ap-southeast-2",
        "offset_ms": offset_ms,
        **{name: share_of(count, n).to_json() for name, count in shares.items()},
        "agreement_ms": {"p50": P50},
    }


def order(
    condition: str, overtaken: int, torn: int | None = None, skipped: int | None = None
) -> dict[str, Any]:
    window = None if torn is None else {"items": 4, "certainly_torn": share_of(torn, 15).to_json()}
    return {
        "condition": condition,
        "from": "us-west-2",
        "to": "ap-southeast-2",
        "verdict": "VALID",
        "overtaken": share_of(overtaken, 60).to_json(),
        "torn_window": window,
        "skipped_versions": None if skipped is None else share_of(skipped, 60).to_json(),
    }


@pytest.mark.parametrize("verdict", ["VALID", "INVALID"])
def test_contested_items_are_drawn_by_offset_with_their_worst_loss_in_the_title(verdict: str) -> None:
    rows = [contest(-950.0, 0, 14), contest(60.0, 60, 57, verdict), contest(2060.0, 60, 0)]
    figure = contest_plot(rows, "simulated", [] if verdict == "VALID" else ["run 2: losses 3 (must be 0)"])
    assert_legible(figure)
    words = everything(figure)
    assert "95 % of contested writes are lost unseen" in words
    assert "n = 60 items at each offset" in words
    assert verdict in words
    assert "simulated" in words


def test_a_single_offset_is_drawn_as_well() -> None:
    assert_legible(contest_plot([contest(0.0, 30, 60)], "simulated"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [order("shards=1", 20), order("shards=8", 24)],
            "33 to 40 % of writes overtaken by a later one",
        ),
        (
            [order("transaction=1", 20), order("transaction=4", 12, torn=15)],
            "100 % of transactions visible in part",
        ),
        ([order("versions=1", 20), order("versions=5", 30, skipped=24)], "40 % of versions never shown"),
    ],
)
def test_order_is_drawn_a_row_per_condition_and_titled_by_what_was_looked_for(
    rows: list[dict[str, Any]], says: str
) -> None:
    figure = order_plot(rows, "order: how often is a write overtaken?", "simulated")
    assert_legible(figure)
    words = everything(figure)
    assert says in words
    assert "n = 60" in words
    assert "VALID" in words
