"""Invariants against the emulator's own record of what was committed and became visible when.

The truth is on disk up to its last line, in order of commit: what a killed emulator had not flushed is not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pandas as pd

from harness.analysis.audit_material import Material, NotApplicable, given
from harness.analysis.ground_truth import with_truth
from harness.measure.events import Write
from harness.measure.plan import Watch
from harness.measure.sample import Outcome

Commits = dict[tuple[str, str, str], list[tuple[int, int | None]]]  # (from, to, key) → commit, visible


def hard_brackets(material: Material) -> Iterator[str]:
    """The hard bracket of every visible sample holds the truth; of eventually consistent reads, its upper end does.

    Versions of one item that were under way at once cannot be told apart in the truth: one of them must do.
    """
    joined = with_truth(material.rebuilt(), given(material.truth, "truth.jsonl"))
    joined = joined.dropna(subset=["true_ns"])
    below = joined["true_ns"] > joined["hard_upper_ns"]
    above = (joined["true_ns"] < joined["hard_lower_ns"]) & (joined["read"] == "strong")
    which = ["from_region", "to_region", "seq"]
    broken = joined[(below | above).groupby([joined[name] for name in which]).transform("all")]
    for row in broken.drop_duplicates(which).itertuples():
        yield (
            f"write {row.seq} of {row.from_region} took {row.true_ns} ns to {row.to_region}, "
            f"its hard bracket is {row.hard_lower_ns} … {row.hard_upper_ns}"
        )


def visible_is_true(material: Material) -> Iterator[str]:
    """What was seen had become visible by then."""
    commits, last_ns = _commits(material)
    samples = material.rebuilt()
    seen = samples[samples["outcome"] == Outcome.VISIBLE.value]
    for row in seen[seen["from_region"] != seen["to_region"]].itertuples():
        lines = commits.get((row.from_region, row.to_region, row.key), [])
        if row.acked_ns > last_ns:
            continue
        shown = [
            visible_ns is not None and visible_ns <= row.first_hit_received_ns
            for commit_ns, visible_ns in lines
            if row.sent_ns <= commit_ns <= row.acked_ns
        ]
        if not any(shown):
            yield f"write {row.seq} of {row.from_region} was seen in {row.to_region}, and was not visible there"


def refused_absent(material: Material) -> Iterator[str]:
    """A write recorded as failed was not committed."""
    commits, _ = _commits(material)
    if material.config.workload.versions > 1:
        raise NotApplicable("versions share their item's key")
    for watch in _pairs(material):
        plan = material.plans[watch.source]
        for seq, write in sorted(material.writes[watch.source].items()):
            if write.result == "failed" and commits.get((watch.source, watch.replica, plan.key_text(seq))):
                yield f"write {seq} of {watch.source} is called failed, and was committed"


def acked_present(material: Material) -> Iterator[str]:
    """An acknowledged write was committed, between sent and acknowledged."""
    commits, last_ns = _commits(material)
    for watch in _pairs(material):
        plan = material.plans[watch.source]
        for seq, write in sorted(material.writes[watch.source].items()):
            if write.result != "acked" or (write.acked_ns or 0) > last_ns:
                continue
            lines = commits.get((watch.source, watch.replica, plan.key_text(seq)), [])
            if not any(_inside(write, commit_ns) for commit_ns, _ in lines):
                yield f"write {seq} of {watch.source} is acknowledged, and was not committed"


def sweep_agrees(material: Material) -> Iterator[str]:
    """What the final look found had arrived, and what it did not find had not when it began."""
    commits, last_ns = _commits(material)
    if "sweeping" not in material.phases:
        raise NotApplicable("there was no final look")
    if material.plans[material.config.sources[0]].overwrites:
        raise NotApplicable("items were written over")
    began_ns = material.phases["sweeping"].at_ns
    for watch in _pairs(material):
        plan = material.plans[watch.source]
        for seq, look in sorted(material.swept(watch).items()):
            lines = commits.get((watch.source, watch.replica, plan.key_text(seq)), [])
            if look.at_ns > last_ns and not lines:
                continue
            arrived = [visible_ns for _, visible_ns in lines if visible_ns is not None]
            if look.present and not any(visible_ns <= look.at_ns for visible_ns in arrived):
                yield f"the final look found write {seq} of {watch.source} in {watch.replica} too early"
            if look.present is False and any(visible_ns <= began_ns for visible_ns in arrived):
                yield f"the final look missed write {seq} of {watch.source}, visible in {watch.replica}"


def _inside(write: Write, commit_ns: int) -> bool:
    return (write.sent_ns or 0) <= commit_ns <= (write.acked_ns or 0)


def _pairs(material: Material) -> list[Watch]:
    return [Watch(source, replica) for source, replica in material.config.pairs]


def _commits(material: Material) -> tuple[Commits, int]:
    """The commits of the measurement, without those that prepared or tidied it, and the last one's instant."""
    truth = given(material.truth, "truth.jsonl")
    start_ns = material.start_ns
    end_ns = material.phases["finished"].at_ns if "finished" in material.phases else None
    own = truth[truth["commit_ns"] >= start_ns]
    if end_ns is not None:
        own = own[own["commit_ns"] <= end_ns]
    found: Commits = defaultdict(list)
    columns = (own[name].tolist() for name in ("from", "to", "key", "commit_ns", "visible_ns"))
    for source, replica, key, commit_ns, visible_ns in zip(*columns, strict=True):
        found[source, replica, key].append((commit_ns, None if pd.isna(visible_ns) else visible_ns))
    return dict(found), int(truth["commit_ns"].max()) if len(truth) else 0
