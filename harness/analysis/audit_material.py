"""What the rules of the audit look at, put in order once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from harness.analysis.summary import summarize_run
from harness.errors import DamagedRun
from harness.measure.events import Event, Phase, Poll, Swept, Write
from harness.measure.plan import RunConfig, Watch, WritePlan
from harness.records.samples import join_samples

T = TypeVar("T")


class NotApplicable(Exception):
    """An invariant cannot be checked; the text says why."""


@dataclass(frozen=True, slots=True)
class Material:
    """A run's journal, what it rebuilds, what was stored, and the truth; `damage` is why nothing could be rebuilt."""

    config: RunConfig
    events: Sequence[Event]
    plans: Mapping[str, WritePlan]
    writes: Mapping[str, Mapping[int, Write]]
    polls: Mapping[Watch, Sequence[Poll]]
    phases: Mapping[str, Phase]
    damage: str | None
    rebuilt_samples: pd.DataFrame | None
    rebuilt_summary: Mapping[str, Any] | None
    samples: pd.DataFrame | None
    summary: Mapping[str, Any] | None
    truth: pd.DataFrame | None

    @classmethod
    def of(
        cls,
        manifest: Mapping[str, Any],
        config: RunConfig,
        events: Sequence[Event],
        samples: pd.DataFrame | None,
        summary: Mapping[str, Any] | None,
        truth: pd.DataFrame | None,
    ) -> Material:
        """Group the events, and rebuild what the journal rebuilds."""
        plans = {source: config.plan(manifest["run_id"], source) for source in config.sources}
        writes: dict[str, dict[int, Write]] = {source: {} for source in plans}
        polls: dict[Watch, list[Poll]] = defaultdict(list)
        for event in events:
            if isinstance(event, Write) and event.source in writes:
                writes[event.source][event.seq] = event
            elif isinstance(event, Poll):
                polls[Watch(event.source, event.replica, event.read)].append(event)
        phases = {event.name: event for event in events if isinstance(event, Phase)}
        damage, rebuilt_samples, rebuilt_summary = None, None, None
        try:
            rebuilt_samples = join_samples(manifest["run_id"], config, events)
            rebuilt_summary = summarize_run(manifest, config, events, rebuilt_samples)
        except DamagedRun as error:
            damage = str(error)
        return cls(
            config,
            events,
            plans,
            writes,
            polls,
            phases,
            damage,
            rebuilt_samples,
            rebuilt_summary,
            samples,
            summary,
            truth,
        )

    @property
    def measured(self) -> bool:
        """Did the run get as far as writing, and to its end in order?"""
        return {"measuring", "finished"} <= self.phases.keys()

    @property
    def start_ns(self) -> int:
        """The instant the plan's times count from.

        Raises:
            NotApplicable: the run never got so far.
        """
        if "measuring" not in self.phases:
            raise NotApplicable("the run ended before it measured")
        return int(self.phases["measuring"].detail or 0)

    def swept(self, watch: Watch) -> dict[int, Swept]:
        """The final looks at one replica."""
        where = (watch.source, watch.replica)
        return {e.seq: e for e in self.events if isinstance(e, Swept) and (e.source, e.region) == where}

    def seen(self, watch: Watch) -> set[int]:
        """The sequence numbers that a poll of this watch saw."""
        return {seq for poll in self.polls.get(watch, ()) for seq in poll.hits}

    def rebuilt(self) -> pd.DataFrame:
        """The samples the journal proves.

        Raises:
            NotApplicable: it proves none.
        """
        if self.rebuilt_samples is None:
            raise NotApplicable(f"nothing can be rebuilt: {self.damage}")
        return self.rebuilt_samples

    def summarized(self) -> Mapping[str, Any]:
        """The summary as stored, else as rebuilt.

        Raises:
            NotApplicable: there is neither.
        """
        found = self.summary or self.rebuilt_summary
        if found is None:
            raise NotApplicable(f"nothing can be rebuilt: {self.damage}")
        return found


def given(value: T | None, what: str) -> T:
    """The value, where there is one.

    Raises:
        NotApplicable: there is none.
    """
    if value is None:
        raise NotApplicable(f"no {what}")
    return value
