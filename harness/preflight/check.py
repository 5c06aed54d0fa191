"""One thing looked at before a run, and what is to be thought of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """A check that could not be made is not applicable, and never counts as passed."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Check:
    """What was seen; `where` is a Region or empty, `remedy` what to do where it is not ok."""

    name: str
    status: Status
    detail: str
    where: str = ""
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "where": self.where or None,
            "status": self.status.value,
            "detail": self.detail,
            "remedy": self.remedy or None,
        }


def failures(checks: Iterable[Check]) -> list[Check]:
    """Those that say that a run cannot work."""
    return [check for check in checks if check.status is Status.FAILED]
