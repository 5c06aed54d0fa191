"""Whether the events of a journal can be of its run: a checksum tells of damage, not of foreign or edited lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.errors import DamagedRun
from harness.measure.events import ClockPair, Event, LoopDelay, Phase, Poll, Spent, Swept, Ticks, Write
from harness.measure.plan import RunConfig

RESULTS = ("acked", "failed", "indeterminate")


def check_events(config: RunConfig, run_id: str, events: Iterable[Event]) -> None:
    """Nothing about Regions and writes that were not planned, and no instant before its cause.

    Raises:
        DamagedRun: names the event.
    """
    totals = {source: config.plan(run_id, source).total for source in config.sources}
    watched = {(watch.source, watch.replica, watch.read) for watch in config.watched}
    looked_at = {pair[:2] for pair in watched}
    newest: dict[type[Any], int] = {}
    for number, event in enumerate(events, 1):
        match event:
            case Write():
                good = event.source in totals and _ended(event)
            case Poll():
                place = (event.source, event.replica, event.read)
                good = place in watched and _proves(event, totals[event.source])
            case Ticks():
                good = (event.source, event.replica, event.read) in watched
            case Swept():
                good = (event.source, event.region) in looked_at and 0 <= event.seq < totals[event.source]
            case Spent():
                good = event.region in config.regions
            case Phase(name="measuring"):
                good = _whole(event.detail) and _later(newest, event, event.at_ns)
            case Phase() | LoopDelay():
                good = _later(newest, event, event.at_ns)
            case ClockPair():
                good = _later(newest, event, event.monotonic_ns)
        if not good:
            raise DamagedRun(f"the journal's event {number} cannot be of this run: {str(event)[:300]}")


def _ended(write: Write) -> bool:
    sent, acked = write.sent_ns, write.acked_ns
    if write.result not in RESULTS or (acked is not None and (sent is None or acked < sent)):
        return False
    return acked is not None or write.result != "acked"


def _proves(poll: Poll, total: int) -> bool:
    if poll.received_ns < poll.sent_ns or poll.step < 1 or poll.first < 0:
        return False
    return all(0 <= seq < total for seqs in (poll.seqs, poll.hits, poll.absent) for seq in seqs or ())


def _later(newest: dict[type[Any], int], event: Event, at_ns: int) -> bool:
    """Journals are written in order: of each kind that is stamped when it is written, none goes back."""
    good = at_ns >= newest.get(type(event), at_ns)
    newest[type(event)] = at_ns
    return good


def _whole(text: str | None) -> bool:
    return text is None or (text.isascii() and text.isdigit() and len(text) < 19)
