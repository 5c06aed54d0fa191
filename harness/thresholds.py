"""Thresholds of a run, as `--fail-if` has them: "p99>3s"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.cli import say
from harness.errors import ExitCode, UsageError
from harness.units import NS_PER_MS, format_duration, parse_duration_ns

_THRESHOLD = re.compile(r"\s*(p[0-9.]+)\s*([<>])=?\s*(\S+)\s*")


def parse_threshold(text: str) -> tuple[str, str, float]:
    """Read "p99>3s" as (percentile, comparison, milliseconds).

    Raises:
        UsageError: not of that form.
    """
    match = _THRESHOLD.fullmatch(text)
    names = ("p50", "p90", "p95", "p99", "p99.9")
    if match is None or match[1] not in names:
        raise UsageError(
            f"--fail-if {text!r} is not a percentile, > or <, and a duration, for example 'p99>3s'"
        )
    return match[1], match[2], limit_ms(text, match[3])


def limit_ms(text: str, duration: str) -> float:
    """Milliseconds of the duration in a threshold `text`.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_duration_ns(duration) / NS_PER_MS
    except UsageError as error:
        raise UsageError(f"--fail-if {text!r}: {error}") from None


def check_thresholds(thresholds: Sequence[tuple[str, str, float]], summary: dict[str, Any]) -> ExitCode:
    """Say which thresholds are exceeded, or cannot be judged, by any Region pair; THRESHOLD where any is."""
    from harness.analysis.summary import measured_pairs

    code = ExitCode.OK
    for name, comparison, limit_ms in thresholds:
        for pair in measured_pairs(summary):
            estimate = pair["latency_ms"][name]
            where = f"{pair['from']} → {pair['to']}"
            limit = format_duration(limit_ms * NS_PER_MS)
            if "value" not in estimate:
                say(f"--fail-if {name}{comparison}{limit}: {where} has too few samples to tell")
                code = ExitCode.THRESHOLD
                continue
            value = float("inf") if estimate["value"] is None else estimate["value"]
            if (value > limit_ms) if comparison == ">" else (value < limit_ms):
                say(f"--fail-if {name}{comparison}{limit}: {where} has {format_duration(value * NS_PER_MS)}")
                code = ExitCode.THRESHOLD
    return code
