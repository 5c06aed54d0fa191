"""Was anything lost, or invented? A performed run is audited, and its verdict and counts held against the truth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.audit import audit_material, violations
from harness.analysis.audit_material import Material
from harness.measure.events import UNANSWERED, Poll, Ticks, Write
from harness.measure.plan import Watch
from harness.measure.sample import Flag, Outcome
from tests.campaign.faults import EVERY_REQUEST, HOST_FAULTS, READ_FAULTS, STALE_READS
from tests.campaign.scenario import RUN_ID, Performed
from tests.campaign.world import Attempt, Commit

REFUSED = frozenset({"throttled", "rejected"})
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
MARGIN_NS = 500_000_000  # before a deadline, in which a poll may no longer be answered
SLACK_MS = 1.0  # of a model bracket: the noise of a round trip need not be symmetric


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run came to: its verdict, its writes × replicas, and what was wrong with it."""

    verdict: str
    planned: int
    accounted: int
    problems: tuple[str, ...]


def judge(done: Performed) -> Judgement:
    """Audit a performed run and compare it with what really happened."""
    material = Material.of(done.manifest, done.scenario.config, done.events, None, None, done.truth())
    problems = [f"{f.name}: {f.detail}" for f in violations(audit_material(material))]
    problems += _ended_badly(done)
    summary = material.rebuilt_summary
    planned = done.scenario.config.workload.samples * len(done.scenario.config.watched)
    if summary is None:
        return Judgement("none", planned, 0, (*problems, "nothing could be rebuilt"))
    if not done.journal_full and "measuring" in material.phases:
        problems += [*_unwitnessed_writes(material, done), *_unwitnessed_polls(material, done)]
        problems += _wrong_counts(summary, done)
        problems += [*_wrong_brackets(material), *_overlooked(material, done), *_uncounted(material, done)]
    if summary["verdict"] == "VALID":
        problems += _wrong_valid(summary, done)
    accounted = sum(
        count for pair in summary["pairs"] for name, count in pair["outcomes"].items() if name != "planned"
    )
    return Judgement(summary["verdict"], planned, accounted, tuple(problems))


def _ended_badly(done: Performed) -> Iterator[str]:
    """A run ends by itself unless something ended it, and before long."""
    expected = {"cancelled"} if "cancelled" in done.world.befallen else set()
    if done.journal_full:
        expected |= {"JournalFull"}
    if "client breaks" in done.world.befallen:
        expected |= {"ClientBroken"}
    if done.scenario.config.workload.keys in ("update", "delete"):
        expected |= {"TargetUnavailable"}
    if done.ended_by is not None and done.ended_by not in expected:
        yield f"the run ended by {done.ended_by}"


def _last_attempts(done: Performed) -> dict[tuple[str, int], list[Attempt]]:
    found: dict[tuple[str, int], list[Attempt]] = {}
    for attempt in done.world.attempts:
        for seq in attempt.seqs:
            found.setdefault((attempt.origin, seq), []).append(attempt)
    return found


def _expected(attempts: list[Attempt]) -> str:
    """What a client may say of a write, from what it was told."""
    if not attempts:
        return "failed"
    last = attempts[-1]
    if not last.ended:
        return "indeterminate"
    if last.failure is None:
        return "acked"
    return "failed" if last.failure in REFUSED or last.sent_ns is None else "indeterminate"


def _unwitnessed_writes(material: Material, done: Performed) -> Iterator[str]:
    """Each write's record says what its requests came to, with the instants of the last one."""
    attempts = _last_attempts(done)
    for source, plan in material.plans.items():
        for seq in range(plan.total):
            made = attempts.get((source, seq), [])
            write = material.writes[source].get(seq)
            if write is not None:
                yield from (f"write {seq} of {source} {wrong}" for wrong in _wrong_record(write, made))


def _wrong_record(write: Write, made: list[Attempt]) -> Iterator[str]:
    expected = _expected(made)
    interrupted = bool(made) and made[-1].failure == "throttled" and write.result == "indeterminate"
    if write.result != expected and not interrupted:
        yield f"is {write.result}, its requests say {expected}"
    if write.attempts != len(made):
        yield f"is said to have taken {write.attempts} requests, and took {len(made)}"
    if made and write.sent_ns != made[-1].sent_ns:
        yield f"was sent at {made[-1].sent_ns}, not {write.sent_ns}"
    if write.acked_ns is not None and write.acked_ns != made[-1].received_ns:
        yield f"was acknowledged at {made[-1].received_ns}, not {write.acked_ns}"


def _unwitnessed_polls(material: Material, done: Performed) -> Iterator[str]:
    """The journal's polls are the answers that came while the run measured, each once."""
    began_ns = material.phases["measuring"].at_ns
    ended = material.phases.get("sweeping") or material.phases["finished"]
    answered = Counter(
        (a.region, a.received_ns if a.sent_ns is None else a.sent_ns, a.received_ns, a.failure)
        for a in done.world.answers
        if began_ns <= a.asked_ns < ended.at_ns
    )
    polls = Counter(
        (p.replica, p.sent_ns, p.received_ns, p.failure)
        for p in material.events
        if isinstance(p, Poll) and p.error != UNANSWERED
    )
    for answer in answered - polls:
        yield f"the answer {answer} was not recorded"
    for answer in polls - answered:
        yield f"the poll {answer} was not answered so"


def _wrong_counts(summary: Mapping[str, Any], done: Performed) -> Iterator[str]:
    """Lost and indeterminate writes are reported as what they are."""
    attempts = _last_attempts(done)
    config = done.scenario.config
    for pair in summary["pairs"]:
        plan = config.plan(RUN_ID, pair["from"])
        expected = Counter(_expected(attempts.get((pair["from"], seq), [])) for seq in plan.measured)
        told = Counter(pair["outcomes"])
        failed, unknown = told[Outcome.WRITE_FAILED.value], told[Outcome.WRITE_INDETERMINATE.value]
        if done.ended_by is None and not done.world.befallen & {"stopped"}:
            if (failed, unknown) != (expected["failed"], expected["indeterminate"]):
                yield f"{failed} failed and {unknown} indeterminate writes are reported, there were {expected}"
        elif failed + unknown != expected["failed"] + expected["indeterminate"]:
            yield f"{failed + unknown} writes without an answer are reported, there were {expected}"


def _wrong_brackets(material: Material) -> Iterator[str]:
    """Hard brackets by their definition: lower = max a over misses − acked, upper = min b over hits − sent."""
    for watch in material.config.watched:
        if watch.read != "strong" or material.plans[watch.source].overwrites:
            continue
        misses, hits = _looks(material.polls.get(watch, ()))
        for row in _rows(material, watch).dropna(subset=["acked_ns"]).itertuples():
            if Flag.FLAPPED.value in row.flags:
                continue
            upper = None if row.seq not in hits else hits[row.seq] - row.sent_ns
            floor = 0 if upper is None else min(0, upper)
            lower = misses[row.seq] - row.acked_ns if row.seq in misses else floor
            told = (row.hard_lower_ns, None if pd.isna(row.hard_upper_ns) else row.hard_upper_ns)
            if told != (lower, upper):
                yield f"the bracket of write {row.seq}: {told[0]} … {told[1]}, its polls say {lower} … {upper}"


def _looks(polls: Sequence[Poll]) -> tuple[dict[int, int], dict[int, int]]:
    """By sequence number: when the last look that missed it was sent, when the first that showed it was answered."""
    misses: dict[int, int] = {}
    hits: dict[int, int] = {}
    for poll in polls:
        for seq in poll.covered():
            if seq in poll.hits or (seq in hits and seq not in poll.absent):
                hits[seq] = min(hits.get(seq, poll.received_ns), poll.received_ns)
            else:
                misses[seq] = max(misses.get(seq, poll.sent_ns), poll.sent_ns)
    return misses, hits


def _overlooked(material: Material, done: Performed) -> Iterator[str]:
    """Where nothing kept the reads from it, what was visible well before its deadline was seen."""
    config = done.scenario.config
    if config.workload.contested or config.workload.versions > 1 or done.ended_by is not None:
        return
    if done.world.befallen & {*READ_FAULTS, *EVERY_REQUEST, *HOST_FAULTS, STALE_READS}:
        return
    arrived = {
        (c.origin, region, c.key.seq): at for c in done.world.commits for region, at in c.visible_ns.items()
    }
    for watch in config.watched:
        for row in _rows(material, watch).itertuples():
            at_ns = arrived.get((watch.source, watch.replica, row.seq))
            unseen = row.outcome in (Outcome.LATE.value, Outcome.LOST.value)
            if unseen and at_ns is not None and at_ns < row.due_ns + config.polling.timeout_ns - MARGIN_NS:
                yield f"write {row.seq} is {row.outcome}, and was visible {(at_ns - row.due_ns) / 1e6:.0f} ms after due"


def _uncounted(material: Material, done: Performed) -> Iterator[str]:
    """Every poll was sent at an instant that its poller has counted."""
    if "event loop stalls" in done.world.befallen:  # it may come between an instant and its request
        return
    for watch, polls in material.polls.items():
        counted_ns = max(
            (e.at_ns for e in material.events if isinstance(e, Ticks) and watch.made(e)), default=0
        )
        late = [poll.sent_ns for poll in polls if poll.sent_ns > counted_ns and poll.failure != "connection"]
        if late:
            yield f"the poll of {watch.replica} sent at {late[0]} was sent at no instant that was counted"


def _rows(material: Material, watch: Watch) -> pd.DataFrame:
    samples = material.rebuilt()
    mine = samples[(samples["from_region"] == watch.source) & (samples["to_region"] == watch.replica)]
    return mine[mine["read"] == watch.read]


def _wrong_valid(summary: Mapping[str, Any], done: Performed) -> Iterator[str]:
    """A run that calls itself VALID knows its percentiles.

    Its intervals are of the same writes as the truth, so that there is no sampling error: they hold the truth's
    percentile, but for what the few writes that were not acknowledged could move it.
    """
    config = done.scenario.config
    if config.workload.contested or config.workload.versions > 1:
        return
    stale = {fault.name for fault in done.scenario.faults} & {"eventual reads flap"}
    for pair in summary["pairs"]:
        if pair["control"] or (pair["read"] == "eventual" and stale):
            continue
        truths = _truths_ms(done, pair["from"], pair["to"])
        missing = pair["outcomes"]["write_failed"] + pair["outcomes"]["write_indeterminate"]
        width = pair["resolution_ms"]["model_width_p50"] or 0.0
        measures = {"hard_latency_ms": 0.0}
        if done.scenario.there == 0.5:  # the model's assumption
            measures["latency_ms"] = SLACK_MS + width
        for key, slack_ms in measures.items():
            for name, share in PERCENTILES.items():
                wrong = misses(pair[key][name], truths, share, missing, slack_ms)
                if wrong:
                    yield f"VALID, but {name} of {key} {pair['from']} → {pair['to']} {wrong}"


def misses(
    estimate: Mapping[str, Any], truths: list[float], share: float, missing: int, slack_ms: float
) -> str | None:
    """How the interval of a percentile misses the truth's, milliseconds; None where it does not."""
    if estimate.get("method") in (None, "too short for an interval") or not truths:
        return None
    low = -math.inf if estimate["low"] is None else estimate["low"]
    high = math.inf if estimate["high"] is None else estimate["high"]
    at = share * len(truths)
    least = truths[max(0, math.ceil(at) - 1 - missing)]
    most = truths[min(len(truths) - 1, math.floor(at) + missing)]
    if most < low - slack_ms or least > high + slack_ms:
        return f"is {least:.3f} … {most:.3f} ms, not {low} … {high}"
    return None


def _truths_ms(done: Performed, source: str, replica: str) -> list[float]:
    """True latencies of the measured writes that took effect, sorted, infinite where they never arrived."""
    measured = done.scenario.config.plan(RUN_ID, source).measured
    mine = [c for c in done.world.commits if c.origin == source and c.key.seq in measured]
    return sorted(_latency_ms(commit, replica) for commit in mine)


def _latency_ms(commit: Commit, replica: str) -> float:
    visible_ns = commit.visible_ns[replica]
    return math.inf if visible_ns is None else (visible_ns - commit.commit_ns) / 1e6
