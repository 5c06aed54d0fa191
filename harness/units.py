"""The one place that reads and writes durations, rates, sizes and percentiles."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from harness.errors import UsageError

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
FOREVER_NS = 1 << 62
"""The end of what has none, on any clock here."""
LONGEST_H = 8_760
"""Hours of the longest duration that is read: a year."""

_DURATION_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
}
_RATES_PER_S = (1 / 3600, 10_000.0)
_LARGEST_BYTES = 1024 * 10**6
_RATE_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE_BYTES = {"B": 1, "KB": 1024, "KiB": 1024}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Zµ/]*)\s*")


def parse_duration_ns(text: str) -> int:
    """Read "250ms", "1.5s", "2m" or "1h" as nanoseconds; zero is allowed, a bare number is not.

    Raises:
        UsageError: the text is not a duration.
    """
    number, unit = _quantity(text, "duration", "a number and a unit such as 20ms, 1.5s or 2m")
    if unit not in _DURATION_NS:
        raise UsageError(f"duration {text!r} has no known unit; write it as 20ms, 1.5s, 2m or 1h")
    nanoseconds = number * _DURATION_NS[unit]
    if nanoseconds > LONGEST_H * _DURATION_NS["h"]:
        raise UsageError(f"duration {text!r} is longer than a year, {LONGEST_H}h")
    return round(nanoseconds)


def parse_positive_duration_ns(text: str) -> int:
    """As `parse_duration_ns`, above zero."""
    nanoseconds = parse_duration_ns(text)
    if nanoseconds == 0:
        raise UsageError(f"duration {text!r} must be above zero")
    return nanoseconds


def parse_offset_ns(text: str) -> int:
    """As `parse_duration_ns`, with a sign: "-100ms" is earlier.

    Raises:
        UsageError: the text is not a duration.
    """
    earlier = text.strip().startswith("-")
    nanoseconds = parse_duration_ns(text.strip().removeprefix("-"))
    return -nanoseconds if earlier else nanoseconds


def parse_window_ns(text: str) -> tuple[int, int]:
    """Read "8s-16s" as its two ends in nanoseconds, the second after the first; "8s-" ends at `FOREVER_NS`.

    Raises:
        UsageError: the text is not a window.
    """
    start, dash, end = text.partition("-")
    if not dash:
        raise UsageError(f"window {text!r} is not two durations such as 8s-16s, or 8s- without an end")
    window_ns = parse_duration_ns(start), parse_duration_ns(end) if end else FOREVER_NS
    if window_ns[0] >= window_ns[1]:
        raise UsageError(f"window {text!r} must end after it starts")
    return window_ns


def parse_rate_per_s(text: str) -> float:
    """Read "20/s", "600/m" or "20" as events per second.

    Raises:
        UsageError: the text is not a rate, or not one between 1/h and 10,000/s.
    """
    if text.strip().startswith("-"):
        raise UsageError(f"rate {text!r} must be above zero, for example 20/s")
    number, unit = _quantity(text, "rate", "a number per unit of time such as 20/s")
    if unit and (unit[0] != "/" or unit[1:] not in _RATE_S):
        raise UsageError(f"rate {text!r} is not a number per unit of time; write it as 20/s or 600/m")
    rate = number / _RATE_S[unit[1:] if unit else "s"]
    if rate <= 0:
        raise UsageError(f"rate {text!r} must be above zero, for example 20/s")
    if not _RATES_PER_S[0] <= rate <= _RATES_PER_S[1]:
        raise UsageError(f"rate {text!r} must lie between 1/h and 10000/s")
    return rate


def parse_size_bytes(text: str) -> int:
    """Read "200B", "4KB" (1 KB is 1024 bytes, as DynamoDB counts) or "200" as bytes.

    Raises:
        UsageError: the text is not a size.
    """
    number, unit = _quantity(text, "size", "a number of bytes such as 200B or 4KB")
    if unit and unit not in _SIZE_BYTES:
        raise UsageError(f"size {text!r} has no known unit; write it as 200B or 4KB")
    size = number * _SIZE_BYTES[unit or "B"]
    if size > _LARGEST_BYTES:
        raise UsageError(f"size {text!r} is beyond 1000000KB")
    return round(size)


def format_duration(nanoseconds: float) -> str:
    """A duration for people: three significant digits and a unit ("1.71 s", "141 ms", "80 µs")."""
    if math.isinf(nanoseconds):
        return "∞" if nanoseconds > 0 else "−∞"
    size = abs(nanoseconds)
    sign = "−" if nanoseconds < 0 else ""
    if size >= 119.5 * NS_PER_S:
        minutes, seconds = divmod(round(size / NS_PER_S), 60)
        return f"{sign}{minutes} min {seconds} s" if minutes < 120 else f"{sign}{minutes / 60:.1f} h"
    for unit, scale in (("s", NS_PER_S), ("ms", NS_PER_MS), ("µs", 1_000)):
        if size >= 0.9995 * scale:
            return f"{sign}{_three_digits(size / scale)} {unit}"
    return f"{sign}{round(size)} ns" if size else "0 s"


def format_range_ms(low: float | None, high: float | None) -> str:
    """Where something lies, of milliseconds with ends that may be open: "650 ms – 661 ms", "at least 650 ms"."""
    if low is None:
        return "not known" if high is None else f"at most {format_duration(high * NS_PER_MS)}"
    least = format_duration(low * NS_PER_MS)
    return f"at least {least}" if high is None else f"{least} – {format_duration(high * NS_PER_MS)}"


def format_tally(statuses: Iterable[str]) -> str:
    """How many there are of each: "3 violated, 21 ok"."""
    counts = sorted(Counter(statuses).items(), reverse=True)
    return ", ".join(f"{count} {status}" for status, count in counts)


def format_count(count: float) -> str:
    """A whole number with thin thousands: 12,345."""
    return f"{round(count):,}"


def percentile_name(percentile: float) -> str:
    """50 → "p50", 99.9 → "p99.9"."""
    return f"p{percentile:g}"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def _quantity(text: str, kind: str, wanted: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UsageError(f"{kind} {text!r} is not {wanted}")
    return float(match[1]), match[2]
