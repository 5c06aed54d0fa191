"""`python -m tests.campaign.search`: how many runs it takes to find what is wrong with the harness that is imported.

Prints one JSON object: {"harness": where it lies, "runs": performed, "problem": the first found, or null}.
"""

from __future__ import annotations

import contextlib
import json
import sys

from hypothesis import Phase, given

import harness
from tests.campaign.drawn import drawn_settings, scenarios
from tests.campaign.faults import FAULTS
from tests.campaign.judge import judge
from tests.campaign.scenario import Scenario, perform

AT_MOST = 150
IN_A_ROW = 2


class Found(Exception):
    """The campaign has found something."""


def search() -> tuple[int, str | None]:
    """The runs it took, and what was found; each fault in its turn, two runs at a time."""
    runs = 0
    for turn in range(AT_MOST):
        for first in FAULTS:
            left = min(IN_A_ROW, AT_MOST - runs)
            if not left:
                return runs, None
            runs, problem = _some(first, turn, left, runs)
            if problem is not None:
                return runs, problem
    return runs, None


def _some(first: str, turn: int, count: int, runs: int) -> tuple[int, str | None]:
    problem: str | None = None

    @drawn_settings(count, f"{first} {turn}", Phase.generate)
    @given(scenario=scenarios(first))
    def look(scenario: Scenario) -> None:
        nonlocal runs, problem
        runs += 1
        try:
            judgement = judge(perform(scenario))
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise Found from error
        if judgement.problems:
            problem = judgement.problems[0]
            raise Found

    with contextlib.suppress(Found):
        look()
    return runs, problem


if __name__ == "__main__":
    performed, found = search()
    sys.stdout.write(json.dumps({"harness": harness.__file__, "runs": performed, "problem": found}))
