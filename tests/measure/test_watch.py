"""Watching a few items: what a bracket says, and that polls go on until all are seen."""

from __future__ import annotations

import pytest

from harness.measure.clock import now_ns
from harness.measure.watch import Bracket, Sighting, Watch, watch


def sighting(sent: int, received: int, found: str = "", missed: str = "") -> Sighting:
    return Sighting(sent, received, frozenset(found), frozenset(missed))


@pytest.mark.parametrize(
    ("sightings", "bracket"),
    [
        ([sighting(120, 140, missed="a"), sighting(170, 190, found="a")], Bracket(10, 90)),
        ([sighting(120, 150, missed="a"), sighting(115, 160, missed="a"), sighting(150, 170, found="a")],
         Bracket(10, 70)),
        ([sighting(150, 190, found="a"), sighting(140, 170, found="a")], Bracket(None, 70)),
        ([sighting(90, 105, missed="a"), sighting(120, 130, found="a")], Bracket(None, 30)),
        ([sighting(120, 130), sighting(140, 150, found="a")], Bracket(None, 50)),
    ],
    ids=["miss-then-hit", "latest-miss-counts", "earliest-hit-counts", "miss-before-the-write", "neither-nor"],
)  # fmt: skip
def test_a_bracket_lies_between_the_last_miss_and_the_first_hit(
    sightings: list[Sighting], bracket: Bracket
) -> None:
    seen = Watch(frozenset("a"), sent_ns=100, acked_ns=110)
    for one in sightings:
        seen.note(one)
    assert seen.bracket("a") == bracket
    assert not seen.missing


def test_each_item_is_announced_once_and_polls_end_when_all_are_seen() -> None:
    reads: list[str] = []
    announced: list[str] = []
    written: list[int] = []

    def look() -> Sighting:
        reads.append("x")
        now = now_ns()
        found = "ab"[: max(0, len(reads) - 2)]
        return sighting(now, now, found, "ab"[len(found) :])

    seen = watch("ab", lambda: written.append(1), look, lambda item, age_ns: announced.append(item), 10**10)
    assert announced == ["a", "b"]
    assert len(written) == 1
    assert seen.polls == len(reads) == 4
    assert (seen.bracket("b").lower_ns or 0) < seen.bracket("b").upper_ns


def test_what_is_never_seen_is_missing_after_the_timeout() -> None:
    def look() -> Sighting:
        return sighting(now_ns(), now_ns(), missed="a")

    assert watch("a", lambda: None, look, lambda item, age_ns: None, 10**8).missing == {"a"}


def test_what_a_read_raises_passes_through() -> None:
    def look() -> Sighting:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        watch("a", lambda: None, look, lambda item, age_ns: None, 10**8)
