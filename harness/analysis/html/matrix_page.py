"""The Region matrix as a page: a heat map whose cells lead to the reports of their runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.html.render import render
from harness.analysis.html.tables import estimate_cell
from harness.analysis.matrix import MatrixCell

PERCENTILES = ("p50", "p99")
_DEEPEST = 55.0  # percent of the deepest colour that leaves dark words readable
_LEAST_SPAN = 2.0  # from the palest to the deepest, so that equal cells do not look different


@dataclass(frozen=True, slots=True)
class RunLink:
    """A run behind a cell: its name, verdict, and the relative address of its report, None where it has none."""

    source: str
    replica: str
    name: str
    verdict: str
    href: str | None


def matrix_page(cells: Sequence[MatrixCell], labels: Sequence[str], runs: Sequence[RunLink]) -> str:
    """The page of a matrix; `labels` says where the data come from: simulated, AWS, endpoint."""
    usable = [cell for cell in cells if cell.verdict == "VALID"]
    failed = [f"{cell.source} → {cell.replica}" for cell in cells if cell.verdict != "VALID"]
    return render(
        "matrix.html.j2",
        {
            "labels": list(labels),
            "invalid": bool(failed),
            "verdict": "INVALID" if failed else "VALID",
            "failed": failed,
            "sources": sorted({cell.source for cell in cells}),
            "replicas": sorted({cell.replica for cell in cells}),
            "usable": _span(usable, PERCENTILES[0]),
            "maps": [_heat_map(cells, name, runs) for name in PERCENTILES],
            "behind": [(cell, _slug(cell), _runs_of(cell, runs)) for cell in cells],
        },
    )


def _heat_map(cells: Sequence[MatrixCell], name: str, runs: Sequence[RunLink]) -> dict[str, Any]:
    values = _values(cells, name)
    shown = {(cell.source, cell.replica): _entry(cell, name, values, runs) for cell in cells}
    return {"name": name, "cells": shown} | _span(cells, name)


def _span(cells: Sequence[MatrixCell], name: str) -> dict[str, Any]:
    values = _values(cells, name)
    return {"least": min(values, default=None), "most": max(values, default=None)}


def _values(cells: Sequence[MatrixCell], name: str) -> list[float]:
    return [value for cell in cells if (value := cell.estimates[name].to_json().get("value")) is not None]


def _entry(cell: MatrixCell, name: str, values: Sequence[float], runs: Sequence[RunLink]) -> dict[str, Any]:
    estimate = cell.estimates[name].to_json()
    behind = _runs_of(cell, runs)
    own = behind[0].href if len(behind) == 1 else None
    return {
        "estimate": estimate_cell(estimate),
        "n": cell.n,
        "heat": _heat(estimate.get("value"), values),
        "href": own or f"#{_slug(cell)}",
        "verdict": cell.verdict,
    }


def _heat(value: float | None, values: Sequence[float]) -> float | None:
    """How deep the colour is, in percent, by the logarithm between the least and the greatest value."""
    if value is None:
        return None
    if min(values) <= 0:
        return _DEEPEST / 2
    stretch = max(1.0, _LEAST_SPAN / (max(values) / min(values))) ** 0.5
    low, high = math.log(min(values) / stretch), math.log(max(values) * stretch)
    return _DEEPEST * (math.log(value) - low) / (high - low)


def _runs_of(cell: MatrixCell, runs: Sequence[RunLink]) -> list[RunLink]:
    return [run for run in runs if (run.source, run.replica) == (cell.source, cell.replica)]


def _slug(cell: MatrixCell) -> str:
    return f"runs-{cell.source}-{cell.replica}"
