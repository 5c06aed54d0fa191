"""The compare verb on runs made for the purpose: what it finds, refuses and says with its exit code."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.derive import derive_results
from harness.measure.events import Event, Phase, Poll, Ticks, Write
from harness.measure.plan import Polling, RunConfig, Workload, WritePlan
from harness.records.journal import Journal
from harness.records.manifest import describe_run, write_json
from harness.records.run_directory import RunDirectory

MS = 1_000_000
SOURCE, REPLICA = "us-west-2", "ap-southeast-2"


def record_run(
    results: Path,
    name: str,
    median_ms: float,
    *,
    samples: int = 600,
    target: str = "local",
    read: str = "strong",
    tag: str | None = None,
    start_s: int = 0,
    finished: bool = True,
) -> Path:
    """A run directory as a session would leave it, its latencies drawn around a median."""
    import asyncio

    workload = Workload(samples=samples, rate_per_s=100, warmup_ns=0)
    config = RunConfig((SOURCE,), ((REPLICA,),), workload, Polling(read=read))
    run = RunDirectory(results / name)
    run.path.mkdir(parents=True)
    label = {"local": "simulated", "aws": "AWS"}[target]
    kind = {"kind": target, "label": label, "emulator": {}}
    manifest = describe_run(name, config, [], kind, {} if tag is None else {"variant": tag})
    manifest["started"] = {"wall_ns": start_s * 10**9, "monotonic_ns": 0}
    write_json(run.manifest, manifest)

    async def write() -> None:
        async with Journal(run.journal) as journal:
            for event in events(config, median_ms, random.Random(name), finished):
                journal.append(event)

    asyncio.run(write())
    derive_results(run)
    return run.path


def events(config: RunConfig, median_ms: float, rng: random.Random, finished: bool) -> list[Event]:
    plan = WritePlan("r", SOURCE, config.workload)
    found: list[Event] = [Phase("measuring", 1, "1000000000")]
    for seq in range(plan.total):
        due_ns = 10**9 + plan.due_ns(seq)
        lag_ns = round(rng.lognormvariate(0, 0.35) * median_ms * MS)
        found.append(Write(SOURCE, seq, due_ns, due_ns, due_ns + 2 * MS, "acked"))
        miss_ns = due_ns + lag_ns - rng.randrange(5 * MS)
        for sent_ns, hits in ((miss_ns, ()), (miss_ns + 5 * MS, (seq,))):
            poll = Poll(SOURCE, REPLICA, sent_ns, sent_ns + 2 * MS, seqs=(seq,), hits=hits)
            found.append(replace(poll, read=config.polling.read))
    found.append(Ticks(SOURCE, REPLICA, 1, 100, 0, 0, config.polling.read))
    return found + ([Phase("finished", 2)] if finished else [])


def compare(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    def record(name: str, median_ms: float = 650, **options: Any) -> Path:
        return record_run(tmp_path, name, median_ms, **options)

    return record


def cells(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (comparison,) = json.loads(done.stdout)["comparisons"]
    differences: dict[str, Any] = comparison["difference_ms"]
    return differences


def test_a_shift_of_the_median_is_found_with_its_size_and_interval(make: Callable[..., Path]) -> None:
    done = compare(make("a", 650, samples=2000), make("b", 715, samples=2000), "--json")
    assert done.returncode == 0, done.stderr
    median = cells(done)["p50"]
    assert median["significant"] is True
    assert 30 < median["value"] < 100
    assert median["low"] < 65 < median["high"]
    assert median["worst_low"] <= median["low"]
    assert median["worst_high"] >= median["high"]


def test_runs_that_do_not_differ_are_called_not_significant(make: Callable[..., Path]) -> None:
    done = compare(make("a"), make("b"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not significant") == 4
    assert "simulated" in done.stdout


def test_a_regression_is_exit_1_and_an_improvement_is_not(make: Callable[..., Path]) -> None:
    slow, fast = make("slow", 800), make("fast", 600)
    assert compare(fast, slow, "--regression").returncode == 1
    assert compare(slow, fast, "--regression").returncode == 0


def test_a_threshold_on_the_difference_is_exit_1(make: Callable[..., Path]) -> None:
    first, second = make("a", 600), make("b", 800)
    done = compare(first, second, "--fail-if", "p50>100ms")
    assert done.returncode == 1
    assert "--fail-if p50>100 ms" in done.stderr
    assert compare(first, second, "--fail-if", "p50>1s").returncode == 0


def test_simulated_and_real_are_compared_only_by_force(make: Callable[..., Path]) -> None:
    first, second = make("a"), make("b", target="aws")
    done = compare(first, second)
    assert done.returncode == 2
    assert "must not be compared" in done.stderr
    forced = compare(first, second, "--force")
    assert forced.returncode == 0
    assert "AWS, simulated" in forced.stdout


def test_read_modes_are_never_mixed(make: Callable[..., Path]) -> None:
    done = compare(make("a"), make("b", read="eventual"), "--force")
    assert done.returncode == 2
    assert "read mode" in done.stderr


def test_invalid_runs_are_left_out_unless_asked_for_and_then_marked(make: Callable[..., Path]) -> None:
    first, second = make("a"), make("b", finished=False)
    done = compare(first, second)
    assert done.returncode == 2
    assert "left out, INVALID: b" in done.stderr
    asked = compare(first, second, "--include-invalid")
    assert asked.returncode == 0
    assert "INVALID" in asked.stdout


def test_runs_that_took_turns_are_compared_block_by_block(make: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(16):
        make(f"r{number:02}", 650, samples=60, tag="ab"[number % 2], start_s=60 * number)
    done = compare(tmp_path / "r*", "--by", "variant", "--json")
    assert done.returncode == 0, done.stderr
    (comparison,) = json.loads(done.stdout)["comparisons"]
    assert comparison["interleaved"] is True
    assert comparison["first"] == {"label": "a", "n": 480, "runs": 8}


def test_the_matrix_has_a_cell_for_each_pair_with_n_interval_and_verdict(make: Callable[..., Path]) -> None:
    done = compare("--matrix", make("a"), make("b"), "--json")
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["from"], cell["to"], cell["n"], cell["verdict"]) == (SOURCE, REPLICA, 1200, "VALID")
    assert cell["latency_ms"]["p99"]["low"] < cell["latency_ms"]["p99"]["value"]


def test_the_page_of_a_matrix_leads_to_the_reports_by_relative_path(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    run = make("a")
    (run / "report.html").write_text("a page")
    done = compare("--matrix", run, "--html", tmp_path / "pages" / "matrix.html")
    assert done.returncode == 0, done.stderr
    assert 'href="../a/report.html"' in (tmp_path / "pages" / "matrix.html").read_text()


def test_a_run_without_a_report_is_named_on_the_page_without_a_link(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    done = compare("--matrix", make("a"), "--html", tmp_path / "matrix.html")
    assert done.returncode == 0, done.stderr
    assert 'report.html"' not in (tmp_path / "matrix.html").read_text()
    assert "make it with harness.report" in (tmp_path / "matrix.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("no-such-run",), "no run at no-such-run"),
        (("no-such-*",), "no run matches"),
        (("--html", "m.html", "x"), "--html is the page of a --matrix"),
        (("--fail-if", "p98>1s", "x"), "p98>1s"),
        ((), "RUN"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    done = compare(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_single_run_of_one_pair_is_nothing_to_compare(make: Callable[..., Path]) -> None:
    done = compare(make("a", samples=100))
    assert done.returncode == 2
    assert "nothing to compare" in done.stderr
