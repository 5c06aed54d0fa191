"""Invariants of the verdict: no gate is left out, passes without evidence, or fails without making the run INVALID."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.audit_material import Material
from harness.analysis.evidence import FAIL, NOT_EVALUATED, PASS
from harness.measure.events import ClockPair, LoopDelay, Poll, Ticks, Write
from harness.measure.sample import Flag, Outcome

GATES = (
    "complete",
    "accounting",
    "consistency",
    "losses",
    "sample_size",
    "throttles",
    "first_attempts",
    "event_loop_delay_p99",
    "rtt_excess_p99",
    "poll_adherence",
    "writer_lateness_p99",
    "rtt_drift",
    "resolution",
    "wall_clock_step",
)


def gates_complete(material: Material) -> Iterator[str]:
    """Every gate is there, none passes without anything to look at, and one that fails makes the run INVALID."""
    summary = material.summarized()
    status = {gate["name"]: gate["status"] for gate in summary["gates"]}
    expected = (*GATES, "control") if material.config.control else GATES
    if [gate["name"] for gate in summary["gates"]] != list(expected):
        yield f"the gates are {', '.join(status)}; there should be {', '.join(expected)}"
    for name in sorted(_without_evidence(material)):
        if status.get(name) == PASS:
            yield f"gate {name} passed with nothing to look at"
    for name in sorted(_must_fail(material)):
        if status.get(name) != FAIL:
            yield f"gate {name} is {status.get(name)} where it must fail"
    unknown = [gate["name"] for gate in summary["gates"] if gate["status"] not in (PASS, FAIL, NOT_EVALUATED)]
    yield from (f"gate {name} is {status[name]!r}" for name in unknown)
    if (summary["verdict"] == "INVALID") != (FAIL in status.values()):
        failed = [name for name, state in status.items() if state == FAIL]
        yield f"the verdict is {summary['verdict']} with {', '.join(failed) or 'no gate'} failed"


def _without_evidence(material: Material) -> set[str]:
    events, samples = material.events, material.rebuilt()
    writes = [e for e in events if isinstance(e, Write) and e.attempts]
    polls = [e for e in events if isinstance(e, Poll)]
    measured = samples[samples["from_region"] != samples["to_region"]]
    evidence = {
        "consistency": measured["hard_upper_ns"].notna().any(),
        "losses": measured["acked_ns"].notna().any(),
        "throttles": writes or polls,
        "first_attempts": writes or polls,
        "event_loop_delay_p99": any(e.delays_ns for e in events if isinstance(e, LoopDelay)),
        "rtt_excess_p99": any(w.acked_ns for w in writes) or any(p.failure is None for p in polls),
        "poll_adherence": any(e.planned for e in events if isinstance(e, Ticks)),
        "writer_lateness_p99": any(w.sent_ns is not None and w.attempts == 1 for w in writes),
        "rtt_drift": writes or polls,
        "resolution": measured["model_upper_ns"].notna().any(),
        "wall_clock_step": sum(isinstance(e, ClockPair) for e in events) > 1,
        "control": samples["model_lower_ns"].notna().any(),
    }
    return {name for name, there in evidence.items() if not there}


def _must_fail(material: Material) -> set[str]:
    samples, events = material.rebuilt(), material.events
    replicated = samples[samples["from_region"] != samples["to_region"]]
    throttled = any(isinstance(e, Write | Poll) and e.failure == "throttled" for e in events)
    facts = {
        "complete": "finished" not in material.phases or "interrupted" in material.phases,
        "losses": (replicated["outcome"] == Outcome.LOST.value).any(),
        "throttles": throttled or any(isinstance(e, Poll) and e.unprocessed for e in events),
        "consistency": replicated["flags"].str.contains(Flag.CONTRADICTION.value, regex=False).any(),
    }
    return {name for name, true in facts.items() if true}
