"""What gates look at, and the forms in which they answer."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.round_trips import round_trips
from harness.measure.events import Event, Write
from harness.measure.plan import RunConfig
from harness.units import format_duration

PASS, FAIL, NOT_EVALUATED = "pass", "fail", "n/a"


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition: `value` and `threshold` as a person reads them, `remedy` for when it fails."""

    name: str
    status: str
    value: str
    threshold: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        """The gate as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """What the gates look at."""

    config: RunConfig
    events: Sequence[Event]
    samples: pd.DataFrame

    @property
    def measured(self) -> pd.DataFrame:
        """The samples of the Region pairs, without the controls'."""
        return self.samples[self.samples["from_region"] != self.samples["to_region"]]

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]

    @functools.cached_property
    def round_trips(self) -> dict[tuple[str, str], NDArray[np.int64]]:
        """As `round_trips` has them, those reads apart that wait for other Regions while others do not."""
        return round_trips(self.events, quorum=self.config.strong and len(self.config.reads) > 1)

    def attempted_writes(self) -> list[Write]:
        """The writes of which at least one request was made, whatever became of it."""
        return [write for write in self.of(Write) if write.attempts]


def judged(name: str, good: bool, value: str, threshold: str, remedy: str) -> Gate:
    """The gate, passed or failed."""
    return Gate(name, PASS if good else FAIL, value, threshold, remedy)


def not_evaluated(name: str, threshold: str, remedy: str) -> Gate:
    """The gate, with nothing to judge it by."""
    return Gate(name, NOT_EVALUATED, "not evaluated: nothing to look at", threshold, remedy)


def at_most(name: str, values: Sequence[float], limit_ns: int, remedy: str, percentile: float = 99) -> Gate:
    """The gate on a percentile of durations in ns; not evaluated where there are none."""
    threshold = f"≤ {format_duration(limit_ns)}"
    if not len(values):
        return not_evaluated(name, threshold, remedy)
    value = float(np.percentile(values, percentile))
    return judged(name, value <= limit_ns, format_duration(value), threshold, remedy)
