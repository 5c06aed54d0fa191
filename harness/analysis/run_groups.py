"""Which runs may be compared, and as what: finished runs sorted into named groups of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.analysis.compare import Difference, Group, compare_groups, compare_interleaved, holm
from harness.analysis.load import Run
from harness.analysis.view import censored_brackets, pair_samples
from harness.errors import UsageError

_MUST_AGREE = (("target", "target"), ("simulated", "simulated"))


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs of one kind and one Region pair: a label, and each run's brackets in milliseconds, in order of start."""

    label: str
    source: str
    replica: str
    starts_ns: tuple[int, ...]
    parts: tuple[Group, ...]
    verdicts: tuple[str, ...]

    @property
    def pooled(self) -> Group:
        """All its samples, run after run."""
        return Group.of(
            np.concatenate([part.lower for part in self.parts]),
            np.concatenate([part.upper for part in self.parts]),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """`second` − `first`, cell by cell (p50, p90, p99, shift), milliseconds."""

    first: RunGroup
    second: RunGroup
    interleaved: bool
    cells: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        return {
            "first": {"label": self.first.label, "n": self.first.pooled.n, "runs": len(self.first.parts)},
            "second": {"label": self.second.label, "n": self.second.pooled.n, "runs": len(self.second.parts)},
            "interleaved": self.interleaved,
            "difference_ms": {cell.name: cell.to_json() for cell in self.cells},
        }


def usable_runs(runs: Sequence[Run], *, include_invalid: bool, force: bool) -> tuple[list[Run], list[Run]]:
    """The runs that may be put together, and those left out because they are INVALID.

    Raises:
        UsageError: they must not be compared (simulated with real, different targets or read modes).
    """
    kept = [run for run in runs if include_invalid or run.summary["verdict"] == "VALID"]
    left = [run for run in runs if run not in kept]
    if not force:
        for name, key in _MUST_AGREE:
            _same(kept, name, [run.summary[key] for run in kept])
    _same(kept, "read mode", [run.summary["settings"]["read"] for run in kept])
    return kept, left


def group_runs(runs: Sequence[Run], by: str | None) -> list[RunGroup]:
    """One group per run and Region pair, or per value of the tag `by` and Region pair; in order of appearance.

    The pairs of a single run are labelled by the pair, else groups are by the run's id or the tag's value.

    Raises:
        UsageError: a run lacks the tag.
    """
    gathered: dict[tuple[str, str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: int(run.manifest["started"]["wall_ns"])):
        label = run.summary["run_id"] if by is None else run.summary["tags"].get(by)
        if label is None:
            raise UsageError(f"{run.directory.path.name} has no tag {by!r}; give it one with --tag {by}=…")
        for source, replica in run.pairs:
            if pair_samples(run.samples, source, replica)["model_lower_ns"].isna().all():
                continue  # no write of the pair was acknowledged
            name = f"{source} → {replica}" if by is None and len(runs) == 1 else label
            gathered.setdefault((name, source, replica), []).append(run)
    return [_group(label, source, replica, members) for (label, source, replica), members in gathered.items()]


def pooled_by_pair(groups: Sequence[RunGroup]) -> dict[tuple[str, str], RunGroup]:
    """The groups of each Region pair as one."""
    pooled: dict[tuple[str, str], RunGroup] = {}
    for group in groups:
        key = (group.source, group.replica)
        pooled[key] = _joined(pooled[key], group) if key in pooled else group
    return pooled


def compare_all(groups: Sequence[RunGroup]) -> list[Comparison]:
    """Groups of the same Region pair against the first of them; a pair that stands alone against the first group.

    All cells are corrected together (Holm). Two groups whose runs took turns are compared block by block.

    Raises:
        UsageError: there are not two groups.
    """
    if len(groups) < 2:
        raise UsageError("there is nothing to compare: name two runs, or one with several Region pairs")
    firsts: dict[tuple[str, str], RunGroup] = {}
    found: list[tuple[RunGroup, RunGroup, bool, list[Difference]]] = []
    several = len({(group.source, group.replica) for group in groups}) < len(groups)
    for group in groups:
        key = (group.source, group.replica) if several else ("", "")
        first = firsts.setdefault(key, group)
        if first is not group:
            turns = _took_turns(first, group)
            if turns:
                cells = compare_interleaved(list(zip(first.parts, group.parts, strict=True)))
            else:
                cells = compare_groups(first.pooled, group.pooled)
            found.append((first, group, turns, cells))
    corrected = holm([cells for *_, cells in found])
    return [
        Comparison(first, second, turns, tuple(cells))
        for (first, second, turns, _), cells in zip(found, corrected, strict=True)
    ]


def _group(label: str, source: str, replica: str, runs: Sequence[Run]) -> RunGroup:
    parts = []
    for run in runs:
        low, high = censored_brackets(
            pair_samples(run.samples, source, replica), "model_lower_ns", "model_upper_ns"
        )
        parts.append(Group.of(low / 1e6, high / 1e6))
    return RunGroup(
        label,
        source,
        replica,
        tuple(int(run.manifest["started"]["wall_ns"]) for run in runs),
        tuple(parts),
        tuple(run.summary["verdict"] for run in runs),
    )


def _joined(first: RunGroup, second: RunGroup) -> RunGroup:
    return replace(
        first,
        starts_ns=first.starts_ns + second.starts_ns,
        parts=first.parts + second.parts,
        verdicts=first.verdicts + second.verdicts,
    )


def _took_turns(first: RunGroup, second: RunGroup) -> bool:
    """Do the runs of the two groups alternate in time, as many of one as of the other?"""
    if len(first.parts) < 2 or len(first.parts) != len(second.parts):
        return False
    order = sorted([(start, 0) for start in first.starts_ns] + [(start, 1) for start in second.starts_ns])
    sides = [side for _, side in order]
    return all(sides[at] != sides[at + 1] for at in range(0, len(sides), 2))


def _same(runs: Sequence[Run], name: str, values: Sequence[Any]) -> None:
    for run, value in zip(runs, values, strict=True):
        if value != values[0]:
            raise UsageError(
                f"{run.directory.path.name} has {name} {value!r}, {runs[0].directory.path.name} has {values[0]!r}: "
                "they must not be compared"
                + ("; --force compares them all the same" if name != "read mode" else "")
            )
