"""Every gate passes on a healthy run, fails when its cause is injected, and is n/a when there is nothing to look at."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.text import Text
from rich.console import Console

from harness.analysis import plots
from harness.analysis.derive import derive_results
from harness.analysis.evidence import Evidence, Gate
from harness.analysis.gates import evaluate_gates, verdict
from harness.analysis.load import Run as LoadedRun
from harness.analysis.summary import summarize_run
from harness.measure.events import Event, Poll, Write
from harness.measure.plan import Polling, RunConfig, Workload
from harness.measure.session import Session
from harness.records.journal import Journal
from harness.records.manifest import write_json
from harness.records.run_directory import RunDirectory
from harness.records.samples import join_samples
from harness.terminal import print_summary
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually, stall

SOURCE, REPLICA = "us-west-2", "ap-southeast-2"
NAMES = (
    "complete",
    "accounting",
    "consistency",
    "losses",
    "sample_size",
    "throttles",
    "first_attempts",
    "event_loop_delay_p99",
    "rtt_excess_p99",
    "poll_adherence",
    "writer_lateness_p99",
    "rtt_drift",
    "resolution",
    "wall_clock_step",
)
MANIFEST = {
    "run_id": "run",
    "target": {"kind": "local", "label": "simulated", "emulator": {"lag": "typical"}},
}
Fault = Callable[[str, int], str | None]


def no_fault(operation: str, seq: int) -> str | None:
    return None


def lag_ns(seq: int) -> int:
    return round(random.Random(seq).lognormvariate(0, 0.35) * 650 * MS)


class Run:
    """A session on virtual time: a writer 2 ms from its table, a replica 60 ms away."""

    def __init__(
        self,
        *,
        samples: int = 100,
        lag: Callable[[int], int | None] = lag_ns,
        polling: Polling = Polling(interval_ns=20 * MS, timeout_ns=3000 * MS),  # noqa: B008 # frozen
        write_fault: Fault = no_fault,
        read_fault: Fault = no_fault,
        rtt_ms: float | Callable[[float], float] = 60,
        noise_ms: float | Callable[[float], float] = 1,
        stall_ms: float = 0,
        stall_every_s: float = 0.5,
        wall_step_ms: float = 0,
        stop_after_s: float | None = None,
    ) -> None:
        workload = Workload(samples=samples, rate_per_s=20, warmup_ns=500 * MS)
        self.config = RunConfig((SOURCE,), ((REPLICA,),), workload, polling)
        self.events: list[Event] = []

        async def perform() -> None:
            world = FakeWorld(lag)
            stores = {
                SOURCE: FakeStore(world, SOURCE, rtt_ms=2, noise_ms=0.2, fault=write_fault),
                REPLICA: FakeStore(world, REPLICA, rtt_ms, noise_ms, read_fault),
            }
            clock = VirtualClock(round(wall_step_ms * MS), after_s=2)
            session = Session("run", self.config, stores, clock, self.events.append)
            loop = asyncio.get_running_loop()
            if stop_after_s is not None:
                loop.call_later(stop_after_s, session.stop, "SIGINT")

            def block() -> None:
                stall(stall_ms / 1e3)
                loop.call_later(stall_every_s, block)

            if stall_ms:
                loop.call_later(stall_every_s, block)
            await session.run()

        run_virtually(perform())
        self.samples = join_samples("run", self.config, self.events)

    def gates(self) -> dict[str, Gate]:
        return evaluated(self.config, self.events, self.samples)


def evaluated(config: RunConfig, events: Sequence[Event], samples: pd.DataFrame) -> dict[str, Gate]:
    return {gate.name: gate for gate in evaluate_gates(Evidence(config, events, samples))}


def failed(gates: dict[str, Gate]) -> set[str]:
    return {name for name, gate in gates.items() if gate.status == "fail"}


def now_and_then(failure: str, share: float = 0.05) -> Fault:
    rng = random.Random(7)
    return lambda operation, seq: failure if rng.random() < share else None


def puts(failure: str, *seqs: int) -> Fault:
    return lambda operation, seq: failure if operation == "put" and seq in seqs else None


@pytest.fixture(scope="module")
def healthy() -> Run:
    """Long enough for every gate to have something to look at: two stretches of ten seconds."""
    return Run(samples=420)


def test_a_healthy_run_passes_every_gate(healthy: Run) -> None:
    gates = healthy.gates()
    assert tuple(gates) == NAMES
    assert {name: gate.status for name, gate in gates.items()} == dict.fromkeys(NAMES, "pass")
    assert verdict(list(gates.values())) == "VALID"


CAUSES: dict[str, tuple[str, Callable[[], Run]]] = {
    "a run that was interrupted": ("complete", lambda: Run(stop_after_s=3)),
    "a replica that never shows a write": (
        "losses",
        lambda: Run(lag=lambda s: None if s == 50 else lag_ns(s)),
    ),
    "nothing becomes visible": ("sample_size", lambda: Run(samples=20, lag=lambda seq: None)),
    "throttled reads": ("throttles", lambda: Run(read_fault=now_and_then("throttled"))),
    "throttled writes": ("throttles", lambda: Run(write_fault=puts("throttled", 40))),
    "keys left unprocessed": (
        "throttles",
        lambda: Run(
            polling=Polling(interval_ns=20 * MS, strategy="batch", timeout_ns=3000 * MS),
            read_fault=now_and_then("unprocessed"),
        ),
    ),
    "reads answered 5xx": ("first_attempts", lambda: Run(read_fault=now_and_then("server_error"))),
    "reads that time out": ("first_attempts", lambda: Run(read_fault=now_and_then("timeout"))),
    "writes answered 5xx": ("first_attempts", lambda: Run(write_fault=puts("server_error", 40, 50))),
    "writes whose answer is lost": ("first_attempts", lambda: Run(write_fault=puts("timeout after", 40, 50))),
    "an event loop that stalls": ("event_loop_delay_p99", lambda: Run(stall_ms=40)),
    "one long stall": ("event_loop_delay_p99", lambda: Run(stall_ms=600, stall_every_s=3)),
    "a congested path": ("rtt_excess_p99", lambda: Run(noise_ms=150)),
    "an event loop too slow for the polls": (
        "poll_adherence",
        lambda: Run(stall_ms=60, stall_every_s=0.05, polling=Polling(5 * MS, timeout_ns=3000 * MS)),
    ),
    "writes that leave late": ("writer_lateness_p99", lambda: Run(stall_ms=100)),
    "a route that changes": ("rtt_drift", lambda: Run(samples=420, rtt_ms=lambda s: 60 if s < 12 else 75)),
    "polls too sparse": ("resolution", lambda: Run(polling=Polling(400 * MS, schedule="fixed"))),
    "a wall clock that steps": ("wall_clock_step", lambda: Run(wall_step_ms=-200)),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_gate_fails_for_its_cause(cause: str) -> None:
    name, perform = CAUSES[cause]
    gates = perform().gates()
    assert gates[name].status == "fail", gates[name]
    assert gates[name].remedy
    assert gates["accounting"].status == "pass"
    assert verdict(list(gates.values())) == "INVALID"


@pytest.mark.parametrize(
    ("cause", "only"),
    [
        ("a wall clock that steps", {"wall_clock_step"}),
        ("a route that changes", {"rtt_drift"}),
        ("polls too sparse", {"resolution"}),
        ("reads that time out", {"first_attempts"}),
        ("a replica that never shows a write", {"losses"}),
    ],
)
def test_a_cause_fails_no_other_gate(cause: str, only: set[str]) -> None:
    assert failed(CAUSES[cause][1]().gates()) == only


def test_accounting_fails_when_a_write_is_missing_or_there_twice(healthy: Run) -> None:
    short = healthy.samples.iloc[1:]
    assert evaluated(healthy.config, healthy.events, short)["accounting"].status == "fail"
    twice = pd.concat([healthy.samples.iloc[1:], healthy.samples.iloc[-1:]])
    assert evaluated(healthy.config, healthy.events, twice)["accounting"].status == "fail"


def test_accounting_fails_for_an_outcome_nobody_knows(healthy: Run) -> None:
    samples = healthy.samples.copy()
    samples.loc[3, "outcome"] = "mislaid"
    assert evaluated(healthy.config, healthy.events, samples)["accounting"].status == "fail"


def test_consistency_fails_when_a_miss_comes_after_the_hit(healthy: Run) -> None:
    """A read recorded before the first hit, but sent after it, that still misses: clock or server is wrong."""
    hit = next(e for e in healthy.events if isinstance(e, Poll) and e.hits and e.hits[0] > 20)
    liar = Poll(SOURCE, REPLICA, hit.received_ns + 500 * MS, hit.received_ns + 560 * MS, seqs=hit.hits[:1])
    at = healthy.events.index(hit)
    events = [*healthy.events[:at], liar, *healthy.events[at:]]
    gates = evaluated(healthy.config, events, join_samples("run", healthy.config, events))
    assert failed(gates) == {"consistency"}


def test_a_single_failed_request_is_no_rate() -> None:
    assert Run(write_fault=puts("server_error", 40)).gates()["first_attempts"].status == "pass"


def test_failures_of_writes_are_not_diluted_by_polls_that_succeed() -> None:
    run = Run(write_fault=puts("server_error", 40, 50))
    gate = run.gates()["first_attempts"]
    assert gate.status == "fail"
    assert "98.18% of 110 writes" in gate.value


def test_a_write_that_could_not_even_be_sent_counts_as_failed_and_one_never_tried_does_not(
    healthy: Run,
) -> None:
    refused = [Write(SOURCE, s, 0, None, None, "failed", 1, "refused", failure="connection") for s in (0, 1)]
    untried = [Write(SOURCE, s, 0, None, None, "failed", 0, "not attempted") for s in (0, 1)]
    status = {
        name: evaluated(healthy.config, events, healthy.samples)["first_attempts"].status
        for name, events in (("refused", refused), ("untried", untried))
    }
    assert status == {"refused": "fail", "untried": "n/a"}


def test_every_refused_attempt_of_a_write_counts_as_throttled() -> None:
    tries: Counter[int] = Counter()

    def twice(operation: str, seq: int) -> str | None:
        tries[seq] += operation == "put"
        return "throttled" if operation == "put" and seq == 40 and tries[seq] <= 2 else None

    assert Run(write_fault=twice).gates()["throttles"].value == "2 throttled"
    assert Run(write_fault=puts("throttled", 40)).gates()["throttles"].value == "3 throttled"


def test_unprocessed_keys_are_neither_hits_nor_misses() -> None:
    run = Run(
        polling=Polling(interval_ns=20 * MS, strategy="batch", timeout_ns=3000 * MS),
        read_fault=now_and_then("unprocessed"),
    )
    left = [e for e in run.events if isinstance(e, Poll) and e.unprocessed]
    assert left
    assert not any(poll.covered() or poll.hits for poll in left)
    assert (run.samples["outcome"] == "visible").all()


def test_a_loop_that_stalls_rarely_but_long_is_late_for_as_long_as_it_stalls() -> None:
    """Probes that wait for one another would see one late timer in 180: a p99 that looks healthy."""
    value = Run(stall_ms=600, stall_every_s=3).gates()["event_loop_delay_p99"].value
    assert float(value.split()[0]) > 400


def test_a_poller_that_falls_behind_is_not_hidden_by_one_that_keeps_up(healthy: Run) -> None:
    from harness.measure.events import Ticks

    ticks = [Ticks(SOURCE, REPLICA, 0, 100, 20, 0), Ticks(SOURCE, "eu-west-1", 0, 10_000, 0, 0)]
    gate = evaluated(healthy.config, ticks, healthy.samples)["poll_adherence"]
    assert (gate.status, gate.value) == ("fail", "80.0% of 100")


def test_a_gate_with_nothing_to_look_at_is_not_evaluated() -> None:
    config = RunConfig((SOURCE,), ((REPLICA,),), Workload(samples=10))
    gates = evaluated(config, [], join_samples("run", config, []))
    assert {name: gate.status for name, gate in gates.items()} == {
        **dict.fromkeys(NAMES, "n/a"),
        "complete": "fail",  # it did not finish
        "accounting": "pass",  # every write is there: none was attempted
        "sample_size": "fail",  # none became visible
    }


def test_a_run_too_short_to_show_a_drift_does_not_pass_for_steady() -> None:
    assert Run(samples=40).gates()["rtt_drift"].status == "n/a"


def printed(summary: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_summary(console, summary)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


@pytest.mark.parametrize("cause", ["throttled reads", "a wall clock that steps", "nothing becomes visible"])
def test_an_invalid_run_says_so_wherever_a_number_is_shown(cause: str) -> None:
    name, perform = CAUSES[cause]
    run = perform()
    summary = summarize_run(MANIFEST, run.config, run.events, run.samples)
    assert summary["verdict"] == "INVALID"
    gate = next(gate for gate in summary["gates"] if gate["name"] == name)
    assert gate["status"] == "fail"
    text = printed(summary)
    assert "p50 (INVALID)" in text
    assert f"{name}: {gate['value']} (must be {gate['threshold']})" in " ".join(text.split())
    for draw in (plots.latency_ecdf, plots.latency_tail, plots.latency_over_run):
        figure = draw(run.samples, summary, (SOURCE, REPLICA))
        assert "INVALID" in " ".join(t.get_text() for t in figure.findobj(Text))


@pytest.mark.parametrize("stop_after_s", [None, 3])
def test_what_a_run_leaves_behind_carries_its_verdict(tmp_path: Path, stop_after_s: float | None) -> None:
    run = Run(stop_after_s=stop_after_s)
    directory = RunDirectory(tmp_path)
    write_json(directory.manifest, MANIFEST | {"format_version": 1, "config": run.config.to_json()})

    async def keep() -> None:
        async with Journal(directory.journal) as journal:
            for event in run.events:
                journal.append(event)

    asyncio.run(keep())
    summary, samples = derive_results(directory)
    wanted = "VALID" if stop_after_s is None else "INVALID"
    assert json.loads(directory.summary.read_text())["verdict"] == summary["verdict"] == wanted
    assert directory.histogram(SOURCE, REPLICA).read_text().endswith(f"#[simulated, {wanted}]\n")
    table = LoadedRun(directory, MANIFEST, summary, samples).percentile_table()
    assert ("p50 (INVALID)" in table.columns) == (wanted == "INVALID")


def test_a_valid_run_says_invalid_nowhere(healthy: Run) -> None:
    summary = summarize_run(MANIFEST, healthy.config, healthy.events, healthy.samples)
    assert summary["verdict"] == "VALID"
    assert "INVALID" not in printed(summary)
    figure = plots.latency_ecdf(healthy.samples, summary, (SOURCE, REPLICA))
    assert "INVALID" not in " ".join(t.get_text() for t in figure.findobj(Text))
