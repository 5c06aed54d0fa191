"""The campaign's table, at the end of a test run that has performed some of it."""

from __future__ import annotations

import pytest

from tests.campaign.report import report_case as report_case
from tests.campaign.report import table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = list(table())
    if lines:
        terminalreporter.section("fault campaign")
        for line in lines:
            terminalreporter.write_line(line)
