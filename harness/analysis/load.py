"""The public way to finished runs: `harness.load_run` and `harness.load_runs`."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from harness.analysis.draw import FIGURES
from harness.analysis.ground_truth import measure_accuracy, read_truth, with_truth
from harness.analysis.plots import brackets_against_truth
from harness.analysis.stored import check_summary
from harness.analysis.summary import measured_pairs
from harness.analysis.view import pair_samples
from harness.errors import DamagedRun, UsageError
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
        from harness.result_lines import format_estimate

        rows = [
            {"from": pair["from"], "to": pair["to"], "measure": label, "n": pair["outcomes"]["visible"]}
            | {f"{name}{self._mark}": format_estimate(estimate) for name, estimate in pair[key].items()}
            for pair in measured_pairs(self.summary)
            for label, key in _MEASURES.items()
        ]
        return pd.DataFrame(rows).set_index(["from", "to", "measure"])

    def gate_table(self) -> pd.DataFrame:
        """The gates of the verdict: status, measured value, threshold and remedy."""
        return pd.DataFrame(self.summary["gates"]).set_index("name")

    def figure(self, name: str, source: str | None = None, replica: str | None = None) -> Figure:
        """One of `harness.FIGURES` ("ecdf", "latency-over-run", …) for a pair, by default the first that fits.

        Raises:
            UsageError: no such figure, or the run did not measure this pair.
        """
        if name not in FIGURES:
            raise UsageError(f"there is no figure {name!r}; there are {', '.join(FIGURES)}")
        figure: Figure = FIGURES[name](self.samples, self.summary, self._pair(source, replica))
        return figure

    def everywhere_table(self) -> pd.DataFrame:
        """How long until a write is visible in every replica of its source, as text; empty for single pairs."""
        from harness.result_lines import format_estimate

        rows = [
            {"from": entry["from"], "replicas": ", ".join(entry["replicas"])}
            | {f"{name}{self._mark}": format_estimate(found) for name, found in entry["latency_ms"].items()}
            for entry in self.summary["everywhere"]
        ]
        return pd.DataFrame(rows, columns=None if rows else ["from", "replicas"]).set_index("from")

    def asymmetry_table(self) -> pd.DataFrame:
        """One direction less the other (b → a minus a → b), milliseconds; empty where none was measured both ways."""
        rows = [
            {"a": entry["between"][0], "b": entry["between"][1], "cell": name}
            | {key: cell[key] for key in ("value", "low", "high", "verdict")}
            for entry in self.summary["asymmetry"]
            for name, cell in entry["difference_ms"].items()
        ]
        columns = ["a", "b", "cell", "value", "low", "high", "verdict"]
        table = pd.DataFrame(rows, columns=columns).set_index(columns[:3])
        return table.rename(columns={name: f"{name}_ms{self._mark}" for name in columns[3:6]})

    def truth_table(self) -> pd.DataFrame:
        """The emulator's truth against the brackets, a row per Region pair: coverage, bias and error (ms).

        Raises:
            HarnessError: not a run on the emulator, or nothing became visible.
        """
        truth, rows = read_truth(self.directory.truth), []
        for source, replica in self.pairs:
            mine = pair_samples(self.samples, source, replica)
            if not (mine["outcome"] == "visible").any():
                raise UsageError(
                    f"no write from {source} became visible in {replica}: there is no error to show"
                )
            accuracy = measure_accuracy(mine, truth).to_json()
            rows.append({"from": source, "to": replica, "verdict": self.summary["verdict"]} | accuracy)
        return pd.DataFrame(rows).set_index(["from", "to"])

    def truth_figure(self, source: str | None = None, replica: str | None = None) -> Figure:
        """Every bracket of a pair, by default the first that fits, against the emulator's truth.

        Raises:
            HarnessError: not a run on the emulator, or the run did not measure this pair.
        """
        pair = self._pair(source, replica)
        joined = with_truth(pair_samples(self.samples, *pair), read_truth(self.directory.truth))
        figure: Figure = brackets_against_truth(joined, self.summary, pair)
        return figure

    @property
    def _mark(self) -> str:
        return "" if self.summary["verdict"] == "VALID" else " (INVALID)"

    def _pair(self, source: str | None, replica: str | None) -> tuple[str, str]:
        for pair in self.pairs:
            if source in (None, pair[0]) and replica in (None, pair[1]):
                return pair
        known = ", ".join(f"{a} → {b}" for a, b in self.pairs)
        raise UsageError(f"the run has no pair {source or '…'} → {replica or '…'}; there are {known}")


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
    summary = read_json(directory.summary)
    check_summary(directory.summary, summary)
    return Run(directory, read_json(directory.manifest), summary, read_samples(directory.samples))


def load_runs(
    names: str | Path | Sequence[str | Path] = "latest", results: str | Path = "results"
) -> list[Run]:
    """Finished runs by directories, names in `results`, globs of either, or "latest": each once, in that order.

    Raises:
        DamagedRun: one cannot be found or read.
        UsageError: a glob matches no run.
    """
    found: dict[Path, Run] = {}
    for name in [names] if isinstance(names, str | Path) else names:
        for match in _matches(str(name), Path(results)):
            run = load_run(match, results)
            found[run.directory.path] = run
    return list(found.values())


def _matches(name: str, results: Path) -> list[str | Path]:
    """The run directories a glob means, sorted by name; a name that is no glob stands for itself."""
    if not glob.has_magic(name):
        return [name]
    for pattern in (name, str(results / name)):
        paths = [Path(path) for path in sorted(glob.glob(pattern))]  # noqa: PTH207 # absolute ones too
        # results/latest is one of the others.
        runs = [path for path in paths if (path / "manifest.json").exists() and not path.is_symlink()]
        if runs:
            return list(runs)
    raise UsageError(f"no run matches {name!r}, here or in {results}")
