"""From an experiment to its runs, in the order they are measured: pure, and the same for the same seed.

Every repetition is a block that holds each condition and group of pairs once, in an order of its own, so that a drift
of the network or the host falls on all conditions alike and does not pass for a difference between them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness.errors import DamagedRun
from harness.experiments.settings import Fault, parse_fault
from harness.experiments.spec import Condition, Experiment, Pair
from harness.measure.config_json import config_from_json
from harness.measure.forecast import Estimate, estimate_run
from harness.measure.plan import RunConfig
from harness.regions import complete_quorum

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run: its place in the order (from 1), which condition and repetition it is, and what it does.

    `lag` and `emulator` (further arguments) are for the emulator alone.
    """

    number: int
    condition: str
    repetition: int
    config: RunConfig
    lag: str
    emulator: tuple[str, ...] = ()

    @property
    def pause(self) -> Fault | None:
        """When and where replication is paused; None where it is not."""
        for flag, given in itertools.pairwise(self.emulator):
            if flag == "--pause":
                return parse_fault(given)
            if flag == "--fault" and given.startswith("pause"):
                fault = parse_fault(given)
                return replace(fault, where=fault.where.partition(":")[2])
        return None

    def estimate(self) -> Estimate:
        """How long it takes, what it sends, what that costs."""
        return estimate_run(self.config)


@dataclass(frozen=True, slots=True)
class Destination:
    """What is measured: the kind of target, and how to reach it."""

    kind: str = "local"
    endpoints: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    create_per_region: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All runs of an experiment against one destination, in order. `file` is what the TOML file held."""

    name: str
    question: str
    seed: int
    conditions: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    destination: Destination
    expected_to_fail: tuple[str, ...] = ()
    file: str = ""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every Region pair measured, each once, in the order of the first repetition's runs."""
        return tuple(sorted({pair for run in self.runs for pair in run.config.pairs}))

    @property
    def regions(self) -> tuple[str, ...]:
        """Every Region of any run."""
        return tuple(sorted({region for run in self.runs for region in run.config.regions}))

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        runs = [asdict(run) | {"config": run.config.to_json()} for run in self.runs]
        return {"format_version": FORMAT_VERSION, **asdict(self), "runs": runs}


def make_plan(experiment: Experiment, destination: Destination, seed: int, file: str = "") -> Plan:
    """The runs of an experiment, repetition after repetition, each in a random order drawn from `seed`."""
    rng = random.Random(f"experiment {seed}")
    cells = [(condition, group) for condition in experiment.conditions for group in experiment.groups]
    order: list[tuple[int, Condition, tuple[Pair, ...]]] = []
    for repetition in range(1, experiment.repetitions + 1):
        order += [(repetition, *cell) for cell in rng.sample(cells, len(cells))]
    runs = tuple(
        PlannedRun(
            number,
            condition.label,
            repetition,
            _config(condition, group, rng.randrange(2**31)),
            condition.settings.emulator.lag,
            condition.settings.emulator.arguments(),
        )
        for number, (repetition, condition, group) in enumerate(order, 1)
    )
    return Plan(
        experiment.name,
        experiment.question,
        seed,
        tuple(condition.label for condition in experiment.conditions),
        runs,
        destination,
        experiment.expected_to_fail,
        file,
    )


def plan_from_json(value: Mapping[str, Any]) -> Plan:
    """The plan that `Plan.to_json` wrote.

    Raises:
        DamagedRun: a key is missing or unknown.
    """
    try:
        fields = {key: value[key] for key in value if key not in ("format_version", "runs", "destination")}
        for key in ("conditions", "expected_to_fail"):
            fields[key] = tuple(fields[key])
        return Plan(
            **fields, runs=tuple(_runs(value["runs"])), destination=Destination(**value["destination"])
        )
    except (AttributeError, KeyError, TypeError, DamagedRun) as error:
        raise DamagedRun(f"the plan of the experiment cannot be read: {error}") from None


def _runs(values: Sequence[Mapping[str, Any]]) -> Iterator[PlannedRun]:
    for value in values:
        config = config_from_json(value["config"])
        yield PlannedRun(**{**value, "config": config, "emulator": tuple(value["emulator"])})


def _config(condition: Condition, group: Sequence[Pair], seed: int) -> RunConfig:
    """Runs of one seed draw the same lags and could not be compared: every run has its own."""
    sources = tuple(dict.fromkeys(source for source, _ in group))
    settings = condition.settings
    strong = settings.consistency == "strong"
    return RunConfig(
        sources,
        tuple(tuple(replica for source, replica in group if source == mine) for mine in sources),
        replace(settings.workload, seed=seed),
        settings.polling,
        settings.control,
        settings.consistency,
        complete_quorum(list({region for pair in group for region in pair})) if strong else None,
    )
