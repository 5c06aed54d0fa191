"""Everything the harness raises on purpose.

    HarnessError                 one sentence for the user: what, where, what to do
    ├── UsageError               exit 2   a flag, a file or a value is wrong
    ├── MeasurementInvalid       exit 3   measured, but the numbers cannot be trusted
    ├── TargetUnavailable        exit 4   credentials, network or table
    └── DamagedRun               exit 2   a run directory that cannot be read

Any other exception is a defect of the harness.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every verb."""

    OK = 0
    THRESHOLD = 1
    USAGE = 2
    INVALID = 3
    UNAVAILABLE = 4
    INTERRUPTED = 130


class HarnessError(Exception):
    """An error whose text is a sentence for the user."""

    exit_code = ExitCode.USAGE


class UsageError(HarnessError):
    """A flag, a file or a value that cannot be used."""

    exit_code = ExitCode.USAGE


class MeasurementInvalid(HarnessError):
    """The measurement broke an invariant; its numbers must not be used."""

    exit_code = ExitCode.INVALID


class TargetUnavailable(HarnessError):
    """The target cannot be reached or used: credentials, network or table."""

    exit_code = ExitCode.UNAVAILABLE


class DamagedRun(HarnessError):
    """A run directory, or a file in it, that cannot be read."""

    exit_code = ExitCode.USAGE
