"""The audit of a run: invariants that hold for every run, VALID or not, checked from what is on disk.

A gate says whether numbers may be used; an invariant that is violated says that the harness itself is wrong (or that a
file was changed). Most are checked from manifest and journal alone, the rest against `samples.parquet`, `summary.json`
and the emulator's `truth.jsonl` where they are there; what could not be checked is n/a, never ok.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from harness.analysis import audit_gates, audit_journal, audit_results, audit_truth
from harness.analysis.audit_material import Material, NotApplicable
from harness.analysis.derive import check_whole
from harness.analysis.ground_truth import read_truth
from harness.errors import DamagedRun
from harness.measure.events import Event
from harness.measure.plan import RunConfig
from harness.records.journal import JournalContents, read_journal
from harness.records.manifest import read_json, read_manifest
from harness.records.run_directory import RunDirectory
from harness.records.samples import read_samples

OK, VIOLATED, NOT_APPLICABLE = "ok", "violated", "n/a"
READABLE = "journal_readable"

Rule = Callable[[Material], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: `status` is ok, violated or n/a; `detail` the first offence, or why it was not checked."""

    name: str
    status: str
    detail: str = ""

    def to_json(self) -> dict[str, str]:
        """The finding as a JSON object."""
        return asdict(self)


def audit_events(
    manifest: Mapping[str, Any],
    config: RunConfig,
    events: Sequence[Event],
    *,
    samples: pd.DataFrame | None = None,
    summary: Mapping[str, Any] | None = None,
    truth: pd.DataFrame | None = None,
) -> list[Finding]:
    """Every invariant but that of the journal's file, in a fixed order.

    `samples` and `summary` are what was stored of the run, `truth` is as `read_truth` gives it; each may be missing.
    """
    return audit_material(Material.of(manifest, config, events, samples, summary, truth))


def audit_material(material: Material) -> list[Finding]:
    """The same of a run that is already put in order."""
    return [_finding(name, rule, material) for name, rule in _RULES.items()]


def audit_run(run: RunDirectory) -> list[Finding]:
    """Every invariant, from the files of a run directory.

    Raises:
        DamagedRun: the manifest cannot be read.
    """
    manifest, config = read_manifest(run.manifest)
    try:
        contents = _journal_of(run)
    except DamagedRun as error:
        return [Finding(READABLE, VIOLATED, str(error)), *_none("the journal cannot be read")]
    if not contents.events:
        return [Finding(READABLE, OK, "no flush was completed"), *_none("nothing was recorded")]
    torn = f", {contents.torn_bytes:,} torn bytes dropped" if contents.torn_bytes else ""
    whole = Finding(READABLE, OK, f"{len(contents.events):,} events{torn}")
    return [
        whole,
        *audit_events(
            manifest,
            config,
            contents.events,
            samples=read_samples(run.samples) if run.samples.exists() else None,
            summary=read_json(run.summary) if run.summary.exists() else None,
            truth=read_truth(run.truth) if run.truth.exists() else None,
        ),
    ]


def violations(findings: Sequence[Finding]) -> list[Finding]:
    """Those that are violated."""
    return [finding for finding in findings if finding.status == VIOLATED]


def _journal_of(run: RunDirectory) -> JournalContents:
    if not run.summary.exists() and (not run.journal.exists() or not run.journal.stat().st_size):
        return JournalContents([], 0)  # killed before the first flush
    contents = read_journal(run.journal)
    if contents.events or run.summary.exists():
        check_whole(run, contents)
    return contents


def _finding(name: str, rule: Rule, material: Material) -> Finding:
    try:
        offences = list(rule(material))
    except NotApplicable as reason:
        return Finding(name, NOT_APPLICABLE, str(reason))
    if not offences:
        return Finding(name, OK)
    more = f" (and {len(offences) - 1:,} more)" if len(offences) > 1 else ""
    return Finding(name, VIOLATED, offences[0] + more)


def _none(reason: str) -> list[Finding]:
    return [Finding(name, NOT_APPLICABLE, reason) for name in _RULES]


_RULES: Mapping[str, Rule] = {
    "one_outcome_per_write": audit_journal.one_outcome,
    "write_facts": audit_journal.write_facts,
    "poll_facts": audit_journal.poll_facts,
    "failed_poll_covers_nothing": audit_journal.failed_polls,
    "nothing_seen_unwritten": audit_journal.nothing_unwritten,
    "first_sight_once": audit_journal.first_sight_once,
    "journal_in_order": audit_journal.in_order,
    "unseen_swept": audit_journal.unseen_swept,
    "one_sample_per_replica": audit_results.one_sample_per_replica,
    "outcome_follows": audit_results.outcome_follows,
    "brackets_ordered": audit_results.brackets_ordered,
    "negatives_flagged": audit_results.negatives_flagged,
    "counts_add_up": audit_results.counts_add_up,
    "gates_complete": audit_gates.gates_complete,
    "cost_counted": audit_results.cost_counted,
    "cost_bounded": audit_results.cost_bounded,
    "samples_rebuilt": audit_results.samples_rebuilt,
    "summary_rebuilt": audit_results.summary_rebuilt,
    "hard_bracket_holds_truth": audit_truth.hard_brackets,
    "visible_is_true": audit_truth.visible_is_true,
    "refused_not_in_truth": audit_truth.refused_absent,
    "acked_in_truth": audit_truth.acked_present,
    "sweep_agrees_with_truth": audit_truth.sweep_agrees,
}
