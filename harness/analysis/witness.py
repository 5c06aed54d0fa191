"""The run's own means beside those of a second witness, over the same minutes of the wall clock.

CloudWatch gives averages, so means are compared with means. Of a write only a bracket is known; the mean of n true
latencies then lies between the mean of the lower and the mean of the upper ends, and so do minimum and maximum with
those of the ends. It is about these n writes and no others, so that there is no sampling error in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.view import censored_brackets
from harness.dynamodb.statement import (
    METRIC,
    MINUTE_NS,
    NAMESPACE,
    PairStatement,
    Statement,
    instant_text,
    minutes_text,
)
from harness.measure.events import ClockPair, Event, Write
from harness.measure.plan import RunConfig
from harness.units import NS_PER_MS, format_count, format_duration, format_range_ms

MEANING = (
    "CloudWatch's ReplicationLatency is taken inside AWS, between an update's appearing in the source replica (its "
    "stream) and its appearing in the other replica. Ours is from the commit to a read that shows it; each mean lies "
    "between the mean of the lower and of the upper ends of the brackets, for certain for hard brackets, by the "
    "symmetry of round trips for model brackets. CloudWatch also counts the warm-up and whatever else was written to "
    "the table, does not say in which minute it counts an update, and may show 0 while replication stands still."
)
_ENDS = {"model": ("model_lower_ns", "model_upper_ns"), "hard": ("hard_lower_ns", "hard_upper_ns")}

Ints = NDArray[np.int64]


def wall_minutes(instants_ns: Ints, events: Sequence[Event]) -> Ints:
    """The minutes of the wall clock (when they began, ns since 1970) that monotonic instants fall into, by the last
    clock pair before each; empty where the events hold none."""
    pairs = [event for event in events if isinstance(event, ClockPair)]
    if not pairs:
        return np.empty(0, np.int64)
    monotonic = np.array([pair.monotonic_ns for pair in pairs], np.int64)
    offset = np.array([pair.wall_ns for pair in pairs], np.int64) - monotonic
    at = np.maximum(np.searchsorted(monotonic, instants_ns, side="right") - 1, 0)
    walls: Ints = instants_ns + offset[at]
    return walls // MINUTE_NS * MINUTE_NS


def measured_minutes(run_id: str, config: RunConfig, events: Sequence[Event]) -> dict[str, tuple[int, ...]]:
    """By source Region, the minutes that measured writes were committed in: half-way from sent to acknowledged."""
    found = {}
    for source in config.sources:
        measured = config.plan(run_id, source).measured
        commits = [
            (event.sent_ns + event.acked_ns) // 2
            for event in events
            if isinstance(event, Write)
            and event.source == source
            and event.seq in measured
            and event.sent_ns is not None
            and event.acked_ns is not None
        ]
        minutes = np.unique(wall_minutes(np.array(commits, np.int64), events))
        found[source] = tuple(int(minute) for minute in minutes)
    return found


def describe_witness(
    statement: Statement | None, source: str, replica: str, samples: pd.DataFrame, events: Sequence[Event]
) -> dict[str, Any] | None:
    """What the witness says of one Region pair beside its samples (ms); None where it was not asked."""
    pair = None if statement is None else statement.of(source, replica)
    if statement is None or pair is None:
        return None
    theirs, ours = _theirs(pair), _ours(pair, samples, events)
    outside = None
    if theirs is not None and ours is not None:
        outside = {name: _outside(theirs["average"], ours[name]["mean"]) for name in _ENDS}
    return {
        "metric": f"{NAMESPACE} {METRIC}",
        "fetched_at": None if statement.fetched_ns is None else instant_text(statement.fetched_ns),
        "minutes": len(pair.minutes),
        "without_data": [instant_text(minute) for minute in pair.missing],
        "cloudwatch_ms": theirs,
        "ours_ms": ours,
        "outside_ms": outside,
        "finding": _finding(pair, theirs, ours, outside),
        "meaning": MEANING,
    }


def _theirs(pair: PairStatement) -> dict[str, Any] | None:
    """CloudWatch's statistics over all minutes; the average is weighted by the samples of each, where it tells them."""
    if not pair.points:
        return None
    counts = [point.sample_count for point in pair.points]
    weighted = all(counts)
    weights = np.array(counts if weighted else [1.0] * len(counts), np.float64)
    averages = np.array([point.average for point in pair.points], np.float64)
    return {
        "average": float((averages * weights).sum() / weights.sum()),
        "minimum": min(point.minimum for point in pair.points),
        "maximum": max(point.maximum for point in pair.points),
        "samples": float(weights.sum()) if weighted else None,
        "weighted": weighted,
    }


def _ours(pair: PairStatement, samples: pd.DataFrame, events: Sequence[Event]) -> dict[str, Any] | None:
    """The same statistics as brackets, of the writes committed in minutes that CloudWatch has."""
    known = samples.dropna(subset=["acked_ns", "sent_ns", "model_lower_ns"])
    sent, acked = (known[name].to_numpy(np.int64) for name in ("sent_ns", "acked_ns"))
    minutes = wall_minutes((sent + acked) // 2, events)
    if not len(minutes):
        return None
    same = known[np.isin(minutes, [point.minute_ns for point in pair.points])]
    if not len(same):
        return None
    return {
        "n": len(same),
        "right_censored": int(same["hard_upper_ns"].isna().sum()),
        **{name: _statistics(*censored_brackets(same, *ends)) for name, ends in _ENDS.items()},
    }


def _statistics(lower_ns: NDArray[Any], upper_ns: NDArray[Any]) -> dict[str, dict[str, float | None]]:
    """Where mean, minimum and maximum of the true latencies lie; an end is null where it is open."""
    return {
        name: {
            end: float(value) if np.isfinite(value) else None
            for end, value in (("low", of(lower_ns) / NS_PER_MS), ("high", of(upper_ns) / NS_PER_MS))
        }
        for name, of in (("mean", np.mean), ("minimum", np.min), ("maximum", np.max))
    }


def _outside(value: float, bracket: Mapping[str, float | None]) -> float:
    """How far beyond a bracket: 0 inside, negative below, positive above."""
    low, high = bracket["low"], bracket["high"]
    if low is not None and value < low:
        return value - low
    return value - high if high is not None and value > high else 0.0


def _finding(
    pair: PairStatement,
    theirs: Mapping[str, Any] | None,
    ours: Mapping[str, Any] | None,
    outside: Mapping[str, float] | None,
) -> str:
    """Both in one sentence, or why there is nothing to compare."""
    if pair.problem is not None and theirs is None:
        return f"no data: {pair.problem}"
    if not pair.minutes:
        return "no data: no write was acknowledged"
    gaps = f"no data for {minutes_text(pair.missing)}" if pair.missing else ""
    if theirs is None:
        return f"{gaps} (published for MREC tables, minutes later, and kept for 15 days by the minute)"
    counted = "" if theirs["samples"] is None else f" of {format_count(theirs['samples'])} updates"
    text = f"CloudWatch's average{counted} is {_ms(theirs['average'])}"
    if ours is None or outside is None:
        return f"{text}; no write of ours is known in the same minutes"
    model, hard = (format_range_ms(**ours[name]["mean"]) for name in _ENDS)
    text += f", {_relation(outside)}: our mean of {format_count(ours['n'])} writes is {model} (hard bracket {hard})"
    if ours["right_censored"]:
        text += f", open above: {format_count(ours['right_censored'])} not seen by the deadline"
    return f"{text}; {gaps}" if gaps else text


def _relation(outside: Mapping[str, float]) -> str:
    model, hard = outside["model"], outside["hard"]
    if model == 0:
        return "inside ours"
    beyond = f"{_ms(abs(model))} {'above' if model > 0 else 'below'}"
    return f"{beyond} our model bracket, inside the hard one" if hard == 0 else f"{beyond} ours"


def _ms(value: float) -> str:
    return format_duration(value * NS_PER_MS)
