"""What polls prove, as mini-histories: one item, reads in the order they were answered."""

from __future__ import annotations

from harness.measure.events import Poll
from harness.records.sightings import NEVER, Sightings

MISS, HIT, GONE, THERE = "miss", "hit", "gone", "there"


def history(*reads: tuple[int, int, str], in_order: bool = True) -> Sightings:
    """Sightings of item 0 from reads (sent, received, what they showed)."""
    polls = [
        Poll(
            "a",
            "b",
            sent,
            received,
            seqs=(0,),
            hits=(0,) if shown == HIT else (),
            absent=(0,) if shown == GONE else (),
        )
        for sent, received, shown in reads
    ]
    return Sightings.of(1, polls, in_order=in_order)


def test_the_last_miss_and_the_first_hit_bound_the_first_sighting() -> None:
    found = history((10, 20, MISS), (15, 25, MISS), (20, 30, HIT), (25, 35, THERE))
    assert (found.miss_sent[0], found.hit_sent[0], found.hit_received[0]) == (15, 20, 30)
    assert (found.flaps[0], found.gone_sent[0]) == (0, NEVER)


def test_a_flap_is_a_read_sent_later_that_misses_and_ends_when_the_item_is_back() -> None:
    found = history((10, 20, MISS), (15, 25, HIT), (20, 30, GONE), (25, 35, HIT), (30, 40, THERE))
    assert (found.miss_sent[0], found.hit_sent[0]) == (10, 15)
    assert (found.flaps[0], found.gone_sent[0], found.back_received[0]) == (1, 20, 35)


def test_several_misses_in_a_row_are_one_flap_and_a_second_spell_is_another() -> None:
    found = history(
        (10, 20, HIT), (15, 25, GONE), (20, 30, GONE), (25, 35, HIT), (40, 50, GONE), (45, 55, HIT)
    )
    assert (found.flaps[0], found.gone_sent[0], found.back_sent[0]) == (2, 40, 45)


def test_an_older_read_answered_late_is_a_miss_and_no_flap() -> None:
    found = history((10, 20, MISS), (20, 30, HIT), (18, 33, GONE))
    assert (found.miss_sent[0], found.flaps[0]) == (18, 0)


def test_a_later_read_answered_first_does_not_bound_an_eventual_sighting() -> None:
    found = history((20, 28, MISS), (15, 30, HIT), (25, 35, HIT))
    assert (found.miss_sent[0], found.flaps[0], found.gone_sent[0], found.back_sent[0]) == (NEVER, 1, 20, 25)


def test_strong_reads_flap_only_where_no_order_of_the_two_reads_explains_it() -> None:
    overlapping = history((10, 20, MISS), (15, 25, HIT), (20, 30, GONE), in_order=False)
    apart = history((10, 20, MISS), (15, 25, HIT), (26, 36, GONE), in_order=False)
    assert (overlapping.flaps[0], overlapping.miss_sent[0]) == (0, 20)
    assert apart.flaps[0] == 1
