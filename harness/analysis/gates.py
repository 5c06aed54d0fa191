"""The gates: what must hold before a run's numbers may be used. One that cannot be evaluated is n/a, never a pass."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from harness.analysis.censoring import npmle
from harness.analysis.evidence import FAIL, Evidence, Gate, at_most, judged, not_evaluated
from harness.analysis.round_trips import drift, excess_ns
from harness.measure.events import ClockPair, LoopDelay, Phase, Poll, Ticks, Write
from harness.measure.plan import RunConfig
from harness.measure.sample import Flag, Outcome
from harness.units import NS_PER_MS, format_duration

FIRST_ATTEMPT_MIN = 0.999
ADHERENCE_MIN = 0.95
DRIFT_MAX = 0.20
CLOCK_STEP_MAX_NS = 50 * NS_PER_MS
CONTROL_MAX_NS = 2 * NS_PER_MS
MINIMUM_SAMPLES = 6  # what a median needs
_ONE_WATCH = ["from_region", "to_region", "read"]


def evaluate_gates(evidence: Evidence) -> list[Gate]:
    """Every gate, in the order they are shown."""
    gates = [gate(evidence) for gate in _GATES]
    return [*gates, _control(evidence)] if evidence.config.control else gates


def stall_limit_ns(config: RunConfig) -> int:
    """How late the event loop may serve a timer, and the writer a write."""
    return max(10 * NS_PER_MS, config.polling.interval_ns // 2)


def trip_excess_limit_ns(config: RunConfig) -> int:
    """By how much a round trip may exceed the running minimum."""
    return max(20 * NS_PER_MS, 2 * config.polling.interval_ns)


def verdict(gates: Sequence[Gate]) -> str:
    """VALID, or INVALID where any gate failed."""
    return "INVALID" if any(gate.status == FAIL for gate in gates) else "VALID"


def _complete(evidence: Evidence) -> Gate:
    phases = {event.name: event.detail for event in evidence.of(Phase)}
    if "finished" not in phases:
        value, good = "ended without finishing", False
    elif "interrupted" in phases:
        value, good = f"interrupted: {phases['interrupted']}", False
    else:
        value, good = "finished", True
    return judged("complete", good, value, "finished", "run it again to its end; what was measured is kept")


def _accounting(evidence: Evidence) -> Gate:
    planned = evidence.config.workload.samples * len(evidence.config.watched)
    counted = int(evidence.samples["outcome"].isin([outcome.value for outcome in Outcome]).sum())
    twice = int(evidence.samples.duplicated([*_ONE_WATCH, "seq"]).sum())
    value = f"{counted - twice:,} of {planned:,} accounted for"
    remedy = "this is a defect of the harness; please report it with the run directory"
    return judged("accounting", counted == planned and not twice, value, "all planned writes", remedy)


def _consistency(evidence: Evidence) -> Gate:
    remedy = "a clock or a server breaks an assumption; trust the hard bracket and read the flagged samples"
    if evidence.measured["hard_upper_ns"].notna().sum() == 0:
        return not_evaluated("consistency", "0", remedy)
    broken = int(evidence.measured["flags"].str.contains(Flag.CONTRADICTION.value, regex=False).sum())
    return judged("consistency", broken == 0, f"{broken:,} contradictory brackets", "0", remedy)


def _losses(evidence: Evidence) -> Gate:
    remedy = "raise --timeout, or look into the replica: acknowledged writes are missing there"
    if evidence.measured["acked_ns"].notna().sum() == 0:
        return not_evaluated("losses", "0", remedy)
    lost = int((evidence.measured["outcome"] == Outcome.LOST.value).sum())
    return judged("losses", lost == 0, f"{lost:,} lost", "0", remedy)


def _sample_size(evidence: Evidence) -> Gate:
    seen = evidence.samples[evidence.samples["outcome"] == Outcome.VISIBLE.value]
    counts = seen.groupby(_ONE_WATCH, observed=True).size()
    watched = [watch for watch in evidence.config.watched if not watch.control]
    visible = [int(counts.get((w.source, w.replica, w.read), 0)) for w in watched]
    # Of two Regions that contest their items, one may win them all.
    least = sum(visible) if evidence.config.workload.contested else min(visible, default=0)
    threshold = f"≥ {MINIMUM_SAMPLES}"
    return judged("sample_size", least >= MINIMUM_SAMPLES, f"{least:,} visible", threshold, "raise --samples")


def _throttles(evidence: Evidence) -> Gate:
    """Every refused attempt, and every answer that left keys unprocessed: DynamoDB's throttling of batches."""
    remedy = "lower --rate or raise --poll-interval, or give the table more capacity"
    writes, polls = evidence.attempted_writes(), evidence.of(Poll)
    if not writes and not polls:
        return not_evaluated("throttles", "0", remedy)
    count = sum(write.attempts - 1 + (write.failure == "throttled") for write in writes)
    count += sum(poll.failure == "throttled" or poll.unprocessed > 0 for poll in polls)
    return judged("throttles", count == 0, f"{count:,} throttled", "0", remedy)


def _first_attempts(evidence: Evidence) -> Gate:
    """Writes and polls apart, since polls are many and would hide what befalls the writes."""
    threshold = f"≥ {FIRST_ATTEMPT_MIN:.1%}, or one failure"
    remedy = "see the errors in the journal: requests failed that should not"
    good = {
        "writes": [write.attempts == 1 and write.result == "acked" for write in evidence.attempted_writes()],
        "polls": [poll.failure is None and not poll.unprocessed for poll in evidence.of(Poll)],
    }
    shares = {kind: sum(answers) / len(answers) for kind, answers in good.items() if answers}
    if not shares:
        return not_evaluated("first_attempts", threshold, remedy)
    kind = min(shares, key=lambda name: shares[name])
    failed = len(good[kind]) - sum(good[kind])
    value = f"{shares[kind]:.2%} of {len(good[kind]):,} {kind}"
    return judged(
        "first_attempts", failed <= 1 or shares[kind] >= FIRST_ATTEMPT_MIN, value, threshold, remedy
    )


def _loop_delay(evidence: Evidence) -> Gate:
    limit_ns = stall_limit_ns(evidence.config)
    delays = [delay for event in evidence.of(LoopDelay) for delay in event.delays_ns]
    remedy = (
        "the machine is too busy for this rate: lower --rate, raise --poll-interval, or use a larger host"
    )
    return at_most("event_loop_delay_p99", delays, limit_ns, remedy)


def _rtt_excess(evidence: Evidence) -> Gate:
    limit_ns = trip_excess_limit_ns(evidence.config)
    paths = evidence.round_trips.values()
    worst = max((float(np.percentile(excess_ns(trips), 99)) for trips in paths), default=None)
    remedy = "the path or the client is congested: lower the request rate, or measure from a quieter host"
    return at_most("rtt_excess_p99", [] if worst is None else [worst], limit_ns, remedy)


def _adherence(evidence: Evidence) -> Gate:
    """Of the poller that kept its schedule worst."""
    threshold = f"≥ {ADHERENCE_MIN:.0%}"
    remedy = "raise --poll-interval: this host cannot keep the poll schedule"
    planned: Counter[tuple[str, str, str]] = Counter()
    skipped: Counter[tuple[str, str, str]] = Counter()
    for ticks in evidence.of(Ticks):
        planned[ticks.source, ticks.replica, ticks.read] += ticks.planned
        skipped[ticks.source, ticks.replica, ticks.read] += ticks.skipped
    kept = {poller: 1 - skipped[poller] / count for poller, count in planned.items() if count}
    if not kept:
        return not_evaluated("poll_adherence", threshold, remedy)
    worst = min(kept, key=lambda poller: kept[poller])
    value = f"{kept[worst]:.1%} of {planned[worst]:,}"
    return judged("poll_adherence", kept[worst] >= ADHERENCE_MIN, value, threshold, remedy)


def _lateness(evidence: Evidence) -> Gate:
    limit_ns = stall_limit_ns(evidence.config)
    late = [
        write.sent_ns - write.due_ns
        for write in evidence.of(Write)
        if write.sent_ns is not None and write.attempts == 1
    ]
    return at_most("writer_lateness_p99", late, limit_ns, "lower --rate: writes leave later than planned")


def _drift(evidence: Evidence) -> Gate:
    threshold = f"< {DRIFT_MAX:.0%}"
    remedy = "the route changed during the run: measure again, or in shorter runs"
    found = [drift(trips) for trips in evidence.round_trips.values()]
    worst = max((value for value in found if value is not None), default=None)
    if worst is None:
        return not_evaluated("rtt_drift", threshold, remedy)
    return judged("rtt_drift", worst < DRIFT_MAX, f"{worst:.1%}", threshold, remedy)


def _resolution(evidence: Evidence) -> Gate:
    """Of the Region pair whose brackets are widest for its spread."""
    remedy = "poll more often: lower --poll-interval"
    threshold, always_ns = "≤ ¼ of the IQR, or 2 % of the median", 1.0
    if (
        evidence.config.strong
    ):  # there is hardly any spread, and strongly consistent reads have nothing to resolve
        always_ns = trip_excess_limit_ns(evidence.config)
        threshold = f"≤ {format_duration(always_ns)}, or ¼ of the IQR"
    found: list[tuple[float, float]] = []  # (share of what is allowed, width)
    for (*_, read), group in evidence.measured.groupby(_ONE_WATCH, observed=True):
        if evidence.config.strong and read != evidence.config.reads[0]:
            continue
        known = group.dropna(subset=["model_lower_ns", "model_upper_ns"])
        if len(known) < MINIMUM_SAMPLES:
            continue
        lower = known["model_lower_ns"].to_numpy(np.float64)
        upper = known["model_upper_ns"].to_numpy(np.float64)
        width = float(np.median(upper - lower))
        quarter, middle, three = np.percentile((lower + upper) / 2, [25, 50, 75])
        found.append((width / max((three - quarter) / 4, 0.02 * middle, always_ns), width))
    if not found:
        return not_evaluated("resolution", threshold, remedy)
    share, width = max(found)
    return judged("resolution", share <= 1, f"median width {format_duration(width)}", threshold, remedy)


def _clock_step(evidence: Evidence) -> Gate:
    offsets = [pair.wall_ns - pair.monotonic_ns for pair in evidence.of(ClockPair)]
    steps = [abs(after - before) for before, after in itertools.pairwise(offsets)]
    remedy = "the wall clock was stepped or the host slept during the run: measure again"
    return at_most("wall_clock_step", steps, CLOCK_STEP_MAX_NS, remedy, percentile=100)


def _control(evidence: Evidence) -> Gate:
    """In the source Region a write is visible at once: what the instrument says there is its own error."""
    limit_ns = max(CONTROL_MAX_NS, evidence.config.polling.interval_ns // 2)
    remedy = (
        "the instrument is off by this much: look at the round trips in the source Region and at this host"
    )
    threshold = f"|p50| ≤ {format_duration(limit_ns)}"
    found: list[float] = []
    for source in evidence.config.sources:
        here = (evidence.samples["from_region"] == source) & (evidence.samples["to_region"] == source)
        known = evidence.samples[here].dropna(subset=["model_lower_ns"])
        if len(known) >= MINIMUM_SAMPLES:
            lower = known["model_lower_ns"].to_numpy(np.float64)
            upper = known["model_upper_ns"].astype("Float64").to_numpy(np.float64, na_value=np.inf)
            found.append(abs(npmle(np.minimum(lower, upper), np.maximum(lower, upper)).midpoint(0.5)))
    if not found:
        return not_evaluated("control", threshold, remedy)
    worst = max(found)
    shown = format_duration(worst) if np.isfinite(worst) else "not seen by the deadline"
    return judged("control", worst <= limit_ns, shown, threshold, remedy)


_GATES: tuple[Callable[[Evidence], Gate], ...] = (
    _complete,
    _accounting,
    _consistency,
    _losses,
    _sample_size,
    _throttles,
    _first_attempts,
    _loop_delay,
    _rtt_excess,
    _adherence,
    _lateness,
    _drift,
    _resolution,
    _clock_step,
)
