"""The Region matrix: one cell for each ordered Region pair, from all runs that measured it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.load import Run
from harness.analysis.percentiles import Estimate, Unsupported, estimate_percentiles
from harness.analysis.run_groups import group_runs, pooled_by_pair
from harness.units import percentile_name

PERCENTILES = (50.0, 90.0, 99.0)


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One ordered Region pair: percentiles (by name, milliseconds), n, and VALID only where every run is."""

    source: str
    replica: str
    n: int
    estimates: dict[str, Estimate | Unsupported]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """The cell as a JSON object."""
        return {
            "from": self.source,
            "to": self.replica,
            "n": self.n,
            "verdict": self.verdict,
            "latency_ms": {name: estimate.to_json() for name, estimate in self.estimates.items()},
        }


def region_matrix(runs: Sequence[Run]) -> list[MatrixCell]:
    """The cells of every pair measured, sorted by Regions."""
    cells = []
    for (source, replica), groups in sorted(pooled_by_pair(group_runs(runs, None)).items()):
        pooled = groups.pooled
        estimates = estimate_percentiles(pooled.lower, pooled.upper, PERCENTILES)
        named = {percentile_name(p): estimate for p, estimate in estimates.items()}
        verdict = "VALID" if set(groups.verdicts) == {"VALID"} else "INVALID"
        cells.append(MatrixCell(source, replica, pooled.n, named, verdict))
    return cells
