"""What multi-Region strong consistency promises, held against every strongly consistent read of a run.

A read that was sent after a write was acknowledged has to show it, in every Region. Both instants are of one clock in
one place, so a read that does not is a violation whatever the network does: nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.visibility import share_of
from harness.measure.events import Event, Poll, Write
from harness.measure.plan import RunConfig, Watch
from harness.units import NS_PER_MS, format_count, format_duration

SHOWN = 10  # violations listed, the stalest first
_NEVER = np.iinfo(np.int64).max

Ints = NDArray[np.int64]


def describe_strong_reads(run_id: str, config: RunConfig, events: Sequence[Event]) -> dict[str, Any] | None:
    """How often a write was read in a Region after its acknowledgement, and which of these reads were stale.

    None where the table promises nothing. `stale_ms` of a violation is for how long the write had been acknowledged
    when the read was sent; `share` is of writes × Regions, with its 95 % interval.
    """
    if not config.strong or "strong" not in config.reads:
        return None
    reads = checked = 0
    violations: list[dict[str, Any]] = []
    for watch in config.watched:
        if watch.read == "strong":
            acked = _acked(watch, config.plan(run_id, watch.source).total, events)
            polls = [event for event in events if isinstance(event, Poll) and watch.made(event)]
            count, writes, stale = _check(acked, polls)
            reads, checked = reads + count, checked + writes
            violations += [{"from": watch.source, "to": watch.replica, **entry} for entry in stale]
    return {
        "reads": reads,
        "writes": checked,
        "stale_reads": sum(entry["reads"] for entry in violations),
        "share": share_of(len(violations), checked).to_json() if checked else None,
        "finding": _finding(reads, checked, violations),
        "violations": sorted(violations, key=lambda entry: -float(entry["stale_ms"]))[:SHOWN],
    }


def _finding(reads: int, checked: int, violations: Sequence[Mapping[str, Any]]) -> str:
    if not checked:
        return "strong reads: none was made after an acknowledgement, so that nothing is known of stale ones"
    read = f"{format_count(reads)} strongly consistent reads of acknowledged writes"
    if not violations:
        return f"strong reads: none of {read} was stale"
    stale = sum(entry["reads"] for entry in violations)
    worst = max(violations, key=lambda entry: float(entry["stale_ms"]))
    return (
        f"VIOLATION: {format_count(stale)} of {read} did not show them; worst: write {worst['seq']} of "
        f"{worst['from']}, acknowledged {format_duration(worst['stale_ms'] * NS_PER_MS)} before it was missing in "
        f"{worst['to']}"
    )


def _acked(watch: Watch, total: int, events: Sequence[Event]) -> Ints:
    """When each write was acknowledged; never, where it was not."""
    acked = np.full(total, _NEVER)
    for event in events:
        if isinstance(event, Write) and event.source == watch.source and event.acked_ns is not None:
            acked[event.seq] = event.acked_ns
    return acked


def _check(acked: Ints, polls: Sequence[Poll]) -> tuple[int, int, list[dict[str, Any]]]:
    """(reads after an acknowledgement, writes read so, the stale ones) of one watch, in order of the answers."""
    seen, checked = np.zeros(len(acked), bool), np.zeros(len(acked), bool)
    stale_reads, stale_ns = np.zeros(len(acked), np.int64), np.zeros(len(acked), np.int64)
    reads = 0
    for poll in polls:
        covered = np.asarray(poll.covered(), np.int64)
        seen[list(poll.hits)] = True
        after = covered[acked[covered] < poll.sent_ns]
        reads += len(after)
        checked[after] = True
        missed = after[~seen[after] | np.isin(after, poll.absent)]
        stale_reads[missed] += 1
        stale_ns[missed] = np.maximum(stale_ns[missed], poll.sent_ns - acked[missed])
    stale = [
        {"seq": int(seq), "reads": int(stale_reads[seq]), "stale_ms": stale_ns[seq] / 1e6}
        for seq in np.flatnonzero(stale_reads)
    ]
    return reads, int(checked.sum()), stale
