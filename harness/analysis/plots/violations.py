"""Where in the run the conditions went beyond what a gate allows, as the summary's timeline has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from harness.analysis.plots import style
from harness.units import format_count

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Violation:
    """Stretches of the run, by their starts in seconds after its first measured write, in which a limit was passed.

    `gate` is the gate concerned, `failed` whether it failed over the whole run; `words` say what and how much.
    """

    gate: str
    words: str
    failed: bool
    starts_s: Floats
    step_s: float

    @property
    def colour(self) -> str:
        """Red where it cost the run its verdict."""
        return style.ALERT if self.failed else style.QUIET


def bin_starts_s(timeline: Mapping[str, Any]) -> Floats:
    """When each bin begins, in seconds after the first measured write was due."""
    starts: Floats = timeline["from_s"] + timeline["step_s"] * np.arange(timeline["bins"])
    return starts


def series(values: Sequence[float | None]) -> Floats:
    """A series of the timeline, NaN where there is nothing."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def violations(summary: Mapping[str, Any], pair: tuple[str, str]) -> list[Violation]:
    """What concerns this pair, what befell its requests first."""
    timeline = summary.get("timeline")
    if timeline is None:
        return []
    failed = {gate["name"] for gate in summary["gates"] if gate["status"] == "fail"}
    starts, step_s = bin_starts_s(timeline), float(timeline["step_s"])
    found = []
    for gate, words, counts in (*_refused(timeline, pair), *_beyond_limits(timeline, pair)):
        where = counts > 0
        if where.any():
            seconds, of = (format_count(step_s * count) for count in (where.sum(), len(starts)))
            told = words.format(count=format_count(counts.sum()), lasting=f"{seconds} of {of} s")
            found.append(Violation(gate, told, gate in failed, starts[where], step_s))
    return found


def mark_violation(axes: Axes, row: float, found: Violation, per_unit: float) -> None:
    """A bar over each stretch, in a row of a strip whose axis counts `per_unit` seconds."""
    spans = [(start / per_unit, found.step_s / per_unit) for start in found.starts_s]
    axes.broken_barh(spans, (row - 0.3, 0.6), color=found.colour, linewidth=0, gid=found.gate)


def _refused(timeline: Mapping[str, Any], pair: tuple[str, str]) -> Iterator[tuple[str, str, Floats]]:
    """Counts of throttled and failed requests: writes in the source, reads in the replica."""
    mine = [
        entry
        for entry in timeline["refused"]
        if (entry["region"], entry["request"]) in ((pair[0], "write"), (pair[1], "read"))
    ]
    if mine:
        throttled, failed = (
            np.sum([entry[name] for entry in mine], axis=0) for name in ("throttled", "failed")
        )
        yield "throttles", "{count} throttled", throttled
        yield "first_attempts", "{count} other failures", failed


def _beyond_limits(timeline: Mapping[str, Any], pair: tuple[str, str]) -> Iterator[tuple[str, str, Floats]]:
    """Bins, as 0 and 1, in which the condition that a gate sets for the run does not hold."""
    delay = timeline["loop_delay"]
    yield "event_loop_delay_p99", "loop late: {lasting}", _above(delay["p99_ms"], delay["limit_ms"])
    trips = [
        _above(entry["excess_p99_ms"], entry["limit_ms"])
        for entry in timeline["round_trips"]
        if (entry["region"], entry["request"]) in ((pair[0], "write"), (pair[1], "read"))
    ]
    if trips:
        yield "rtt_excess_p99", "RTT excess: {lasting}", np.max(trips, axis=0)
    for entry in timeline["lateness"]:
        if entry["region"] == pair[0]:
            yield "writer_lateness_p99", "writes late: {lasting}", _above(entry["p99_ms"], entry["limit_ms"])
    for entry in timeline["skipped_polls"]:
        if (entry["from"], entry["to"]) == tuple(pair):
            yield "poll_adherence", "polls skipped: {lasting}", _above(entry["share"], entry["limit"])


def _above(values: Sequence[float | None], limit: float) -> Floats:
    return (np.nan_to_num(series(values), nan=-np.inf) > limit).astype(np.float64)
