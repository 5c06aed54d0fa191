"""What came out of an experiment: every run's verdict, percentiles by condition and Region pair, what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.application import describe_asymmetry, describe_everywhere
from harness.analysis.backlog import backlog_over_run, catch_up
from harness.analysis.ground_truth import committed_by, read_truth
from harness.analysis.load import Run, load_run
from harness.analysis.matrix import MatrixCell, region_matrix
from harness.analysis.percentiles import estimate_percentiles
from harness.analysis.run_groups import Comparison, RunGroup, compare_all, group_runs
from harness.analysis.view import pair_samples
from harness.experiments.directory import RUN_TAG, ExperimentDirectory
from harness.experiments.labs import contest_rows, of_condition, order_rows
from harness.experiments.perform import Failure
from harness.experiments.plan import Plan, PlannedRun
from harness.experiments.spec import Pair
from harness.target import Target
from harness.units import NS_PER_MS, percentile_name

FORMAT_VERSION = 1
PERCENTILES = (50.0, 90.0, 99.0)
MATRIX_PAIRS = 6  # all ordered pairs of three Regions


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome in numbers (`summary`, as outcome.json stores it), and what figures are drawn from.

    `used` are the runs behind the numbers: of each condition and group of pairs the VALID ones, or all where none is.
    """

    summary: dict[str, Any]
    used: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    matrix: tuple[MatrixCell, ...]


def describe_outcome(directory: ExperimentDirectory, plan: Plan, failures: Mapping[int, Failure]) -> Outcome:
    """Everything about the finished runs of a plan."""
    runs = {number: load_run(run.path) for number, run in sorted(directory.finished().items())}
    used = _usable(list(runs.values()))
    groups = _ordered(group_runs(used, "condition"), plan.conditions)
    valid = [group for group in groups if set(group.verdicts) == {"VALID"}]
    comparisons = compare_all(valid) if len({group.label for group in valid}) > 1 else []
    matrix = region_matrix(used) if len(plan.conditions) == 1 and len(plan.pairs) >= MATRIX_PAIRS else []
    listed = [_run(planned, runs.get(planned.number), failures) for planned in plan.runs]
    summary = {
        "format_version": FORMAT_VERSION,
        "experiment": {"name": plan.name, "question": plan.question, "directory": directory.path.name},
        "target": plan.destination.kind,
        "simulated": plan.destination.kind == "local",
        "label": Target(plan.destination.kind).label,
        "verdict": _verdict(listed),
        "expected_to_fail": _expected(plan, listed),
        "runs": listed,
        "conditions": [_condition(group, used) for group in groups],
        "everywhere": [entry for label in plan.conditions for entry in _everywhere(label, used)],
        "asymmetry": [entry for label in plan.conditions for entry in _asymmetry(label, used, plan)],
        "backlog": _backlog(plan, used),
        "contests": contest_rows(used, plan.conditions),
        "order": order_rows(used, plan.conditions),
        "comparisons": [
            {"from": c.second.source, "to": c.second.replica, **c.to_json()} for c in comparisons
        ],
        "matrix": [cell.to_json() for cell in matrix],
        "cost": {"usd": _usd(runs.values())},
    }
    return Outcome(summary, tuple(used), tuple(comparisons), tuple(matrix))


def _usable(runs: Sequence[Run]) -> list[Run]:
    """Of each condition and group of pairs the VALID runs; all of them, which stay marked, where none is."""
    cells: dict[tuple[str, tuple[Pair, ...]], list[Run]] = {}
    for run in runs:
        cells.setdefault((run.summary["tags"]["condition"], tuple(run.pairs)), []).append(run)
    return [
        run
        for members in cells.values()
        for run in [run for run in members if run.summary["verdict"] == "VALID"] or members
    ]


def _run(planned: PlannedRun, run: Run | None, failures: Mapping[int, Failure]) -> dict[str, Any]:
    failure = failures.get(planned.number)
    gates = [] if run is None else [gate for gate in run.summary["gates"] if gate["status"] == "fail"]
    missing = "failed" if failure else "not measured"
    return {
        "number": planned.number,
        "condition": planned.condition,
        "repetition": planned.repetition,
        "pairs": [list(pair) for pair in planned.config.pairs],
        "directory": None if run is None else run.directory.path.name,
        "verdict": missing if run is None else run.summary["verdict"],
        "failed_gates": [gate["name"] for gate in gates],
        "reasons": [f"{gate['name']} {gate['value']} (must be {gate['threshold']})" for gate in gates],
        "error": failure.error if failure else None,
    }


def _verdict(listed: Sequence[Mapping[str, Any]]) -> str:
    verdicts = {entry["verdict"] for entry in listed}
    if verdicts - {"VALID", "INVALID"}:
        return "INCOMPLETE"
    return "INVALID" if "INVALID" in verdicts else "VALID"


def _expected(plan: Plan, listed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each gate that is meant to fail, in how many of the measured runs it did."""
    measured = [entry for entry in listed if entry["directory"]]
    return [
        {"gate": gate, "failed_in": sum(gate in e["failed_gates"] for e in measured), "runs": len(measured)}
        for gate in plan.expected_to_fail
    ]


def _condition(group: RunGroup, used: Sequence[Run]) -> dict[str, Any]:
    pooled = group.pooled
    estimates = estimate_percentiles(pooled.lower, pooled.upper, PERCENTILES)
    latency = {percentile_name(p): estimate.to_json() for p, estimate in estimates.items()}
    runs = [run for run in of_condition(used, group.label) if (group.source, group.replica) in run.pairs]
    return {
        "condition": group.label,
        "from": group.source,
        "to": group.replica,
        "n": pooled.n,
        "runs": len(group.parts),
        "verdict": "VALID" if set(group.verdicts) == {"VALID"} else "INVALID",
        "latency_ms": latency,
        "truth": _truth(runs, (group.source, group.replica), latency["p50"]),
    }


def _truth(runs: Sequence[Run], pair: Pair, median: Mapping[str, Any]) -> dict[str, Any] | None:
    """The emulator's own median of the same writes, and whether the interval of the estimate holds it."""
    if not all(run.summary["simulated"] and run.directory.truth.exists() for run in runs):
        return None
    true_ns = np.concatenate(
        [true_latencies_ns(run.samples, read_truth(run.directory.truth), pair) for run in runs]
    )
    if not len(true_ns):
        return None
    p50_ms = float(np.median(true_ns)) / NS_PER_MS
    low, high = median.get("low"), median.get("high")
    holds = None if low is None else bool(low <= p50_ms and (high is None or p50_ms <= high))
    return {"p50_ms": p50_ms, "p50_holds": holds}


def true_latencies_ns(samples: pd.DataFrame, truth: pd.DataFrame, pair: Pair) -> NDArray[np.float64]:
    """Commit to visible of every acknowledged write of a pair, as the emulator decided it."""
    mine = pair_samples(samples, *pair).dropna(subset=["acked_ns"])
    there = truth[(truth["from"] == pair[0]) & (truth["to"] == pair[1])].dropna(subset=["visible_ns"])
    joined = mine[["key", "sent_ns", "acked_ns"]].merge(there, on="key")
    joined = joined[committed_by(joined)]
    latencies: NDArray[np.float64] = (joined["visible_ns"] - joined["commit_ns"]).to_numpy(np.float64)
    return latencies


def _everywhere(label: str, used: Sequence[Run]) -> list[dict[str, Any]]:
    """How long until a write was visible in all replicas that one run watched together."""
    found = []
    for pairs in dict.fromkeys(tuple(run.pairs) for run in of_condition(used, label)):
        runs = [run for run in of_condition(used, label) if tuple(run.pairs) == pairs]
        samples = pd.concat([run.samples for run in runs], ignore_index=True)
        verdict = "VALID" if all(run.summary["verdict"] == "VALID" for run in runs) else "INVALID"
        found += [
            {"condition": label, **entry, "verdict": verdict} for entry in describe_everywhere(samples, pairs)
        ]
    return found


def _asymmetry(label: str, used: Sequence[Run], plan: Plan) -> list[dict[str, Any]]:
    """One direction against the other, where both were measured in the same run."""
    runs = [run for run in of_condition(used, label) if any((b, a) in run.pairs for a, b in run.pairs)]
    if not runs:
        return []
    samples = pd.concat([run.samples for run in runs], ignore_index=True)
    return [{"condition": label, **entry} for entry in describe_asymmetry(samples, plan.pairs)]


def pauses_of(plan: Plan, used: Sequence[Run]) -> Iterator[tuple[int, Run, Pair, tuple[float, float]]]:
    """Each pair whose replication was paused: number of the run, the run, and when, on the clock of its samples."""
    planned = {run.number: run for run in plan.runs}
    for run in used:
        number = int(run.summary["tags"][RUN_TAG])
        pause = planned[number].pause
        if pause is None or not run.directory.truth.exists():
            continue
        first_ns = float(read_truth(run.directory.truth)["commit_ns"].min())
        for pair in run.pairs:
            if pause.where in ("", "/".join(pair)):
                yield number, run, pair, (first_ns + pause.start_ns, first_ns + pause.end_ns)


def _backlog(plan: Plan, used: Sequence[Run]) -> list[dict[str, Any]]:
    """What piled up while replication was paused, and how fast it went."""
    found = []
    for number, run, (source, replica), pause_ns in pauses_of(plan, used):
        caught = catch_up(backlog_over_run(run.samples, source, replica), pause_ns)
        if caught is not None:
            found.append({"run": number, "from": source, "to": replica, **caught.to_json()})
    return found


def _ordered(groups: Sequence[RunGroup], conditions: Sequence[str]) -> list[RunGroup]:
    """In the order of the file, so that the first condition is what the others are compared with."""
    return sorted(groups, key=lambda group: (conditions.index(group.label), group.source, group.replica))


def _usd(runs: Any) -> float | None:
    costs = [run.summary["cost"]["usd"] for run in runs]
    return None if None in costs else sum(costs)
