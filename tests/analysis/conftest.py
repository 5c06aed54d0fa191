"""Runs made for the pages: one of each kind a reader may meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.derive import derive_results
from harness.analysis.html import RunLink, matrix_page, write_page, write_report
from harness.analysis.load import load_run
from harness.analysis.matrix import region_matrix
from harness.measure.plan import Polling, RunConfig, Workload
from harness.records.run_directory import RunDirectory
from tests.recorded import ONE_PAIR, record_run

HOSTILE = (
    """<script>document.title="pwned"</script>"'><img src=x onerror="document.title='pwned'">{{ 7*7 }}-->"""
)


def reported(path: Path, config: RunConfig = ONE_PAIR, **options) -> RunDirectory:
    run = record_run(path, config, **options)
    summary, samples = derive_results(run)
    write_report(run, summary, samples)
    return run


@pytest.fixture(scope="session")
def valid(tmp_path_factory) -> RunDirectory:
    return reported(tmp_path_factory.mktemp("valid") / "run")


@pytest.fixture(scope="session")
def invalid(tmp_path_factory) -> RunDirectory:
    return reported(tmp_path_factory.mktemp("invalid") / "run", lost=3, finished=False)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> RunDirectory:
    return reported(
        tmp_path_factory.mktemp("hostile") / "run",
        tags={HOSTILE: HOSTILE},
        target={"table": HOSTILE, "emulator": {"lag": HOSTILE}},
        argv=["python", "-m", "harness.run", "--table", HOSTILE],
        interrupted=HOSTILE,
    )


@pytest.fixture(scope="session")
def both_ways(tmp_path_factory) -> RunDirectory:
    config = RunConfig(
        ("us-west-2", "ap-southeast-2"),
        (("ap-southeast-2", "eu-west-1"), ("us-west-2",)),
        Workload(samples=40, rate_per_s=100, warmup_ns=0),
        Polling(),
        control=True,
    )
    return reported(tmp_path_factory.mktemp("both") / "run", config, kind="aws")


@pytest.fixture(params=["valid", "invalid", "hostile", "both_ways", "matrix"])
def any_page(request, tmp_path) -> Path:
    if request.param != "matrix":
        return request.getfixturevalue(request.param).report
    return written_matrix(tmp_path, [request.getfixturevalue(name) for name in ("valid", "both_ways")])


def written_matrix(folder: Path, runs: list[RunDirectory]) -> Path:
    loaded = [load_run(run.path) for run in runs]
    links = [
        RunLink(source, replica, run.directory.path.name, run.summary["verdict"], "x/report.html")
        for run in loaded
        for source, replica in run.pairs
    ]
    return write_page(folder / "matrix.html", matrix_page(region_matrix(loaded), ["AWS", "simulated"], links))
