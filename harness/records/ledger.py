"""The tables this harness has made and not yet removed, kept in a small file: JSON lines, one added or discarded each.

A Region is listed *before* the call that may create a table there, and discarded once it was seen to be gone. So
whatever a killed process leaves behind is listed, and only what is listed is ever removed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from harness.errors import DamagedRun, UsageError
from harness.measure.clock import wall_ns

LEDGER = "tables.jsonl"
"""The ledger's name in a directory of results."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One table in one Region that may exist; `added_wall_ns` is when it was listed, nanoseconds since 1970."""

    table: str
    region: str
    added_wall_ns: int


class Ledger:
    """A ledger file, made with the first entry. Several processes may write to one: every line is one append.

    Raises:
        UsageError: from `add` and `discard`, where the file cannot be written.
        DamagedRun: from all others, where it cannot be read. A torn last line (a kill in the middle of it) is no
            damage: what it was to announce has not been done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, table: str, region: str) -> None:
        """List a table before it is made; on disk when this returns. Listing it again changes nothing."""
        if not self.holds(table, region):
            self._append({"add": table, "region": region, "wall_ns": wall_ns()})

    def discard(self, table: str, region: str) -> None:
        """Take a table off that is seen to be gone; one that is not listed is fine."""
        if self.holds(table, region):
            self._append({"discard": table, "region": region, "wall_ns": wall_ns()})

    def holds(self, table: str, region: str) -> bool:
        """Is it listed?"""
        return any((entry.table, entry.region) == (table, region) for entry in self.entries())

    def entries(self) -> tuple[Entry, ...]:
        """What is listed, oldest first."""
        listed: dict[tuple[str, str], Entry] = {}
        for number, line in enumerate(self._lines(), 1):
            try:
                record = orjson.loads(line)
                table = record.get("add") or record["discard"]
                place = (str(table), str(record["region"]))
                entry = Entry(*place, int(record["wall_ns"]))
            except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
                raise DamagedRun(
                    f"{self.path} is damaged in line {number}; look for tables left over in every Region, "
                    "then remove the line"
                ) from None
            if "add" in record:
                listed.setdefault(place, entry)
            else:
                listed.pop(place, None)
        return tuple(listed.values())

    def regions(self, table: str) -> tuple[str, ...]:
        """The Regions a table is listed in, oldest first: the one it was created in leads."""
        return tuple(entry.region for entry in self.entries() if entry.table == table)

    def tables(self) -> tuple[str, ...]:
        """The names of all listed tables, oldest first."""
        return tuple(dict.fromkeys(entry.table for entry in self.entries()))

    def _lines(self) -> list[bytes]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DamagedRun(f"cannot read {self.path}: {error.strerror}") from None
        return [line for line in data.split(b"\n")[:-1] if line]

    def _append(self, record: dict[str, object]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._cut_torn_line(file)
                line = memoryview(orjson.dumps(record) + b"\n")
                while line:  # a full disk may take a part without an error
                    line = line[os.write(file, line) :]
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise UsageError(
                f"cannot write the ledger {self.path}: {error.strerror}; nothing is created without it"
            ) from None

    def _cut_torn_line(self, file: int) -> None:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.ftruncate(file, self.path.read_bytes().rfind(b"\n") + 1)
