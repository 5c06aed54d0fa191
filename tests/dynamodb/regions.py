"""Regions for the control plane's client: the emulator's pure world on virtual time, and faults at any call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from harness.dynamodb.global_table import GlobalTable
from harness.emulator.errors import WireError
from harness.emulator.pace import Pace, like_aws
from tests.emulator.worlds import IRELAND, OPERATIONS, OREGON, SYDNEY, S, world_of

TABLE = "items"
CALL_NS = S // 10


class Killed(BaseException):
    """The process is gone: nothing of it runs any more, `except Exception` included."""


@dataclass
class Regions:
    """An `Access` to emulated Regions whose clock moves with calls and pauses.

    `fault` is called with (number, operation, Region) of each changing call before and after it takes effect, the
    number counting both.
    """

    pace: Pace = field(default_factory=like_aws)
    seed: int = 1
    ignored_updates: int = 0
    fault: Callable[[int, str, str], None] = lambda *_: None
    places: tuple[str, ...] = (OREGON, SYDNEY, IRELAND)
    now: int = 0
    moments: int = 0
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = world_of(
            *self.places, pace=self.pace, seed=self.seed, ignored_updates=self.ignored_updates
        )
        self._lock = Lock()

    def control(self, region: str, attempts: int = 4) -> Any:
        """A client of one Region."""
        return _Client(self, region)

    def table(self, *regions: str, **more: Any) -> GlobalTable:
        """The table under test, in these Regions."""
        more.setdefault("say", self.said.append)
        return GlobalTable(
            self,
            TABLE,
            regions or self.places,
            now_ns=lambda: self.now,
            pause=self.pause,
            **more,
        )

    def pause(self, duration_ns: int) -> None:
        """Let time pass."""
        self.now += duration_ns

    def ask(self, operation: str, region: str, request: dict[str, Any]) -> dict[str, Any]:
        """One call, as botocore tells of it."""
        changes = operation != "DescribeTable"
        if changes:
            self.calls.append((operation, region, request))
            self._moment(operation, region)
        with self._lock:
            self.now += CALL_NS
            try:
                answer = OPERATIONS[operation](self.world, region, request, self.now)
            except WireError as error:
                details = {"Error": {"Code": error.error_type, "Message": error.message}}
                raise ClientError(details, operation) from None  # type: ignore[arg-type]
        if changes:
            self._moment(operation, region)
        return answer

    def statuses(self) -> dict[str, str]:
        """TableStatus by Region, of those that know the table."""
        found = {}
        for region in self.world.regions:
            try:
                answer = OPERATIONS["DescribeTable"](self.world, region, {"TableName": TABLE}, self.now)
            except WireError:
                continue
            found[region] = answer["Table"]["TableStatus"]
        return found

    def _moment(self, operation: str, region: str) -> None:
        self.moments += 1
        self.fault(self.moments, operation, region)


class _Client:
    def __init__(self, regions: Regions, region: str) -> None:
        self._regions = regions
        self._region = region

    def describe_table(self, **request: Any) -> dict[str, Any]:
        return self._regions.ask("DescribeTable", self._region, request)

    def create_table(self, **request: Any) -> dict[str, Any]:
        return self._regions.ask("CreateTable", self._region, request)

    def update_table(self, **request: Any) -> dict[str, Any]:
        return self._regions.ask("UpdateTable", self._region, request)

    def delete_table(self, **request: Any) -> dict[str, Any]:
        return self._regions.ask("DeleteTable", self._region, request)
