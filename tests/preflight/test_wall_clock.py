"""What time services say of the wall clock, and what they leave open."""

from __future__ import annotations

import struct

import pytest

from harness.preflight.check import Status
from harness.preflight.wall_clock import clockbound_error_ns, judge_clock
from harness.units import NS_PER_MS, NS_PER_S

CHRONY = "A9FEA97B,169.254.169.123,4,1795548989.9,{},0.00001,0.00002,-10.1,0.0,0.03,0.0004,0.0006,16.2,{}\n"
SYNCHRONISED = CHRONY.format("0.000012", "Normal")
NOW_NS = 1000 * NS_PER_S


def segment(
    magic: int = 0x43420200, version: int = 2, generation: int = 8, status: int = 1, until_s: int = 2000
) -> bytes:
    """ClockBound's shared memory: 40 µs at second 990, growing by 50 µs a second."""
    fields = (0x414D5A4E, magic, 80, version, generation, 990, 0, until_s, 0, 40_000, 0, 50_000, status)
    return struct.pack("=IIIHHqqqqqQIi", *fields) + bytes(8)


def test_clockbound_comes_first_and_its_bound_grows_with_its_age() -> None:
    assert clockbound_error_ns(segment(), NOW_NS) == 540_000
    check = judge_clock(segment(), SYNCHRONISED, "NTPSynchronized=no", NOW_NS)
    assert check.status is Status.OK
    assert "ClockBound: off by at most 540 µs" in check.detail


@pytest.mark.parametrize(
    "void",
    [
        segment(magic=1),
        segment(version=1),
        segment(generation=0),
        segment(generation=9),
        segment(status=2),
        segment(until_s=999),
        segment()[:40],
        b"",
    ],
)
def test_a_segment_that_is_void_foreign_or_being_written_says_nothing(void: bytes) -> None:
    assert clockbound_error_ns(void, NOW_NS) is None
    assert "chrony: off by at most 812 µs" in judge_clock(void, SYNCHRONISED, None, NOW_NS).detail


def test_a_wide_bound_is_a_warning() -> None:
    check = judge_clock(None, CHRONY.format("0.4", "Normal"), None, NOW_NS)
    assert check.status is Status.WARNING
    assert "401 ms" in check.detail


def test_without_a_synchronised_chrony_the_system_is_asked() -> None:
    unsynchronised = CHRONY.format("0.0", "Not synchronised")
    assert judge_clock(None, unsynchronised, "NTPSynchronized=no", NOW_NS).status is Status.WARNING
    assert judge_clock(None, "506 Cannot talk to daemon", "NTPSynchronized=yes", NOW_NS).status is Status.OK
    assert judge_clock(None, None, None, NOW_NS).status is Status.NOT_APPLICABLE


def test_it_is_said_that_one_process_needs_no_disciplined_clock() -> None:
    assert "does not need this" in judge_clock(None, None, "NTPSynchronized=no", 10 * NS_PER_MS).detail
