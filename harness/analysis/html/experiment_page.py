"""An experiment as a page: its question, percentiles by condition, what differs, figures, and the way to its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from harness.analysis.html.render import render
from harness.analysis.html.svg import inline_svg
from harness.analysis.html.tables import estimate_cell

PERCENTILES = ("p50", "p90", "p99")


def experiment_page(
    outcome: Mapping[str, Any],
    remarks: Sequence[str],
    figures: Sequence[tuple[str, Figure]],
    reports: Mapping[str, str],
) -> str:
    """The page of an experiment.

    `outcome` is what outcome.json stores, `remarks` what its tables do not say, a sentence each; `figures` have their
    heading; `reports` leads from the directory of a run to its report, relative, for those that have one.
    """
    rows = outcome["conditions"]
    return render(
        "experiment.html.j2",
        {
            "outcome": outcome,
            "invalid": outcome["verdict"] != "VALID",
            "reasons": [
                f"run {run['number']}: {why}"
                for run in outcome["runs"]
                for why in run["reasons"] or ([run["error"]] if run["error"] else [])
            ],
            "names": PERCENTILES,
            "rows": [
                (row, [estimate_cell(row["latency_ms"].get(name)) for name in PERCENTILES]) for row in rows
            ],
            "has_truth": any(row["truth"] for row in rows),
            "remarks": list(remarks),
            "figures": [
                (
                    heading,
                    inline_svg(figure, f"f{number}", f"{heading}, {outcome['label']}, {outcome['verdict']}"),
                )
                for number, (heading, figure) in enumerate(figures, 1)
            ],
            "reports": dict(reports),
        },
    )
