"""The truth journal: when each write really became visible at each other Region.

One JSON line per write and replica, instants on CLOCK_MONOTONIC:
{"from", "to", "table", "key", "commit_ns", "visible_ns"}
Of a strongly consistent table `visible_ns` is for strongly consistent reads, and "eventual_ns" for the others.
A later line of the same write stands in place of an earlier one: its arrival was decided again when a fault came or
went. `visible_ns` is null while its link is paused, and for good where it is lost.
Lines wait in memory until `flush()`; whoever owns the journal calls it at least twice a second and at the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import orjson

from harness.errors import HarnessError, TargetUnavailable, UsageError

_FLUSH_BYTES = 1 << 20


class Truth:
    """Lines on their way to one file, which is begun anew.

    `on_first` is called when lines begin to wait, `on_failure` when they cannot be written: see `failure`.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(f"cannot write the truth journal {path}: {error.strerror}") from error
        self._path = path
        self._lines: list[bytes] = []
        self._bytes = 0
        self.failure: HarnessError | None = None
        self.on_first: Callable[[], None] = _nothing
        self.on_failure: Callable[[], None] = _nothing

    def visible(
        self,
        origin: str,
        replica: str,
        table: str,
        key: str,
        commit_ns: int,
        visible_ns: int | None,
        eventual_ns: int | None = None,
    ) -> None:
        """A write of `origin` becomes visible at `replica`; None where it does not, so far."""
        record = {
            "from": origin,
            "to": replica,
            "table": table,
            "key": key,
            "commit_ns": commit_ns,
            "visible_ns": visible_ns,
        }
        if eventual_ns is not None:
            record["eventual_ns"] = eventual_ns
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        self._lines.append(line)
        self._bytes += len(line)
        if len(self._lines) == 1:
            self.on_first()
        if self._bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits; a short write is continued, so a full disk becomes a failure."""
        rest = memoryview(b"".join(self._lines))
        self._lines, self._bytes = [], 0
        try:
            while rest and self.failure is None:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self.failure = TargetUnavailable(
                f"cannot write the truth journal {self._path}: {error.strerror}; it ends early"
            )
            self.on_failure()

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1


def _nothing() -> None:
    return
