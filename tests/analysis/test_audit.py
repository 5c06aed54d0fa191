"""The audit: a shipped run keeps every invariant, and each kind of offence is found by its rule, with its write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from harness.analysis.audit import audit_events, audit_run, violations
from harness.analysis.ground_truth import read_truth
from harness.measure.config_json import config_from_json
from harness.measure.events import Event, LoopDelay, Phase, Poll, Spent, Swept, Ticks, Write
from harness.records.journal import read_journal
from harness.records.manifest import read_json
from harness.records.run_directory import RunDirectory
from harness.records.samples import read_samples
from tests.recorded import write_journal

EXAMPLE = max((Path(__file__).parents[2] / "results").glob("example-*us-west-2-ap-southeast-2*"))
RUN = RunDirectory(EXAMPLE)
MANIFEST = read_json(RUN.manifest)
CONFIG = config_from_json(MANIFEST["config"])
EVENTS = tuple(read_journal(RUN.journal).events)
TRUTH = read_truth(RUN.truth)
SAMPLES = read_samples(RUN.samples)
SUMMARY = read_json(RUN.summary)
SEQ = 100

Change = Callable[[list[Event]], list[Event]]


def violated(events: list[Event] | None = None, **stored: Any) -> dict[str, str]:
    """The violated invariants of the example with other events, and their details."""
    kept = EVENTS if events is None else tuple(events)
    findings = audit_events(MANIFEST, CONFIG, kept, **{"truth": TRUTH, **stored})
    return {finding.name: finding.detail for finding in violations(findings)}


def each(kind: type, change: Callable[[Any], Any], chosen: Callable[[Any], bool]) -> Change:
    """Change (or, by None, remove) the first event of a kind that is chosen."""

    def changed(events: list[Event]) -> list[Event]:
        at = next(i for i, event in enumerate(events) if isinstance(event, kind) and chosen(event))
        other = change(events[at])
        return [*events[:at], *([] if other is None else [other]), *events[at + 1 :]]

    return changed


def is_write(event: Write) -> bool:
    return event.seq == SEQ


def sees(event: Poll) -> bool:
    return SEQ in event.hits


def twice(events: list[Event]) -> list[Event]:
    write = next(event for event in events if isinstance(event, Write) and is_write(event))
    return [*events, write]


def as_failed(poll: Poll) -> Poll:
    return replace(poll, failure="timeout")


def any_poll(_: Poll) -> bool:
    return True


def without_sight(events: list[Event]) -> list[Event]:
    return each(Poll, lambda poll: replace(poll, hits=tuple(s for s in poll.hits if s != SEQ)), sees)(events)


OFFENCES: dict[str, tuple[Change, str, str]] = {
    "an outcome twice": (twice, "one_outcome_per_write", f"write {SEQ} of us-west-2 has 2 outcomes"),
    "no outcome": (
        each(Write, lambda _: None, is_write),
        "one_outcome_per_write",
        f"write {SEQ} of us-west-2",
    ),
    "acknowledged before it was sent": (
        each(Write, lambda w: replace(w, acked_ns=w.sent_ns - 1), is_write),
        "write_facts",
        "acknowledged before",
    ),
    "sent before it was due": (
        each(Write, lambda w: replace(w, sent_ns=w.due_ns - 2_000), is_write),
        "write_facts",
        "before it was due",
    ),
    "a lost answer called failed": (
        each(Write, lambda w: replace(w, result="failed", acked_ns=None, failure="timeout"), is_write),
        "write_facts",
        "it may exist",
    ),
    "a failed write that was committed": (
        each(Write, lambda w: replace(w, result="failed", acked_ns=None, failure="throttled"), is_write),
        "refused_not_in_truth",
        f"write {SEQ}",
    ),
    "a poll answered before it was sent": (
        each(Poll, lambda p: replace(p, received_ns=p.sent_ns - 1), any_poll),
        "poll_facts",
        "answered before",
    ),
    "a hit beyond what was covered": (
        each(Poll, lambda p: replace(p, last=SEQ - 1), sees),
        "poll_facts",
        f"write {SEQ}",
    ),
    "a failed poll that covers": (each(Poll, as_failed, sees), "failed_poll_covers_nothing", "timeout"),
    "seen before it was sent": (
        each(Poll, lambda p: replace(p, hits=(SEQ + 150,), last=SEQ + 150), sees),
        "nothing_seen_unwritten",
        f"write {SEQ + 150}",
    ),
    "seen twice first": (
        lambda events: [*events, next(e for e in events if isinstance(e, Poll) and sees(e))],
        "first_sight_once",
        f"write {SEQ}",
    ),
    "events out of order": (lambda events: [*events[1000:], *events[:1000]], "journal_in_order", "follows"),
    "unseen and not looked for": (without_sight, "unseen_swept", f"write {SEQ}"),
    "a miss before it was visible is a hit": (
        each(
            Poll,
            lambda p: replace(p, hits=(SEQ,)),
            lambda p: SEQ in p.covered() and not p.hits,
        ),
        "visible_is_true",
        f"write {SEQ}",
    ),
    "a miss after it was visible": (
        lambda events: [
            replace(e, sent_ns=e.sent_ns + 10**9, received_ns=e.received_ns + 10**9)
            if isinstance(e, Poll) and SEQ in e.covered()
            else e
            for e in events
        ],
        "hard_bracket_holds_truth",
        "hard bracket is",
    ),
    "swept absent although it was there": (
        lambda events: [
            *without_sight(list(events)),
            Swept(CONFIG.sources[0], CONFIG.replicas[0][0], SEQ, False, EVENTS[-1].at_ns),  # type: ignore[union-attr]
        ],
        "sweep_agrees_with_truth",
        f"write {SEQ}",
    ),
    "more polls than planned": (
        lambda events: [e for e in events if not isinstance(e, Ticks)],
        "cost_bounded",
        "0 instants allow 0",
    ),
}


def test_the_example_keeps_every_invariant() -> None:
    findings = audit_run(RUN)
    assert not violations(findings)
    assert {finding.status for finding in findings} == {"ok", "n/a"}


@pytest.mark.parametrize("offence", OFFENCES)
def test_an_offence_is_found_by_its_rule_and_names_where(offence: str) -> None:
    change, name, words = OFFENCES[offence]
    assert words in violated(change(list(EVENTS)))[name]


def test_an_acknowledged_write_that_was_not_committed_is_found() -> None:
    truth = TRUTH[TRUTH["key"] != CONFIG.plan(MANIFEST["run_id"], CONFIG.sources[0]).key_text(SEQ)]
    assert f"write {SEQ}" in violated(truth=truth)["acked_in_truth"]


def test_samples_that_are_not_what_the_journal_proves_are_found() -> None:
    other = SAMPLES.copy()
    other.loc[other["seq"] == SEQ, "hard_upper_ns"] += 1
    assert f"hard_upper_ns of write {SEQ}" in violated(samples=other)["samples_rebuilt"]
    assert "rows" in violated(samples=SAMPLES.iloc[1:])["samples_rebuilt"]
    assert not violated(samples=SAMPLES)


def changed_summary(**changes: Any) -> dict[str, Any]:
    return orjson.loads(orjson.dumps(SUMMARY)) | changes  # type: ignore[no-any-return]


def with_gate(name: str, **changes: Any) -> dict[str, Any]:
    gates = [gate | changes if gate["name"] == name else gate for gate in SUMMARY["gates"]]
    return changed_summary(gates=gates)


def test_a_summary_that_is_not_what_the_journal_rebuilds_is_found_by_its_path() -> None:
    summary = changed_summary()
    summary["pairs"][0]["latency_ms"]["p50"]["value"] += 1
    assert violated(summary=summary)["summary_rebuilt"].startswith("pairs[0].latency_ms.p50.value is ")


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        (changed_summary(gates=SUMMARY["gates"][1:]), "there should be"),
        (changed_summary(verdict="INVALID"), "the verdict is INVALID with no gate failed"),
        (with_gate("losses", status="fail"), "the verdict is VALID with losses failed"),
        (with_gate("losses", status="green"), "'green'"),
    ],
)
def test_a_verdict_that_does_not_follow_from_its_gates_is_found(summary: dict[str, Any], words: str) -> None:
    assert words in violated(summary=summary)["gates_complete"]


def test_a_gate_that_passed_with_nothing_to_look_at_is_found() -> None:
    events = [event for event in EVENTS if not isinstance(event, LoopDelay)]
    assert "event_loop_delay_p99 passed" in violated(events, summary=SUMMARY)["gates_complete"]


def test_outcomes_that_do_not_add_up_are_found() -> None:
    summary = changed_summary()
    summary["pairs"][0]["outcomes"]["visible"] -= 1
    assert "outcomes" in violated(summary=summary)["counts_add_up"]


def test_a_percentile_that_leaves_out_what_was_not_seen_is_found() -> None:
    summary = changed_summary()
    summary["pairs"][0]["hard_latency_ms"]["p90"]["n"] -= 1
    assert "p90 of hard_latency_ms" in violated(summary=summary)["counts_add_up"]


def test_units_that_were_answered_but_not_paid_for_are_found() -> None:
    spent = Spent("sweeping", CONFIG.sources[0], EVENTS[-1].at_ns, 1000.0)  # type: ignore[union-attr]
    assert "read units" in violated([*EVENTS, spent], summary=SUMMARY)["cost_counted"]


def test_a_sample_without_its_own_line_of_the_truth_is_found() -> None:
    truth = TRUTH.assign(visible_ns=TRUTH["visible_ns"].where(np.arange(len(TRUTH)) != SEQ, pd.NA))
    assert "was not visible there" in violated(truth=truth)["visible_is_true"]


def test_a_run_that_was_killed_is_checked_as_far_as_its_journal_goes() -> None:
    for end in range(1, len(EVENTS), 700):
        assert not violated(list(EVENTS[:end]))


def killed(tmp_path: Path, journal: bytes) -> RunDirectory:
    run = RunDirectory(tmp_path)
    run.manifest.write_bytes(RUN.manifest.read_bytes())
    run.journal.write_bytes(journal)
    return run


def test_a_torn_tail_is_counted_and_a_damaged_journal_violates(tmp_path: Path) -> None:
    data = RUN.journal.read_bytes()
    torn = audit_run(killed(tmp_path, data[:-9]))
    assert not violations(torn)
    assert "torn bytes dropped" in torn[0].detail
    assert not violations(audit_run(killed(tmp_path, b"")))
    (damaged,) = violations(audit_run(killed(tmp_path, data[:600] + bytes([data[600] ^ 8]) + data[601:])))
    assert damaged.name == "journal_readable"


def test_a_journal_cut_short_since_its_run_was_summarized_violates(tmp_path: Path) -> None:
    write_journal(
        tmp_path / "short", [e for e in EVENTS if not (isinstance(e, Phase) and e.name == "finished")]
    )
    run = killed(tmp_path, (tmp_path / "short").read_bytes())
    run.summary.write_bytes(RUN.summary.read_bytes())
    (damaged,) = violations(audit_run(run))
    assert "truncated" in damaged.detail
