"""Invariants of the journal by itself: each rule yields its offences, first the one that comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.audit_material import Material, NotApplicable
from harness.measure.events import ClockPair, LoopDelay, Phase, Poll, Spent, Swept, Ticks, Write
from harness.measure.plan import WritePlan

EARLY_NS = 1_000  # by how much a timer may round
RESULTS = frozenset({"acked", "failed", "indeterminate"})
REFUSED = frozenset({"throttled", "rejected"})  # failures after which a write certainly does not exist
FAILURES = REFUSED | {"server_error", "timeout", "connection"}


def one_outcome(material: Material) -> Iterator[str]:
    """Each planned write ended exactly once, and no other did; of a run that was killed, at most once."""
    counts = Counter((e.source, e.seq) for e in material.events if isinstance(e, Write))
    for (source, seq), count in counts.items():
        if source not in material.plans or not 0 <= seq < material.plans[source].total:
            yield f"write {seq} of {source} was not planned"
        elif count > 1:
            yield f"write {seq} of {source} has {count} outcomes"
    if material.measured:
        for source, plan in material.plans.items():
            missing = (seq for seq in range(plan.total) if (source, seq) not in counts)
            yield from (f"write {seq} of {source} has no outcome" for seq in missing)


def write_facts(material: Material) -> Iterator[str]:
    """A write's record agrees with itself and with the plan."""
    for source, writes in material.writes.items():
        for seq, write in writes.items():
            wrong = _wrong_write(write, material.plans[source], material.start_ns)
            if wrong:
                yield f"write {seq} of {source} {wrong}"


def _wrong_write(write: Write, plan: WritePlan, start_ns: int) -> str | None:
    if write.result not in RESULTS:
        return f"ended as {write.result!r}"
    if 0 <= write.seq < plan.total and write.due_ns != start_ns + plan.due_ns(write.seq):
        return "was not due when the plan says"
    if (write.acked_ns is not None) != (write.result == "acked"):
        return f"is {write.result}, acknowledged at {write.acked_ns}"
    if write.result != "failed" and (write.sent_ns is None or not write.attempts):
        return f"is {write.result} but was never sent"
    if write.sent_ns is None:
        return None
    if write.sent_ns < write.due_ns - EARLY_NS:
        return "was sent before it was due"
    if write.acked_ns is not None and write.acked_ns < write.sent_ns:
        return "was acknowledged before it was sent"
    if write.result == "failed" and write.failure not in REFUSED:
        return f"is called failed after {write.failure}: it may exist"
    if write.result == "acked" and write.failure is not None:
        return f"is acknowledged after {write.failure}"
    return None


def poll_facts(material: Material) -> Iterator[str]:
    """A poll was answered after it was sent, belongs to the run, and saw and missed only what it covered."""
    watched = set(material.config.watched)
    for watch, polls in material.polls.items():
        if watch not in watched:
            yield f"nobody watches {watch.replica} for {watch.source} with {watch.read} reads"
            continue
        total = material.plans[watch.source].total
        for poll in polls:
            wrong = _wrong_poll(poll, total)
            if wrong:
                yield f"the poll of {watch.source} → {watch.replica} sent at {poll.sent_ns} {wrong}"


def _wrong_poll(poll: Poll, total: int) -> str | None:
    if poll.received_ns < poll.sent_ns:
        return "was answered before it was sent"
    if poll.failure is not None:
        return None if poll.failure in FAILURES else f"failed as {poll.failure!r}"
    covered = poll.covered()
    reach = covered if isinstance(covered, range) else frozenset(covered)
    if len(covered) and (min(covered) < 0 or max(covered) >= total):
        return f"covers write {max(covered)}: not planned"
    beyond = [seq for seq in (*poll.hits, *poll.absent) if seq not in reach]
    if beyond:
        return f"saw or missed write {beyond[0]}, which it does not cover"
    both = set(poll.hits) & set(poll.absent)
    if both:
        return f"both saw and missed write {min(both)}"
    return None


def failed_polls(material: Material) -> Iterator[str]:
    """A failed poll is not a miss: it covers nothing."""
    failed = [e for e in material.events if isinstance(e, Poll) and e.failure is not None]
    if not failed:
        raise NotApplicable("no poll failed")
    for poll in failed:
        if poll.hits or poll.absent or poll.seqs or poll.last >= poll.first:
            first = min((*poll.hits, *poll.absent, *(poll.seqs or ()), poll.first))
            yield f"a poll that failed ({poll.failure}) covers write {first} of {poll.source}"


def nothing_unwritten(material: Material) -> Iterator[str]:
    """What was seen had been sent before, and was not refused."""
    for watch, polls in material.polls.items():
        writes = material.writes.get(watch.source, {})
        for poll in polls:
            for seq in poll.hits:
                wrong = _wrong_sight(writes.get(seq), poll.received_ns, material.measured)
                if wrong:
                    yield f"write {seq} of {watch.source} was seen in {watch.replica} but {wrong}"


def _wrong_sight(write: Write | None, received_ns: int, measured: bool) -> str | None:
    if write is None:
        return "has no record" if measured else None
    if write.result == "failed":
        return "was refused"
    if write.sent_ns is None or write.sent_ns > received_ns:
        return "had not been sent"
    return None


def first_sight_once(material: Material) -> Iterator[str]:
    """Strongly consistent reads see an item for the first time once.

    Those of a strongly consistent table may take it back, which is a finding, and see it again.
    """
    if material.config.strong:
        raise NotApplicable("stale reads of a strongly consistent table are a finding of the run")
    for watch, polls in material.polls.items():
        if watch.read == "strong" and not material.plans[watch.source].overwrites:
            counts = Counter(seq for poll in polls for seq in poll.hits)
            for seq, count in counts.items():
                if count > 1:
                    yield f"write {seq} of {watch.source} was seen in {watch.replica} first {count} times"


def in_order(material: Material) -> Iterator[str]:
    """Events stand in the order in which they became known: none happened after one recorded later."""
    stamp_ns, known_ns, known = 0, 0, ""
    for event in material.events:
        if isinstance(event, Poll | Write | Swept):
            at_ns = _known_at(event)
            if at_ns > known_ns:
                known_ns, known = at_ns, f"{event.type} of {event.source}"
            continue
        now_ns = _recorded_at(event)
        if now_ns < stamp_ns:
            yield f"{event.type} at {now_ns} follows an event at {stamp_ns}"
        if known_ns > now_ns:
            yield f"a {known} is known at {known_ns}, before {event.type} at {now_ns}"
        stamp_ns, known_ns = max(stamp_ns, now_ns), min(known_ns, now_ns)


def _known_at(event: Poll | Write | Swept) -> int:
    if isinstance(event, Poll):
        return event.received_ns
    if isinstance(event, Swept):
        return event.at_ns
    return event.acked_ns or event.sent_ns or 0


def _recorded_at(event: Ticks | LoopDelay | ClockPair | Spent | Phase) -> int:
    return event.monotonic_ns if isinstance(event, ClockPair) else event.at_ns


def unseen_swept(material: Material) -> Iterator[str]:
    """Of a run that was not cut short, each write that may exist and was not seen got its final look."""
    if not material.measured or "interrupted" in material.phases:
        raise NotApplicable("the run was cut short")
    for watch in material.config.watched:
        seen, swept = material.seen(watch), material.swept(watch)
        for seq, write in sorted(material.writes[watch.source].items()):
            if write.result != "failed" and seq not in seen and seq not in swept:
                yield f"write {seq} of {watch.source} was never seen in {watch.replica}, and not looked for"
