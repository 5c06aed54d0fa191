"""Runs on virtual time under every fault by itself, and under random combinations of them."""

from __future__ import annotations

import pytest
from hypothesis import given

from harness.measure.plan import Polling, RunConfig, Workload
from tests.campaign.drawn import FULL, REPLICA, RUNS, SEED, SOURCE, THIRD, drawn_settings, scenarios
from tests.campaign.faults import FAULTS, STALE_READS, Fault
from tests.campaign.judge import Judgement, judge
from tests.campaign.report import note, report_case
from tests.campaign.scenario import Scenario, perform
from tests.fakes import MS

pytestmark = pytest.mark.campaign

WORKLOAD = Workload(samples=40, rate_per_s=40, warmup_ns=200 * MS)
POLLING = Polling(10 * MS, timeout_ns=2500 * MS)


def judged(scenario: Scenario) -> Judgement:
    """Perform, judge and report one run."""
    done = perform(scenario)
    judgement = judge(done)
    report_case(
        done.world.befallen or "no fault",
        judgement.verdict,
        judgement.planned,
        judgement.accounted,
        len(judgement.problems),
    )
    return judgement


@pytest.mark.parametrize("read", ["strong", "eventual"])
def test_a_run_without_faults_is_valid_and_right(read: str) -> None:
    polling = Polling(5 * MS, read=read, timeout_ns=2500 * MS)
    config = RunConfig((SOURCE,), ((REPLICA, THIRD),), WORKLOAD, polling)
    judgement = judged(Scenario(config, lag_median_ms=300, lag_sigma=0.4))
    assert judgement.problems == ()
    assert judgement.verdict == "VALID"
    assert judgement.accounted == judgement.planned


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_by_itself_is_measured_through_or_said(fault: str) -> None:
    read, strategy = ("eventual", "query") if fault == STALE_READS else ("strong", "batch")
    polling = Polling(
        10 * MS, "query" if fault == "page ends early" else strategy, read=read, timeout_ns=2500 * MS
    )
    config = RunConfig((SOURCE,), ((REPLICA,),), WORKLOAD, polling)
    struck = Fault(fault, 0.7, 1.1, share=0.5, size_s=0.15)
    done = perform(Scenario(config, (struck,), lag_median_ms=300, lag_sigma=0.4, rtt_ms=(2.0, 80.0)))
    judgement = judge(done)
    report_case(fault, judgement.verdict, judgement.planned, judgement.accounted, len(judgement.problems))
    assert done.world.befallen == {fault}
    assert judgement.problems == ()
    assert judgement.accounted == judgement.planned


@pytest.mark.parametrize("first", [*FAULTS, "no fault"])
def test_whatever_else_goes_wrong_nothing_is_lost_and_nothing_invented(first: str) -> None:
    runs = -(-RUNS // (len(FAULTS) + 1))
    note(f"at least {RUNS:,} randomised virtual runs, CAMPAIGN_SEED={SEED}{'' if FULL else ' (reduced)'}")

    @drawn_settings(runs, first)
    @given(scenario=scenarios(None if first == "no fault" else first))
    def campaign(scenario: Scenario) -> None:
        judgement = judged(scenario)
        assert judgement.problems == ()
        assert judgement.accounted == judgement.planned

    campaign()
