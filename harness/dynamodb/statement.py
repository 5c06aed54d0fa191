"""What CloudWatch said of a run's replication, as `witness.json` keeps it: raw data points, one a minute."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import DamagedRun
from harness.units import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
NAMESPACE, METRIC, UNIT = "AWS/DynamoDB", "ReplicationLatency", "Milliseconds"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class DataPoint:
    """Statistics of one minute, in `unit`. `minute_ns` is when it began, wall-clock nanoseconds since 1970."""

    minute_ns: int
    average: float
    minimum: float
    maximum: float
    sample_count: float | None = None
    unit: str = UNIT


@dataclass(frozen=True, slots=True)
class PairStatement:
    """What was asked of one Region pair (`minutes`, as in `DataPoint`), what was answered, and what kept an answer
    back (a sentence)."""

    source: str
    replica: str
    minutes: tuple[int, ...]
    points: tuple[DataPoint, ...] = ()
    problem: str | None = None

    @property
    def missing(self) -> tuple[int, ...]:
        """The minutes without a data point."""
        found = {point.minute_ns for point in self.points}
        return tuple(minute for minute in self.minutes if minute not in found)


@dataclass(frozen=True, slots=True)
class Statement:
    """All that was said of one run's table. `url` is CloudWatch's where it is not AWS's own, `fetched_ns` when it was
    last asked, wall-clock nanoseconds; None where it never answered."""

    table: str
    url: str | None
    fetched_ns: int | None
    pairs: tuple[PairStatement, ...] = field(default=())

    def of(self, source: str, replica: str) -> PairStatement | None:
        """What was said of one Region pair; None where nothing was asked."""
        return next((pair for pair in self.pairs if (pair.source, pair.replica) == (source, replica)), None)

    def points(self, source: str, replica: str) -> tuple[DataPoint, ...]:
        """The data points there are of one Region pair."""
        pair = self.of(source, replica)
        return () if pair is None else pair.points

    def to_json(self) -> dict[str, Any]:
        """The statement as plain JSON values."""
        return {
            "format_version": FORMAT_VERSION,
            "witness": "cloudwatch",
            "url": self.url,
            "namespace": NAMESPACE,
            "metric": METRIC,
            "table": self.table,
            "fetched_at": None if self.fetched_ns is None else instant_text(self.fetched_ns),
            "pairs": [_pair_to_json(pair) for pair in self.pairs],
        }


def statement_from_json(value: Mapping[str, Any]) -> Statement:
    """The statement that `Statement.to_json` wrote.

    Raises:
        DamagedRun: something is missing, or is no number or instant.
    """
    try:
        fetched = value["fetched_at"]
        return Statement(
            str(value["table"]),
            value["url"],
            None if fetched is None else _instant_ns(fetched),
            tuple(_pair_from_json(pair) for pair in value["pairs"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DamagedRun(f"witness.json cannot be read: {error!r}; remove it, or fetch it again") from None


def instant_text(instant_ns: int) -> str:
    """A wall-clock instant to the second: 2026-11-24T21:43:00Z."""
    return f"{datetime.datetime.fromtimestamp(instant_ns // NS_PER_S, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def minutes_text(minutes: tuple[int, ...], shown: int = 3) -> str:
    """Minutes for people, the first few by name: "2026-11-24 21:43, 21:44 UTC"."""
    names: list[str] = []
    for minute in minutes[:shown]:
        day, _, time = instant_text(minute).partition("T")
        names.append(time[:5] if any(day in name for name in names) else f"{day} {time[:5]}")
    more = f" and {len(minutes) - shown} more" if len(minutes) > shown else ""
    return f"{', '.join(names)} UTC{more}"


def _pair_to_json(pair: PairStatement) -> dict[str, Any]:
    return {
        "from": pair.source,
        "to": pair.replica,
        "minutes": [instant_text(minute) for minute in pair.minutes],
        "points": [
            {
                "minute": instant_text(point.minute_ns),
                "average": point.average,
                "minimum": point.minimum,
                "maximum": point.maximum,
                "sample_count": point.sample_count,
                "unit": point.unit,
            }
            for point in pair.points
        ],
        "problem": pair.problem,
    }


def _pair_from_json(value: Mapping[str, Any]) -> PairStatement:
    return PairStatement(
        str(value["from"]),
        str(value["to"]),
        tuple(_instant_ns(text) for text in value["minutes"]),
        tuple(_point_from_json(point) for point in value["points"]),
        None if value["problem"] is None else str(value["problem"]),
    )


def _point_from_json(value: Mapping[str, Any]) -> DataPoint:
    count = value["sample_count"]
    return DataPoint(
        _instant_ns(value["minute"]),
        _finite(value["average"]),
        _finite(value["minimum"]),
        _finite(value["maximum"]),
        None if count is None else _finite(count),
        str(value["unit"]),
    )


def _finite(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _instant_ns(text: str) -> int:
    instant = datetime.datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return round(instant.timestamp()) * NS_PER_S
