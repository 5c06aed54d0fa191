"""Durations, rates and sizes: what is read, what is refused, how they are printed."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.units import (
    format_duration,
    format_range_ms,
    parse_duration_ns,
    parse_positive_duration_ns,
    parse_rate_per_s,
    parse_size_bytes,
    parse_window_ns,
)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("20ms", 20_000_000),
        ("1.5s", 1_500_000_000),
        ("2m", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration_ns(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "20", "ms", "-5ms", "5 parsecs", "1e3s", "nan", "inf s"])
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"duration"):
        parse_duration_ns(text)


def test_a_duration_that_must_pass_is_above_zero() -> None:
    with pytest.raises(UsageError, match="above zero"):
        parse_positive_duration_ns("0ms")


@pytest.mark.parametrize(("text", "rate"), [("20/s", 20), ("20", 20), ("600/m", 10), ("0.5/s", 0.5)])
def test_rates_are_read(text: str, rate: float) -> None:
    assert parse_rate_per_s(text) == rate


@pytest.mark.parametrize("text", ["0/s", "-3/s", "fast", "20/fortnight", ""])
def test_what_is_no_rate_above_zero_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="rate"):
        parse_rate_per_s(text)


@pytest.mark.parametrize(("text", "size"), [("200B", 200), ("4KB", 4096), ("200", 200)])
def test_sizes_are_read_in_dynamodbs_kilobytes(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 s"),
        (80_000, "80.0 µs"),
        (141_000_000, "141 ms"),
        (999_600_000, "1.00 s"),
        (1_714_000_000, "1.71 s"),
        (12_340_000_000, "12.3 s"),
        (-5_200_000, "−5.20 ms"),
        (125e9, "2 min 5 s"),
        (float("inf"), "∞"),
    ],
)
def test_durations_are_printed_with_three_digits_and_a_unit(nanoseconds: float, text: str) -> None:
    assert format_duration(nanoseconds) == text


def test_a_window_is_two_durations() -> None:
    assert parse_window_ns("8s-1m") == (8_000_000_000, 60_000_000_000)


@pytest.mark.parametrize("text", ["8s", "16s-8s", "8s-8s", "-8s", "8-16"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"window|duration"):
        parse_window_ns(text)


def test_a_range_is_printed_with_its_open_ends() -> None:
    assert format_range_ms(650.0, 661.0) == "650 ms – 661 ms"
    assert format_range_ms(-0.5, 1200.0) == "−500 µs – 1.20 s"
    assert format_range_ms(650.0, None) == "at least 650 ms"
    assert format_range_ms(None, 661.0) == "at most 661 ms"
    assert format_range_ms(None, None) == "not known"
