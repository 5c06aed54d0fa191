"""The public way to a finished run: `harness.load_run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from harness.analysis.draw import FIGURES
from harness.analysis.summary import measured_pairs
from harness.errors import DamagedRun
from harness.records.manifest import read_json
from harness.records.run_directory import RunDirectory, find_run
from harness.records.samples import read_samples

_MEASURES = {
    "replication latency": "latency_ms",
    "hard bracket": "hard_latency_ms",
    "time to visibility": "time_to_visibility_ms",
    "schedule-corrected": "schedule_corrected_ms",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: `manifest` and `summary` as stored, `samples` with one row per write × replica (ns)."""

    directory: RunDirectory
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    samples: pd.DataFrame

    @property
    def title(self) -> str:
        """Which run this is: its directory, where it was measured, and its verdict."""
        return f"{self.directory.path.name} · {self.summary['label']} · {self.summary['verdict']}"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The (source, replica) pairs measured."""
        return [(pair["from"], pair["to"]) for pair in measured_pairs(self.summary)]

    def percentile_table(self) -> pd.DataFrame:
        """Percentiles as text with their 95 % intervals, a row per Region pair and measure.

        The columns of an invalid run say so.
        """
        from harness.terminal import format_estimate

        mark = "" if self.summary["verdict"] == "VALID" else " (INVALID)"
        rows = [
            {"from": pair["from"], "to": pair["to"], "measure": label, "n": pair["outcomes"]["visible"]}
            | {f"{name}{mark}": format_estimate(estimate) for name, estimate in pair[key].items()}
            for pair in measured_pairs(self.summary)
            for label, key in _MEASURES.items()
        ]
        return pd.DataFrame(rows).set_index(["from", "to", "measure"])

    def gate_table(self) -> pd.DataFrame:
        """The gates of the verdict: status, measured value, threshold and remedy."""
        return pd.DataFrame(self.summary["gates"]).set_index("name")

    def figure(self, name: str, source: str | None = None, replica: str | None = None) -> Figure:
        """One of `the figures` ("ecdf", "latency-over-run", …) for a pair, by default the first.

        Raises:
            ValueError: no such figure, or the run did not measure this pair.
        """
        if name not in FIGURES:
            raise ValueError(f"no figure {name!r}; there are {', '.join(FIGURES)}")
        first = self.pairs[0]
        figure: Figure = FIGURES[name](self.samples, self.summary, (source or first[0], replica or first[1]))
        return figure


def load_run(name: str | Path = "latest", results: str | Path = "results") -> Run:
    """A finished run by its directory, its name in `results`, or "latest".

    Where `results` has no latest run, "latest" is the newest example shipped there.

    Raises:
        DamagedRun: there is no such run, or it cannot be read.
    """
    directory = find_run(name, Path(results))
    if not directory.summary.exists():
        raise DamagedRun(
            f"{directory.path} has no summary.json: the run did not finish; rebuild it with harness.report"
        )
    return Run(
        directory,
        read_json(directory.manifest),
        read_json(directory.summary),
        read_samples(directory.samples),
    )
