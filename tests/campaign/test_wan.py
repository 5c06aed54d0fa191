"""The harness in one network namespace, the emulator in another, and between them a network that is not kind."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.ground_truth import read_truth, with_truth
from harness.measure.events import Event, Poll, Write
from harness.records.journal import read_journal
from harness.records.run_directory import find_run
from harness.records.samples import read_samples
from tests.campaign.drawn import FULL
from tests.campaign.report import report_case
from tests.campaign.wan import Carried, End, Route, Wan, missing, wan

SOURCE, REPLICA, EARLY, LATE = "us-west-2", "ap-southeast-2", "eu-west-1", "us-east-1"
PORTS = {SOURCE: 8001, REPLICA: 8002, EARLY: 8003, LATE: 8004}  # the far namespace has them all to itself
SAMPLES, RATE, MS = 120, 20, 1_000_000
EXIT_CODES = {"VALID": 0, "INVALID": 3}

pytestmark = pytest.mark.campaign


@pytest.fixture(autouse=True, scope="module")
def _possible() -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)


@dataclass(frozen=True)
class Measured:
    """A run across the network, and the emulator's record of the truth."""

    code: int
    printed: str
    events: list[Event]
    samples: pd.DataFrame
    joined: pd.DataFrame
    summary: dict[str, Any]
    retransmitted: int
    carried: list[Carried]

    def gate(self, name: str) -> str:
        return next(str(gate["status"]) for gate in self.summary["gates"] if gate["name"] == name)

    def round_trips_ms(self, replica: str) -> list[float]:
        return [
            (event.received_ns - event.sent_ns) / MS
            for event in self.events
            if isinstance(event, Poll) and event.replica == replica and event.failure is None
        ]


@contextlib.contextmanager
def far_emulator(end: End, truth: Path) -> Iterator[None]:
    command = f"-m harness.emulator --json --die-with-parent --seed 1 --rtt none --port 8000 --truth {truth}"
    options = ["--lag", "median=400ms,sigma=0.3", "--regions", ",".join(PORTS)]
    process = subprocess.Popen(
        end.command(sys.executable, *command.split(), *options), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ports = {
            region: int(url.rpartition(":")[2])
            for region, url in json.loads(process.stdout.readline())["regions"].items()
        }
        assert ports == PORTS
        yield
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def measure(
    scratch: Path, route: Route, by_region: dict[str, Route] | None = None, replicas: str = REPLICA
) -> Measured:
    by_port = {PORTS[region]: own for region, own in (by_region or {}).items()}
    truth, results = scratch / "truth.jsonl", scratch / "results"
    with wan(route, by_port) as both, far_emulator(both.far, truth):
        command = [sys.executable, "-m", "harness.run", "--from", SOURCE, "--to", replicas, "--no-plots"]
        command += [
            "--samples",
            str(SAMPLES),
            "--rate",
            f"{RATE}/s",
            "--warmup",
            "1s",
            "--poll-interval",
            "20ms",
        ]
        command += ["--results", str(results)]
        for region in (SOURCE, *replicas.split(",")):
            command += ["--endpoint", f"{region}=http://127.0.0.1:{PORTS[region]}"]
        done = subprocess.run(
            both.near.command(*command), capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode in EXIT_CODES.values(), done.stderr
        retransmitted = both.near.retransmitted() + both.far.retransmitted()
    run = find_run("latest", results)
    samples = read_samples(run.samples)
    return Measured(
        done.returncode,
        done.stdout,
        read_journal(run.journal).events,
        samples,
        with_truth(samples, read_truth(truth)),
        json.loads(run.summary.read_text()),
        retransmitted,
        both.carried,
    )


def assert_nothing_lost_and_nothing_invented(run: Measured, fault: str, replicas: int = 1) -> None:
    held = run.joined["hard_holds"]
    accounted = len(run.samples.drop_duplicates(["to_region", "seq"]))
    report_case(
        f"network: {fault}", run.summary["verdict"], SAMPLES * replicas, accounted, int((~held).sum())
    )
    assert run.code == EXIT_CODES[run.summary["verdict"]]
    written = Counter(event.seq for event in run.events if isinstance(event, Write))
    assert written == dict.fromkeys(range(RATE + SAMPLES), 1)
    assert len(run.samples) == SAMPLES * replicas
    assert all(
        count == 1
        for count in Counter(zip(run.samples["to_region"], run.samples["seq"], strict=True)).values()
    )
    assert run.gate("accounting") == "pass"
    assert len(run.joined) == (run.samples["outcome"] == "visible").sum()
    assert len(run.joined) > SAMPLES * replicas // 2
    assert run.joined["hard_holds"].all()


def assert_what_is_called_valid_is_true(run: Measured) -> None:
    if run.summary["verdict"] != "VALID":
        return
    for pair in run.summary["pairs"]:
        found = pair["latency_ms"]["p50"]
        truths = run.joined[run.joined["to_region"] == pair["to"]]["true_ns"].to_numpy(np.float64) / MS
        assert found["low"] <= np.median(truths) <= found["high"]


def error_where_it_is_least_blurred(joined: pd.DataFrame) -> float:
    """The median error of the narrower half of the model brackets, nanoseconds."""
    width_ns = joined["model_upper_ns"] - joined["model_lower_ns"]
    return float(joined[width_ns <= width_ns.median()]["error_ns"].median())


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05] if FULL else [0.01])
def test_whatever_is_lost_and_overtaken_the_hard_brackets_hold_the_truth_and_every_write_is_accounted_for(
    tmp_path: Path, loss: float
) -> None:
    run = measure(tmp_path, Route(70, 70, loss=loss, reorder=0.05))
    assert_nothing_lost_and_nothing_invented(run, f"{loss:.0%} lost, 5% overtaken")
    assert_what_is_called_valid_is_true(run)
    assert all(direction.held > 0 for direction in run.carried)
    trips_ms = run.round_trips_ms(REPLICA)
    assert min(trips_ms) >= 140
    if loss:
        assert all(direction.dropped > 0 for direction in run.carried)
        assert run.retransmitted > 0
        assert max(trips_ms) > 2 * 140  # nobody sends again before a round trip has passed in vain
    if loss == 0.05:
        assert run.gate("rtt_excess_p99") == "fail"
        assert run.summary["verdict"] == "INVALID"


def test_an_asymmetric_path_shifts_the_model_bracket_by_half_the_asymmetry_and_the_hard_bracket_holds(
    tmp_path: Path,
) -> None:
    routes = {EARLY: Route(120, 20), LATE: Route(20, 120)}
    run = measure(tmp_path, Route(70, 70), routes, ",".join((REPLICA, EARLY, LATE)))
    assert_nothing_lost_and_nothing_invented(run, "asymmetric to some Regions", replicas=3)
    assert "assumes symmetric round trips" in " ".join(run.printed.split())
    for region, shift_ns in ((REPLICA, 0), (EARLY, -50 * MS), (LATE, 50 * MS)):
        mine = run.joined[run.joined["to_region"] == region]
        shifted = mine["true_ns"] + shift_ns
        holds = (mine["model_lower_ns"] <= shifted) & (shifted <= mine["model_upper_ns"])
        assert holds.mean() > 0.9, region
        assert abs(error_where_it_is_least_blurred(mine) - shift_ns) < 25 * MS, region  # nearer than no shift


@pytest.mark.skipif(not FULL, reason="only in the full campaign")
def test_an_asymmetry_that_writes_and_reads_share_cancels_out(tmp_path: Path) -> None:
    run = measure(tmp_path, Route(120, 20))
    assert_nothing_lost_and_nothing_invented(run, "asymmetric to all Regions")
    assert_what_is_called_valid_is_true(run)
    assert run.joined["model_holds"].mean() > 0.9
    assert abs(error_where_it_is_least_blurred(run.joined)) < 25 * MS


def test_nothing_is_left_of_the_network_even_after_a_failure() -> None:
    ends: list[End] = []

    def fail(both: Wan) -> None:
        ends.extend([both.near, both.far])
        assert all(Path(f"/proc/{end.pid}/ns/net").exists() for end in ends)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), wan(Route()) as both:
        fail(both)
    assert len(ends) == 2
    assert not any(Path(f"/proc/{end.pid}").exists() for end in ends)
    tunnels = (path.name for path in Path("/sys/class/net").iterdir())
    assert not [name for name in tunnels if name.startswith(("near", "far"))]
