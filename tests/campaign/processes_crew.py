"""Two cases at a time: the runs of a module's tests begin with its first one, and each test waits for its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.campaign.drawn import FULL
from tests.campaign.hosts import Case
from tests.campaign.processes_judge import Result, perform
from tests.campaign.report import report_case

AT_ONCE = 2
Perform = Callable[[Case], Result]


def chosen(cases: list[Case]) -> list[object]:
    """The cases as parameters of a test: all in a full campaign, else those of the reduced one."""
    return [pytest.param(case, id=case.id) for case in cases if FULL or case.reduced]


@pytest.fixture(scope="module", name="performed")
def crew(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perform]:
    """How a case ended; its run may be over already."""
    cases = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and "case" in item.fixturenames
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = {case: pool.submit(perform, case, tmp_path_factory.mktemp("case")) for case in cases}
        yield lambda case: ended[case].result()
        pool.shutdown(cancel_futures=True)


def judge(result: Result) -> None:
    """Put a case into the campaign's table, and let the test fail where a promise was broken."""
    if result.unable:
        pytest.skip(result.unable)
    case = result.case
    report_case(case.fault.split(" + "), result.verdict, result.planned, result.accounted, len(result.broken))
    ended = f"{case.id}: exit {result.code}, {result.verdict}, struck {result.struck}"
    assert not result.broken, "\n".join((ended, *result.broken))
