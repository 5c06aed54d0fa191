"""Who survives a contest, as mini-histories: what became of the two writes of one item."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis.contest import Contest, contests

VISIBLE, OVERWRITTEN, LATE, FAILED = "visible", "overwritten", "late", "write_failed"


def contest(first: str, second: str, offset_ns: int = 100) -> Contest:
    """One item; each write took 10 ns, and what the other Region showed of it took 700 to 720 ns."""
    rows = []
    for region, outcome, sent_ns in (("a", first, 1000), ("b", second, 1000 + offset_ns)):
        seen = outcome == VISIBLE
        rows.append(
            {
                "run_id": "r",
                "from_region": region,
                "seq": 7,
                "sent_ns": sent_ns,
                "acked_ns": None if outcome == FAILED else sent_ns + 10,
                "outcome": outcome,
                "model_lower_ns": 700 if seen else None,
                "model_upper_ns": 720 if seen else None,
            }
        )
    columns = ["sent_ns", "acked_ns", "model_lower_ns", "model_upper_ns"]
    return contests(pd.DataFrame(rows).astype(dict.fromkeys(columns, "Int64")), "a", "b")


@pytest.mark.parametrize(
    ("first", "second", "offset_ns", "survivor", "lost"),
    [
        (OVERWRITTEN, VISIBLE, 100, "second", True),
        (VISIBLE, OVERWRITTEN, -100, "first", True),
        (VISIBLE, VISIBLE, 2000, "second", False),
        (VISIBLE, VISIBLE, -2000, "first", False),
    ],
)
def test_the_survivor_is_the_one_still_seen_or_the_later_of_two_seen_in_turn(
    first: str, second: str, offset_ns: int, survivor: str, lost: bool
) -> None:
    found = contest(first, second, offset_ns)
    assert (found.first_wins[0], found.second_wins[0]) == (survivor == "first", survivor == "second")
    assert found.lost[0] == lost
    assert (found.offset_ns[0], found.lower_ns[0], found.upper_ns[0]) == (offset_ns, 700, 720)


@pytest.mark.parametrize(
    ("first", "second"), [(OVERWRITTEN, OVERWRITTEN), (OVERWRITTEN, LATE), (VISIBLE, LATE)]
)
def test_a_contest_whose_end_was_not_seen_has_no_survivor(first: str, second: str) -> None:
    found = contest(first, second)
    assert (found.n, found.settled.sum()) == (1, 0)


def test_an_item_that_only_one_region_wrote_is_no_contest() -> None:
    assert contest(FAILED, VISIBLE).n == 0


def test_runs_of_one_experiment_are_pooled_although_their_sequence_numbers_are_the_same() -> None:
    rows = [
        {
            "run_id": run,
            "from_region": region,
            "seq": 7,
            "sent_ns": sent_ns,
            "acked_ns": sent_ns + 10,
            "outcome": outcome,
        }
        | {"model_lower_ns": 700, "model_upper_ns": 720}
        for run in ("r1", "r2")
        for region, outcome, sent_ns in (("a", OVERWRITTEN, 1000), ("b", VISIBLE, 1100))
    ]
    found = contests(pd.DataFrame(rows), "a", "b")
    assert (found.n, found.second_wins.tolist()) == (2, [True, True])
