"""A plan and an outcome as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from harness.experiments.plan import Plan
from harness.measure.forecast import Estimate
from harness.result_lines import contest_line, format_estimate, format_share, format_usd
from harness.units import NS_PER_MS, NS_PER_S, format_count, format_duration


def plan_cost(plan: Plan) -> float | None:
    """US dollars of all runs together, None where a price is not known."""
    costs = [run.estimate().cost["usd"] for run in plan.runs]
    return None if None in costs else float(sum(costs))


def plan_lines(plan: Plan) -> Iterator[str]:
    """What will be measured, how long that takes, and what it would cost."""
    estimates: list[Estimate] = [run.estimate() for run in plan.runs]
    kind = plan.destination.kind
    repetitions = max(run.repetition for run in plan.runs)
    yield f"experiment  {plan.name}: {plan.question}"
    yield f"target      {kind}"
    yield f"pairs       {len(plan.pairs)} in {len(plan.regions)} Regions ({', '.join(plan.regions)})"
    if len(plan.conditions) > 1:
        yield f"conditions  {'; '.join(plan.conditions)}"
    yield (
        f"runs        {len(plan.runs)}"
        + (f", {repetitions} of each, taking turns" if repetitions > 1 else "")
        + f"; about {format_duration(sum(e.duration_ns for e in estimates))} of measuring, "
        "and the time it takes to set up tables"
    )
    samples = sum(run.config.workload.samples * len(run.config.pairs) for run in plan.runs)
    yield f"samples     {format_count(samples)} (writes × replicas)"
    writes, reads = sum(e.writes for e in estimates), sum(e.reads for e in estimates)
    yield f"requests    {format_count(writes)} writes, {format_count(reads)} reads"
    basis = "; ".join(sorted({estimate.cost["basis"] for estimate in estimates}))
    yield (
        f"cost        about {format_usd(plan_cost(plan))}{'' if kind == 'aws' else ' if it were AWS'} "
        f"({basis}; transfer not included)"
    )


def condition_table(summary: Mapping[str, Any]) -> Table:
    """A row per condition and Region pair."""
    simulated = any(row["truth"] for row in summary["conditions"])
    swept = len({row["condition"] for row in summary["conditions"]}) > 1
    about = summary["experiment"]
    title = f"{about['name']}   {summary['label']}   {summary['verdict']}"
    style = "bold" if summary["verdict"] == "VALID" else "bold red"
    table = Table(title=title, title_style=style, title_justify="left")
    headings = ["condition"] * swept + ["from → to", "runs", "n", "p50", "p90", "p99"]
    for heading in [*headings, *["true p50"] * simulated, "verdict"]:
        left = heading in ("condition", "from → to", "verdict")
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading != "condition")
    for row in summary["conditions"]:
        cells = [row["condition"].replace(", ", ",\n")] * swept
        cells += [f"{row['from']} →\n{row['to']}", str(row["runs"]), format_count(row["n"])]
        cells += [
            format_estimate(estimate).replace(" [", "\n[").replace(" (", "\n(")
            for estimate in row["latency_ms"].values()
        ]
        cells += [_truth(row["truth"])] * simulated
        table.add_row(*cells, row["verdict"], style=None if row["verdict"] == "VALID" else "red")
    return table


def matrix_table(summary: Mapping[str, Any], name: str) -> Table:
    """One percentile from every source (rows) to every replica (columns)."""
    cells = {(cell["from"], cell["to"]): cell for cell in summary["matrix"]}
    replicas = sorted({to for _, to in cells})
    table = Table(title=f"{name} from (row) to (column)   {summary['label']}", title_justify="left")
    table.add_column("")
    for replica in replicas:
        table.add_column(replica, justify="right")
    for source in sorted({source for source, _ in cells}):
        table.add_row(source, *(_matrix_cell(cells.get((source, replica)), name) for replica in replicas))
    return table


def outcome_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the tables do not say: everywhere, asymmetry, backlog, differences, the truth, what failed."""
    for entry in summary["everywhere"]:
        mark = _mark(entry)
        estimates = ", ".join(f"{name} {format_estimate(e)}" for name, e in entry["latency_ms"].items())
        yield f"everywhere{mark}: {_at(entry)}{entry['from']} → all of {', '.join(entry['replicas'])}: {estimates}"
    for entry in summary["asymmetry"]:
        a, b = entry["between"]
        yield f"asymmetry: {_at(entry)}p50 of {b} → {a} minus {a} → {b}: {_difference(entry['difference_ms']['p50'])}"
    for entry in summary["backlog"]:
        yield f"backlog: run {entry['run']}, {entry['from']} → {entry['to']}: {_backlog(entry)}"
    yield from (f"{_at(entry)}{contest_line(entry, _mark(entry))}" for entry in summary["contests"])
    yield from (_order_line(entry) for entry in summary["order"])
    for entry in summary["comparisons"]:
        first, second = entry["first"]["label"], entry["second"]["label"]
        told = (f"{name} {_difference(entry['difference_ms'][name])}" for name in ("p50", "p90", "shift"))
        turns = " (compared turn by turn)" if entry["interleaved"] else ""
        yield f"difference{turns}: {second} minus {first}, {entry['from']} → {entry['to']}: {'; '.join(told)}"
    yield from _truth_lines(summary["conditions"])
    for entry in summary["expected_to_fail"]:
        yield _expectation(entry)


def _order_line(entry: Mapping[str, Any]) -> str:
    """How many writes were overtaken, and how long transactions were visible in part."""
    where = f"order{_mark(entry)}: {_at(entry)}{entry['from']} → {entry['to']}"
    if entry["overtaken"] is None:
        return f"{where}: no write was acknowledged"
    line = f"{where}: {format_share(entry['overtaken'])} of writes became visible after a later one"
    if entry["skipped_versions"] is not None:
        skipped = format_share(entry["skipped_versions"])
        line += f"; {skipped} were replaced by a later version before any read showed them"
    torn = entry["torn_window"]
    if torn is None or torn["certainly_torn"] is None:
        return line
    return (
        f"{line}; {format_share(torn['certainly_torn'])} of transactions of {torn['items']} items were visible "
        f"in part, p50 for {format_estimate(torn['window_ms']['p50'])}"
    )


def _mark(entry: Mapping[str, Any]) -> str:
    return "" if entry["verdict"] == "VALID" else " (INVALID)"


def run_lines(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The runs that are not VALID, and why."""
    for run in runs:
        where = f"run {run['number']}" + (f" ({run['condition']})" if run["condition"] else "")
        if run["verdict"] == "INVALID":
            yield f"{where} is INVALID: {', '.join(run['reasons'])}; {run['directory']}"
        elif run["verdict"] == "failed":
            yield f"{where} failed: {run['error']}"
    waiting = sum(run["verdict"] == "not measured" for run in runs)
    if waiting:
        yield f"{waiting} of {len(runs)} runs are not measured yet; --resume continues"


def _truth(truth: Mapping[str, Any] | None) -> str:
    if truth is None:
        return "–"
    words = {True: "", False: "\noutside", None: ""}[truth["p50_holds"]]
    return format_duration(truth["p50_ms"] * NS_PER_MS) + words


def _truth_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    checked = [row for row in rows if row["truth"] and row["truth"]["p50_holds"] is not None]
    if not checked:
        return
    outside = [row for row in checked if not row["truth"]["p50_holds"]]
    inside = len(checked) - len(outside)
    yield (
        f"truth: the emulator's own p50 lies within the interval in {inside} of {len(checked)} rows"
        + "".join(f"; not in {row['from']} → {row['to']} {row['condition']}".rstrip() for row in outside)
    )


def _matrix_cell(cell: Mapping[str, Any] | None, name: str) -> str:
    if cell is None:
        return "–"
    estimate = cell["latency_ms"][name]
    value = estimate.get("value")
    words = format_duration(value * NS_PER_MS) if value is not None else format_estimate(estimate)
    return words if cell["verdict"] == "VALID" else f"{words} INVALID"


def _at(entry: Mapping[str, Any]) -> str:
    return f"{entry['condition']}: " if entry["condition"] else ""


def _difference(cell: Mapping[str, Any]) -> str:
    if cell["value"] is None or cell["low"] is None or cell["high"] is None:
        return str(cell["verdict"])
    value, low, high = (format_duration(cell[key] * NS_PER_MS) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}], {cell['verdict']}"


def _backlog(entry: Mapping[str, Any]) -> str:
    pause, caught = format_duration(entry["pause_s"] * NS_PER_S), entry["caught_up_s"]
    end = (
        "not caught up while writes went on"
        if caught is None
        else f"caught up in {format_duration(caught * NS_PER_S)}"
    )
    return (
        f"at most {entry['usual']} writes under way before, {entry['peak']} after a pause of {pause}, {end}"
    )


def _expectation(entry: Mapping[str, Any]) -> str:
    failed, runs = entry["failed_in"], entry["runs"]
    if runs and failed == runs:
        return f"expected: gate {entry['gate']} failed in every run, as this experiment means it to"
    return f"not as expected: gate {entry['gate']} was meant to fail, and did in {failed} of {runs} runs"
