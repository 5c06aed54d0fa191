"""The one place that knows what lies where in a run directory, and how a run is named."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DamagedRun, UsageError

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """`results/<UTC start>-<from>-<to>-<short id>/` and the files in it."""

    path: Path

    @property
    def manifest(self) -> Path:
        """Written first: what the run was asked to do, and where it ran."""
        return self.path / "manifest.json"

    @property
    def journal(self) -> Path:
        """The events as they happened, the truth from which all else is rebuilt."""
        return self.path / "journal.jsonl.zst"

    @property
    def samples(self) -> Path:
        """One row per write × replica."""
        return self.path / "samples.parquet"

    @property
    def summary(self) -> Path:
        """Estimates, verdict, cost; written last, so that its presence means a finished run."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.path / "report.html"

    @property
    def samples_csv(self) -> Path:
        """The samples as text, written on request."""
        return self.path / "samples.csv"

    @property
    def truth(self) -> Path:
        """The emulator's own record; there for the local target only."""
        return self.path / "truth.jsonl"

    @property
    def witness(self) -> Path:
        """What CloudWatch said of the run; there where it was asked."""
        return self.path / "witness.json"

    @property
    def emulator_log(self) -> Path:
        """What the emulator said on stderr; removed when it said nothing."""
        return self.path / "emulator.log"

    def histogram(self, source: str, replica: str) -> Path:
        """The HdrHistogram percentile distribution of one Region pair."""
        return self.path / f"latency-{source}-{replica}.hgrm"

    def files(self) -> list[str]:
        """The names of the files there are besides the report, sorted; what is being written is left out."""
        names = (path.name for path in self.path.iterdir() if path.is_file())
        return sorted(name for name in names if name != self.report.name and not name.startswith("."))

    def plot(self, name: str, source: str, replica: str, suffix: str = ".png") -> Path:
        """A figure of one Region pair, as `.png` or `.svg`."""
        return self.path / f"{name}-{source}-{replica}{suffix}"


def create_run_directory(
    results: Path, run_id: str, started_wall_ns: int, source: str, replica: str
) -> RunDirectory:
    """Make a new run directory.

    Raises:
        UsageError: `results` cannot be written.
    """
    instant = datetime.datetime.fromtimestamp(started_wall_ns / 1e9, datetime.UTC)
    path = results / f"{instant:%Y%m%dT%H%M%SZ}-{source}-{replica}-{run_id}"
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"cannot write results to {results}: {error.strerror}; choose another directory with --results"
        ) from None
    return RunDirectory(path)


def point_latest(run: RunDirectory) -> None:
    """Make `results/latest` lead to this run, atomically; a file system without links goes without."""
    link = run.path.parent / LATEST
    temporary = run.path.parent / f".{LATEST}-{os.getpid()}"
    try:
        temporary.symlink_to(run.path.name)
        temporary.replace(link)
    except OSError:
        temporary.unlink(missing_ok=True)


def find_run(name: str | Path, results: Path = Path("results")) -> RunDirectory:
    """The run directory a person means: a path, the name of one in `results`, or "latest".

    Raises:
        DamagedRun: there is no such run.
    """
    candidates = [Path(name), results / name]
    if str(name) == LATEST:
        candidates = [results / LATEST, *sorted(results.glob("example-*"), reverse=True)]
    for path in candidates:
        if (path / "manifest.json").exists():
            return RunDirectory(path.resolve())
    raise DamagedRun(f"no run at {name}: it holds no manifest.json; name a run directory or 'latest'")
