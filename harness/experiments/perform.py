"""Measuring a plan: run after run, each by itself.

Runs are never measured side by side: two of them would share cores and distort each other's round trips. Where many
Region pairs are wanted soon, one run measures several (`together` in `[regions]`).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from harness.cli import say
from harness.errors import ExitCode, HarnessError
from harness.experiments.directory import RUN_TAG, ExperimentDirectory
from harness.experiments.plan import Plan, PlannedRun
from harness.measure.clock import now_ns
from harness.records.manifest import read_json
from harness.records.run_directory import RunDirectory
from harness.runner import FinishedRun, RunRequest, perform_run
from harness.target import EmulatorOptions, emulator
from harness.units import format_duration


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that gave no result: why, in a sentence, and the exit code that goes with it."""

    error: str
    exit_code: ExitCode


@dataclass(slots=True)
class Performed:
    """What came of measuring a plan: the runs that failed by number, and the signal that ended it early if any."""

    failures: dict[int, Failure] = field(default_factory=dict)
    interrupted: str | None = None


def check_emulator(plan: Plan) -> None:
    """Start the emulator once for each way it will be set, so that a mistake shows before the first run.

    Raises:
        UsageError: it refuses a setting.
    """
    ways = {(frozenset(run.config.regions), run.lag, run.emulator): run for run in plan.runs}
    for run in ways.values():
        with emulator(run.config.regions, EmulatorOptions(lag=run.lag, extra=run.emulator)):
            pass


def perform_plan(
    directory: ExperimentDirectory, plan: Plan, argv: tuple[str, ...], *, show_progress: bool = True
) -> Performed:
    """Measure every run that is not finished, in order; a run that fails is listed and the next one begins."""
    performed = Performed()
    for left in directory.put_aside():
        _tell_of(left)
    finished = directory.finished()
    waiting = [run for run in plan.runs if run.number not in finished]
    remaining = _Remaining(waiting)
    for run in waiting:
        say(f"run {run.number} of {len(plan.runs)}   {describe_run(run)}   {remaining.words()}")
        started_ns = now_ns()
        request = _request(directory, plan, run, argv, show_progress=show_progress)
        try:
            ended = perform_run(request)
            for sentence in ended.left:
                say(f"left behind: {sentence}")
            if ended.interrupted:
                performed.interrupted = ended.interrupted
                return performed
            _derive(ended)
        except HarnessError as error:
            performed.failures[run.number] = Failure(str(error), error.exit_code)
        except Exception as error:  # a defect that shows in one run must not cost the others
            traceback.print_exc()
            performed.failures[run.number] = Failure(f"{type(error).__name__}: {error}", ExitCode.INVALID)
        if run.number in performed.failures:
            say(f"run {run.number} failed: {performed.failures[run.number].error}")
        remaining.passed(run, now_ns() - started_ns)
    return performed


def describe_run(run: PlannedRun) -> str:
    """Which run it is, in words."""
    sources: dict[str, list[str]] = {}
    for source, replica in run.config.pairs:
        sources.setdefault(source, []).append(replica)
    pairs = "; ".join(f"{source} → {', '.join(replicas)}" for source, replicas in sources.items())
    return " · ".join(part for part in (run.condition, pairs) if part)


def _request(
    directory: ExperimentDirectory, plan: Plan, run: PlannedRun, argv: tuple[str, ...], *, show_progress: bool
) -> RunRequest:
    destination = plan.destination
    return RunRequest(
        run.config,
        destination.kind,
        destination.endpoints,
        destination.profile,
        create_per_region=destination.create_per_region,
        emulator=EmulatorOptions(lag=run.lag, seed=run.config.workload.seed, extra=run.emulator),
        results=directory.path,
        tags={
            "experiment": plan.name,
            "condition": run.condition,
            "repetition": str(run.repetition),
            RUN_TAG: str(run.number),
        },
        argv=argv,
        show_progress=show_progress,
        quiet=True,
    )


def _derive(ended: FinishedRun) -> None:
    from harness.analysis.derive import derive_results

    derive_results(ended.directory)


def _tell_of(left: RunDirectory) -> None:
    say(f"half-written, kept aside and measured again: {left.path}")
    if not left.manifest.exists():
        return
    target = read_json(left.manifest)["target"]
    if target["kind"] != "local":
        regions = ", ".join(target["regions"])
        say(f"warning: its table {target['table']} may still exist in {regions}; remove it there")


class _Remaining:
    """How long the rest takes: what the plan says, and what setting up and waiting has added so far."""

    def __init__(self, waiting: list[PlannedRun]) -> None:
        self._left = {run.number: run.estimate().duration_ns for run in waiting}
        self._extra_ns: list[int] = []

    def passed(self, run: PlannedRun, took_ns: int) -> None:
        """This run is over."""
        self._extra_ns.append(took_ns - self._left.pop(run.number))

    def words(self) -> str:
        """The time left, once a run tells."""
        if not self._extra_ns:
            return ""
        extra_ns = sum(self._extra_ns) / len(self._extra_ns)
        return f"about {format_duration(sum(self._left.values()) + extra_ns * len(self._left))} left"
