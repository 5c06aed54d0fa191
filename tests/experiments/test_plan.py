"""From an experiment to its runs: which, in which order, and as which text."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections import Counter

import pytest

from harness.errors import DamagedRun
from harness.experiments.plan import Destination, Plan, make_plan, plan_from_json
from harness.experiments.spec import parse_experiment

TEXT = """
    [experiment]
    name = "try"
    question = "Does it?"
    expected_to_fail = ["throttles"]
    [regions]
    all = ["us-west-2", "eu-west-1", "us-east-1"]
    [workload]
    item_size = ["200B", "4KB"]
    [emulator]
    pause = "us-west-2/eu-west-1=1s-2s"
    [run]
    repetitions = 5
"""


def plan(seed: int = 1) -> Plan:
    return make_plan(parse_experiment(tomllib.loads(TEXT)), Destination(), seed, TEXT)


def test_every_repetition_holds_each_condition_and_group_once() -> None:
    runs = plan().runs
    assert [run.number for run in runs] == list(range(1, 31))
    assert [run.repetition for run in runs] == sorted(run.repetition for run in runs)
    cells = Counter((run.repetition, run.condition, run.config.sources) for run in runs)
    assert len(cells) == 30
    assert set(cells.values()) == {1}


def test_the_order_differs_between_repetitions_and_seeds_and_is_the_same_for_one_seed() -> None:
    blocks = [
        [(run.condition, run.config.sources) for run in plan().runs if run.repetition == n] for n in (1, 2, 3)
    ]
    assert blocks[0] != blocks[1] or blocks[1] != blocks[2]
    assert plan() == plan()
    assert [run.condition for run in plan(1).runs] != [run.condition for run in plan(2).runs]


def test_no_two_runs_share_a_seed_for_they_would_draw_the_same_lags() -> None:
    seeds = [run.config.workload.seed for run in plan().runs]
    assert len(set(seeds)) == len(seeds)


def test_a_source_feeds_all_its_replicas_in_one_run() -> None:
    for run in plan().runs:
        assert len(run.config.sources) == 1
        assert len(run.config.replicas[0]) == 2
    assert len(plan().pairs) == 6


def test_a_pause_is_told_to_the_emulator_and_remembered() -> None:
    run = plan().runs[0]
    assert run.emulator == ("--pause", "us-west-2/eu-west-1=1000000000ns-2000000000ns")
    assert run.pause is not None
    assert (run.pause.where, run.pause.start_ns) == ("us-west-2/eu-west-1", 10**9)


def test_a_pause_among_other_faults_is_remembered_too() -> None:
    faults = ("--fault", "reset=0ns-", "--fault", "pause:us-west-2/eu-west-1=1000000000ns-2000000000ns")
    run = dataclasses.replace(plan().runs[0], emulator=faults)
    assert run.pause == plan().runs[0].pause
    assert dataclasses.replace(run, emulator=faults[:2]).pause is None


def test_a_plan_survives_being_written() -> None:
    assert plan_from_json(json.loads(json.dumps(plan().to_json()))) == plan()


@pytest.mark.parametrize("key", ["name", "runs", "destination"])
def test_a_plan_that_lacks_something_is_damaged(key: str) -> None:
    value = plan().to_json()
    del value[key]
    with pytest.raises(DamagedRun, match="plan"):
        plan_from_json(value)


def test_a_plan_estimates_what_it_costs() -> None:
    estimate = plan().runs[0].estimate()
    assert estimate.writes == 440
    assert estimate.cost["usd"] > 0
