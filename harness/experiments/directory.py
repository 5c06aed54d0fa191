"""The directory of an experiment: its plan, written first, one run directory each, and what came out of it.

results/experiments/<UTC start>-<name>-<short id>/
    plan.json       every run in order, before the first is measured
    <run directory> of each measured run; finished when its summary.json exists
    aside/          half-written run directories of runs that were killed or interrupted, and were measured again
    outcome.json    the summary of the experiment, and its figures beside it
    report.html     all of it on one page
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DamagedRun, UsageError
from harness.experiments.plan import Plan, plan_from_json
from harness.measure.clock import wall_ns
from harness.records.manifest import read_json, write_json
from harness.records.run_directory import RunDirectory

RUN_TAG = "run"  # of a run's manifest: its number in the plan
GROUP = "experiments"


@dataclass(frozen=True, slots=True)
class ExperimentDirectory:
    """One experiment on disk."""

    path: Path

    @property
    def plan(self) -> Path:
        """Written first, whole or not at all."""
        return self.path / "plan.json"

    @property
    def outcome(self) -> Path:
        """The summary of all runs; written anew each time."""
        return self.path / "outcome.json"

    @property
    def report(self) -> Path:
        """The outcome on one page, with links to the reports of its runs."""
        return self.path / "report.html"

    @property
    def aside(self) -> Path:
        """Where half-written run directories go."""
        return self.path / "aside"

    def read_plan(self) -> Plan:
        """The plan as it was written.

        Raises:
            DamagedRun: it cannot be read.
        """
        try:
            return plan_from_json(read_json(self.plan))
        except DamagedRun as error:
            raise DamagedRun(f"{self.plan}: {error}; start the experiment anew without --resume") from None

    def finished(self) -> dict[int, RunDirectory]:
        """The finished runs by their number in the plan."""
        runs = (RunDirectory(path) for path in sorted(self._runs()) if (path / "summary.json").exists())
        return {_number(run): run for run in runs}

    def put_aside(self) -> list[RunDirectory]:
        """Move what killed and interrupted runs left out of the way; returns where it is now."""
        moved = []
        for path in self._runs():
            if not (path / "summary.json").exists():
                self.aside.mkdir(exist_ok=True)
                moved.append(RunDirectory(path.rename(self.aside / path.name)))
        return moved

    def _runs(self) -> list[Path]:
        here = (path for path in self.path.iterdir() if path.is_dir() and not path.is_symlink())
        return [path for path in here if path != self.aside]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """For as long as the context lasts nobody else measures this experiment; the lock dies with the process.

        Raises:
            UsageError: somebody does.
        """
        with self.plan.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another process is measuring {self.path}; wait for it to end") from None
            yield


def _number(run: RunDirectory) -> int:
    """Which run of the plan this is."""
    try:
        return int(read_json(run.manifest)["tags"][RUN_TAG])
    except (KeyError, TypeError, ValueError):
        raise DamagedRun(
            f"{run.manifest} does not say which run of the plan it is; move the directory away, then --resume"
        ) from None


def create_directory(results: Path, plan: Plan) -> ExperimentDirectory:
    """A new experiment directory with the plan in it.

    Raises:
        UsageError: `results` cannot be written.
    """
    instant = datetime.datetime.fromtimestamp(wall_ns() / 1e9, datetime.UTC)
    path = results / GROUP / f"{instant:%Y%m%dT%H%M%SZ}-{plan.name}-{os.urandom(4).hex()}"
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"cannot write results to {results}: {error.strerror}; choose another directory with --results"
        ) from None
    directory = ExperimentDirectory(path)
    write_json(directory.plan, plan.to_json())
    return directory


def find_experiment(results: Path, name: str) -> ExperimentDirectory:
    """The newest experiment of this name in `results`.

    Raises:
        UsageError: there is none.
    """
    for path in sorted((results / GROUP).glob("*/plan.json"), reverse=True):
        with contextlib.suppress(DamagedRun):
            if read_json(path).get("name") == name:
                return ExperimentDirectory(path.parent)
    raise UsageError(
        f"there is no experiment {name} in {results / GROUP} to resume; start it without --resume"
    )
