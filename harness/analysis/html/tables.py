"""What the tables of a page hold: cells with their text, what stands beside it, and what they sort by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.plots.words import NO_INTERVAL, estimate_text, setting_text
from harness.units import format_count

MEASURES = (
    ("replication latency", "latency_ms", "commit to visible, model bracket"),
    ("hard bracket", "hard_latency_ms", "commit to visible, assuming nothing"),
    ("stable visible", "stable_latency_ms", "commit to visible for good"),
    ("time to visibility", "time_to_visibility_ms", "acknowledged to first seen by a client here"),
    ("schedule-corrected", "schedule_corrected_ms", "due to first seen by a client here"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One estimate: its text, its interval or what it lacks, and the number to sort by (None sorts last)."""

    text: str
    aside: str = ""
    value: float | None = None


def estimate_cell(estimate: Mapping[str, Any] | None) -> Cell:
    """An estimate of a summary as a cell."""
    if estimate is None:
        return Cell("–")
    if "needs" in estimate:
        return Cell("n/a", f"needs {format_count(estimate['needs'])}")
    if estimate.get("value") is None:
        return Cell(estimate_text(estimate), "not seen by the deadline")
    text = estimate_text(estimate)
    if text.endswith(NO_INTERVAL):
        return Cell(text.removesuffix(NO_INTERVAL), "no interval", estimate["value"])
    value, _, interval = text.partition(" [")
    return Cell(value, f"[{interval}", estimate["value"])


_STRONG_MEASURES = (
    ("since acknowledged", "latency_ms", "acknowledged to visible, model bracket"),
    MEASURES[1],
    ("stable visible", "stable_latency_ms", "acknowledged to visible for good"),
    *MEASURES[3:],
)


def measures_of(pair: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The measures a pair has: (label, key, explanation)."""
    measures = _STRONG_MEASURES if pair.get("since") == "acknowledgement" else MEASURES
    return [measure for measure in measures if pair.get(measure[1])]


def percentile_rows(pair: Mapping[str, Any]) -> list[tuple[str, float, list[Cell]]]:
    """A row per percentile: its name, its number, a cell per measure."""
    keys = [key for _, key, _ in measures_of(pair)]
    return [
        (name, float(name[1:]), [estimate_cell(pair[key].get(name)) for key in keys])
        for name in pair["latency_ms"]
    ]


def overview_rows(pairs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Cell]]:
    """A row of replication latency percentiles per pair."""
    return [[estimate_cell(pair["latency_ms"].get(name)) for name in names] for pair in pairs]


def described(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings as a person reads them, in the order given: durations with units, null left out."""
    found = []
    for key, value in mapping.items():
        if value is None:
            continue
        name = key.removesuffix("_ns").removesuffix("_per_s").replace("_", " ")
        if key.endswith("_ns"):
            found.append((name, setting_text(value / 1e6)))
        elif key.endswith("_per_s"):
            found.append((name, f"{value:g} per second"))
        elif isinstance(value, bool):
            found.append((name, "yes" if value else "no"))
        else:
            found.append((name, _text(value)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(part)}" for key, part in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value))
    return str(value)
