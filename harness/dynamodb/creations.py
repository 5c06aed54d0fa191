"""What the harness has created and has to remove: listed before it is made, taken off once it is seen to be gone."""

from __future__ import annotations

from typing import Protocol


class Creations(Protocol):
    """What this harness has created and not yet removed, by (table, Region): `records.ledger.Ledger`, or `Noted`."""

    def add(self, table: str, region: str) -> None:
        """List it; called before the call that creates it."""

    def discard(self, table: str, region: str) -> None:
        """Take it off; called once it is seen to be gone."""

    def holds(self, table: str, region: str) -> bool:
        """Is it listed?"""


class Noted:
    """`Creations` kept in memory, for tables that do not outlive the process: those of the emulator."""

    def __init__(self) -> None:
        self._places: set[tuple[str, str]] = set()

    def add(self, table: str, region: str) -> None:
        """Part of `Creations`."""
        self._places.add((table, region))

    def discard(self, table: str, region: str) -> None:
        """Part of `Creations`."""
        self._places.discard((table, region))

    def holds(self, table: str, region: str) -> bool:
        """Part of `Creations`."""
        return (table, region) in self._places
