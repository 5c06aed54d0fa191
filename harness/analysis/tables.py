"""Several runs as tables: `harness.summarize` and `harness.compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from harness.analysis.load import Run, load_runs
from harness.analysis.matrix import region_matrix
from harness.analysis.plots import comparison_overlay, difference_plot, matrix_heat_map
from harness.analysis.run_groups import Comparison, compare_all, group_runs, usable_runs
from harness.analysis.summary import measured_pairs
from harness.errors import UsageError

Runs = Run | str | Path | Sequence[Run | str | Path]


def summarize(runs: Runs, results: str | Path = "results") -> pd.DataFrame:
    """Percentiles of the replication latency with their 95 % intervals, milliseconds, a row per run and Region pair.

    `runs` are runs, or names and globs as `load_runs` takes them. Indexed by run, from, to; the columns are verdict,
    source (simulated, AWS, endpoint), n (writes seen), and `p50_ms`, `p50_low_ms`, `p50_high_ms` and so on: NaN where
    the sample cannot carry the percentile or its interval, and for an end that is open. Rows of INVALID runs are
    there, and say so.

    Raises:
        HarnessError: a run cannot be found or read.
    """
    rows = [
        {
            "run": run.directory.path.name,
            "from": pair["from"],
            "to": pair["to"],
            "verdict": run.summary["verdict"],
            "source": run.summary["label"],
            "n": pair["outcomes"]["visible"],
            **_percentile_columns(pair["latency_ms"]),
        }
        for run in _runs_of(runs, results)
        for pair in measured_pairs(run.summary)
    ]
    return pd.DataFrame(rows).set_index(["run", "from", "to"])


def compare(
    runs: Runs,
    *,
    by: str | None = None,
    include_invalid: bool = False,
    force: bool = False,
    results: str | Path = "results",
) -> pd.DataFrame:
    """Differences of p50, p90, p99 and the shift against the first run, milliseconds, with 95 % intervals.

    Runs of a Region pair are compared with the first of that pair, the pairs of a single run with its first; `by` pools
    runs by the value of that tag. Indexed by first, second, from, to and cell; the columns are value_ms (second −
    first), low_ms, high_ms, worst_low_ms, worst_high_ms (whatever the brackets hide), p (Holm-corrected over all
    rows), verdict (significant or not, or why that cannot be said), runs (VALID, or INVALID where `include_invalid`
    let one in). Simulated and real runs are compared only by `force`.

    Raises:
        HarnessError: a run cannot be found, they must not be compared, or there is nothing to compare.
    """
    rows = [
        {
            "first": comparison.first.label,
            "second": comparison.second.label,
            "from": comparison.second.source,
            "to": comparison.second.replica,
            "cell": cell.name,
            "value_ms": cell.value,
            "low_ms": cell.low,
            "high_ms": cell.high,
            "worst_low_ms": cell.worst_low,
            "worst_high_ms": cell.worst_high,
            "p": cell.p_adjusted,
            "verdict": cell.words,
            "runs": "VALID" if _all_valid(comparison) else "INVALID",
        }
        for comparison in _comparisons(_usable(runs, results, include_invalid, force), by)
        for cell in comparison.cells
    ]
    table = pd.DataFrame(rows).set_index(["first", "second", "from", "to", "cell"])
    numbers = [name for name in table.columns if name.endswith("_ms") or name == "p"]
    return table.astype(dict.fromkeys(numbers, "float64"))


def comparison_figures(
    runs: Runs, *, by: str | None = None, include_invalid: bool = False, results: str | Path = "results"
) -> list[Figure]:
    """For each comparison of `compare`: both distributions over each other, then the differences.

    Raises:
        HarnessError: as for `compare`.
    """
    kept = _usable(runs, results, include_invalid, force=False)
    labels = _labels(kept)
    return [
        draw(comparison, labels)
        for comparison in _comparisons(kept, by)
        for draw in (comparison_overlay, difference_plot)
    ]


def matrix_figure(runs: Runs, percentile: str = "p50", *, results: str | Path = "results") -> Figure:
    """The percentile ("p50", "p90" or "p99") of every ordered Region pair as a heat map, runs of a pair pooled.

    Raises:
        HarnessError: a run cannot be found or read, they must not be put together, or there is no such percentile.
    """
    kept = _usable(runs, results, include_invalid=True, force=False)
    cells = region_matrix(kept)
    if cells and percentile not in cells[0].estimates:
        raise UsageError(f"the matrix has no {percentile!r}; there are {', '.join(cells[0].estimates)}")
    figure: Figure = matrix_heat_map(cells, percentile, _labels(kept))
    return figure


def _runs_of(runs: Runs, results: str | Path) -> list[Run]:
    given = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    if not given:
        raise UsageError("no run was given; name at least one, or 'latest'")
    found = []
    for each in given:
        found += [each] if isinstance(each, Run) else load_runs(each, results=results)
    return found


def _usable(runs: Runs, results: str | Path, include_invalid: bool, force: bool) -> list[Run]:
    kept, left = usable_runs(_runs_of(runs, results), include_invalid=include_invalid, force=force)
    if not kept:
        names = ", ".join(run.directory.path.name for run in left)
        raise UsageError(f"no VALID run is left of {names}; include_invalid=True uses the INVALID ones")
    return kept


def _comparisons(runs: Sequence[Run], by: str | None) -> list[Comparison]:
    return compare_all(group_runs(runs, by))


def _labels(runs: Sequence[Run]) -> list[str]:
    return sorted({run.summary["label"] for run in runs})


def _all_valid(comparison: Comparison) -> bool:
    return {*comparison.first.verdicts, *comparison.second.verdicts} == {"VALID"}


def _percentile_columns(latency_ms: Mapping[str, Any]) -> dict[str, float | None]:
    columns = {}
    for name, estimate in latency_ms.items():
        for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
            columns[f"{name}{suffix}_ms"] = float("nan") if estimate.get(end) is None else estimate[end]
    return columns
