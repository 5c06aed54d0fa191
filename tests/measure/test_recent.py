"""What a long run keeps: of the latest values a sorted sample, of each write one byte."""

from __future__ import annotations

import random

import pytest

from harness.measure.marks import Marks
from harness.measure.recent import REMEMBERED, Recent


def test_few_values_are_kept_as_they_are() -> None:
    recent = Recent()
    for value in (5, 1, 3):
        recent.add(value)
    assert recent.values == [1, 3, 5]
    assert recent.quantile(0.0) == 1
    assert recent.quantile(0.99) == 5


def test_of_many_values_a_bounded_sample_keeps_their_distribution() -> None:
    recent, rng = Recent(), random.Random(1)
    for _ in range(20 * REMEMBERED):
        recent.add(rng.randrange(1_000_000))
    assert recent.count == 20 * REMEMBERED
    assert REMEMBERED // 2 <= len(recent.values) <= REMEMBERED
    assert recent.values == sorted(recent.values)
    assert recent.quantile(0.50) == pytest.approx(500_000, rel=0.1)
    assert recent.quantile(0.99) == pytest.approx(990_000, rel=0.02)


def test_old_values_fade() -> None:
    recent = Recent()
    for value in [1_000] * REMEMBERED + [10] * (20 * REMEMBERED):
        recent.add(value)
    assert recent.quantile(0.99) == 10


def test_marks_are_a_set_of_the_numbers_planned() -> None:
    marks, expected = Marks(50), {0, 7, 49}
    for number in (7, 49, 0, 7):
        marks.add(number)
    assert set(marks) == expected
    assert {number for number in range(-60, 60) if number in marks} == expected
    assert "7" not in marks
