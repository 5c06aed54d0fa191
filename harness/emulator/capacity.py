"""Capacity units, and the ConsumedCapacity that tells them."""

from __future__ import annotations

from typing import Any

from harness.emulator.errors import validation

_READ_UNIT, _WRITE_UNIT = 4096, 1024
_CHOICES = ("INDEXES", "TOTAL", "NONE")


def read_units(size: int, consistent: bool) -> float:
    """Units of reading `size` bytes: one per started 4 KB, at least one, half of it if eventually consistent."""
    units = max(1, -(-size // _READ_UNIT))
    return float(units) if consistent else units / 2


def write_units(size: int) -> float:
    """Units of writing `size` bytes: one per started 1 KB, at least one. In a global table each is an rWRU."""
    return float(max(1, -(-size // _WRITE_UNIT)))


def wanted(request: dict[str, Any]) -> str | None:
    """ReturnConsumedCapacity, None where nothing is to be told."""
    choice = request.get("ReturnConsumedCapacity")
    if choice is None or choice == "NONE":
        return None
    if choice not in _CHOICES:
        raise validation(
            f"1 validation error detected: Value '{choice}' at 'returnConsumedCapacity' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(_CHOICES)}]"
        )
    return str(choice)


def consumed(choice: str, table: str, units: float) -> dict[str, Any]:
    """The ConsumedCapacity of one table."""
    entry: dict[str, Any] = {"TableName": table, "CapacityUnits": units}
    if choice == "INDEXES":
        entry["Table"] = {"CapacityUnits": units}
    return entry
