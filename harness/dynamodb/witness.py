"""The second witness: what CloudWatch publishes of DynamoDB's replication. Nothing else talks to CloudWatch.

`AWS/DynamoDB ReplicationLatency` has the dimensions TableName and ReceivingRegion, lives in the source Region, is in
milliseconds, one data point a minute, and exists for MREC tables only.

It is fetched with GetMetricStatistics and not with GetMetricData: one call has all statistics of a minute in one data
point together with its unit (GetMetricData gives a series per statistic, to be joined again, and no unit), it is
within CloudWatch's free requests, and a run has one metric per Region pair, so that the 500 metrics per call of the
other would be of no use. Its limit of 1,440 data points, a day of minutes, is kept by asking day by day.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.dynamodb.access import Access, translated
from harness.dynamodb.statement import METRIC, MINUTE_NS, NAMESPACE, UNIT, DataPoint
from harness.units import NS_PER_S

POINTS_MAX = 1440
_STATISTICS = ("Average", "Minimum", "Maximum", "SampleCount")


@dataclass(frozen=True, slots=True)
class CloudWatch:
    """What is published of one table; `url` where CloudWatch is not asked at AWS's own endpoints."""

    access: Access
    table: str
    url: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    def points(self, source: str, replica: str, minutes: Sequence[int]) -> tuple[DataPoint, ...]:
        """The data points there are of these minutes (when they began, wall-clock ns since 1970), oldest first.

        Raises:
            UsageError, TargetUnavailable: credentials, network, or permissions.
        """
        wanted, found = set(minutes), {}
        with translated(f"CloudWatch in {source}"):
            for start_ns, end_ns in _spans(minutes):
                for answer in self._ask(source, replica, start_ns, end_ns):
                    point = _point(answer)
                    if point is not None and point.minute_ns in wanted:
                        found[point.minute_ns] = point
        return tuple(found[minute] for minute in sorted(found))

    def _ask(self, source: str, replica: str, start_ns: int, end_ns: int) -> list[Mapping[str, Any]]:
        if source not in self._clients:
            self._clients[source] = self.access.monitoring(source, self.url)
        answer = self._clients[source].get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=METRIC,
            Dimensions=[
                {"Name": "TableName", "Value": self.table},
                {"Name": "ReceivingRegion", "Value": replica},
            ],
            StartTime=_instant(start_ns),
            EndTime=_instant(end_ns),
            Period=MINUTE_NS // NS_PER_S,
            Statistics=_STATISTICS,
            Unit=UNIT,
        )
        return list(answer.get("Datapoints", ()))


def _spans(minutes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Spans (start, end exclusive) of at most `POINTS_MAX` minutes which hold all of `minutes`."""
    left = sorted(minutes)
    while left:
        start_ns = left[0]
        end_ns = start_ns + POINTS_MAX * MINUTE_NS
        inside = [minute for minute in left if minute < end_ns]
        yield start_ns, inside[-1] + MINUTE_NS
        left = left[len(inside) :]


def _point(answer: Mapping[str, Any]) -> DataPoint | None:
    """One data point; None where it lacks what was asked for."""
    average, minimum, maximum = (answer.get(name) for name in _STATISTICS[:3])
    if average is None or minimum is None or maximum is None:
        return None
    minute_ns = round(answer["Timestamp"].timestamp()) * NS_PER_S // MINUTE_NS * MINUTE_NS
    unit = str(answer.get("Unit", UNIT))
    return DataPoint(minute_ns, average, minimum, maximum, answer.get("SampleCount"), unit)


def _instant(instant_ns: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(instant_ns / NS_PER_S, datetime.UTC)
